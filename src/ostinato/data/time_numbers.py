"""Columns of numbers as times: years, months, weeks, quarters, days of a spreadsheet, times since 1970, and steps."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data import buddhist
from ostinato.data.eras import are_dates_of_eras
from ostinato.data.time_digits import are_short_dates, dates_of_digits, note_on_clocks, note_on_short_dates
from ostinato.data.time_form import Stamps, TimeForm, micros
from ostinato.data.time_names import (
    UNNAMED,
    says_clock,
    says_date,
    says_day,
    says_month,
    says_quarter,
    says_stamp,
    says_time,
    says_week,
    says_year,
)
from ostinato.numbers import counted
from ostinato.shapes import Array

#: The days of a spreadsheet from 1954 to 2105, those from 2000 to 2050, and the day from which they count.
_EXCEL_DAYS, _EXCEL_STEPS, _EXCEL_ZERO = (20_000, 75_000), (36_526, 55_152), np.datetime64("1899-12-30", "us")
#: The days of a spreadsheet up to 1982, which are those of SAS, Stata and R up to 2042 and 2052 too.
_OTHER_ZEROS = 30_000
#: By how much of a minute a part of such a day may be rounded.
_MINUTES = 0.01
#: The units of times since 1970-01-01: their number in a second, and their name.
_EPOCHS = ((10**9, "nanoseconds"), (10**6, "microseconds"), (10**3, "milliseconds"), (1, "seconds"))
#: The seconds from 1970 to 1990 and to 2100.
_SINCE, _UNTIL = 631_152_000, 4_102_444_800
#: The first year of decimals with a quarter or month behind the point, and the year after the last.
_SINCE_YEAR, _UNTIL_YEAR = 1800, 2101
#: The quarters of one year; more of them follow one another over a year.
_QUARTERS = 4
#: The microseconds of a day.
_DAY = 86_400_000_000


def from_integers(
    column: pl.Series, dtype: pl.DataType, name: str, day_first: bool | None = None, *, chosen: bool = False
) -> Stamps | None:
    """Return dates such as 20240131, years, times since 1970, or else the whole numbers themselves.

    Args:
        column: The numbers, (N,), as int64.
        dtype: The type that they have in their table.
        name: The name of the column, which says what they may be.
        day_first: Whether 1022024 is the first of February; None keeps both readings if all numbers could be two.
        chosen: Whether the column was named as the one of times, which then need not have a name that says so.

    Returns:
        The times; None if they should be dates or weeks, and one of them does not exist, if their years have two
        digits, or if they may be dates of another calendar.
    """
    whole = column.fill_null(0).to_numpy()
    low, high = (int(whole.min()), int(whole.max())) if len(whole) else (0, 0)
    if low >= 17_000_101 and high <= 21_001_231:
        days = column.cast(pl.String).str.to_date("%Y%m%d", strict=False)
        return None if days.null_count() else Stamps(micros(days), TimeForm(dtype, "%Y%m%d"))
    if not len(whole):
        return Stamps(whole.astype(np.int64), TimeForm(dtype))
    clocked = _of_clocks(column, dtype, name, low, high)
    if clocked is not None:
        # a few that are no dates are mistakes: the column then holds no seconds since 1970 either
        return None if np.isnat(clocked.times).any() else clocked
    if says_week(name) and low >= 180_001 and high <= 210_053 and not (says_month(name) and _ends(whole, 100, 12)):
        return _of_weeks(whole, dtype, name)
    for found in (_of_years, _of_months, _of_quarters, _of_days, _since_1970):
        stamps = found(whole, dtype, name, low, high, chosen=chosen)
        if stamps is not None:
            return stamps
    dated = says_date(name) or says_stamp(name)
    said = note_on_short_dates(whole, name) if dated else note_on_clocks(whole, name) if says_clock(name) else ()
    said = said or _note_on_days(whole, name)
    steps = Stamps(whole.astype(np.int64), TimeForm(dtype), said)
    dates = dates_of_digits(whole, dtype, name, day_first) if dated else None
    # the numbers of dates rise by other steps than the days do
    others = (dated and are_dates_of_eras(whole)) or (says_date(name) and are_short_dates(whole))
    return dates or (None if others else steps)


def _ends(whole: NDArray[np.int64], unit: int, most: int) -> bool:
    """Return whether the last digits of all numbers are 1 to ``most``."""
    return set((whole % unit).tolist()) <= set(range(1, most + 1))


def _of_clocks(column: pl.Series, dtype: pl.DataType, name: str, low: int, high: int) -> Stamps | None:
    """Return numbers such as 202401311300 as dates with their clock, (N,), with NaT for a number that is none.

    It is None if a tenth of the numbers or more are no such dates. Hour 24 is the midnight at the end of its day.
    """
    for digits, pattern, rest in ((10, "%Y%m%d%H", "00"), (12, "%Y%m%d%H%M", ""), (14, "%Y%m%d%H%M%S", "")):
        if low < 17 * 10 ** (digits - 2) or high >= 22 * 10 ** (digits - 2):
            continue
        words = column.cast(pl.String) + rest
        whole = pattern.replace("%H", "%H%M") if rest else pattern
        ends = words.str.contains(r"^\d{8}24(?:00)+$").fill_null(value=False)
        usual = words.str.replace(r"^(\d{8})24", "${1}00") if ends.any() else words
        times = usual.str.to_datetime(whole, strict=False, time_unit="us")
        if 10 * times.null_count() >= len(times):
            return None
        note = f"whole numbers such as {low} in column {name!r} are read as dates with their clock"
        form = TimeForm(dtype, pattern)
        if ends.any():
            times += (ends.cast(pl.Int64) * _DAY).cast(pl.Duration("us"))
            note += f"; hour 24, as in {column[int(ends.arg_max() or 0)]}, is the midnight at the end of its day"
            form = TimeForm()
        return Stamps(micros(times), form, (note,))
    return None


def odd_clock(column: pl.Series) -> int | None:
    """Return the row of the first whole number that is no date with its clock; None if all are, or if most are not.

    Args:
        column: The whole numbers, (N,).
    """
    whole = column.cast(pl.Int64, strict=False)
    low, high = int(whole.min() or 0), int(whole.max() or 0)  # type: ignore[arg-type]
    found = _of_clocks(whole, column.dtype, column.name, low, high)
    odd = np.isnat(found.times) if found is not None else np.zeros(0, dtype=bool)
    return int(odd.argmax()) if odd.any() else None


def _of_years(
    whole: NDArray[np.int64], _dtype: pl.DataType, name: str, low: int, high: int, *, chosen: bool
) -> Stamps | None:
    years = says_year(name)
    if years and (lower := buddhist.years(whole)) is not None:
        times = (lower - 1970).astype("datetime64[Y]").astype("datetime64[us]")
        note = f"whole numbers such as {low} in column {name!r} are read as years of the Buddhist calendar: "
        return Stamps(times, TimeForm(), (note + f"{int(whole[0])} is {int(lower[0])}",))
    span = (1000, 2200) if years else (1800, 2100)
    if not (years or says_time(name) or chosen) or low < span[0] or high > span[1]:
        return None
    notes = () if years else (f"whole numbers such as {low} in column {name!r} are read as years",)
    return Stamps((whole - 1970).astype("datetime64[Y]").astype("datetime64[us]"), TimeForm(), notes)


def _of_months(
    whole: NDArray[np.int64], dtype: pl.DataType, name: str, low: int, high: int, *, chosen: bool
) -> Stamps | None:
    if (
        not (says_time(name) or says_month(name) or chosen)
        or low < 180_001
        or high > 210_012
        or not _ends(whole, 100, 12)
    ):
        return None
    months = (whole // 100 - 1970) * 12 + whole % 100 - 1
    note = f"whole numbers such as {low} in column {name!r} are read as months"
    return Stamps(months.astype("datetime64[M]").astype("datetime64[us]"), TimeForm(dtype, "%Y%m"), (note,))


def _of_quarters(
    whole: NDArray[np.int64], dtype: pl.DataType, name: str, low: int, high: int, *, chosen: bool
) -> Stamps | None:
    del chosen  # 20241 is as likely a number of something else
    if not says_quarter(name) or low < 18_001 or high > 21_004 or not _ends(whole, 10, 4):
        return None
    quarters = ((whole // 10 - 1970) * 4 + whole % 10 - 1) * 3
    note = f"whole numbers such as {low} in column {name!r} are read as quarters"
    return Stamps(quarters.astype("datetime64[M]").astype("datetime64[us]"), TimeForm(dtype, "%Y%q"), (note,))


def _of_days(
    whole: NDArray[np.int64], _dtype: pl.DataType, name: str, low: int, high: int, *, chosen: bool
) -> Stamps | None:
    del chosen, low, high  # 45292 is as likely a number of something else
    days = whole.astype(np.float64)
    return _of_excel(days, name) if _are_excel(name, days) else None


def _since_1970(
    whole: NDArray[np.int64], dtype: pl.DataType, name: str, low: int, high: int, *, chosen: bool
) -> Stamps | None:
    for units, words in _EPOCHS if says_time(name) or chosen or low > 10**11 else ():
        if low < _SINCE * units or high >= _UNTIL * units:  # from 1990 to 2100
            continue
        since = whole // (units // 10**6) if units > 10**6 else whole * (10**6 // units)
        notes = [f"whole numbers such as {low} in column {name!r} are read as {words} since 1970"]
        notes += lost_note(int((whole % 1000 != 0).sum()), name) if units > 10**6 else []
        return Stamps(since.astype("datetime64[us]"), TimeForm(dtype, epoch=units), tuple(notes))
    return None


def seem_since_1970(column: pl.Series) -> str | None:
    """Return a note if a column of numbers that no name calls a time has regular steps of times since 1970.

    Args:
        column: The whole numbers, (N,), in any order.
    """
    if not column.dtype.is_integer() or len(column) < 4 or int(column.max() or 0) < _SINCE:  # type: ignore[arg-type]
        return None
    seen = column.drop_nulls().unique().sort()
    if len(seen) < 4:
        return None
    steps = seen.diff().drop_nulls()
    if 2 * (steps == steps.mode()[0]).sum() < len(steps):
        return None
    for units, words in _EPOCHS:
        if seen[0] >= _SINCE * units and seen[-1] < _UNTIL * units:
            first = np.datetime64(int(seen[0] // units), "s")
            return (
                f"the numbers in {column.name!r} are not read as times (if they are {words} since 1970, from {first}, "
                "call the column timestamp)"
            )
    return None


def _parts_of_seconds(x: Array, column: pl.Series, *, chosen: bool) -> Stamps | None:
    """Return decimals from 1990 to 2100 as times since 1970, to the microsecond; None for others.

    A float has about a quarter of a microsecond at the seconds of today.
    """
    named = says_time(column.name) or chosen or UNNAMED.fullmatch(column.name)
    for units, words in _EPOCHS if named else ():
        if x.min() >= _SINCE * units and x.max() < _UNTIL * units:
            note = f"numbers such as {float(x[0])!r} in column {column.name!r} are read as {words} since 1970"
            times = np.rint(x * (1e6 / units)).astype(np.int64).astype("datetime64[us]")
            return Stamps(times, TimeForm(column.dtype, epoch=units), (note,))
    return None


def _of_weeks(whole: NDArray[np.int64], dtype: pl.DataType, name: str) -> Stamps | None:
    """Return weeks of ISO 8601 such as 202453 as their Mondays; None if a year has no such week."""
    words = pl.Series(whole).cast(pl.String)
    days = (words.str.head(4) + "-" + words.str.tail(2) + "-1").str.to_date("%G-%V-%u", strict=False)
    note = f"whole numbers such as {int(whole.min())} in column {name!r} are read as weeks of ISO 8601"
    return None if days.null_count() else Stamps(micros(days), TimeForm(dtype, "%G%V"), (note,))


def from_floats(column: pl.Series, day_first: bool | None = None, *, chosen: bool = False) -> Stamps | None:
    """Return whole numbers, decimal years (1949.0833 is February 1949), or steps of a decimal number.

    Args:
        column: The numbers, (N,).
        day_first: Whether 1022024 is the first of February; None if that is not known.
        chosen: Whether the column was named as the one of times.

    Returns:
        The times; None if a number is not finite, or may be a month with the year behind its point, such as 12.21.
    """
    x = column.to_numpy()
    if not len(x) or not np.isfinite(x).all() or np.abs(x).max() > 2**53:
        return None
    named = says_month(column.name) or says_date(column.name)
    if (x == np.rint(x)).all():
        whole = pl.Series(column.name, x.astype(np.int64))
        return from_integers(whole, column.dtype, column.name, day_first, chosen=chosen)
    found = _of_excel(x, column.name) if _are_excel(column.name, x) else _parts_of_seconds(x, column, chosen=chosen)
    found = found or _of_tenths(x, column.name) or _of_decimals(x, column.name, named=named)
    if found is not None:
        return found
    for scale in () if named and months_and_years(x) is not None else (10, 100, 1000, 10**4, 10**5, 10**6):
        whole = np.rint(x * scale)
        if np.abs(x * scale - whole).max() < 1e-6 and np.abs(whole).max() < 2**53:
            return Stamps(whole.astype(np.int64), TimeForm(column.dtype, scale=scale))
    return None


def _of_decimals(x: Array, name: str, *, named: bool) -> Stamps | None:
    """Return decimal years, or years with their months behind the point, as months; None for others."""
    points = years_and_months(x) if named else None
    if points is not None and len(points) > 2 and bool((np.diff(np.unique(points)) == 1).all()):
        note = f"decimals such as {float(x[0]):.2f} in column {name!r} are read as years and months"
        return Stamps((points - 1970 * 12).astype("datetime64[M]").astype("datetime64[us]"), TimeForm(), (note,))
    if x.min() < 1000 or x.max() > 2200:
        return None
    for shift in (0.0, 0.5):  # the beginnings of months, or their middles, as SILSO has them
        months = np.rint(x * 12 - shift)
        if np.abs(x * 12 - shift - months).max() <= 0.2:
            times = (months - 1970 * 12).astype(np.int64).astype("datetime64[M]").astype("datetime64[us]")
            shown = f"decimals such as {x[0]:.10g} in column {name!r} are read as the middles of months: "
            notes = (shown + str(times[0].astype("datetime64[M]")),) if shift else ()
            return Stamps(times, TimeForm(), notes)
    return None


def _of_tenths(x: Array, name: str) -> Stamps | None:
    """Return years with their quarters behind the point, 2019.1 to 2019.4, as quarters; None for others."""
    quarters = years_and_quarters(x)
    if quarters is None:
        return None
    note = f"decimals such as {float(x[0]):.1f} in column {name!r} are read as years and quarters"
    return Stamps((quarters * 3 - 1970 * 12).astype("datetime64[M]").astype("datetime64[us]"), TimeForm(), (note,))


def years_and_quarters(x: Array) -> NDArray[np.int64] | None:
    """Return decimals 2019.1 to 2019.4 and so on as quarters since the year 0; None unless they follow one another."""
    if not _SINCE_YEAR <= x.min() <= x.max() < _UNTIL_YEAR:
        return None
    year, quarter = np.divmod(np.rint(x * 10).astype(np.int64), 10)
    if np.abs(x * 10 - np.rint(x * 10)).max() > 1e-6 or set(quarter.tolist()) != {1, 2, 3, 4}:
        return None
    quarters = np.asarray(year * 4 + quarter - 1)
    seen = np.unique(quarters)
    follow = len(seen) > _QUARTERS and bool((np.diff(seen) == 1).all())
    return quarters if follow else None


def have_lost_zeros(x: Array) -> bool:
    """Return whether decimals x (N,) are years and months without a zero, so that January and October are both 2019.1.

    Then 2019.2 is February, and 2019.11 and 2019.12 are there too.
    """
    if not _SINCE_YEAR <= x.min() <= x.max() < _UNTIL_YEAR:
        return False
    part = np.rint(x * 100).astype(np.int64) % 100
    if np.abs(x * 100 - np.rint(x * 100)).max() > 1e-6:
        return False
    seen = set(part.tolist())
    return seen <= {*range(10, 100, 10), 11, 12} and bool(seen & {11, 12}) and bool(seen & set(range(20, 100, 10)))


def months_and_years(x: Array) -> NDArray[np.int64] | None:
    """Return decimals such as 12.21 as months since the year 0 of their century; None if some cannot be one."""
    parts = np.rint(x * 100).astype(np.int64)
    month, year = np.divmod(parts, 100)
    if np.abs(x * 100 - parts).max() > 1e-6 or month.min() < 1 or month.max() > 12 or not year.all():
        return None
    return np.asarray(year * 12 + month - 1)


def years_and_months(x: Array) -> NDArray[np.int64] | None:
    """Return decimals such as 2024.01, 2024.1 for October and 2024.12 as months since the year 0; None for others."""
    year, month = np.divmod(np.rint(x * 100).astype(np.int64), 100)
    if np.abs(x * 100 - np.rint(x * 100)).max() > 1e-6 or month.min() < 1 or month.max() > 12:
        return None
    return np.asarray(year * 12 + month - 1) if year.min() >= 1800 and year.max() <= 2100 else None


def lost_note(count: int, name: str) -> list[str]:
    """Return a note on times that are cut to microseconds, if there are any."""
    return [f"cut to microseconds: {counted(count, 'time')} in column {name!r}"] if count else []


def _are_excel(name: str, x: Array) -> bool:
    """Return whether numbers x (N,) are days of a spreadsheet, by the name of their column.

    Steps are counted in a column of the name ds, too, so there the days are of the years 2000 to 2050. A column of
    clocks may count seconds, so there some day has a part that is a whole number of minutes and no short decimal.
    """
    first, last = _EXCEL_DAYS if says_date(name) else _EXCEL_STEPS
    if x.min() < first or x.max() > last:
        return False
    if says_date(name) or says_day(name):
        return True
    minutes, thousands = x * 1440, x * 1000
    parts = np.abs(minutes - np.rint(minutes)).max() < _MINUTES and np.abs(thousands - np.rint(thousands)).max() > 0.01
    return (says_time(name) or says_clock(name)) and bool(parts)


def _note_on_days(whole: NDArray[np.int64], name: str) -> tuple[str, ...]:
    """Return a note on whole numbers that are read as steps and may be the days of a spreadsheet."""
    first, last = _EXCEL_STEPS
    if not (says_time(name) or says_clock(name)) or whole.min() < first or whole.max() > last:
        return ()
    day = str((_EXCEL_ZERO + np.timedelta64(int(whole[0]), "D")).astype("datetime64[D]"))
    return (
        f"whole numbers such as {int(whole[0])} in column {name!r} are read as steps (if they are the days of a "
        f"spreadsheet, from {day}, call the column date)",
    )


def _of_excel(days: Array, name: str) -> Stamps:
    """Return the days of a spreadsheet, which have about a millisecond of precision, as times rounded to a second."""
    times = _EXCEL_ZERO + np.rint(days * 86_400).astype(np.int64) * np.timedelta64(1_000_000, "us")
    first = str(times[0].astype("datetime64[s]")).replace("T00:00:00", "")
    note = f"numbers such as {days[0]:.10g} in column {name!r} are read as the days of a spreadsheet: {first}"
    if days[0] < _OTHER_ZEROS:
        note += " (if they are days of SAS or Stata, which count from 1960, or of R, from 1970, write dates)"
    return Stamps(times, TimeForm(), (note,))
