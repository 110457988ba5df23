"""From sequences to the panels that local methods are fitted to, and back from their forecasts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.data.ahead import calendar_of
from ostinato.data.seasons import seasons_of_each
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.quantiles import containing
from ostinato.local.equal import are_equal, quantiles_of_equal
from ostinato.local.exact import exact_changes, with_exact
from ostinato.local.exact_growth import exact_factors, with_exact_growth
from ostinato.local.outliers import last_jump, outliers, with_last_jumps
from ostinato.local.panel import Ahead, Fit, Fitted, Panel
from ostinato.local.single_value import have_single_value, quantiles_of_single_value
from ostinato.local.special import Rule, with_special
from ostinato.local.support import Support
from ostinato.local.week import with_week
from ostinato.shapes import Array

#: The series that no method can say anything of, and what is said of them instead.
SPECIAL = (Rule(have_single_value, quantiles_of_single_value), Rule(are_equal, quantiles_of_equal))


@dataclass(frozen=True)
class Group:
    """The channels of the sequences of one frequency.

    Attributes:
        rows: The number b * D + d of each channel d of a sequence b, (S,).
        gaps: The number of missing steps after the last observed one, (S,).
        outliers: The number of values of each series that are taken as missing, (S,).
        jumps: The jump to a last value that is set aside, or 0, (S,); see ``last_jump``.
        panel: The series, up to their last observed step, or the one before it if that is set aside.
        found: The seasons that neither the calendar nor the caller gave, see ``with_week``.
    """

    rows: NDArray[np.int64]
    gaps: NDArray[np.int64]
    outliers: NDArray[np.int64]
    jumps: Array
    panel: Panel
    found: tuple[int, ...] = ()

    def observed(self) -> list[Array]:
        """Return the values of each series with the last one that is set aside, (T_s,) each."""
        pairs = zip(self.panel.values, self.jumps.tolist(), strict=True)
        return [np.append(y, y[-1] + jump) if jump else y for y, jump in pairs]


@dataclass(frozen=True)
class LocalForecast:
    """The forecast of every channel d of every sequence b by a local method, in the row b * D + d.

    Attributes:
        point: The point forecasts, (B * D, H). NaN for a channel without an observed value.
        quantiles: The quantiles, (B * D, H, Q).
        descriptions: What was fitted to each channel, in words; empty for a channel without an observed value.
        floored: Whether the forecast of each channel was cut off at 0, (B * D,).
        capped: Whether that of each channel was cut off at 1 or 100, (B * D,).
        outliers: The number of values of each channel that were taken as missing, (B * D,).
        jumped: Whether the last value of each channel is far from all others, (B * D,); see ``last_jump``.
        single: Whether each channel has a single value, (B * D,); its intervals come from its rule in ``SPECIAL``.
        equal: Whether each channel has several values that are all equal, (B * D,); see ``SPECIAL``.
        exact: Whether each channel follows a line, repeats a season or grows by a factor without any error, (B * D,);
            see ``with_exact`` and ``with_exact_growth``.
        found: The seasons in steps that were found in the data.
    """

    point: Array
    quantiles: Array
    descriptions: tuple[str, ...]
    floored: NDArray[np.bool_]
    capped: NDArray[np.bool_]
    outliers: NDArray[np.int64]
    jumped: NDArray[np.bool_]
    single: NDArray[np.bool_]
    equal: NDArray[np.bool_]
    exact: NDArray[np.bool_]
    found: tuple[int, ...] = ()


def modelled(data: SequenceSet, b: int) -> Array:
    """Return the values that local methods are fitted to: those of a series, or the logarithms of prices, (D, T).

    Args:
        data: The series.
        b: The index of the series.
    """
    y = data[b].T.astype(np.float64)
    return np.log(y) if data.traits.log_returns else y


def groups(data: SequenceSet, season: int | None = None) -> Iterator[Group]:
    """Yield the channels that have an observed value, in panels of one frequency and its seasons.

    Series of different frequencies are not fitted together, because what a method shares between the series of a panel
    is about one step.

    Args:
        data: The series.
        season: The number of steps of the season; by the calendar of each series if None. If the data repeat after
            seven of them too, such as the days of a week, that is a second season.
    """
    D, found = len(data.channels), seasons_of_each(data, season)
    members: dict[tuple[str | None, tuple[int, ...]], list[int]] = {}
    for b, seasons in enumerate(found):
        calendar = calendar_of(data, b)
        key = calendar.frequency if calendar is not None else data.frequency, seasons
        members.setdefault(key, []).append(b)
    for (_, seasons), sequences in members.items():
        rows, gaps, far, jumps, values = [], [], [], [], []
        for b in sequences:
            for d, y in enumerate(modelled(data, b)):
                aside = outliers(y, seasons)
                known = np.where(aside, np.nan, y)
                seen = np.flatnonzero(np.isfinite(known))
                jump = last_jump(known)
                seen = seen[:-1] if jump else seen
                if len(seen):
                    rows.append(b * D + d)
                    gaps.append(len(y) - 1 - int(seen[-1]))
                    far.append(int(aside.sum()))
                    jumps.append(jump)
                    values.append(known[seen[0] : seen[-1] + 1])
        if rows:
            panel = with_week(Panel(tuple(values), seasons))
            found_here = panel.seasons[len(seasons) :]
            yield Group(np.array(rows), np.array(gaps), np.array(far), np.array(jumps), panel, found_here)


def local_forecast(
    data: SequenceSet, fit: Fit, horizon: int, probabilities: Array, season: int | None = None
) -> LocalForecast:
    """Fit a local method to every channel of every sequence, and forecast the steps after the end of the sequences.

    A value that is far from all others is taken as missing, see ``outliers``, and one at the end of a series may also
    begin a new level, see ``with_last_jumps``. Exact growth goes on, see ``with_exact_growth``. The intervals of a
    series of one value and those of a series of equal values come from the rules in ``SPECIAL``. The
    intervals of an exact line or season are at least as wide as those of ``with_exact``. All this holds for any method.

    Steps that are missing at the end of a sequence are forecast too, and left out of the result. Prices are forecast as
    logarithms, so that their point forecast is a median. A channel is not forecast outside of its ``Support``. The
    quantiles of counts are whole numbers: those of the forecast rounded to the nearest count.

    Args:
        data: The series.
        fit: The method.
        horizon: The number of steps H to forecast.
        probabilities: The increasing probabilities of the quantiles, (Q,).
        season: The number of steps of the season; by the calendar of each series if None. If the data repeat after
            seven of them too, such as the days of a week, that is a second season.
    """
    series = len(data) * len(data.channels)
    point, quantiles = np.full((series, horizon), np.nan), np.full((series, horizon, len(probabilities)), np.nan)
    said, far = [""] * series, np.zeros(series, dtype=np.int64)
    floored, capped, jumped, single, equal, exact = np.zeros((6, series), dtype=bool)
    found: tuple[int, ...] = ()
    for group in groups(data, season):
        fitted = fit(group.panel)
        made, described = _after_gaps(fitted, group.gaps, horizon, probabilities)
        # the logarithm of a price may fall below 0
        logs = data.traits.log_returns
        support = Support.real(len(group.panel)) if logs else Support.of(group.observed())
        floored[group.rows], capped[group.rows] = support.below(made.point), support.above(made.point)
        # a line that has come to the end of its support stays there, and a departure begins there
        made = Ahead(support.inside(made.point), made.quantiles)
        made = with_special(made, group.panel, group.gaps, probabilities, SPECIAL, logs=logs)
        changes = exact_changes(group.panel)
        made = with_exact(made, group.panel, changes, group.gaps, probabilities)
        exact[group.rows] = changes > 0
        if not logs:
            factors = exact_factors(group.panel)
            made = with_exact_growth(made, group.panel, factors, group.gaps, probabilities)
            exact[group.rows] |= factors > 0
        made = with_last_jumps(made, group.jumps, probabilities)
        jumped[group.rows] = group.jumps != 0
        single[group.rows], equal[group.rows] = have_single_value(group.panel), are_equal(group.panel)
        floored[group.rows] |= support.below(made.quantiles)
        capped[group.rows] |= support.above(made.quantiles)
        point[group.rows], quantiles[group.rows] = support.inside(made.point), support.inside(made.quantiles)
        far[group.rows], found = group.outliers, (*found, *group.found)
        for row, words in zip(group.rows.tolist(), described, strict=True):
            said[row] = words
    if data.traits.log_returns:
        point, quantiles = np.exp(point), np.exp(quantiles)
    quantiles = containing(point, quantiles, probabilities)
    if data.count:
        quantiles = _whole(point[..., None], quantiles, probabilities)
    seasons = tuple(dict.fromkeys(found))
    return LocalForecast(point, quantiles, tuple(said), floored, capped, far, jumped, single, equal, exact, seasons)


def _whole(point: Array, quantiles: Array, probabilities: Array) -> Array:
    """Return the quantiles (..., Q) rounded to whole numbers, whose intervals contain the point forecast (..., 1)."""
    near = np.rint(quantiles)
    near = np.where(probabilities < 0.5, np.minimum(near, np.floor(point)), near)
    return np.asarray(np.where(probabilities > 0.5, np.maximum(near, np.ceil(point)), near))


def _after_gaps(fitted: Fitted, gaps: NDArray[np.int64], horizon: int, probabilities: Array) -> tuple[Ahead, list[str]]:
    """Return the forecasts of the steps after a gap of missing steps, of its own length for each series, in words too.

    A method may choose by the number of steps ahead. So series with gaps of alike length, up to the same power of four,
    are forecast together, and none as far as the gap of a series that ended long before it.
    """
    alike = np.where(gaps > 0, 1 + np.ceil(np.log2(np.maximum(gaps, 1)) / 2), 0)
    point, quantiles = np.empty((len(gaps), horizon)), np.empty((len(gaps), horizon, len(probabilities)))
    said = [""] * len(gaps)
    for each in np.unique(alike):
        rows = np.flatnonzero(alike == each)
        made = fitted.ahead(horizon + int(gaps[rows].max()), probabilities)
        steps = gaps[rows, None] + np.arange(horizon)
        point[rows], quantiles[rows] = made.point[rows[:, None], steps], made.quantiles[rows[:, None], steps]
        for s in rows.tolist():
            said[s] = fitted.description(s)
    return Ahead(point, quantiles), said
