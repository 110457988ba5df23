"""Tables of offices, loggers and spreadsheets: read as pandas and datetime read them, noted where something is lost."""

from __future__ import annotations

import datetime
import io
import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from rows import Row, rows_of

import ostinato
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError

N = 60
Y = np.random.default_rng(5).normal(size=N).round(3)
HOURS = pd.Series(pd.date_range("2024-02-28", periods=N, freq="h"))
DAYS = pd.Series(pd.date_range("2023-12-20", periods=N, freq="D"))
QUARTERS = pd.period_range("2010Q1", periods=N, freq="Q")


def in_file(frame: pd.DataFrame | bytes, ending: str = ".csv", **options: Any) -> SequenceSet:
    """Read a table that went through a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t{ending}"
        path.write_bytes(frame if isinstance(frame, bytes) else frame.to_csv(index=False).encode())
        return read(path, **options)


def holds(data: SequenceSet, times: Any, note: str = "", values: Any = Y) -> str:
    """Data have these times and values, and a note."""
    np.testing.assert_array_equal(data.values[:, 0], values)
    assert data.times is not None
    np.testing.assert_array_equal(data.times, np.asarray(times).astype("datetime64[us]"))
    assert not note or any(note in one for one in data.notes), data.notes
    return f"right: {data.times[0]}"


def refused(columns: dict[str, Any], *says: str, **options: Any) -> str:
    """A table is refused with these words."""
    with pytest.raises(DataError) as caught:
        in_file(pd.DataFrame(columns), **options)
    for word in says:
        assert word in str(caught.value), str(caught.value)
    return f"refused: {caught.value.what[:60]}"


def of_times(columns: dict[str, Any], times: Any, note: str = "") -> str:
    """A file has these times, read from either end, and one channel."""
    frame = pd.DataFrame({**columns, "value": Y})
    for table in (frame, frame.iloc[::-1]):
        data = in_file(table)
        assert data.channels == ("value",)
        holds(data, times, note)
    return f"right: {columns}"[:60]


def clocks() -> dict[str, Callable[[], str]]:
    """Return a check for each way to write dates and clocks together."""
    rows: dict[str, Callable[[], str]] = {}
    for name in ("ds", "timestamp", "Date"):
        for form in ("%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S"):
            cells = HOURS.dt.strftime(form).astype(int)
            rows[f"{name}, {form}"] = partial(of_times, {name: cells}, HOURS, "dates with their clock")
        for form in ("%Y%m%dT%H%M", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%SZ", "%Y%m%d %H:%M", "%d%b%Y:%H:%M:%S",
                     "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M GMT"):  # fmt: skip
            rows[f"{name}, {form}"] = partial(of_times, {name: HOURS.dt.strftime(form)}, HOURS)
        for form in ("%Y. %m. %d.", "%Y. %m. %d", "%d%b%Y"):
            rows[f"{name}, {form}"] = partial(of_times, {name: DAYS.dt.strftime(form)}, DAYS)
    words = {"reading_date": HOURS.dt.strftime("%Y-%m-%d"), "reading_time": HOURS.dt.strftime("%H:%M")}
    rows["reading_date, reading_time"] = partial(of_times, words, HOURS, "read together")
    return rows


def spreadsheets() -> dict[str, Callable[[], str]]:
    """Return a check for each name of a column of days as a spreadsheet counts them, and for steps."""
    serial = (DAYS - pd.Timestamp("1899-12-30")) // pd.Timedelta(days=1)
    hours = ((HOURS - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)).round(6)
    rows: dict[str, Callable[[], str]] = {}
    for name in ("ds", "Timestamp", "Buchungsdatum", "order_date", "거래일자"):
        rows[f"{name}, whole"] = partial(of_times, {name: serial}, DAYS, "days of a spreadsheet")
        rows[f"{name}, with a clock"] = partial(of_times, {name: hours}, HOURS, "days of a spreadsheet")
    for first in (1, 1000, 30_000, 60_000):
        rows[f"steps from {first}"] = partial(steps, first)
    rows["a model of steps"] = of_steps
    return rows


def steps(first: int) -> str:
    """Whole numbers that are no days of this century stay steps."""
    data = in_file(pd.DataFrame({"ds": range(first, first + N), "y": Y}))
    assert data.times is not None
    assert data.times.tolist() == list(range(first, first + N))
    return "right: steps"


def of_steps() -> str:
    """A model that was fitted to steps reads later steps as steps."""
    model = ostinato.fit(pd.DataFrame({"ds": range(N), "y": Y}), model="ar").model
    later = ostinato.forecast(model, pd.DataFrame({"ds": range(40_000, 40_000 + N), "y": Y}), horizon=1).frame
    assert later["ds"].to_list() == [40_000 + N]
    return "right: steps"


#: Ways to write the second quarter of 2024, with N for its number.
SPELLED = ("%YQN", "%Y-QN", "%Y QN", "%Y/QN", "%Y:QN", "%Y.QN", "%Y_QN", "QN %Y", "QN-%Y", "QN/%Y", "NQ%Y", "NQ %Y")


def quarters(seed: int) -> str:
    """Quarters of many spellings are those of pandas, and come back in the first spelling."""
    draw = random.Random(seed)
    forms = [draw.choice(SPELLED) for _ in QUARTERS]
    cells = [f.replace("N", str(q.quarter)).replace("%Y", str(q.year)) for f, q in zip(forms, QUARTERS, strict=True)]
    data = in_file(pd.DataFrame({"period": cells, "y": Y}))
    holds(data, QUARTERS.to_timestamp(), "of another spelling")
    ahead = ostinato.forecast(data, horizon=1, model="naive").frame["ds"].cast(pl.String)[0]
    assert data.time_form is not None
    assert data.time_form.words(np.array(["2025-01-01"], dtype="datetime64[us]")) == [
        forms[0].replace("N", "1").replace("%Y", "2025")
    ]
    return f"right: {ahead}"


def weeks(form: str) -> str:
    """Years and weeks in two columns are those of datetime.date.fromisocalendar."""
    days = [datetime.date(2014, 12, 1) + datetime.timedelta(days=(1 if form == "weekday" else 7) * i) for i in range(N)]
    iso = [day.isocalendar() for day in days]
    columns: dict[str, Any] = {"year": [c.year for c in iso], "week": [c.week for c in iso]}
    if form == "weekday":
        columns["day"] = [c.weekday for c in iso]
    if form == "month":  # the year is that of the calendar, which differs from that of the week
        columns = {"year": [d.year for d in days], "month": [d.month for d in days], "week": [c.week for c in iso]}
    truth = [datetime.date.fromisocalendar(c.year, c.week, c.weekday if form == "weekday" else 1) for c in iso]
    return of_times(columns, np.array(truth, dtype="datetime64[D]"), "as weeks of ISO 8601")


def errors(words: tuple[str, ...]) -> str:
    """Errors of a spreadsheet in a text file are missing, and a note counts them."""
    cells: list[Any] = list(Y)
    cells[5 : 5 + len(words)] = words
    data = in_file(pd.DataFrame({"ds": DAYS, "y": cells}))
    assert np.flatnonzero(np.isnan(data.values[:, 0])).tolist() == list(range(5, 5 + len(words)))
    assert any(f"{len(words)} cell" in note and words[0] in note for note in data.notes), data.notes
    return "noted"


def errors_of_formulas() -> str:
    """Errors of formulas in a sheet are missing, and a note counts them; an empty cell is none."""
    import xlsxwriter

    formulas = {3: ("=1/0", "#DIV/0!"), 7: ("=NA()", "#N/A"), 9: ("=nothing", "#NAME?"), 11: ("=A0", "#REF!")}
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(2, 1, ["ds", "y"])  # the table begins neither in the first row nor in the first column
        for i in range(20):
            sheet.write(3 + i, 1, f"2024-01-{i + 1:02}")
            if i in formulas:
                sheet.write_formula(3 + i, 2, formulas[i][0], None, formulas[i][1])
            elif i != 5:
                sheet.write(3 + i, 2, Y[i])
    data = in_file(buffer.getvalue(), ".xlsx")
    assert np.flatnonzero(np.isnan(data.values[:, 0])).tolist() == [3, 5, 7, 9, 11]
    assert any("4 cells with an error of a spreadsheet, such as '#DIV/0!'" in note for note in data.notes), data.notes
    return "noted"


def nanoseconds(form: str, lost: int) -> str:
    """Times that are cut to microseconds are counted, and others are not."""
    whole = DAYS.to_numpy().astype("datetime64[ns]").astype(np.int64)
    whole[:lost] += 7
    times = pd.Series(whole.astype("datetime64[ns]"))
    words = [t.isoformat(timespec="nanoseconds") for t in times]
    cells = {"typed": pl.Series(times), "words": pl.Series(words), "numbers": pl.Series(whole)}[form]
    data = read(pl.DataFrame({"ds": cells, "y": Y}))
    holds(data, times)
    assert [note for note in data.notes if "cut to micro" in note] == (
        [f"cut to microseconds: {lost} times in column 'ds'"] if lost else []
    )
    return "noted" if lost else "right: nothing lost"


def units(separator: str, second: tuple[str, str]) -> str:
    """A line of units below the names is left out, and an error names the right line."""
    lines = [f"{d:%Y-%m-%d}{separator}{y}" for d, y in zip(DAYS, Y, strict=True)]
    head = [f"day{separator}temperature", separator.join(second)]
    holds(in_file("\n".join([*head, *lines]).encode()), DAYS, f"left out ({', '.join(w for w in second if w)})")
    lines[4] = f"2023-12-24{separator}high"
    with pytest.raises(DataError, match="line 7"):
        in_file("\n".join([*head, *lines]).encode(), target="temperature")
    return "noted"


def no_units(second: str) -> str:
    """A first row with words is no line of units if it may be data."""
    lines = ["name,value", second, "Bob,3.5", "Cid,4.5", "Dan,5.5"]
    try:
        data = in_file("\n".join(lines).encode())
    except DataError as error:
        return f"refused: {error.what}"
    assert len(data.values) == 4
    return "right: four rows"


def hours_of_a_sheet() -> str:
    """Hours of a spreadsheet keep their clock at midnight, and days have none."""
    import xlsxwriter

    for times in (HOURS, DAYS):
        buffer = io.BytesIO()
        with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
            sheet, form = book.add_worksheet(), book.add_format({"num_format": "dd.mm.yyyy hh:mm"})
            sheet.write_row(0, 0, ["Beginn", "y"])
            for i, (time, y) in enumerate(zip(times, Y, strict=True)):
                sheet.write_datetime(1 + i, 0, time.to_pydatetime(), form)
                sheet.write(1 + i, 1, y)
        holds(in_file(buffer.getvalue(), ".xlsx"), times)
    return "right: hours and days"


def bare_midnight(form: str) -> str:
    """Dates whose midnight has no clock, as scripts write them, are read, and a note says so."""
    cells = [f"{t:{form}}" if t.hour == 0 else f"{t:{form} %H:%M}" for t in HOURS]
    return holds(in_file(pd.DataFrame({"at": cells, "y": Y})), HOURS, "read as midnight")


def month_and_year(name: str) -> str:
    """Months with a year of two digits behind a point are refused by name, in whatever order they come."""
    months = pd.date_range("2021-09-01", periods=12, freq="MS")
    for order in (1, -1):
        refused({name: list(months.strftime("%m.%y"))[::order], "y": Y[:12]}, "a year of two digits", repr(name))
    return "refused"


def decimals(name: str, cells: list[float], channels: tuple[str, ...]) -> str:
    """Other decimals in a column of such a name are steps, or values."""
    data = in_file(pd.DataFrame({name: cells, "y": Y[: len(cells)]}), target=list(channels))
    assert data.channels == channels
    return "right: no months"


def objects() -> str:
    """A date and a time of day, as pandas reads them from a spreadsheet, are joined."""
    frame = pd.DataFrame({"date": HOURS.dt.date, "time": HOURS.dt.time, "y": Y})
    assert frame.dtypes.astype(str).to_dict()["time"] == "object"
    return holds(read(frame), HOURS, "read together")


def aside(name: str, cells: list[str], note: str) -> str:
    """A column that is no time, and is not called one, is left out with a note."""
    data = in_file(pd.DataFrame({name: cells, "y": Y[: len(cells)]}))
    assert (data.channels, data.times) == (("y",), None)
    assert any(note in one and repr(name) in one for one in data.notes), data.notes
    return "noted"


def no_time(name: str, cells: list[Any]) -> str:
    """--time-col none reads rows as steps in their order, now and with a model."""
    table = pd.DataFrame({name: cells, "y": Y[: len(cells)]})
    data = in_file(table, time_col="none", target="y")
    assert data.times is None
    np.testing.assert_array_equal(data.values[:, 0], Y[: len(cells)])
    model = ostinato.fit(data, model="ar").model
    made = ostinato.forecast(model, table, horizon=2).frame
    assert made["ds"].to_list() == [len(cells) + 1, len(cells) + 2]
    return "right: steps"


def first_zero(text: list[str], whole: bool) -> str:
    """A first 0 above decimals is the first value where it goes on with them, and both readings are noted."""
    data = in_file("\n".join(["0", *text, ""]).encode())
    values = [0.0, *map(float, text)] if whole else [*map(float, text)]
    assert data.values[:, 0].tolist() == values
    what = "values" if whole else "the names of the columns"
    assert f"the first row, 0, is read as {what}" in data.notes
    return f"noted: {what}"


def stand_in(value: float, noted: bool) -> str:
    """A value that loggers write for a missing one is noted where it is far from all others."""
    cells = Y.copy()
    cells[[4, 9]] = value
    data = in_file(pd.DataFrame({"ds": DAYS, "y": cells}))
    assert any("if it stands for a missing value" in note for note in data.notes) == noted, data.notes
    return "noted" if noted else "right: nothing to note"


def numbered(name: str) -> str:
    """Whole numbers of sensors are ids where the rows of one time differ in them."""
    frame = pd.DataFrame({name: np.repeat([101, 102, 205], 20), "ds": [*DAYS[:20]] * 3, "y": Y})
    data = in_file(frame)
    assert data.ids == ("101", "102", "205")
    np.testing.assert_array_equal(data.values[:, 0], Y)
    assert any(repr(name) in note and "read as the id" in note for note in data.notes)
    return "right: three series"


def alike(others: Any, *, kept: bool) -> str:
    """Rows of one time and of equal values that differ in another column are no row that was written twice.

    Args:
        others: The other column, of the rows and of the row that comes again.
        kept: Whether the rows are one all the same, as where the other column numbers the rows.
    """
    frame = pd.DataFrame({"ds": DAYS, "y": Y, "what": list(others)[:N]})
    whole = pd.concat([frame, frame.iloc[:1].assign(what=list(others)[N])])
    if kept:
        data = in_file(whole, target=["y"])
        np.testing.assert_array_equal(data.values[:, 0], Y)
        assert any("occur twice" in note for note in data.notes), data.notes
        return "noted"
    with pytest.raises(DataError) as caught:
        in_file(whole, target=["y"])
    for word in ("differ in 'what'", f"line {N + 2}", "the other is line 2", "add them up"):
        assert word in str(caught.value), str(caught.value)
    return f"refused: {caught.value.what[:60]}"


WALK = [f"{x:g}" for x in np.cumsum([0.5, *Y]).round(2) if x != np.rint(x)]
RAIN = [1 + (7 * i % 10) + 0.25 for i in range(20)]
VERSIONS = [f"1.{i // 9 + 1}.{10 + i % 9}" for i in range(30)]
SHORT = list(DAYS.dt.strftime("%d.%m.%y"))
DIFFERENT = ("#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#N/A"), ("#WERT!", "#BEZUG!", "#NV"), ("#VALEUR!",)
KINDS: dict[str, dict[str, Callable[[], str]]] = {
    "clocks": clocks(),
    "days of a spreadsheet": spreadsheets(),
    "quarters": {f"spellings {seed}": partial(quarters, seed) for seed in range(5)},
    "weeks": {form: partial(weeks, form) for form in ("year and week", "weekday", "month")},
    "errors of a spreadsheet": {
        **{", ".join(words): partial(errors, words) for words in DIFFERENT},
        "formulas": errors_of_formulas,
    },
    "nanoseconds": {f"{f}, {n}": partial(nanoseconds, f, n) for f in ("typed", "words", "numbers") for n in (0, 4)},
    "months and years": {
        **{name: partial(month_and_year, name) for name in ("month", "Monat", "report_month", "date", "period")},
        "halves": partial(decimals, "month", [1 + i / 2 for i in range(20)], ("y",)),
        "rain of months": partial(decimals, "rain_month", RAIN, ("rain_month", "y")),
    },
    "lines of units": {
        **{f"{separator}, {second}": partial(units, separator, second)
           for separator in ",;\t" for second in (("", "degC"), ("UTC", "m/s"))},
        **{second: partial(no_units, second) for second in ("Ada,NA", "Ada,off", "Ada,-")},
    },
    "midnight": {
        "a sheet": hours_of_a_sheet,
        **{form: partial(bare_midnight, form) for form in ("%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d")},
    },
    "objects": {"date and time": objects},
    "columns that are no times": {
        "versions": partial(aside, "version", VERSIONS, "not read as the time"),
        "a word among dates": partial(aside, "at", ["2024-01-01", "2024-01-02", "later 3"], "'later 3' cannot be read"),
        "a word among dates, by name": partial(
            refused, {"Messzeit": ["2024-01-01", "2024-01-02", "later 3"], "y": [1.5, 2, 3]}, "'later 3'", "line 4"
        ),
        "short dates": partial(aside, "x", SHORT, "not read as the time"),
        "short dates, newest first": partial(refused, {"x": SHORT[::-1], "y": Y}, "their order", 'time_col="none"'),
    },
    "no time": {
        "words": partial(no_time, "period", ["A1", "B2", "C3"] * 20),
        "short dates, newest first": partial(no_time, "x", SHORT[::-1]),
        "days": partial(no_time, "ds", list(DAYS)),
    },
    "a first 0": {
        "a walk": partial(first_zero, WALK, whole=True),
        "fixed decimals": partial(first_zero, [f"{y:.2f}" for y in Y], whole=False),
        "all digits": partial(first_zero, [str(y) for y in Y / 3], whole=False),
        "a level": partial(first_zero, [f"{50 + y:g}" for y in Y], whole=False),
    },
    "values for missing ones": {
        **{f"{value}": partial(stand_in, value, noted=True) for value in (-999, 9999, -99.9, 999.99)},
        **{f"{value}, one of many": partial(stand_in, value, noted=False) for value in (-9, 2.5, 98, -998)},
    },
    "numbers of series": {name: partial(numbered, name) for name in ("sensor", "meter_id", "Station No", "점포코드")},
    "rows that are alike": {
        "but for a word": partial(alike, ["a"] * N + ["b"], kept=False),
        "but for a whole number": partial(alike, [1] * N + [2], kept=False),
        "but for a decimal": partial(alike, [0.5] * N + [2.25], kept=False),
        "but for the number of the row": partial(alike, range(N + 1), kept=True),
        "in all columns": partial(alike, ["a"] * (N + 1), kept=True),
    },
}  # fmt: skip
ROWS = rows_of(KINDS, "pandas, datetime, or an error")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_messy(row: Row) -> None:
    assert row.check()
