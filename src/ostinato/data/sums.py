"""A series that is the sum of the other series of its panel, as a row of totals in a table of people is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.data.series_rows import SeriesRows
from ostinato.shapes import Times

#: The least number of series and of steps that show a sum, and how exact it must be, as a share of the largest sum:
#: spreadsheets add numbers that they show rounded.
_SERIES, _STEPS, _EXACT = 3, 3, 1e-5


def sum_of_others(series: Sequence[SeriesRows]) -> list[str]:
    """Return the name of the series that is the sum of all others at each step; an empty list if there is none.

    Args:
        series: The series of a panel. Those with other times than the first one, or with other numbers of steps, show
            nothing, and the list is then empty.
    """
    first = series[0] if series else None
    if first is None or len(series) < _SERIES or len(first.values) < _STEPS:
        return []
    if any(len(one.values) != len(first.values) or not _same(one.times, first.times) for one in series):
        return []
    total = np.zeros_like(first.values)
    for one in series:
        total += one.values  # a step at which any value is missing shows nothing
    known = np.isfinite(total)
    allowed = _EXACT * float(np.abs(total[known]).max(initial=0.0))
    if known.sum() < _STEPS or not allowed:
        return []
    # a series that is the sum of the others is half of the sum of all
    found = [one.name for one in series if (np.abs(2 * one.values - total)[known] <= allowed).all()]
    return found if len(found) == 1 else []


def _same(one: Times | None, other: Times | None) -> bool:
    """Return whether two series have the same times, or both have none."""
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
