"""Times: how they are read, at what frequency they come, and which come next."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

#: frequency -> microseconds, for those of fixed length
FIXED = {
    "1s": 1_000_000,
    "1m": 60_000_000,
    "5m": 300_000_000,
    "10m": 600_000_000,
    "15m": 900_000_000,
    "30m": 1_800_000_000,
    "1h": 3_600_000_000,
    "1d": 86_400_000_000,
    "1w": 604_800_000_000,
}
MONTHS = {"1mo": 1, "3mo": 3, "1y": 12}
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%b %d %Y", "%d %b %Y", "%Y%m%d", "%Y-%m")
_CLOCKS = ("%H:%M:%S%.f", "%H:%M", "%H:%M:%S%.f%z", "%H:%M%z")
_FORMATS = (*_DATES, *(f"{date}{gap}{clock}" for date in _DATES[:5] for gap in (" ", "T") for clock in _CLOCKS))


def parse_times(column: pl.Series) -> NDArray[Any] | None:
    """A column of dates, date-times, years or whole numbers -> datetime64[us] or int64; None if it is none of these.

    Times with a zone become UTC.
    """
    if column.null_count():
        return None
    if column.dtype in (pl.Date, pl.Datetime):
        return _naive(column)
    if column.dtype.is_integer():
        whole = column.cast(pl.Int64, strict=False).fill_null(0).to_numpy()
        if len(whole) and whole.min() >= 17_000_101 and whole.max() <= 21_001_231:
            column = column.cast(pl.String)
        elif len(whole) and whole.min() >= 1000 and whole.max() <= 2200:
            return (whole - 1970).astype("datetime64[Y]").astype("datetime64[us]")
        else:
            return whole.astype(np.int64)
    if column.dtype.is_float():
        return _decimal_years(column.to_numpy())
    if column.dtype != pl.String:
        return None
    parsed = _parse_words(column)
    return None if parsed.null_count() else _naive(parsed)


def unreadable(column: pl.Series) -> int:
    """The first row of a column that ``parse_times`` cannot read."""
    if column.null_count():
        return int(column.is_null().arg_max() or 0)
    return int(_parse_words(column.cast(pl.String)).is_null().arg_max() or 0)


def ambiguous(column: pl.Series) -> bool:
    """Whether dates such as 01/02/2024 could be day/month as well as month/day."""
    if column.dtype != pl.String:
        return False
    days = column.str.extract(r"^\s*(\d{1,2})/\d{1,2}/\d{4}", 1).cast(pl.Int64, strict=False)
    months = column.str.extract(r"^\s*\d{1,2}/(\d{1,2})/\d{4}", 1).cast(pl.Int64, strict=False)
    both = (days <= 12) & (months <= 12) & (days != months)
    return bool(both.any()) and bool(((days <= 12) & (months <= 12)).all())


def _parse_words(column: pl.Series) -> pl.Series:
    """Words as date-times by the format that reads most of them, null where it reads none."""
    words = column.str.strip_chars().str.replace(r"Z$", "")
    best: pl.Series | None = None
    for form in _FORMATS:
        parsed = words.str.to_datetime(form, strict=False, time_unit="us")
        parsed = parsed.set(parsed.dt.year() < 1000, None)  # "07.02.06" is no date that can be read for certain
        if best is None or parsed.null_count() < best.null_count():
            best = parsed
        if not parsed.null_count():
            break
    assert best is not None
    return best


def _naive(column: pl.Series) -> NDArray[Any]:
    return column.cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]")


def _decimal_years(years: NDArray[np.float64]) -> NDArray[Any] | None:
    """1949.0833 is February 1949: months where the steps are twelfths, else whole years or nothing."""
    if not len(years) or np.isnan(years).any() or years.min() < 1000 or years.max() > 2200:
        return None
    months = np.rint(years * 12)
    if np.abs(years * 12 - months).max() > 0.2:
        return None
    return (months - 1970 * 12).astype(np.int64).astype("datetime64[M]").astype("datetime64[us]")


def find_frequency(times: list[NDArray[Any]]) -> str | None:
    """The frequency that nearly all steps of these sequences have; None where there is none."""
    times = [t for t in times if len(t) > 1]
    if not times:
        return None
    steps = np.concatenate([np.diff(t) for t in times])
    if steps.dtype.kind != "m":
        return "step" if (steps == 1).mean() > 0.8 else None
    months = np.concatenate([np.diff(t.astype("datetime64[M]").astype(np.int64)) for t in times])
    if all(_day_of_month(t) is not None for t in times) and months.min() >= 1:
        usual = Counter(months.tolist()).most_common(1)[0][0]
        for name, count in MONTHS.items():
            if usual == count:
                return name
    micros = steps.astype(np.int64)
    days = np.concatenate([t.astype("datetime64[D]").astype(np.int64) for t in times])
    weekdays = set(((days + 3) % 7).tolist())
    usual, times_seen = Counter(micros.tolist()).most_common(1)[0]
    if usual == FIXED["1d"] and not weekdays & {5, 6} and len(days) > 7:
        return "1bd"
    if times_seen < 0.6 * len(micros):
        return None
    for name, length in FIXED.items():
        if usual == length:
            return name
    return f"{usual}us"


def _day_of_month(times: NDArray[Any]) -> int | None:
    """The day that all these times have in their months, counted from 1; 0 for the last one; None where they differ."""
    days = times.astype("datetime64[D]")
    of_month = _within_month(days).astype(np.int64)
    if (of_month == of_month[0]).all():
        return int(of_month[0]) + 1
    return 0 if not _within_month(days + np.timedelta64(1, "D")).astype(np.int64).any() else None


def _within_month(times: Any) -> Any:
    return times - times.astype("datetime64[M]").astype(times.dtype)


def missing_steps(times: NDArray[Any], frequency: str | None) -> NDArray[np.int64] | None:
    """The place of each time on the full grid of its frequency; None without such a grid, or with nothing absent."""
    if frequency is None or len(times) < 2 or frequency == "1bd":
        return None
    if frequency in MONTHS:
        place = (times.astype("datetime64[M]") - times[0].astype("datetime64[M]")).astype(np.int64)
        place, rest = np.divmod(place, MONTHS[frequency])
    else:
        length = 1 if frequency == "step" else FIXED.get(frequency) or int(re.sub("us$", "", frequency))
        place, rest = np.divmod((times - times[0]).astype(np.int64), length)
    if rest.any() or place[-1] + 1 == len(times) or place[-1] > 20 * len(times):
        return None
    return np.asarray(place, dtype=np.int64)


def future_times(last: Any, frequency: str | None, horizon: int, seen: NDArray[Any]) -> NDArray[Any]:
    """The ``horizon`` times after last: over the weekdays seen for business days, by the median step for none."""
    ahead = np.arange(1, horizon + 1)
    if np.asarray(seen).dtype.kind != "M":
        step = int(np.median(np.diff(seen))) if len(seen) > 1 else 1
        return np.asarray(last + ahead * max(step, 1))
    last = np.datetime64(last, "us")
    if frequency == "1bd":
        days = np.asarray(seen).astype("datetime64[D]").astype(np.int64)
        week = [bool(np.isin(d, (days + 3) % 7)) for d in range(7)]
        return np.asarray(np.busday_offset(last.astype("datetime64[D]"), ahead, weekmask=week), dtype="datetime64[us]")
    if frequency in MONTHS:
        months = last.astype("datetime64[M]") + ahead * MONTHS[frequency]
        if _day_of_month(seen) == 0:
            months, last = months + 1, last + np.timedelta64(1, "D")
            return np.asarray(months.astype("datetime64[us]") + _within_month(last) - np.timedelta64(1, "D"))
        return np.asarray(months.astype("datetime64[us]") + _within_month(last))
    length = FIXED.get(frequency or "")
    if length is None:
        length = int(np.median(np.diff(seen).astype(np.int64))) if len(seen) > 1 else FIXED["1d"]
    return np.asarray(last + (ahead * length).astype("timedelta64[us]"))
