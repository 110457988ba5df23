"""The week that a season of a day implies, if the data repeat after seven days more closely than after six or eight.

By the calendar, hourly data have a day and a week. Data without times have the season that is given, which is one.
"""

from __future__ import annotations

import numpy as np

from ostinato.local.panel import Panel
from ostinato.shapes import Array

#: The least season that may be a day, in steps.
_DAY = 24
#: The days of a week.
_DAYS = 7
#: The least number of weeks of a series that is tested for a weekly pattern.
_WEEKS = 3
#: The change after seven days over the least of those after six and after eight below which a series has a week. Where
#: days are alike it is about 1.
_DIP = 0.9
#: The share of the series of a panel that have a week if the panel has one: each series chooses for itself how much the
#: week counts. Of the hourly series of M4, more than a quarter have a week, and less than half.
_SOME = 0.25


def with_week(panel: Panel) -> Panel:
    """Return the panel with a week as a second season, if its only season may be a day and some series have a week.

    Args:
        panel: The series.
    """
    if len(panel.seasons) != 1 or panel.seasons[0] < _DAY:
        return panel
    day = panel.seasons[0]
    ratios = [_ratio(y, day) for y in panel.values if len(y) >= _WEEKS * _DAYS * day]
    known = np.array([r for r in ratios if np.isfinite(r)])
    if not len(known) or np.quantile(known, _SOME) >= _DIP:
        return panel
    return Panel(panel.values, (day, _DAYS * day))


def _ratio(y: Array, day: int) -> float:
    """Return the mean change of y (T,) after seven days over the least of those after six and after eight."""
    unit = max(float(np.nanmax(np.abs(y))), 1e-300)
    before, week, after = (_change(y / unit, k * day) for k in (_DAYS - 1, _DAYS, _DAYS + 1))
    least = min(before, after)
    return week / least if least > 0 else np.nan


def _change(y: Array, lag: int) -> float:
    """Return the mean |y_t - y_{t-lag}| over the observed pairs; NaN without any."""
    change = np.abs(y[lag:] - y[:-lag])
    seen = np.isfinite(change)
    return float(change[seen].mean()) if seen.any() else np.nan
