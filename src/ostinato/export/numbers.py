"""The values of one series of numbers in a graph: from the units of the data to model space, and back."""

from __future__ import annotations

import numpy as np

from ostinato.data.amplitude import Amplitude
from ostinato.data.scaling import NOTHING, Scaling
from ostinato.export.graph import Wire, maximum, minimum, where
from ostinato.export.laws.law import Lattice
from ostinato.inference.raw import raw_sequences
from ostinato.model import SequenceModel


class Numbers:
    """The raw values of one series of numbers in the graph, and the way back."""

    def __init__(self, model: SequenceModel, unique_id: str, spacing: float) -> None:
        self.model, encoding, D = model, model.encoding, model.channels
        self._encoding, self._returns = encoding, model.description.traits.log_returns
        encoded = encoding.encode(raw_sequences(model, [unique_id], np.zeros((0, D)), [0], spacing=spacing))
        self.support = Lattice(*(t[0].double().numpy() for t in (encoded.unit, encoded.low, encoded.high)))
        self.spacing = spacing
        match encoding:
            case Scaling():
                location, scale = encoding.per_id.get(unique_id, (encoding.location, encoding.scale))
                self.location, self.scale = np.array(location), np.array(scale)
                self.measure = np.zeros(D) if encoding.counts else -np.log(self.scale).astype(np.float32)
            case Amplitude(scale=one):
                self.location, self.scale, self.measure = np.zeros(D), np.full(D, one), np.zeros(D)

    def encode(self, y: Wire, last: Wire | None) -> Wire:
        """Return raw values y (B, D) in model space, float32."""
        value = y if last is None else y.log() - last.log()
        return ((value - self.location) / self.scale).cast(np.float32)

    def decode(self, z: Wire, last: Wire | None, trailing: bool = False) -> Wire:
        """Return values in model space, (B, D) or (B, D, Q), in the units of the data."""
        encoding = self._encoding
        location, scale, least, most = (
            a[:, None] if trailing else a for a in (self.location, self.scale, encoding.least(), encoding.greatest())
        )
        match self._encoding:
            case Amplitude():
                return (z * scale / self.spacing).round() * self.spacing
            case _:
                y = where(z.abs() <= NOTHING, 0.0, z) * scale + location
        if last is not None:
            return (last.expand() if trailing else last) * y.exp()
        if np.isfinite(least).any():
            y = maximum(y, least)
        if np.isfinite(most).any():
            y = minimum(y, most)
        return y.round() if trailing and not self._encoding.continuous else y
