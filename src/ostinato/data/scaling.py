"""Series and prices in model space: (value - location) / scale, where prices become log returns first."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.encoded import Encoded, Encoding, real_line, repeat_rows
from ostinato.data.sequences import SequenceSet
from ostinato.shapes import Array
from ostinato.spread import spread
from ostinato.wording import option

#: The values in model space, in standard deviations, that count as 0.
NOTHING = 1e-6
#: Values beyond this many units of model space are refused: their sums would overflow in float32.
FARTHEST = 1e30


@dataclass(frozen=True)
class Scaling(Encoding):
    """The map z = (y - location) / scale, where y is the value, or for prices its log return.

    Attributes:
        location: The mean of all training steps together, (D,).
        scale: The standard deviation of all training steps together, (D,).
        per_id: The location and scale (D,) of each series, if a panel is split by time and every series is known.
        returns: Whether the values are prices.
        counts: Whether the values are counts. Then location is 0 and z lies on the lattice of step 1 / scale.
        nonnegative: Whether each channel has no probability below 0, (D,); empty if none has a bound.
        upper_bounds: The upper bound of the forecasts and samples of each channel, (D,), see ``upper_bound``; infinity
            for an unbounded channel, and empty if no channel is bounded. The density itself has no upper bound: the
            mass above the bound is counted as the bound.
    """

    name = "scaling"
    location: tuple[float, ...]
    scale: tuple[float, ...]
    per_id: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    returns: bool = False
    counts: bool = False
    nonnegative: tuple[bool, ...] = ()
    upper_bounds: tuple[float, ...] = ()

    @staticmethod
    def fit(
        data: SequenceSet, *, by_id: bool, nonnegative: tuple[bool, ...] = (), upper_bounds: tuple[float, ...] = ()
    ) -> Scaling:
        """Return the encoding of data.

        Args:
            data: The training part.
            by_id: Whether each series of a panel gets a location and scale of its own.
            nonnegative: Whether each channel is never below 0, (D,).
            upper_bounds: The upper bound of each channel, (D,); infinity for an unbounded one.
        """
        y, counts = _modelled(data), data.count
        location, scale = _moments(y, counts)
        per_id = _each(data, y, counts) if by_id and len(data) > 1 else {}
        moments = tuple(location.tolist()), tuple(scale.tolist())
        ends = upper_bounds if np.isfinite(upper_bounds).any() else ()
        return Scaling(*moments, per_id, data.traits.log_returns, counts, nonnegative if any(nonnegative) else (), ends)

    @property
    def possible(self) -> str:
        """The advice for a user whose data hold a value that has no probability."""
        if self.returns:
            return "give prices above 0; leave a price empty if it is missing"
        if self.counts:
            return f"give whole numbers from 0 up, or fit another model with {option('--emission', 'student_t')}"
        if self.nonnegative:
            ways = option("--support", "real")
            return f"give values from 0 up, or fit again with {ways}, which lets values fall below 0"
        return super().possible

    def least(self) -> Array:
        """Return 0 for each channel that is never below 0, and -inf for the others, (D,)."""
        return self._least.copy()

    @cached_property
    def _least(self) -> Array:
        return np.where(np.array(self.nonnegative or (False,) * len(self.scale)), 0.0, -np.inf)

    def greatest(self) -> Array:
        """Return the upper bound of the forecasts of each channel, (D,); infinity for an unbounded one."""
        return np.array(self.upper_bounds or (np.inf,) * len(self.scale))

    @property
    def continuous(self) -> bool:
        """Whether values are real numbers instead of counts."""
        return not self.counts

    def describe(self) -> str:
        """Return what the model takes as input, in words."""
        if self.returns:
            return "log returns divided by their standard deviation"
        if self.per_id:
            return f"values, standardised by the mean and standard deviation of each of {len(self.per_id):,} series"
        if self.counts:
            return "counts divided by their mean"
        return "values, standardised by their mean and standard deviation"

    def impossible(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which steps of raw values (N, D) have no probability: too large, prices up to 0, fractional counts."""
        # beyond this the value overflows in float32, in which the model computes, and its state would become NaN
        bad = np.abs(values) > self.most
        if self.returns:
            bad |= values <= 0
        elif self.counts:
            # the probabilities of a lattice belong to its points: 2.5 would be given the probability of 2
            bad |= (values < 0) | (values != np.rint(values)) & ~np.isnan(values)
        else:
            bad |= values < self._least
        return np.asarray(bad.any(axis=-1))

    @property
    def most(self) -> float:
        """The greatest size of a value that the model can take."""
        return super().most if self.returns else self._farthest

    @cached_property
    def _farthest(self) -> float:
        scales = [*self.scale, *(s for _, scale in self.per_id.values() for s in scale)]
        return FARTHEST * min(scales, default=1.0)

    def new_ids(self, data: SequenceSet) -> list[str]:
        """Return the ids of the new series, which lack a scale, if the encoding has one scale per series."""
        return [key for key in data.ids if key not in self.per_id] if self.per_id else []

    def with_own(self, data: SequenceSet) -> Scaling:
        """Return the encoding with each new series scaled by its own history, on which a forecast conditions anyway."""
        new = data.take([b for b, key in enumerate(data.ids) if key not in self.per_id])
        own = _each(new, _modelled(new), self.counts) if self.per_id else {}
        return replace(self, per_id={**own, **self.per_id})

    def affine(self, unique_id: str) -> tuple[Array, Array] | None:
        """Return location and scale (D,) of a series: z = (y - location) / scale; None for counts."""
        if self.counts:
            return None
        location, scale = self.per_id.get(unique_id, (self.location, self.scale))
        return np.array(location), np.array(scale)

    def _moments_of(self, ids: tuple[str, ...]) -> tuple[Array, Array]:
        """Return the locations and scales (B, D) of these series."""
        if not self.per_id:
            return np.tile(self.location, (len(ids), 1)), np.tile(self.scale, (len(ids), 1))
        pairs = [self.per_id.get(key, (self.location, self.scale)) for key in ids]
        shape = (len(ids), len(self.location))
        return np.array([p[0] for p in pairs]).reshape(shape), np.array([p[1] for p in pairs]).reshape(shape)

    def encode(self, data: SequenceSet) -> Encoded:
        """Return all of data in model space. A sequence of prices keeps its length; its first return is missing."""
        location, scale = self._moments_of(data.ids)
        z = (_modelled(data) - repeat_rows(location, data.lengths)) / repeat_rows(scale, data.lengths)
        unit, low, high = real_line(len(data), len(data.channels))
        if self.nonnegative:
            low = torch.from_numpy((self.least() - location) / scale).float()
        log_measure = -np.log(repeat_rows(scale, data.lengths))
        if self.counts:
            unit, low = torch.from_numpy(1 / scale).float(), torch.zeros_like(low)
            log_measure = np.zeros_like(log_measure)
        values = torch.from_numpy(z).float()
        return Encoded(values, data.offsets, unit, low, high, torch.from_numpy(log_measure).float())

    def decode(self, z: NDArray[Any], data: SequenceSet, row: int) -> NDArray[Any]:
        """Return the raw values of steps z (S, T, D); prices continue from the last observed price of the sequence."""
        y = self.unscale(z, data.ids[row])
        if self.counts:
            return np.rint(y)
        if not self.returns:
            return np.asarray(y)
        history = data[row]
        last = np.array([c[np.isfinite(c)][-1] if np.isfinite(c).any() else np.nan for c in history.T])
        return np.asarray(last * np.exp(np.cumsum(y, axis=-2)))

    def unscale(self, z: NDArray[Any], unique_id: str) -> Array:
        """Return the values of z (..., D), or for prices the log returns; counts are not rounded."""
        location, scale = self._moments_of((unique_id,))
        # the least standard deviation of a perfect fit is no change: a series that never changes is continued exactly
        y = np.where(np.abs(z) <= NOTHING, 0.0, z) * scale[0] + location[0]
        return self._within(y)

    def _within(self, y: Array) -> Array:
        """Return values (..., D) clipped to the bounds of their channel."""
        if not self.nonnegative and not self.upper_bounds:
            return np.asarray(y)
        return np.asarray(np.clip(y, self._least, self.greatest()))

    def expected(self, z: Array, data: SequenceSet) -> Array:
        """Return the expected values z (T, D) of the last steps of the one sequence of data; counts are not rounded.

        The expected price is the price before, moved by the expected return; NaN if there is no price before.
        """
        y = self.unscale(z, data.ids[0])
        if not self.returns:
            return y
        none = np.full((len(z) + 1 - len(data.values), z.shape[1]), np.nan)
        with np.errstate(over="ignore"):  # a price beyond all floats is infinite
            return np.asarray(np.concatenate([none, data.values])[: len(z)] * np.exp(y))

    def expected_each(self, z: Array, data: SequenceSet, lengths: NDArray[np.int64]) -> Array:
        """Return the expected values z (N, D) of the last ``lengths`` (B,) steps of each sequence, in raw units."""
        if self.returns:
            return super().expected_each(z, data, lengths)
        location, scale = self._moments_of(data.ids)
        y = np.where(np.abs(z) <= NOTHING, 0.0, z) * repeat_rows(scale, lengths) + repeat_rows(location, lengths)
        return self._within(y)

    def carried(self, z: Array, unique_id: str) -> Array:
        """Return what the earlier log returns of paths z (S, T, D) add to the logarithm of a price, in model space."""
        if not self.returns:
            return np.zeros_like(z)
        location, scale = self._moments_of((unique_id,))
        total = np.cumsum(z + location[0] / scale[0], axis=-2)
        return np.asarray(np.concatenate([np.zeros_like(total[:, :1]), total[:, :-1]], axis=1))

    def prompt(self, words: str, channels: int) -> NDArray[Any]:
        """Return the raw values (T, D) that a sample continues if no data are given: no steps, or a price of 100."""
        return np.full((1, channels), 100.0) if self.returns else np.zeros((0, channels))

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to build the encoding again, as JSON."""
        ends = [end if math.isfinite(end) else None for end in self.upper_bounds]
        return {
            "name": self.name,
            "location": list(self.location),
            "scale": list(self.scale),
            "per_id": {k: [list(v[0]), list(v[1])] for k, v in self.per_id.items()},
            "returns": self.returns,
            "counts": self.counts,
            "nonnegative": list(self.nonnegative),
            **({"wholes": ends} if ends else {}),
        }

    @staticmethod
    def from_json(document: dict[str, Any]) -> Scaling:
        """Return the encoding that ``to_json`` wrote.

        Raises:
            ValueError: A scale is not above 0, or a location does not fit it.
        """
        per_id = {k: (tuple(v[0]), tuple(v[1])) for k, v in document["per_id"].items()}
        location, scale = tuple(document["location"]), tuple(document["scale"])
        nonnegative = tuple(document.get("nonnegative", ()))
        upper_bounds = tuple(math.inf if end is None else float(end) for end in document.get("wholes", ()))
        for where, (at, size) in {"the panel": (location, scale), **per_id}.items():
            if len(at) != len(size) or not all(math.isfinite(x) for x in at):
                raise ValueError(f"the location {at} of {where} does not fit its scale {size}")
            if not all(0 < x < math.inf for x in size):
                raise ValueError(f"the scale of {where} is {size}, expected finite numbers above 0")
        return Scaling(location, scale, per_id, document["returns"], document["counts"], nonnegative, upper_bounds)


def _modelled(data: SequenceSet) -> Array:
    """Return the values (N, D), or for prices the log returns over the price before; the first return is NaN."""
    values = np.asarray(data.values, dtype=np.float64)
    if not data.traits.log_returns:
        return values
    out = np.full_like(values, np.nan)
    for b in range(len(data)):
        span = slice(int(data.offsets[b]), int(data.offsets[b + 1]))
        for d in range(values.shape[1]):
            seen = np.flatnonzero(np.isfinite(values[span, d]))
            # a return over a missing price spans several steps: it belongs to no single step, and stays missing
            pairs = seen[1:][np.diff(seen) == 1]
            logs = np.log(
                values[span, d], where=np.isfinite(values[span, d]), out=np.full(span.stop - span.start, np.nan)
            )
            out[span, d][pairs] = logs[pairs] - logs[pairs - 1]
    return out


def _each(data: SequenceSet, y: Array, counts: bool) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Return the location and scale of each series of y (N, D) that has at least two observed values per channel."""
    out = {}
    for b, key in enumerate(data.ids):
        row = y[data.offsets[b] : data.offsets[b + 1]]
        if np.isfinite(row).sum(axis=0).min() >= 2:
            location, scale = _moments(row, counts)
            out[key] = (tuple(location.tolist()), tuple(scale.tolist()))
    return out


def _moments(y: Array, counts: bool) -> tuple[Array, Array]:
    """Return location and scale (D,) of y (N, D): 0 and 1 if no value is observed; see ``spread`` for equal values."""
    location, scale = np.zeros(y.shape[1]), np.ones(y.shape[1])
    for d, column in enumerate(y.T):
        seen = column[np.isfinite(column)]
        if len(seen):
            location[d] = 0.0 if counts else seen.mean()
            scale[d] = (seen.mean() or 1.0) if counts else spread(seen)
    return location, scale
