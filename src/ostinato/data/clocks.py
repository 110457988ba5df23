"""Times of day in a column of their own, and the column of days beside them."""

from __future__ import annotations

import polars as pl

from ostinato.data.local_hours import CLOCK as LETTERED
from ostinato.data.stamps import read_times
from ostinato.data.time_names import CLOCKS, JOINED, PARTS, UNNAMED, says_clock
from ostinato.data.two_years import are_years

_CLOCK = rf"^\s*\d{{1,2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?(\s*[AaPp][Mm])?\s*$|{LETTERED}"
#: A clock with points, 18.30.00.
_POINTS = r"^\s*([01]\d|2[0-3])\.[0-5]\d\.[0-5]\d\s*$"

#: Further names of clocks of four digits, the last of such clocks, and ten hours.
_FOUR = ("hrmn", "hhmm", "hh:mm")
_MIDNIGHT, _TEN_HOURS = 2400, 1000


def are_clocks(column: pl.Series) -> bool:
    """Return whether all cells of a column are times of day, such as 13:05."""
    if column.dtype == pl.Time:
        return True
    if column.dtype != pl.String or not column.count():
        return False
    if column.str.contains(_CLOCK).fill_null(value=True).all():
        return True
    points = column.str.contains(_POINTS).fill_null(value=True).all()
    # 10.03.24 may be a day, and 18.00.00 and 18.30.00 are none
    return bool(points and column.str.contains(r"^\s*\d\d\.(00|1[3-9]|[2-5]\d)\.").any())


def clock_of(frame: pl.DataFrame, free: dict[str, str], day: str | None = None) -> str | None:
    """Return the column of times of day beside a column of days; None if there is none."""
    exact = [free[n] for n in CLOCKS if n in free]
    others = (
        c for name, c in sorted(free.items(), key=lambda item: frame.columns.index(item[1])) if may_be_clock(name)
    )
    found = next((c for c in [*exact, *others] if c != day and are_clocks(frame[c])), None)
    return found or next((free[c] for c in free if in_digits(frame, c, free[c])), None)


def may_be_clock(name: str) -> bool:
    """Return whether a column of this name may hold times of day: by its name, or because it has none."""
    return says_clock(name) or UNNAMED.fullmatch(name) is not None


def in_digits(frame: pl.DataFrame, plain: str, name: str) -> bool:
    """Return whether a column of this name holds clocks as digits, beside days as 20240131."""
    column = frame[name] if name in frame.columns else pl.Series([""])
    return of_four_digits(plain, column) or of_six_digits(plain, column)


def of_six_digits(plain: str, column: pl.Series) -> bool:
    """Return whether a column of this name holds clocks of up to six digits, such as 93000 and 0."""
    if plain != "time" or not column.dtype.is_integer() or column.null_count() or not len(column):
        return False
    whole = column.cast(pl.Int64)
    last = (whole % 100 < 60) & (whole // 100 % 100 < 60) & (whole >= 0) & (whole < 240_000)
    # 93000 is 09:30:00, and 930 alone may be 09:30 or 00:09:30
    return bool(last.all()) and (int(whole.max()) >= 10_000 or int(whole.max()) == 0)  # type: ignore[arg-type]


def of_four_digits(plain: str, column: pl.Series) -> bool:
    """Return whether a column of this name holds clocks of four digits, 0100 to 2400, over ten hours or more.

    The zeros in front may be lost: 100 is 01:00.
    """
    named = plain in (*CLOCKS, *PARTS["hour"].names, *_FOUR)
    if not named or not column.dtype.is_integer() or column.null_count() or not len(column):
        return False
    whole = column.cast(pl.Int64)
    low, high = int(whole.min()), int(whole.max())  # type: ignore[arg-type]
    return low >= 0 and high <= _MIDNIGHT and high - low >= _TEN_HOURS and bool((whole % 100 < 60).all())


def day_and_clock(days: pl.Series, clocks: pl.Series) -> pl.Series:
    """Return words of days and clocks as words of times."""
    if clocks.dtype.is_integer() and _TEN_HOURS <= int(clocks.max() or 0) <= _MIDNIGHT:  # type: ignore[arg-type]
        clocks = clocks.cast(pl.String).str.zfill(4).str.replace(r"^(\d\d)(\d\d)$", "${1}:${2}")
    elif clocks.dtype.is_integer():
        digits = clocks.cast(pl.String).str.zfill(6)
        clocks = digits.str.replace(r"^(\d\d)(\d\d)(\d\d)$", "${1}:${2}:${3}")
    return (days + " " + clocks.cast(pl.String).str.strip_chars().str.to_uppercase()).alias(JOINED)


def are_days(column: pl.Series) -> bool:
    """Return whether all cells of a column are dates without a clock."""
    if column.dtype == pl.Date:
        return True
    if column.dtype in (pl.String, pl.Datetime) or column.dtype.is_integer():
        found = read_times(column)
        if found is None or found.times.dtype.kind != "M" or found.form.zone is not None:
            return False
        if column.dtype == pl.String and (column.str.contains(":").any() or are_years(column.drop_nulls())):
            return False
        midnight = found.times.astype("datetime64[D]").astype(found.times.dtype) == found.times
        return bool(midnight.all())
    return False


def day_words(column: pl.Series) -> pl.Series:
    """Return days as words: those of the column, or 2024-01-31 for days of another type."""
    if column.dtype == pl.String:
        return column.str.strip_chars()
    found = read_times(column)
    assert found is not None  # the column holds days
    return pl.Series(found.times.astype("datetime64[us]")).dt.strftime("%Y-%m-%d")
