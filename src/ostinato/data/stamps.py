"""Columns of times: reading them in every usual form, and writing times in the form that they came in."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.month_names import by_name
from ostinato.data.periods import read_periods
from ostinato.data.zones import instants, zone_of

Times = NDArray[Any]

#: The two readings of dates such as 01/02/2024. Only one of each pair is tried first; see ``Stamps.other``.
_MONTH_FIRST, _DAY_FIRST = ("%m/%d/%Y", "%m-%d-%Y"), ("%d/%m/%Y", "%d-%m-%Y")
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", *_MONTH_FIRST, *_DAY_FIRST)
_MORE_DATES = (
    "%b %d %Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%Y.%m.%d",
    "%Y%m%d",
    "%Y년 %m월 %d일",
)
#: Months, which are read as their first days; R writes 2024 Jan, and offices of statistics write 2024M01.
_MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%Y", "%B-%Y", "%Y %b", "%Y %B", "%YM%m", "%Y년 %m월")
_CLOCKS = ("%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H:%M:%S%.f%z", "%H:%M%z")
_FORMATS = (
    *_DATES,
    *_MORE_DATES,
    *_MONTHS,
    *(f"{date}{gap}{clock}" for date in _DATES for gap in (" ", "T") for clock in _CLOCKS),
)
#: The names of columns whose whole numbers are years, and of columns whose whole numbers may be times.
_YEAR = re.compile(r"year|yr|jahr|annee|année|anno|año|년|연도|年", re.IGNORECASE)
_TIME = re.compile(r"^ds$|time|date|stamp|epoch|unix|zeit|일시|시각|시간", re.IGNORECASE)
#: The names of columns whose whole numbers may be months such as 202401, and of those that may be days as Excel counts
#: them: 45292 is 2024-01-01.
_MONTH = re.compile(
    r"^(year|yr|yyyy)?[_ -]?(month|mm|mon)$|^period$|^(monat|mois|mes|mese|월|년월|月|年月)$", re.IGNORECASE
)
#: The names of columns whose whole numbers may be weeks such as 202453, and quarters such as 20244.
_WEEK = re.compile(
    r"week|^(yyyy|year|y)_?w(w|k)?$|woche|semaine|semana|^\uc8fc(\ucc28)?$|^\u9031$|^\u5468$", re.IGNORECASE
)
_QUARTER = re.compile(
    r"quarter|qtr|^(yyyy|year|y)_?q$|quartal|trimestre|\ubd84\uae30|\u5b63\u5ea6|^period$", re.IGNORECASE
)
_EXCEL = re.compile(r"(^|[^p])date$|^date|^(datum|fecha|data|날짜|일자|일시|日付|日期)$", re.IGNORECASE)
_EXCEL_DAYS, _EXCEL_ZERO = (20_000, 75_000), np.datetime64("1899-12-30", "us")
#: The units of times since 1970-01-01: their number in a second, and their name.
_EPOCHS = ((10**9, "nanoseconds"), (10**6, "microseconds"), (10**3, "milliseconds"), (1, "seconds"))


@dataclass(frozen=True)
class TimeForm:
    """The form of a column of times.

    Attributes:
        dtype: The type of the column; None for dates and times that were words in a text file.
        pattern: How words show a time, as in strftime; None for other types.
        zone: The zone of the times; None for times without a zone.
        epoch: The units in a second, for whole numbers that count from 1970-01-01; 0 for all others.
        scale: The number of internal whole steps in one unit, for steps that are whole or decimal numbers.
        months: The names that a pattern writes for %B, from the first to the twelfth; empty for those of strftime.
    """

    dtype: pl.DataType | None = None
    pattern: str | None = None
    zone: str | None = None
    epoch: int = 0
    scale: int = 1
    months: tuple[str, ...] = ()

    def column(self, times: Times) -> pl.Series:
        """Return times as a column of the form that they came in.

        Args:
            times: The times, (N,): datetime64[us] in UTC if there is a zone, or int64.
        """
        if times.dtype.kind != "M":
            numbers = pl.Series("ds", times.astype(np.int64), dtype=pl.Int64)
            if self.scale > 1:
                numbers = numbers / self.scale
            return numbers.cast(self.dtype) if self.dtype is not None and self.dtype.is_numeric() else numbers
        micros = times.astype("datetime64[us]").astype(np.int64)
        if self.epoch:
            whole = micros * (self.epoch // 10**6) if self.epoch > 10**6 else micros // (10**6 // self.epoch)
            return pl.Series("ds", whole, dtype=pl.Int64).cast(self.dtype or pl.Int64)
        column = pl.Series("ds", micros).cast(pl.Datetime("us"))
        if self.zone is not None:
            column = column.dt.replace_time_zone("UTC").dt.convert_time_zone(self.zone)
        if self.dtype is None:
            return column
        if self.dtype == pl.String or self.dtype.is_integer():
            return self._words(column).cast(self.dtype)
        return column.cast(self.dtype)

    def written(self, column: pl.Series) -> pl.Series:
        """Return a column that ``column`` made for a text file: in words of the form that came in, if it was words."""
        return self._words(column) if self.pattern is not None and column.dtype.is_temporal() else column

    def words(self, times: Times) -> list[str]:
        """Return times for a person to read: in their own form, or with the clock if it is not midnight."""
        column = self.column(times)
        if column.dtype.is_temporal():
            if self.pattern is not None:
                column = self._words(column)
            else:
                return [x.isoformat().removesuffix("T00:00:00") for x in column.to_list()]
        return [str(x) for x in column.to_list()]

    def _words(self, column: pl.Series) -> pl.Series:
        pattern = self.pattern or "%Y-%m-%d"
        if not self.months:
            return column.dt.strftime(pattern)
        # the names are put in afterwards, where strftime leaves a mark
        marked = column.dt.strftime(pattern.replace("%B", "\0"))
        names = column.dt.month().replace_strict(range(1, 13), self.months, return_dtype=pl.String)
        put = pl.col("marked").str.replace("\0", pl.col("names"), literal=True)
        return pl.DataFrame({"marked": marked, "names": names}).select(put).to_series()


@dataclass(frozen=True)
class Stamps:
    """A column of times as it was read.

    Attributes:
        times: The times, (N,), as datetime64[us] (in UTC if there is a zone) or int64.
        form: The form of the column.
        notes: What was guessed, in words.
        other: The reading with the day in front of the month, if every date could be two.
    """

    times: Times
    form: TimeForm
    notes: tuple[str, ...] = ()
    other: Stamps | None = None

    def without_pattern(self) -> Stamps:
        """Return the same times, written as 2024-01-31."""
        return replace(self, form=replace(self.form, pattern=None))


def read_times(
    column: pl.Series, *, day_first: bool | None = None, zone: str | None = None, typed: bool = True
) -> Stamps | None:
    """Return a column of dates, date-times, years or numbers as times.

    Args:
        column: The column.
        day_first: Whether 01/02/2024 is the first of February; None keeps both readings if all dates could be two.
        zone: The zone of the times. The default is that of the column, or the one that their offsets belong to.
        typed: Whether the words of the column are of a frame, and not of a text file, which has no types.

    Returns:
        The times; None if some row cannot be read.
    """
    found: Stamps | None = None
    if column.null_count():
        return None
    if column.dtype in (pl.Date, pl.Datetime):
        found = _typed(column, zone)
    elif column.dtype.is_integer():
        found = _from_integers(column.cast(pl.Int64, strict=False), column.dtype, column.name)
    elif column.dtype.is_float():
        found = _from_floats(column)
    elif column.dtype == pl.String:
        found = _from_words(column, day_first, zone, typed)
    return found


def is_year(name: str) -> bool:
    """Return whether a column of this name may hold years."""
    return _YEAR.search(name) is not None


def parse_times(column: pl.Series) -> Times | None:
    """Return a column as times (N,), datetime64[us] or int64; None if some row cannot be read."""
    found = read_times(column)
    return None if found is None else found.times


def unreadable(column: pl.Series, day_first: bool | None = None) -> int:
    """Return the number of the first row that ``read_times`` cannot read."""
    if column.null_count():
        return int(column.is_null().arg_max() or 0)
    words = column.cast(pl.String)
    unread, named = _parse_words(words, _formats(day_first))[0].is_null(), by_name(words)
    if named is not None and named.iso.null_count() < unread.sum():
        unread = named.iso.is_null()
    return int(unread.arg_max() or 0)


def _micros(column: pl.Series) -> Times:
    return column.cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]")


def _typed(column: pl.Series, zone: str | None) -> Stamps:
    """Return a column of dates or date-times."""
    if column.dtype == pl.Date:
        return Stamps(_micros(column), TimeForm(column.dtype))
    unit: Any = column.dtype.time_unit  # type: ignore[attr-defined]
    own: str | None = column.dtype.time_zone  # type: ignore[attr-defined]
    if own is not None:
        times = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return Stamps(_micros(times), TimeForm(pl.Datetime(unit, zone or own), zone=zone or own))
    return Stamps(instants(_micros(column), zone), TimeForm(pl.Datetime(unit, zone), zone=zone))


def _from_integers(  # noqa: PLR0911 - one for each form
    column: pl.Series, dtype: pl.DataType, name: str
) -> Stamps | None:
    """Return dates such as 20240131, years, times since 1970, or else the whole numbers themselves."""
    whole = column.fill_null(0).to_numpy()
    low, high = (int(whole.min()), int(whole.max())) if len(whole) else (0, 0)
    called = _TIME.search(name) is not None
    if low >= 17_000_101 and high <= 21_001_231:
        found = _parse_words(column.cast(pl.String), ("%Y%m%d",))[0]
        return None if found.null_count() else Stamps(_micros(found), TimeForm(dtype, "%Y%m%d"))
    years = _YEAR.search(name) is not None
    span = (1000, 2200) if years else (1800, 2100)
    if len(whole) and (years or called) and span[0] <= low and high <= span[1]:
        notes = () if years else (f"whole numbers such as {low} in column {name!r} are read as years",)
        return Stamps((whole - 1970).astype("datetime64[Y]").astype("datetime64[us]"), TimeForm(), notes)
    if (
        (called or _MONTH.search(name))
        and low >= 180_001
        and high <= 210_012
        and set((whole % 100).tolist()) <= set(range(1, 13))
    ):
        months = (whole // 100 - 1970) * 12 + whole % 100 - 1
        note = f"whole numbers such as {low} in column {name!r} are read as months"
        return Stamps(months.astype("datetime64[M]").astype("datetime64[us]"), TimeForm(dtype, "%Y%m"), (note,))
    if _WEEK.search(name) and low >= 180_001 and high <= 210_053:
        return _of_weeks(whole, dtype, name)
    if _QUARTER.search(name) and low >= 18_001 and high <= 21_004 and set((whole % 10).tolist()) <= {1, 2, 3, 4}:
        quarters = ((whole // 10 - 1970) * 4 + whole % 10 - 1) * 3
        note = f"whole numbers such as {low} in column {name!r} are read as quarters"
        return Stamps(quarters.astype("datetime64[M]").astype("datetime64[us]"), TimeForm(dtype, "%Y%q"), (note,))
    if len(whole) and _EXCEL.search(name) and _EXCEL_DAYS[0] <= low and high <= _EXCEL_DAYS[1]:
        return _of_excel(whole.astype(np.float64), name)
    for units, words in _EPOCHS if called or low > 10**11 else ():
        # from 1990 to 2100; whole seconds are taken only if they are at least a minute apart
        if 631_152_000 * units <= low and high < 4_102_444_800 * units:
            steps = np.diff(np.unique(whole))
            if units == 1 and (len(steps) == 0 or steps.min() < 60):
                continue
            micros = whole // (units // 10**6) if units > 10**6 else whole * (10**6 // units)
            note = f"whole numbers such as {low} in column {name!r} are read as {words} since 1970"
            return Stamps(micros.astype("datetime64[us]"), TimeForm(dtype, epoch=units), (note,))
    return Stamps(whole.astype(np.int64), TimeForm(dtype))


def _of_weeks(whole: NDArray[np.int64], dtype: pl.DataType, name: str) -> Stamps | None:
    """Return weeks of ISO 8601 such as 202453 as their Mondays; None if a year has no such week."""
    words = pl.Series(whole).cast(pl.String)
    days = (words.str.head(4) + "-" + words.str.tail(2) + "-1").str.to_date("%G-%V-%u", strict=False)
    note = f"whole numbers such as {int(whole.min())} in column {name!r} are read as weeks of ISO 8601"
    return None if days.null_count() else Stamps(_micros(days), TimeForm(dtype, "%G%V"), (note,))


def _from_floats(column: pl.Series) -> Stamps | None:
    """Return whole numbers, decimal years (1949.0833 is February 1949), or steps of a decimal number."""
    x = column.to_numpy()
    if not len(x) or not np.isfinite(x).all() or np.abs(x).max() > 2**53:
        return None
    if (x == np.rint(x)).all():
        return _from_integers(pl.Series(column.name, x.astype(np.int64)), column.dtype, column.name)
    if _EXCEL.search(column.name) and x.min() >= _EXCEL_DAYS[0] and x.max() <= _EXCEL_DAYS[1]:
        return _of_excel(x, column.name)
    months = np.rint(x * 12)
    if x.min() >= 1000 and x.max() <= 2200 and np.abs(x * 12 - months).max() <= 0.2:
        return Stamps(
            (months - 1970 * 12).astype(np.int64).astype("datetime64[M]").astype("datetime64[us]"), TimeForm()
        )
    for scale in (10, 100, 1000, 10**4, 10**5, 10**6):
        whole = np.rint(x * scale)
        if np.abs(x * scale - whole).max() < 1e-6 and np.abs(whole).max() < 2**53:
            return Stamps(whole.astype(np.int64), TimeForm(column.dtype, scale=scale))
    return None


def _of_excel(days: NDArray[np.float64], name: str) -> Stamps:
    """Return the days of a spreadsheet, which have about a millisecond of precision, as times rounded to a second."""
    times = _EXCEL_ZERO + np.rint(days * 86_400).astype(np.int64) * np.timedelta64(1_000_000, "us")
    first = str(times[0].astype("datetime64[s]")).replace("T00:00:00", "")
    note = f"numbers such as {days[0]:.10g} in column {name!r} are read as the days of a spreadsheet: {first}"
    return Stamps(times, TimeForm(), (note,))


def _from_words(column: pl.Series, day_first: bool | None, zone: str | None, typed: bool) -> Stamps | None:
    parsed, form = _parse_words(column, _formats(day_first))
    if parsed.null_count() or not len(column):
        return _from_names(column, zone, typed) if len(column) else None
    found = _worded(column, parsed, form, zone, typed)
    if not form.startswith((*_MONTH_FIRST, *_DAY_FIRST)):
        return found
    turned = form.replace("%m", "%x").replace("%d", "%m").replace("%x", "%d")
    other = _parse_words(column, (turned,))[0]
    if other.null_count() or bool((other == parsed).all()):
        return found
    both = found, _worded(column, other, turned, zone, typed)
    if not typed:
        # a file that is written gets 2024-02-01, so that nobody has to guess the order of day and month again
        both = both[0].without_pattern(), both[1].without_pattern()
    return both[0] if day_first is not None else replace(both[0], other=both[1])


def _from_names(column: pl.Series, zone: str | None, typed: bool) -> Stamps | None:
    """Return words with months by name, such as "1. März 2024", or quarters and weeks; None for other words."""
    form_type = column.dtype if typed else None
    named = by_name(column)
    if named is not None and not named.iso.null_count():
        found = _from_words(named.iso, None, zone, typed)
        pattern = None if found is None else found.form.pattern
        if found is None or pattern is None:
            return found
        # without names of one kind, dates are written as 2024-01-31
        if named.pattern is not None:
            pattern = pattern.replace("%Y-%m-%d", named.pattern)
        return replace(found, form=replace(found.form, pattern=pattern, months=named.names))
    period = read_periods(column.str.strip_chars())
    if period is None:
        return None
    return Stamps(instants(_micros(period.days), zone), TimeForm(form_type, period.pattern, zone), (period.note,))


def _worded(column: pl.Series, parsed: pl.Series, form: str, zone: str | None, typed: bool) -> Stamps:
    """Return parsed words with the pattern that writes them again."""
    words, pattern, times, note = column.str.strip_chars(), form, _micros(parsed), None
    first = str(words[0])
    fraction = re.search(r":\d\d\.(\d+)", first)
    digits = len(fraction[1]) if fraction else 0
    pattern = pattern.replace("%.f", f"%.{digits}f" if digits in (3, 6, 9) else "%.f" if digits else "")
    if form.endswith("%z"):
        tail = words.str.extract_groups(r"([+-])(\d{2}):?(\d{2})$").struct.unnest()
        a, hours, minutes = (tail[c] for c in tail.columns)
        size = hours.cast(pl.Int64) * 60 + minutes.cast(pl.Int64)
        offsets = (size * (1 - 2 * (a == "-").cast(pl.Int64))).to_numpy()
        if zone is None:
            zone, note = zone_of(times, offsets)
            zone = zone or "UTC"
        pattern = pattern.removesuffix("%z") + ("%:z" if re.search(r"\d\d:\d\d$", first[-6:]) else "%z")
    elif first.endswith("Z"):
        zone, pattern = zone or "UTC", pattern + ("Z" if zone in (None, "UTC") else "%:z")
    else:
        times = instants(times, zone)
    return Stamps(times, TimeForm(column.dtype if typed else None, pattern, zone), (note,) if note else ())


def _formats(day_first: bool | None) -> tuple[str, ...]:
    if day_first is None:
        return _FORMATS
    away = _MONTH_FIRST if day_first else _DAY_FIRST
    return tuple(form for form in _FORMATS if not form.startswith(away))


def _parse_words(column: pl.Series, formats: tuple[str, ...]) -> tuple[pl.Series, str]:
    """Return words as date-times by the format that reads the most of them, with null for the others."""
    words = column.str.strip_chars().str.replace(r"Z$", "")
    first_days = "1 " + words
    best: tuple[pl.Series, str] | None = None
    for form in formats:
        # polars reads a month without its day only in the spelling that it would write itself
        given, full = (first_days, f"%d {form}") if form in _MONTHS else (words, form)
        parsed = given.str.to_datetime(full, strict=False, time_unit="us")
        if parsed.dtype.time_zone is not None:  # type: ignore[attr-defined]
            parsed = parsed.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        parsed = pl.select(pl.when(parsed.dt.year() >= 1000).then(parsed)).to_series()  # "07.02.06" is not certain
        if best is None or parsed.null_count() < best[0].null_count():
            best = parsed, form
        if not parsed.null_count():
            break
    assert best is not None
    return best
