"""Sound in model space: amplitudes over their standard deviation, on the lattice of each file's real resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.encoded import Encoded, Encoding
from ostinato.data.sequences import SequenceSet


@dataclass(frozen=True)
class Amplitude(Encoding):
    """z = sample / scale. The likelihood is a probability of the real symbols: multiples of the file's own step."""

    name = "amplitude"
    scale: float
    bits: int
    #: the spacing of amplitudes that most files have: what a sound made from nothing has too
    usual_step: float = 1.0

    @staticmethod
    def fit(data: SequenceSet) -> Amplitude:
        """The scale of data (the training part)."""
        spread = float(data.values.astype(np.float64).std()) if data.values.size else 0.0
        steps, files = np.unique(np.ones(len(data)) if data.step is None else data.step, return_counts=True)
        usual = float(steps[files.argmax()]) if len(data) else 1.0
        return Amplitude(spread or 1.0, int(data.meta.get("bits", 16)), usual)

    def encode(self, data: SequenceSet) -> Encoded:
        """See Encoding."""
        step = np.ones(len(data)) if data.step is None else data.step
        unit = torch.from_numpy(step / self.scale).float()[:, None]
        full = 2.0 ** (self.bits - 1)
        low = torch.full_like(unit, -full / self.scale)
        high = torch.from_numpy((full - step) / self.scale).float()[:, None]
        values = torch.from_numpy(data.values / self.scale).float()
        return Encoded(values, data.offsets, unit, low, high, torch.zeros_like(values))

    def decode(self, z: NDArray[Any], data: SequenceSet, row: int) -> NDArray[Any]:
        """See Encoding."""
        step = 1.0 if data.step is None else float(data.step[row])
        return (np.rint(z * self.scale / step) * step).astype(np.int64)

    def to_json(self) -> dict[str, Any]:
        """See Encoding."""
        return {"name": self.name, "scale": self.scale, "bits": self.bits, "usual_step": self.usual_step}

    @staticmethod
    def from_json(document: dict[str, Any]) -> Amplitude:
        """The inverse of to_json."""
        return Amplitude(document["scale"], document["bits"], document.get("usual_step", 1.0))
