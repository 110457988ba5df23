"""The seasonality test of M4, the seasonal indices of a series, and the series without its season."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ostinato.local.panel import stacked
from ostinato.shapes import Array
from ostinato.spread import spreads, stills

#: The bound of the central 90 % of a standard normal distribution.
_CRITICAL = 1.645


def is_seasonal(y: Array, season: int) -> bool:
    """Return whether the autocorrelation at the seasonal lag is more than chance, at 90 %.

    The test is |r_m| > 1.645 sqrt((1 + 2 (r_1^2 + .. + r_{m-1}^2)) / T), Bartlett's bound, and T must be at least three
    seasons. It is the test of Naive2 in the code of the organisers of M4, with one difference: their ``acf`` in R stops
    at lag 10 log10(T), so it finds no season beyond that lag.

    Args:
        y: The series, (T,).
        season: The season m in steps.
    """
    return bool(are_seasonal(y[None], season)[0])


def are_seasonal(y: Array, season: int) -> NDArray[np.bool_]:
    """Return whether each series of y (S, T) is seasonal, (S,); see ``is_seasonal``.

    Args:
        y: The series. NaN after the end of a series.
        season: The season m in steps.
    """
    seen = np.isfinite(y)
    T = seen.sum(axis=1)
    long = np.asarray((3 * season <= T) & (season >= 2))
    if not long.any():
        return long
    count, unit = np.maximum(T, 1)[:, None], spreads(y)[:, None]
    z = np.where(seen, y, 0.0) / unit
    z = np.where(seen, z - z.sum(axis=1, keepdims=True) / count, 0.0)
    total = np.maximum(np.einsum("st,st->s", z, z), 1e-300)
    r = np.stack([np.einsum("st,st->s", z[:, lag:], z[:, :-lag]) for lag in range(1, season + 1)], axis=1)
    r /= total[:, None]
    bound = _CRITICAL * np.sqrt((1 + 2 * (r[:, :-1] ** 2).sum(axis=1)) / np.maximum(T, 1))
    return np.asarray(long & ~stills(y) & (np.abs(r[:, -1]) > bound))


def indices(y: Array, season: int) -> Array:
    """Return the multiplicative seasonal indices by position from the first step, (m,); their mean is 1.

    Classical decomposition: y over its centred moving average, averaged by position, normalised (R's ``decompose``;
    Makridakis, Wheelwright and Hyndman 1998, 3.4). All indices are 1 if a ratio is not a positive number.

    Args:
        y: The series, (T,).
        season: The season m in steps.
    """
    return np.asarray(_multiplicative(y[None], season)[0])


def _multiplicative(y: Array, season: int) -> Array:
    """Return the multiplicative indices of each series y (S, T), (S, m); see ``indices``."""
    trend = _trend(y, season)
    with np.errstate(divide="ignore", invalid="ignore"):
        figure = _by_position(y / trend, ~np.isnan(trend), season)
    usable = (np.isfinite(figure) & (figure > 0)).all(axis=1, keepdims=True)
    figure = np.where(usable, figure, 1.0)
    return np.asarray(figure / figure.mean(axis=1, keepdims=True))


def _additive(y: Array, season: int) -> Array:
    """Return the additive seasonal indices of each series y (S, T) by position, (S, m); the mean of each is 0."""
    trend = _trend(y, season)
    figure = _by_position(y - trend, ~np.isnan(trend), season)
    return np.asarray(figure - figure.mean(axis=1, keepdims=True))


@final
@dataclass(frozen=True)
class Adjustment:
    """A seasonal pattern that a series is divided by, or that is subtracted from it.

    Attributes:
        figure: The seasonal indices by position from the first step, (m,). One index of 0 changes nothing.
        multiplicative: Whether the series is divided by the indices.
        seasons: The number of seasons that the indices are means of; 0 without a season.
    """

    figure: Array
    multiplicative: bool = False
    seasons: float = 0.0

    def at(self, start: int, steps: int) -> Array:
        """Return the indices of ``steps`` steps from step ``start`` of the series, (steps,)."""
        return self.figure[(start + np.arange(steps)) % len(self.figure)]

    def removed(self, y: Array) -> Array:
        """Return the series without its season, (T,)."""
        if not self.seasons:
            return y
        index = self.at(0, len(y))
        return np.asarray(y / index if self.multiplicative else y - index)

    def restored(self, start: int, mean: Array, deviation: Array) -> tuple[Array, Array]:
        """Return means and standard deviations with the season, (H,) each, from those without it.

        Each index is a mean of n seasons, so its error adds 1/n of the variance of one step.

        Args:
            start: The step of the series that the first mean belongs to.
            mean: The means without the season, (H,).
            deviation: The standard deviations without the season, (H,), above 0; the first is that of one step.
        """
        index = self.at(start, len(mean))
        if self.seasons:
            deviation = deviation * np.sqrt(1 + (deviation[0] / deviation) ** 2 / self.seasons)
        return (mean * index, deviation * index) if self.multiplicative else (mean + index, deviation)


#: What leaves a series as it is.
UNADJUSTED = Adjustment(np.zeros(1))


def restored(
    adjustments: Sequence[Adjustment], starts: NDArray[np.int64], mean: Array, deviation: Array
) -> tuple[Array, Array]:
    """Return means and standard deviations of a panel with its seasons, (S, H) each; see ``Adjustment.restored``.

    Args:
        adjustments: The adjustment of each series, S.
        starts: The step of each series that its first mean belongs to, (S,).
        mean: The means without the season, (S, H).
        deviation: The standard deviations without the season, (S, H).
    """
    mean, deviation = mean.copy(), deviation.copy()
    for s, adjusted in enumerate(adjustments):
        if adjusted.seasons:
            mean[s], deviation[s] = adjusted.restored(int(starts[s]), mean[s], deviation[s])
    return mean, deviation


#: The least multiplicative index. A series with a smaller one is adjusted by subtraction (statsforecast's Theta).
_LEAST = 0.01


def adjustments(series: Sequence[Array], seasons: tuple[int, ...]) -> tuple[Adjustment, ...]:
    """Return the seasonal adjustment of each series: of the longest season that M4's test finds.

    The indices are multiplicative if every value is positive and every index at least 0.01, and else additive
    (Fiorucci et al. 2016, 2.3).

    Args:
        series: The series without missing values, (T_s,) each.
        seasons: The lengths of the seasons in steps, each at least 2.
    """
    found = [UNADJUSTED] * len(series)
    y = stacked(series)
    for season in sorted(seasons):
        rows = np.flatnonzero(are_seasonal(y, season))
        figures = _figures(y[rows], season) if len(rows) else []
        for s, (figure, multiplicative) in zip(rows.tolist(), figures, strict=True):
            found[s] = Adjustment(figure, multiplicative, len(series[s]) / season)
    return tuple(found)


def _figures(y: Array, season: int) -> list[tuple[Array, bool]]:
    """Return the indices of each series y (S, T), (m,), and whether they are multiplicative."""
    figure, positive = np.ones((len(y), season)), ~(y <= 0).any(axis=1)
    figure[positive] = _multiplicative(y[positive], season)
    multiplicative = np.asarray(positive & (figure >= _LEAST).all(axis=1))
    figure[~multiplicative] = _additive(y[~multiplicative], season)
    return [(row, bool(one)) for row, one in zip(figure, multiplicative, strict=True)]


def interpolated(y: Array) -> Array:
    """Return y (T,) with the missing values interpolated linearly."""
    seen = np.isfinite(y)
    return y if seen.all() else np.interp(np.arange(len(y)), np.flatnonzero(seen), y[seen])


def all_interpolated(series: Sequence[Array]) -> list[Array]:
    """Return each series (T_s,) with its missing values interpolated linearly."""
    if np.isfinite(np.concatenate([np.empty(0), *series])).all():  # one look at all is faster than one at each
        return list(series)
    return [interpolated(y) for y in series]


def _trend(y: Array, season: int) -> Array:
    """Return the centred moving average of each series y over a season, (S, T); NaN where the season does not fit."""
    m = season
    weights = np.ones(m) / m if m % 2 else np.concatenate([[0.5], np.ones(m - 1), [0.5]]) / m
    trend, half = np.full(y.shape, np.nan), len(weights) // 2
    trend[:, half : y.shape[1] - half] = np.vecdot(sliding_window_view(y, len(weights), axis=1), weights)
    return trend


def _by_position(x: Array, seen: NDArray[np.bool_], season: int) -> Array:
    """Return the means of what is seen of each x (S, T) by position in the season, (S, m); NaN where nothing is."""
    S, T = x.shape
    cycles = -(-T // season)
    total, count = np.zeros((S, cycles * season)), np.zeros((S, cycles * season), dtype=np.int64)
    np.copyto(total[:, :T], x, where=seen)
    count[:, :T] = seen
    total, count = (each.reshape(S, cycles, season).sum(axis=1) for each in (total, count))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
