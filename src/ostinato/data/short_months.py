"""Months and days with a year of two digits, such as Jan-24, 24-Jan, "Jan '24" and 31-Jan-24.

Jan-24 may also be a day of a year that is not given: the 24th of January. A column is read as months if no day has its
numbers (Jan-95), or if its months follow one another as the days of no calendar do: Nov-23, Dec-23, Jan-24. At least
four months of one year, from Jan-24 to Dec-24, are months too: a day that is the same in all of them would be a step of
one month as well, in a year that nobody knows. Jan-24, Feb-24, Mar-24 leaves it open. In 31-Jan-24 the year may be the
first number too, so the day is in front only if the other reading has no such dates, or has them far more scattered.

The century is that of ``century``: a year from 30 to 68 has none that is certain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.century import century, century_note
from ostinato.data.month_names import month_of
from ostinato.data.rewritten import Rewritten
from ostinato.data.time_form import Stamps

_M = r"(?P<m>\p{L}{3,9}\.?)"
_GAP = r"[\s.,/'’-]*"
#: A month and a year in either order, and a day, a month and a year.
_MONTHS = (rf"^{_M}(?P<g>{_GAP})(?P<n>\d\d)$", rf"^(?P<n>\d\d)(?P<g>{_GAP}){_M}$")
_DAY = rf"^(?P<d>\d{{1,2}})(?P<g>{_GAP}){_M}(?P<h>{_GAP})(?P<n>\d\d)(?P<c>(?:[\s,T]+\d{{1,2}}:\d\d.*)?)$"
_LETTERS = r"[^\W\d_]{3,9}\.?[\s.,/'’-]*"
LOOK = rf"^(?:\d{{1,2}}{_GAP})?{_LETTERS}\d\d(?:[\s,T]+\d{{1,2}}:\d\d.*)?$|^\d\d{_GAP}{_LETTERS}$"
#: The days of the months of a leap year.
_LENGTHS = np.array([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
#: The least number of months that follow one another, and the steps that they may have.
_FEWEST, _STEPS = 4, (1, 2, 3, 4, 6)
#: How much farther apart the days of the other reading have to be.
_SCATTERED = 8


def rewritten(column: pl.Series, _zone: str | None) -> Rewritten | None:
    """Return the words with years of four digits; None unless all cells are such dates, and leave no doubt."""
    given = column.str.strip_chars()
    for expression in (*_MONTHS, _DAY):
        parts = given.str.extract_groups(expression).struct.unnest()
        if parts["n"].null_count():
            continue
        words = {word: month_of(word) for word in parts["m"].unique().to_list()}
        if None in words.values():
            continue
        months = parts["m"].replace_strict(words, return_dtype=pl.Int64).to_numpy()
        numbers = parts["n"].cast(pl.Int64).to_numpy()
        years = century(numbers)
        if years is None:
            continue
        four = pl.Series(years).cast(pl.String)
        if "d" in parts.columns:
            sure = _day_is_first(parts["d"], months, years)
            # 05JAN24 has no gaps
            gap = parts["h"] if bool((parts["g"] == "").all()) else _gap(parts["h"])
            full = parts["d"] + parts["g"] + parts["m"] + gap + four + parts["c"]
        else:
            sure = bool(parts["g"].str.contains("['’]").all()) or _are_years(months, numbers, years)
            in_front = expression == _MONTHS[0]
            full = parts["m"] + _gap(parts["g"]) + four if in_front else four + _gap(parts["g"]) + parts["m"]
        if sure:
            return Rewritten(full.alias(column.name), _applied(str(given[0]), int(years[0])))
    return None


def _applied(word: str, year: int) -> Callable[[Stamps], Stamps]:
    def applied(found: Stamps) -> Stamps:
        one = replace(found, notes=(*found.notes, century_note(word, year)))
        pattern = one.form.pattern
        # a file that is written has the whole year, so that nobody has to guess it again
        if one.form.dtype is None or pattern is None:
            return one.without_pattern()
        return replace(one, form=replace(one.form, pattern=pattern.replace("%Y", "%y")))

    return applied


def _gap(gap: pl.Series) -> pl.Series:
    """Return what is between a month and a year without the apostrophe, which stands for the century."""
    bare = gap.str.replace_all("['’]", "")
    return bare.set(bare == "", " ")


def _are_years(months: NDArray[np.int64], numbers: NDArray[np.int64], years: NDArray[np.int64]) -> bool:
    """Return whether the numbers next to month names are years, and cannot be days."""
    if (numbers > 31).any():
        return True
    at = years * 12 + months
    seen = np.unique(at)
    if len(seen) < _FEWEST or len(np.unique(months)) < 2:
        return False
    steps = np.diff(seen)
    step = int(np.gcd.reduce(steps))
    moves = np.abs(np.diff(at))
    moves = moves[moves > 0]
    follow = step in _STEPS and 4 * len(seen) >= 3 * (int(seen[-1] - seen[0]) // step + 1)
    return follow and 2 * int((moves == step).sum()) > len(moves) and not _are_whole_months(months, numbers)


def _are_whole_months(months: NDArray[np.int64], numbers: NDArray[np.int64]) -> bool:
    """Return whether numbers may be the days of whole months: from 1 to 28 at least, and none that a month lacks."""
    return bool(((numbers > 0) & (numbers <= _LENGTHS[months - 1])).all()) and len(np.unique(numbers)) >= 28


def _day_is_first(front: pl.Series, months: NDArray[np.int64], years: NDArray[np.int64]) -> bool:
    """Return whether the number in front of a month is the day, and not the year of two digits."""
    if (front.str.len_chars() == 1).any():
        return True
    day = front.cast(pl.Int64).to_numpy()
    turned = century(day)
    if turned is None or ((years % 100 == 0) | (years % 100 > _LENGTHS[months - 1])).any():
        return True
    one, other = _days(years, months, day), _days(turned, months, years % 100)
    span, away = int(np.ptp(one)), int(np.ptp(other))
    return len(np.unique(one)) > 2 and away >= _SCATTERED * span


def _days(years: NDArray[np.int64], months: NDArray[np.int64], days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return days from 1970-01-01, (N,)."""
    first = ((years - 1970) * 12 + months - 1).astype("datetime64[M]").astype("datetime64[D]")
    return (first.astype(np.int64) + days - 1).astype(np.int64)
