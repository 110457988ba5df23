"""The length of the season of a series, and the mean change over a season."""

from __future__ import annotations

import numpy as np

from ostinato.arguments import whole
from ostinato.data.ahead import calendar_of, usual_calendar
from ostinato.data.sequences import SequenceSet
from ostinato.shapes import Array
from ostinato.wording import option


def season_length(data: SequenceSet, season: int | None = None) -> tuple[int, str]:
    """Return the number of steps of a season: the given one, the usual one of the frequency, or 1.

    Prices have no season, because trading removes a season that is known.

    Args:
        data: The series.
        season: The number of steps, if given.

    Returns:
        The number of steps, and the reason for it in words.

    Raises:
        ConfigError: The given season is less than 1.
    """
    if season is not None:
        return whole("season", season, fix="use 1 for no season, or more, such as 24"), "as given"
    if data.traits.log_returns:
        return 1, "because prices are modelled without a season"
    calendar = usual_calendar(data)
    if calendar is not None and (calendar.season > 1 or calendar.length is not None):
        return calendar.season, f"from the frequency {calendar.frequency}"
    return 1, f"because the frequency is unknown; set it with {option('--season')}"


def seasons_of_each(data: SequenceSet, season: int | None = None) -> list[tuple[int, ...]]:
    """Return the lengths of the seasons of each sequence in steps, the shortest first.

    They follow from the calendar of the sequence, and from the usual one of the data if it has none, as a sequence of
    one row. Prices have no season, as in ``season_length``.

    Args:
        data: The series.
        season: The number of steps of the only season, if given; 1 for none.

    Raises:
        ConfigError: The given season is less than 1.
    """
    usual = usual_calendar(data)
    if season is not None or data.traits.log_returns:
        one, _ = season_length(data, season)
        return [(one,) if one > 1 else ()] * len(data)
    calendars = [calendar_of(data, b) or usual for b in range(len(data))]
    return [() if calendar is None else calendar.seasons for calendar in calendars]


def mean_change(y: Array, season: int) -> float:
    """Return the mean of |y_t - y_{t-m}| over the observed steps, the scale of MASE.

    Args:
        y: The values of one series, (T,). NaN where a value is missing.
        season: The lag m in steps; 1 is used instead if T <= m.

    Returns:
        The mean absolute change in the units of the series; NaN if no pair of steps is observed.
    """
    lag = season if len(y) > season else 1
    change = np.abs(y[lag:] - y[:-lag])
    seen = change[np.isfinite(change)]
    return float(seen.mean()) if len(seen) else np.nan
