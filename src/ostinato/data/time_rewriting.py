"""Times in spellings that are first rewritten to usual ones: weekdays, named zones, years of other calendars."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from ostinato.data import buddhist, japanese, net_dates, short_dates, short_months, two_years, weekdays, zone_names
from ostinato.data.local_hours import CLOCK
from ostinato.data.rewritten import Rewritten
from ostinato.wording import option

_READERS = (two_years, net_dates, buddhist, japanese, weekdays, zone_names, short_months)
#: The spellings, each with the look of a first cell. Only a column that has it is read as a whole.
_SPELLINGS = tuple((re.compile(one.LOOK), one.rewritten) for one in _READERS)


_SHORT = re.compile(short_dates.LOOK)


def rewritings(column: pl.Series, zone: str | None, day_first: bool | None) -> Iterator[Rewritten]:
    """Yield the rewritten readings of a column of words, (N,), without nulls.

    Args:
        column: The words.
        zone: The zone of the times, if given.
        day_first: Whether the day is in front of the month; None if that is not known.
    """
    first = column[0].strip()
    if _SHORT.search(first) and (short := short_dates.rewritten(column, day_first)) is not None:
        yield short
    for look, rewritten in _SPELLINGS:
        if look.search(first) and (found := rewritten(column, zone)) is not None:
            yield found


def unlike(words: pl.Series) -> pl.Series | None:
    """Return whether each cell, (N,), is not of the spelling that most have; None if none is that of most, but not all.

    Cells without a look of their own are read by the usual forms.
    """
    looks = words.to_frame("").select(
        pl.col("").str.contains(look.pattern).fill_null(value=False).alias(str(i))
        for i, (look, _) in enumerate(_SPELLINGS)
    )
    for has, (_, rewritten) in zip(looks.iter_columns(), _SPELLINGS, strict=True):
        if len(words) < 2 * int(has.sum()) < 2 * len(words) and rewritten(words.filter(has), None) is not None:
            return ~has
    short = words.str.contains(_SHORT.pattern).fill_null(value=False)
    most = len(words) < 2 * int(short.sum()) < 2 * len(words)
    return ~short if most and short_dates.rewritten(words.filter(short)) is not None else None


def why_not(cell: str, zone: str | None = None) -> str | None:
    """Return why a time of one of the spellings cannot be read with certainty; None for others.

    Args:
        cell: The word.
        zone: The zone of the times, if given.
    """
    if weekdays.starts_with_weekday(cell) and re.search(r"\d", cell):
        return "its weekday is not that of its date, or the date cannot be read"
    if re.search(CLOCK, cell.strip()):
        if zone is not None:
            return f"A and B name the hour that the clock shows twice when summer ends, and that of {zone} does not"
        return (
            "A and B name the hour that the clock shows twice when summer ends, and give no zone (name it, such as "
            f"{option('--zone', 'Europe/Berlin')}, or write the time with its offset, as 2024-10-27T02:00+01:00)"
        )
    return zone_names.why_not(cell)
