"""Seasons that move, one or several, and what is left.

    y_t = sum over the seasons m of s_m(t) + r_t

s_m is a profile of m steps. Each of its positions is smoothed exponentially from one cycle to the next, so that it
moves, as in exponential smoothing with several seasons (Taylor 2003). As in MSTL (Bandara, Hyndman and Bergmeir 2021),
each pass fits one season to the series without the others, the longest first. A profile moves as fast as predicts the
next cycle best. What is left, r_t, is the shrunken autoregression of ``ar``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ostinato.local.ar import AR, fit_ar
from ostinato.local.panel import Ahead, Panel
from ostinato.local.seasonality import all_interpolated
from ostinato.shapes import Array

#: The shares of a new cycle in a profile that are tried.
_MOVING = np.array([0.05, 0.1, 0.2, 0.3, 0.5])
#: How often the profiles are computed, each without the others.
_PASSES = 2
#: The number of cycles from which a season is used.
_CYCLES = 3
#: The number of values that are decomposed together.
_VALUES = 200_000


@final
@dataclass(frozen=True)
class Seasons:
    """Moving seasons that were fitted to a panel.

    Attributes:
        profiles: The profiles after the end of each series, (m,) each, the first for the next step.
        moving: The share of a new cycle in each of these profiles.
        rest: The autoregression of what is left.
    """

    profiles: tuple[tuple[Array, ...], ...]
    moving: tuple[tuple[float, ...], ...]
    rest: AR

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series; see ``Fitted``."""
        rest = self.rest.ahead(horizon, probabilities)
        shift, steps = np.zeros_like(rest.point), np.arange(horizon)
        for s, profiles in enumerate(self.profiles):
            for profile in profiles:
                shift[s] += profile[steps % len(profile)]
        return Ahead(rest.point + shift, rest.quantiles + shift[:, :, None])

    def description(self, s: int) -> str:
        """Return the seasons of series ``s`` and how fast they move; see ``Fitted``."""
        pairs = zip(self.profiles[s], self.moving[s], strict=True)
        seasons = ", ".join(f"{len(profile)} moving {share:.2g}" for profile, share in pairs)
        return f"seasons({seasons}) + {self.rest.description(s)}" if seasons else self.rest.description(s)


def fit_seasons(panel: Panel) -> Seasons:
    """Fit moving seasons to every series, those of which it has three cycles, and an autoregression to what is left.

    Missing values are interpolated, and what is left is missing there.
    """
    S = len(panel)
    profiles: list[tuple[Array, ...]] = [()] * S
    moving: list[tuple[float, ...]] = [()] * S
    rests = list(panel.values)
    for seasons, rows in _alike(panel):
        filled = all_interpolated([panel.values[s] for s in rows])
        ends, shares, left = _decomposed(_Aligned.of(filled), seasons)
        for k, s in enumerate(rows):
            profiles[s] = tuple(end[k].copy() for end in ends)
            moving[s] = tuple(float(share[k]) for share in shares)
            y = panel.values[s]
            rests[s] = np.where(np.isfinite(y), left[k, left.shape[1] - len(y) :], np.nan)
    return Seasons(tuple(profiles), tuple(moving), fit_ar(Panel(tuple(rests))))


def _alike(panel: Panel) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the seasons that some series have, with as many of these series, of similar length, as fit into memory."""
    lengths = np.array([len(y) for y in panel.values], dtype=np.int64)
    cycles = np.array([m * _CYCLES for m in panel.seasons], dtype=np.int64)
    count = (lengths[:, None] >= cycles).sum(axis=1)
    for n in range(1, len(cycles) + 1):
        rows = np.flatnonzero(count == n)
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        while len(rows):
            most = max(1, _VALUES // int(lengths[rows[0]]))
            now = rows[:most][lengths[rows[:most]] <= 2 * lengths[rows[0]]]
            yield list(panel.seasons[:n]), now.tolist()
            rows = rows[len(now) :]


@dataclass(frozen=True)
class _Aligned:
    """Series that end together.

    Attributes:
        y: The values, (S, T); 0 before the start of a series.
        first: The first step of each series, (S,).
    """

    y: Array
    first: NDArray[np.int64]

    @staticmethod
    def of(series: list[Array]) -> _Aligned:
        """Return series of several lengths."""
        T = max(map(len, series))
        y = np.zeros((len(series), T))
        for row, values in zip(y, series, strict=True):
            row[T - len(values) :] = values
        return _Aligned(y, np.array([T - len(values) for values in series], dtype=np.int64))

    def less(self, part: Array) -> _Aligned:
        """Return the series minus a part of them, (S, T)."""
        return _Aligned(np.where(np.arange(self.y.shape[1]) < self.first[:, None], 0.0, self.y - part), self.first)


def _decomposed(series: _Aligned, seasons: list[int]) -> tuple[list[Array], list[Array], Array]:
    """Return the next profiles (S, m), the shares of a new cycle (S,), and what is left without the seasons, (S, T)."""
    parts = {m: np.zeros_like(series.y) for m in seasons}
    found: dict[int, tuple[Array, Array, Array]] = {}
    for _ in range(_PASSES if len(seasons) > 1 else 1):
        for m in reversed(seasons):  # a week has the mean day in it, and the day then what moves from day to day
            rest = series.less(sum((part for other, part in parts.items() if other != m), np.zeros(())))
            profile, parts[m], before, share = _profile(rest.less(_level(rest, m)), m)
            found[m] = profile, before, share
    profiles, known, shares = ([found[m][i] for m in seasons] for i in range(3))
    return profiles, shares, series.y - sum(known, np.zeros(()))


def _level(series: _Aligned, season: int) -> Array:
    """Return the moving averages over a season, (S, T), held at both ends."""
    T = series.y.shape[1]
    sums = np.concatenate([np.zeros((len(series.y), 1)), series.y.cumsum(axis=1)], axis=1)
    mean = (sums[:, season:] - sums[:, :-season]) / season
    at = np.clip(np.arange(T) - season // 2, series.first[:, None], T - season)
    return np.take_along_axis(mean, at, axis=1)


def _profile(series: _Aligned, season: int) -> tuple[Array, Array, Array, Array]:
    """Return the next profiles (S, m), two forms of the season (S, T), and the share of a new cycle in a profile, (S,).

    The share is the one that predicts the next cycle best. The first form is the mean of the profiles from both sides,
    which follows the series without delay. The second is what the cycles before say: errors about it are those of a
    forecast.
    """
    S, T = series.y.shape
    each = np.arange(S)
    cycles = np.pad(series.y, ((0, 0), (-T % season, 0))).reshape(S, -1, season)
    first, missing = np.divmod(series.first + -T % season, season)
    before_start = np.arange(season) < missing[:, None]
    cycles[each, first] = np.where(before_start, cycles[each, first + 1], cycles[each, first])
    age = np.arange(cycles.shape[1]) - first[:, None]
    forward = _smoothed(cycles, age, np.broadcast_to(_MOVING, (S, len(_MOVING))))  # (S, N, P, m)
    unit = np.maximum(np.abs(series.y).max(axis=1), 1e-300)[:, None, None, None]
    errors = np.where((age > 0)[:, 1:, None, None], (cycles[:, 1:, None] - forward[:, :-1]) / unit, 0.0)
    best = np.einsum("snpm,snpm->sp", errors, errors).argmin(axis=1)
    share, forward = _MOVING[best], forward[each, :, best]
    later = np.broadcast_to(np.arange(cycles.shape[1]), age.shape)
    backward = _smoothed(cycles[:, ::-1], later, share[:, None])[:, ::-1, 0]
    before = np.concatenate([backward[:, :1], forward[:, :-1]], axis=1)
    before[each, first] = backward[each, first]
    parts = [part - part.mean(axis=2, keepdims=True) for part in ((forward + backward) / 2, before)]
    both, known = (part.reshape(S, -1)[:, -T:] for part in parts)
    return forward[:, -1] - forward[:, -1].mean(axis=1, keepdims=True), both, known, share


def _smoothed(cycles: Array, age: NDArray[np.int64], shares: Array) -> Array:
    """Return the profiles after each cycle, (S, N, P, m). The first ones are means, until these have the given share.

    Args:
        cycles: The cycles, (S, N, m).
        age: The number of earlier cycles of the series; below 0 before its first, (S, N).
        shares: The shares of a new cycle, (S, P).
    """
    out = np.empty((*cycles.shape[:2], shares.shape[1], cycles.shape[2]))
    level = np.zeros_like(out[:, 0])
    for k in range(cycles.shape[1]):
        share = np.maximum(shares, 1 / (np.maximum(age[:, k, None], 0) + 1))
        level = level + share[:, :, None] * (cycles[:, k, None] - level)
        out[:, k] = level
    return out
