"""Sound in model space: amplitudes divided by their standard deviation, on the lattice of each file's resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.encoded import Encoded, Encoding
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ModelFileError
from ostinato.numbers import counted


@dataclass(frozen=True)
class Amplitude(Encoding):
    """The map z = sample / scale. The likelihood is a probability of the multiples of the file's own step.

    Attributes:
        scale: The standard deviation of the training samples; their size if they are all the same.
        bits: The bits of a sample.
        usual_step: The spacing of amplitudes that most files have; a sample drawn without a prompt has it too.
    """

    name = "amplitude"
    scale: float
    bits: int
    usual_step: float = 1.0

    @staticmethod
    def fit(data: SequenceSet) -> Amplitude:
        """Return the encoding of data, which should be the training part."""
        samples = data.values.astype(np.float64) if data.values.size else np.zeros(1)
        # of a constant sound, the size of its samples
        deviation = float(samples.std()) or float(np.abs(samples).max())
        steps, files = np.unique(np.ones(len(data)) if data.step is None else data.step, return_counts=True)
        usual = float(steps[files.argmax()]) if len(data) else 1.0
        return Amplitude(deviation or 1.0, int(data.meta.get("bits", 16)), usual)

    @property
    def possible(self) -> str:
        """The advice for a user whose data hold a value that has no probability."""
        return f"give samples of {self.bits} bits"

    @property
    def spacing(self) -> float:
        """The usual spacing of amplitudes, in the units of the samples."""
        return self.usual_step

    def encode(self, data: SequenceSet) -> Encoded:
        """Return all of data in model space."""
        step = np.ones(len(data)) if data.step is None else data.step
        full, channels = 2.0 ** (self.bits - 1), data.values.shape[1]
        edges = (step / self.scale, np.full(len(data), -full / self.scale), (full - step) / self.scale)
        unit, low, high = (torch.from_numpy(edge).float()[:, None].repeat(1, channels) for edge in edges)
        values = torch.from_numpy(data.values / self.scale).float()
        return Encoded(values, data.offsets, unit, low, high, torch.zeros_like(values))

    def decode(self, z: NDArray[Any], data: SequenceSet, row: int) -> NDArray[Any]:
        """Return the samples of steps z (S, T, D), on the lattice of sequence ``row`` of data."""
        step = 1.0 if data.step is None else float(data.step[row])
        return (np.rint(z * self.scale / step) * step).astype(np.int64)

    def describe(self) -> str:
        """Return what the model takes as input, in words."""
        return f"{self.bits}-bit samples divided by {self.scale:.4g}"

    def impossible(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which steps of raw values (N, D) are not samples with the bits of the model, (N,)."""
        full = 2 ** (self.bits - 1)
        bad = ~np.isnan(values) & ((values < -full) | (values >= full) | (values != np.rint(values)))
        return np.asarray(bad.any(axis=-1))

    def accept(self, data: SequenceSet, sample_rate: int | None) -> SequenceSet:
        """Return sound scaled up to the bits of the model; with fewer bits, the amplitudes lie on a coarser lattice.

        Args:
            data: Sound.
            sample_rate: The samples per second of the training data; None if unknown.

        Raises:
            ModelFileError: The sample rate differs from the training data, or the sound has more bits than the model.
        """
        rate, bits = data.meta.get("sample_rate"), int(data.meta.get("bits", self.bits))
        where = data.meta.get("source")
        if rate and sample_rate and rate != sample_rate:
            raise ModelFileError(
                f"the sound has {counted(rate, 'sample')} a second, and the model was fitted to {sample_rate}",
                where=where,
                fix=f"resample the sound to {sample_rate} Hz",
            )
        if bits == self.bits:
            return data
        step = (np.ones(len(data)) if data.step is None else data.step) * 2.0 ** (self.bits - bits)
        if (step < 1).any():
            raise ModelFileError(
                f"the sound has {bits} bits, and the model was fitted to {self.bits}",
                where=where,
                fix=f"convert the sound to {self.bits} bits, or fit a model to it",
            )
        values = np.rint(data.values * 2.0 ** (self.bits - bits)).astype(data.values.dtype)
        return replace(data, values=values, step=step, meta={**data.meta, "bits": self.bits})

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to build the encoding again, as JSON."""
        return {"name": self.name, "scale": self.scale, "bits": self.bits, "usual_step": self.usual_step}

    @staticmethod
    def from_json(document: dict[str, Any]) -> Amplitude:
        """Return the encoding that ``to_json`` wrote.

        Raises:
            ValueError: The scale is not above 0.
        """
        if not document["scale"] > 0:
            raise ValueError(f"the scale is {document['scale']}, expected a number above 0")
        return Amplitude(document["scale"], document["bits"], document.get("usual_step", 1.0))
