"""Times in spellings of many countries and programs: as Babel, pandas and datetime have them, or refused."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from babel.dates import format_datetime
from rows import Row, rows_of

import ostinato
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError

HOURS = pd.Series(pd.date_range("2024-01-31 20:00", periods=30, freq="h"))
NEW_YEAR = pd.Series(pd.date_range("2023-12-20", periods=30))
MONTHS = pd.Series(pd.date_range("2024-01-01", periods=9, freq="MS"))
DAYS = pd.Series(pd.date_range("2024-01-20", periods=30, freq="D"))


def in_file(cells: Any, **options: Any) -> SequenceSet:
    """Read times and values that went through a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        pl.DataFrame({"ds": list(cells), "y": np.arange(len(cells)) + 0.5}).write_csv(path)
        return read(path, **options)


def right(cells: Any, times: Any, note: str = "", **options: Any) -> str:
    """A column has these times in a file, read from either end, and in a frame."""
    frame = pl.DataFrame({"ds": list(cells), "y": np.arange(len(cells)) + 0.5})
    for data in (in_file(cells, **options), read(frame, **options), read(frame.reverse(), **options)):
        assert data.times is not None
        np.testing.assert_array_equal(data.times, np.asarray(times).astype("datetime64[us]"))
        np.testing.assert_array_equal(data.values[:, 0], frame["y"].to_numpy())
        assert not note or any(note in one for one in data.notes), data.notes
    return f"right: {cells[0]}"


def refused(cells: Any, *says: str) -> str:
    """A column is refused with these words."""
    with pytest.raises(DataError) as caught:
        in_file(cells)
    for word in says:
        assert word in str(caught.value), str(caught.value)
    return f"refused: {caught.value.what[:60]}"


def noted(cells: Any, note: str, *, has: bool = True) -> str:
    """Data have a note, or have none."""
    assert any(note in one for one in in_file(cells).notes) is has
    return "noted" if has else "without a note"


def of_locale(locale: str, form: str) -> str:
    """Times that Babel writes are read back."""
    return right([format_datetime(t, form, locale=locale) for t in HOURS], HOURS)


def ends_of_days(pattern: str) -> str:
    """24:00 is the midnight that follows, as ISO 8601 has it."""
    cells = [
        (t - pd.Timedelta(days=1)).strftime(pattern.replace("%H", "24")) if t.hour == 0 else t.strftime(pattern)
        for t in HOURS
    ]
    return right(cells, HOURS, "midnight at the end of their day")


def summer(zone: str) -> str:
    """24:00 is the midnight of the clock of its zone, also on the days that have 23 or 25 hours."""
    truth = pd.date_range("2024-03-28", "2024-11-03", freq="D", tz=zone)
    cells = [f"{day - pd.Timedelta(hours=12):%Y-%m-%d} 24:00" for day in truth]
    return right(cells, truth.tz_convert("UTC").tz_localize(None), zone=zone)


def since(units: float, part: float) -> str:
    """Decimals that count from 1970 are times, and come back as such."""
    times = pd.date_range("2024-01-01", periods=30, freq="h") + pd.Timedelta(seconds=part)
    seconds = [float(t.value) / 1e9 * units for t in times]
    right(seconds, times, "since 1970")
    ahead = ostinato.forecast(pl.DataFrame({"ds": seconds, "y": np.arange(30.0)}), horizon=2, model="naive").frame["ds"]
    np.testing.assert_allclose(ahead.to_list(), [seconds[-1] + 3600 * units, seconds[-1] + 7200 * units], rtol=1e-15)
    return "right"


def digits(pattern: str, times: Any, note: str, **options: Any) -> str:
    """Whole numbers whose digits are a date are read in the order of time, and written as they came in."""
    cells = [int(t.strftime(pattern)) for t in times]
    right(cells, times, note, **options)
    frame = pl.DataFrame({"ds": cells, "y": np.arange(len(cells)) + 0.5})
    ahead = ostinato.forecast(read(frame, **options), horizon=1, model="naive").frame["ds"][0]
    step = pd.DateOffset(months=1) if times is MONTHS else pd.Timedelta(days=1)
    assert ahead == int((times.iloc[-1] + step).strftime(pattern))
    return f"right: {ahead}"


def zones_in_pandas() -> str:
    """Objects with a zone among objects without one are refused, as they are in a file."""
    mixed: list[Any] = [datetime.datetime(2024, 1, day) for day in (1, 2, 3)]
    for at in (0, 1):
        cells = [t.replace(tzinfo=datetime.UTC) if i == at else t for i, t in enumerate(mixed)]
        with pytest.raises(DataError, match="zone"):
            read(pd.DataFrame({"ds": pd.Series(cells, dtype=object), "y": [1.5, 2, 3]}))
    return "refused"


ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
DOTTED = {"AM": "a.m.", "PM": "p.m."}
WIDE = str.maketrans("0123456789/:", "０１２３４５６７８９／：")
THAI_YEARS = [f"{day.year + 543}-{day:%m-%d}" for day in DAYS]
KINDS: dict[str, dict[str, Callable[[], str]]] = {
    "locales": {
        f"{locale}, {form}": partial(of_locale, locale, form)
        for locales, form in (
            (("ko_KR", "ja_JP", "zh_CN", "en_US", "en_AU", "de_DE", "fr_FR", "it_IT"), "medium"),
            (("ko_KR", "zh_TW", "en_US", "en_AU"), "yyyy-MM-dd h:mm a"),
        )
        for locale in locales
    },
    "signs": {
        "Arabic digits": partial(right, HOURS.dt.strftime("%d/%m/%Y %H:%M").str.translate(ARABIC), HOURS),
        "Persian digits": partial(right, HOURS.dt.strftime("%Y/%m/%d %H:%M").str.translate(PERSIAN), HOURS),
        "wide digits": partial(right, HOURS.dt.strftime("%Y/%m/%d %H:%M").str.translate(WIDE), HOURS),
        "marks of direction": partial(right, HOURS.dt.strftime("\u200e%d/\u200e%m/\u200e%Y \u200f%H:%M"), HOURS),
        "Uhr": partial(right, HOURS.dt.strftime("%d.%m.%Y %H:%M Uhr"), HOURS),
        "PostgreSQL": partial(right, HOURS.dt.strftime("%Y-%m-%d %H:%M:%S+00"), HOURS),
        "Java": partial(right, HOURS.dt.strftime("%Y-%m-%dT%H:%M+00:00[Etc/UTC]"), HOURS),
        "UTC+00:00": partial(right, HOURS.dt.strftime("%Y-%m-%d %H:%M UTC+00:00"), HOURS),
        "a comma": partial(right, HOURS.dt.strftime("%Y-%m-%d %H:%M:%S,250"), HOURS + pd.Timedelta("250ms")),
        **{form: partial(right, HOURS.dt.strftime(form), HOURS + pd.Timedelta(hours=7 * ("-0700" in form)))
           for form in ("%d/%b/%Y:%H:%M:%S -0700", "[%d/%b/%Y:%H:%M:%S -0700]", "%d/%b/%Y:%H:%M:%S")},
        **{form: partial(refused, HOURS.dt.strftime(form), "it names no year")
           for form in ("%b %d %H:%M:%S", "%b %e %H:%M:%S", "%d %b %H:%M")},
        "a camera": partial(right, HOURS.dt.strftime("%Y:%m:%d %H:%M:%S"), HOURS),
        "a web server": partial(right, HOURS.dt.strftime("%d/%b/%Y:%H:%M:%S +0000"), HOURS),
        "a web server, in brackets": partial(right, HOURS.dt.strftime("[%d/%b/%Y:%H:%M:%S +0000]"), HOURS),
        "hours alone": partial(right, HOURS.dt.strftime("%Y-%m-%d %H"), HOURS),
        **{form: partial(right, HOURS.dt.strftime(form), HOURS) for form in ("%Y_%m_%d %H:%M", "%Y%m%d_%H%M%S")},
        **{form: partial(right, HOURS.dt.strftime(form), HOURS) for form in ("%d.%m.%Y %H.%M", "%d/%m/%Y %H.%M.%S")},
        "h": partial(right, HOURS.dt.strftime("%d/%m/%Y %Hh%M"), HOURS),
        "p.m.": partial(right, HOURS.dt.strftime("%Y-%m-%d %I:%M ") + HOURS.dt.strftime("%p").map(DOTTED), HOURS),
    },
    "24:00": {
        **{
            pattern: partial(ends_of_days, pattern)
            for pattern in ("%Y-%m-%d %H:00", "%Y-%m-%dT%H:00:00", "%Y-%m-%dT%H:00:00Z", "%d.%m.%Y %H:00")
        },
        "24:30": partial(refused, ["2024-01-01 23:30", "2024-01-01 24:30", "2024-01-02 01:30"], "24:30", "line 3"),
        **{zone: partial(summer, zone) for zone in ("Europe/Berlin", "America/New_York")},
    },
    "stretches": {
        "weeks of pandas": partial(right, list(map(str, pd.period_range("2024-01-01", periods=9, freq="W"))),
                                   pd.date_range("2024-01-01", periods=9, freq="7D"), "first times"),
        "with a dash": partial(right, [f"{d:%Y-%m-%d} - {d + pd.Timedelta(days=6):%Y-%m-%d}" for d in DAYS[::7]],
                               DAYS[::7], "first times"),
        **{
            f"hours, {form}, {gap}, {end}": partial(
                right, [f"{t:{form}}{gap}{t + pd.Timedelta(hours=1):{end}}" for t in HOURS], HOURS, "first times")
            for form in ("%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M:%S")
            for gap in (" - ", " – ", " to ") for end in (form, "%H:%M")
        },
        "ISO 8601": partial(right, [f"{t:%Y-%m-%dT%H:%MZ}/{t + pd.Timedelta(hours=1):%Y-%m-%dT%H:%MZ}" for t in HOURS],
                            HOURS, "first times"),
        "an offset is no end": partial(right, [f"{t:%Y-%m-%d %H:%M}-05:00" for t in HOURS],
                                       HOURS + pd.Timedelta(hours=5)),
    },
    "leap seconds": {
        form: partial(refused, [f"2016-12-31{form}", "2017-01-01 00:00:10", "2017-01-01 00:00:20"], "23:59:60")
        for form in (" 23:59:60", "T23:59:60")
    },
    "decimals since 1970": {
        f"{units:g} a second, {part}": partial(since, units, part)
        for units, part in ((1, 0.5), (1, 0.25), (1, 0.123456), (1e3, 0.0005), (1e3, 0.25))
    },
    "digits": {
        "day first": partial(digits, "%d%m%Y", DAYS, "day, month and year"),
        "month first": partial(digits, "%m%d%Y", DAYS, "month, day and year"),
        "day of the year": partial(digits, "%Y%j", NEW_YEAR, "day of the year"),
        "months, day first": partial(digits, "%d%m%Y", MONTHS, ""),
        "months, by an option": partial(
            digits, "%m%d%Y", pd.Series(pd.date_range("2024-01-01", periods=9)), "", day_first=False),
    },
    "other eras": {
        "Buddhist": partial(noted, THAI_YEARS, "the Buddhist calendar: "),
        "Persian": partial(noted, [f"1402/10/{day:02}" for day in range(1, 29)], "the Persian or the Islamic"),
        "a century of years": partial(noted, [f"{year}-01-01" for year in range(1300, 1400)], "calendar", has=False),
        "today": partial(noted, [f"{day:%Y-%m-%d}" for day in DAYS], "calendar", has=False),
    },
    "times that stand for none": {
        **{
            f"{time}, {freq}": partial(
                noted, [*pd.date_range("2024-01-01", periods=9, freq=freq).strftime("%Y-%m-%d"), time], "too long")
            for time in ("1900-01-01", "9999-12-31") for freq in ("D", "7D")
        },
        "a gap": partial(noted, [*DAYS[:20].dt.strftime("%Y-%m-%d"), "2024-03-01"], "too long to fill", has=False),
    },
    "zones": {"objects": zones_in_pandas},
}  # fmt: skip
ROWS = rows_of(KINDS, "Babel, pandas, datetime")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_spelled(row: Row) -> None:
    assert row.check()


def test_whole_numbers_in_a_row_are_steps() -> None:
    steps = read(pl.DataFrame({"ds": range(240_101, 240_131), "y": np.arange(30.0)}))
    assert steps.times is not None
    assert steps.times.dtype.kind == "i"
