"""Times: reading them, finding their frequency, and continuing them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

#: The length in microseconds of each frequency with steps of fixed length.
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
#: The number of months of each frequency with steps of calendar months.
MONTHS = {"1mo": 1, "3mo": 3, "1y": 12}
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%b %d %Y", "%d %b %Y", "%Y%m%d", "%Y-%m")
_CLOCKS = ("%H:%M:%S%.f", "%H:%M", "%H:%M:%S%.f%z", "%H:%M%z")
_FORMATS = (*_DATES, *(f"{date}{gap}{clock}" for date in _DATES[:5] for gap in (" ", "T") for clock in _CLOCKS))


def parse_times(column: pl.Series) -> NDArray[Any] | None:
    """Return a column of dates, date-times, years or whole numbers as times.

    Args:
        column: The column. Times with a zone become UTC.

    Returns:
        The times (N,) as datetime64[us] or int64; None if some row cannot be read.
    """
    times: NDArray[Any] | None = None
    if column.null_count():
        pass
    elif column.dtype in (pl.Date, pl.Datetime):
        times = _naive(column)
    elif column.dtype.is_integer():
        times = _from_integers(column)
    elif column.dtype.is_float():
        times = _decimal_years(column.to_numpy())
    elif column.dtype == pl.String:
        times = _from_words(column)
    return times


def _from_integers(column: pl.Series) -> NDArray[Any] | None:
    """Return dates such as 20240131, years, or else the whole numbers themselves."""
    whole = column.cast(pl.Int64, strict=False).fill_null(0).to_numpy()
    if len(whole) and whole.min() >= 17_000_101 and whole.max() <= 21_001_231:
        return _from_words(column.cast(pl.String))
    if len(whole) and whole.min() >= 1000 and whole.max() <= 2200:
        return (whole - 1970).astype("datetime64[Y]").astype("datetime64[us]")
    return whole.astype(np.int64)


def _from_words(column: pl.Series) -> NDArray[Any] | None:
    parsed = _parse_words(column)
    return None if parsed.null_count() else _naive(parsed)


def unreadable(column: pl.Series) -> int:
    """Return the number of the first row that ``parse_times`` cannot read."""
    if column.null_count():
        return int(column.is_null().arg_max() or 0)
    return int(_parse_words(column.cast(pl.String)).is_null().arg_max() or 0)


def ambiguous(column: pl.Series) -> bool:
    """Return whether dates such as 01/02/2024 could be day/month as well as month/day."""
    if column.dtype != pl.String:
        return False
    days = column.str.extract(r"^\s*(\d{1,2})/\d{1,2}/\d{4}", 1).cast(pl.Int64, strict=False)
    months = column.str.extract(r"^\s*\d{1,2}/(\d{1,2})/\d{4}", 1).cast(pl.Int64, strict=False)
    both = (days <= 12) & (months <= 12) & (days != months)
    return bool(both.any()) and bool(((days <= 12) & (months <= 12)).all())


def _parse_words(column: pl.Series) -> pl.Series:
    """Return words as date-times by the format that reads the most of them, with null for the others."""
    words = column.str.strip_chars().str.replace(r"Z$", "")
    best: pl.Series | None = None
    for form in _FORMATS:
        parsed = words.str.to_datetime(form, strict=False, time_unit="us")
        parsed = parsed.set(parsed.dt.year() < 1000, None)  # "07.02.06" has no certain meaning
        if best is None or parsed.null_count() < best.null_count():
            best = parsed
        if not parsed.null_count():
            break
    assert best is not None
    return best


def _naive(column: pl.Series) -> NDArray[Any]:
    return column.cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]")


def _decimal_years(years: NDArray[np.float64]) -> NDArray[Any] | None:
    """Return decimal years as months (1949.0833 is February 1949), or None if the fractions are not twelfths."""
    if not len(years) or np.isnan(years).any() or years.min() < 1000 or years.max() > 2200:
        return None
    months = np.rint(years * 12)
    if np.abs(years * 12 - months).max() > 0.2:
        return None
    return (months - 1970 * 12).astype(np.int64).astype("datetime64[M]").astype("datetime64[us]")


def find_frequency(times: list[NDArray[Any]]) -> str | None:
    """Return the frequency that most steps of the sequences have.

    Args:
        times: The times of each sequence, (T,), in order.

    Returns:
        A frequency such as "1h", "1mo", "1bd" (business days), "step" (whole numbers) or "90000000us"; None if the
        steps have no common length.
    """
    times = [t for t in times if len(t) > 1]
    if not times:
        return None
    steps = np.concatenate([np.diff(t) for t in times])
    if steps.dtype.kind != "m":
        return "step" if (steps == 1).mean() > 0.8 else None
    return _month_frequency(times) or _fixed_frequency(times, steps)


def _month_frequency(times: list[NDArray[Any]]) -> str | None:
    """Return the most common number of months between times on the same day of the month, as a frequency."""
    months = np.concatenate([np.diff(t.astype("datetime64[M]").astype(np.int64)) for t in times])
    if any(_day_of_month(t) is None for t in times) or months.min() < 1:
        return None
    usual = Counter(months.tolist()).most_common(1)[0][0]
    return next((name for name, count in MONTHS.items() if usual == count), None)


def _fixed_frequency(times: list[NDArray[Any]], steps: NDArray[Any]) -> str | None:
    """Return the most common length of a step as a frequency, if most steps have that length."""
    micros = steps.astype(np.int64)
    days = np.concatenate([t.astype("datetime64[D]").astype(np.int64) for t in times])
    weekdays = set(((days + 3) % 7).tolist())
    usual, times_seen = Counter(micros.tolist()).most_common(1)[0]
    if usual == FIXED["1d"] and not weekdays & {5, 6} and len(days) > 7:
        return "1bd"
    if times_seen < 0.6 * len(micros):
        return None
    return next((name for name, length in FIXED.items() if usual == length), f"{usual}us")


def _day_of_month(times: NDArray[Any]) -> int | None:
    """Return the day of the month that all times share, from 1; 0 for the last day; None if they differ."""
    days = times.astype("datetime64[D]")
    of_month = _within_month(days).astype(np.int64)
    if (of_month == of_month[0]).all():
        return int(of_month[0]) + 1
    return 0 if not _within_month(days + np.timedelta64(1, "D")).astype(np.int64).any() else None


def _within_month(times: Any) -> Any:
    return times - times.astype("datetime64[M]").astype(times.dtype)


def missing_steps(times: NDArray[Any], frequency: str | None) -> NDArray[np.int64] | None:
    """Return the place of each time on the full grid of the frequency.

    Args:
        times: The times of one sequence, (T,), in order.
        frequency: The frequency, as ``find_frequency`` returns it.

    Returns:
        The places (T,), from 0; None if the times do not lie on a grid, or if no step is missing.
    """
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
    """Return the times of the next steps.

    Args:
        last: The last time of the sequence.
        frequency: The frequency, as ``find_frequency`` returns it; None continues by the median step.
        horizon: The number of steps.
        seen: The times of the sequence, (T,). Business days continue over the weekdays in it.

    Returns:
        The times, (H,).
    """
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
