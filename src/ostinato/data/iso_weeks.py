"""Years and weeks of ISO 8601 in columns of their own, as dates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ostinato.data.hours import Found
from ostinato.data.origin import Origin
from ostinato.data.time_names import PARTS, plain_name
from ostinato.errors import DataError


def week_of(columns: Sequence[str]) -> str | None:
    """Return the column that has the name of a week; None if none has."""
    return next((c for c in columns if plain_name(c) in PARTS["week"].names), None)


def of_weeks(year: Found, month: Found | None, week: Found, day: Found | None) -> tuple[pl.Series, list[str]]:
    """Join a year and a week of ISO 8601, and the day of the week if its numbers are 1 to 7, as dates.

    A week belongs to the year of its Thursday. A month in another column shows that the year is that of the calendar.
    """
    (year_name, years), (week_name, weeks), names = year, week, [year[0], week[0]]
    if month is not None:
        early, late = (month[1] == 1) & (weeks >= 52), (month[1] == 12) & (weeks == 1)
        years, names = years - early.cast(pl.Int64) + late.cast(pl.Int64), [year_name, month[0], week_name]
    days = pl.repeat("1", len(weeks), eager=True)
    if day is not None and bool((day[1] <= 7).all()):
        days, names = day[1].cast(pl.String), [*names, day[0]]
    words = years.cast(pl.String).str.zfill(4) + "-" + weeks.cast(pl.String).str.zfill(2) + "-" + days
    return words.str.to_date("%G-%V-%u", strict=False), names


def check_weeks(years: pl.Series, weeks: pl.Series, origin: Origin) -> None:
    """Raise DataError if weeks of ISO 8601 are given with years of the calendar, which do not belong together.

    Week 1 of 2025 begins on 30 December 2024. With the year of that day, it would be the week of 1 January 2024.
    It is seen where week 1 follows week 52 of one year while the rows before or after these two go on.
    """
    w = years.cast(pl.Int64).to_numpy() * 53 + weeks.cast(pl.Int64).to_numpy()
    ahead = np.diff(w)
    for i in np.flatnonzero((ahead < -50) & (ahead > -53)):
        before, after = ahead[max(i - 1, 0) : i], ahead[i + 1 : i + 2]
        late, early = after > 50, before > 50
        last = not len(after) and bool((ahead[:-1] > 0).all())
        if late.any() or early.any() or last:
            row = int(i) + (0 if early.any() else 1)
            raise DataError(
                f"week {weeks[row]} has the year {years[row]} of the calendar, expected the year of ISO 8601, "
                f"{years[row] + (1 if weeks[row] == 1 else -1)}",
                where=origin.at(row),
                fix="write the year that has most days of the week, or the date of its first day",
            )
