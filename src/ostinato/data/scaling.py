"""Series and prices in model space: values less their location, over their scale; prices first as log returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.encoded import Encoded, Encoding, real_line, repeat_rows
from ostinato.data.sequences import SequenceSet

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling(Encoding):
    """z = (y - location) / scale, where y is the value, or for prices its log return.

    location, scale  (D,): of all training steps together
    per_id           unique_id -> (location, scale), each (D,), where a panel is split by time and every series is known
    counts           True: location is 0 and z lies on the lattice of step 1 / scale
    """

    name = "scaling"
    location: tuple[float, ...]
    scale: tuple[float, ...]
    per_id: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    returns: bool = False
    counts: bool = False

    @staticmethod
    def fit(data: SequenceSet, *, by_id: bool) -> Scaling:
        """Locations and scales of data (the training part). by_id: one for each series of a panel."""
        y, counts = _modelled(data), data.count
        location, scale = _moments(y, counts)
        per_id = _each(data, y, counts) if by_id and len(data) > 1 else {}
        return Scaling(tuple(location.tolist()), tuple(scale.tolist()), per_id, data.kind == "prices", counts)

    def with_own(self, data: SequenceSet) -> Scaling:
        """The same, with unseen series scaled by the history given: what a forecast conditions on anyway."""
        new = data.take([b for b, key in enumerate(data.ids) if key not in self.per_id])
        own = _each(new, _modelled(new), self.counts) if self.per_id else {}
        return Scaling(self.location, self.scale, {**own, **self.per_id}, self.returns, self.counts)

    def _of(self, ids: tuple[str, ...]) -> tuple[Array, Array]:
        pairs = [self.per_id.get(key, (self.location, self.scale)) for key in ids]
        shape = (len(ids), len(self.location))
        return np.array([p[0] for p in pairs]).reshape(shape), np.array([p[1] for p in pairs]).reshape(shape)

    def encode(self, data: SequenceSet) -> Encoded:
        """See Encoding. A sequence of prices keeps its length; its first return is missing."""
        location, scale = self._of(data.ids)
        z = (_modelled(data) - repeat_rows(location, data.lengths)) / repeat_rows(scale, data.lengths)
        unit, low, high = real_line(len(data), len(data.channels))
        log_measure = -np.log(repeat_rows(scale, data.lengths))
        if self.counts:
            unit, low = torch.from_numpy(1 / scale).float(), torch.zeros_like(low)
            log_measure = np.zeros_like(log_measure)
        values = torch.from_numpy(z).float()
        return Encoded(values, data.offsets, unit, low, high, torch.from_numpy(log_measure).float())

    def decode(self, z: NDArray[Any], data: SequenceSet, row: int) -> NDArray[Any]:
        """See Encoding. Prices go on from the last observed one."""
        y = self.unscale(z, data.ids[row])
        if self.counts:
            return np.rint(y)
        if not self.returns:
            return np.asarray(y)
        history = data[row]
        last = np.array([c[np.isfinite(c)][-1] if np.isfinite(c).any() else np.nan for c in history.T])
        return np.asarray(last * np.exp(np.cumsum(y, axis=-2)))

    def unscale(self, z: NDArray[Any], unique_id: str) -> Array:
        """(..., D) in model space -> values, or for prices log returns; those of counts are not rounded."""
        location, scale = self._of((unique_id,))
        return np.asarray(z * scale[0] + location[0])

    def to_json(self) -> dict[str, Any]:
        """See Encoding."""
        return {
            "name": self.name,
            "location": list(self.location),
            "scale": list(self.scale),
            "per_id": {k: [list(v[0]), list(v[1])] for k, v in self.per_id.items()},
            "returns": self.returns,
            "counts": self.counts,
        }

    @staticmethod
    def from_json(document: dict[str, Any]) -> Scaling:
        """The inverse of to_json."""
        per_id = {k: (tuple(v[0]), tuple(v[1])) for k, v in document["per_id"].items()}
        location, scale = tuple(document["location"]), tuple(document["scale"])
        return Scaling(location, scale, per_id, document["returns"], document["counts"])


def _modelled(data: SequenceSet) -> Array:
    """(N, D): the values, or for prices the log return over the last observed price; a sequence's first is NaN."""
    values = np.asarray(data.values, dtype=np.float64)
    if data.kind != "prices":
        return values
    out = np.full_like(values, np.nan)
    for b in range(len(data)):
        span = slice(int(data.offsets[b]), int(data.offsets[b + 1]))
        for d in range(values.shape[1]):
            seen = np.flatnonzero(np.isfinite(values[span, d]))
            # over a missing price the return spans several steps: it belongs to no single one, and stays missing
            pairs = seen[1:][np.diff(seen) == 1]
            logs = np.log(
                values[span, d], where=np.isfinite(values[span, d]), out=np.full(span.stop - span.start, np.nan)
            )
            out[span, d][pairs] = logs[pairs] - logs[pairs - 1]
    return out


def _each(data: SequenceSet, y: Array, counts: bool) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """unique_id -> location and scale of its own steps of y (N, D); not of those that have too few for a scale."""
    out = {}
    for b, key in enumerate(data.ids):
        row = y[data.offsets[b] : data.offsets[b + 1]]
        if np.isfinite(row).sum(axis=0).min() >= 2:
            location, scale = _moments(row, counts)
            out[key] = (tuple(location.tolist()), tuple(scale.tolist()))
    return out


def _moments(y: Array, counts: bool) -> tuple[Array, Array]:
    """Location and scale (D,) of y (N, D); 0 and 1 where nothing is observed, scale 1 where nothing varies."""
    location, scale = np.zeros(y.shape[1]), np.ones(y.shape[1])
    for d, column in enumerate(y.T):
        seen = column[np.isfinite(column)]
        if len(seen):
            location[d] = 0.0 if counts else seen.mean()
            spread = seen.mean() if counts else seen.std()
            # rounding noise on a constant series is no scale; small values in a large unit are
            scale[d] = spread if spread > 1e-12 * abs(float(seen.mean())) else 1.0
    return location, scale
