"""Tables as other programs write them: each is read as pandas and polars read it, or refused, and no order is lost."""

from __future__ import annotations

import io
import json
import tempfile
import unicodedata
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import files_read
import numpy as np
import pandas as pd
import polars as pl
import pytest
from files_read import in_file
from rows import Row

import ostinato
from ostinato.data.read import read
from ostinato.errors import ConfigError, DataError

N = 24
DAYS = pd.date_range("2024-01-01", periods=N, freq="D")
Y = np.random.default_rng(3).normal(size=N).round(3)
LONG = pd.DataFrame({"ds": DAYS.strftime("%Y-%m-%d"), "y": Y})
ARRAY = np.random.default_rng(0).normal(size=(30, 12)).round(3)


def same(content: str | bytes, ending: str, *, times: bool = True, values: Any = Y, note: str = "") -> str:
    """A file has these values, in their order, and the days where ``times``."""
    data = in_file(content, ending)
    np.testing.assert_array_equal(data.values, np.asarray(values).reshape(len(values), -1))
    if times:
        assert data.times is not None
        np.testing.assert_array_equal(
            data.times, pd.date_range(DAYS[0], periods=len(values)).to_numpy().astype("datetime64[us]")
        )
    assert not note or any(note in one for one in data.notes), data.notes
    return "right: as written"


def refused(content: str | bytes, ending: str, *says: str) -> str:
    """A file is refused with these words."""
    return files_read.refused(content, *says, ending=ending)


def jsons() -> dict[str, Callable[[], str]]:
    """Return a check for each layout of pandas, with times in a column and in the index, and of polars."""
    frames: dict[str, Any] = {
        "words": LONG,
        "times": pd.DataFrame({"ds": DAYS, "y": Y}),
        "an index": pd.DataFrame({"y": Y}, index=DAYS),
        "a shuffled frame": LONG.sample(frac=1, random_state=1),
        "a Series": pd.Series(Y, index=DAYS, name="y"),
    }
    rows: dict[str, Callable[[], str]] = {}
    for orient in ("split", "records", "index", "columns", "table"):
        for name, frame in frames.items():
            for form in ("iso", "epoch"):
                without = orient == "records" and name in {"an index", "a Series"}
                if without or (orient == "table" and form == "epoch"):  # records have no index, tables no epoch
                    continue
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # pandas 4 will write words only; files in numbers remain
                    text = frame.to_json(orient=orient, date_format=form, indent=1 if form == "iso" else None)
                rows[f"{orient}, {name}, {form}"] = partial(same, text, ".json")
    table = pl.from_pandas(LONG)
    rows["polars write_json"] = partial(same, table.write_json(), ".json")
    rows["polars write_ndjson"] = partial(same, table.write_ndjson(), ".jsonl")
    rows["a dict of lists"] = partial(same, json.dumps(LONG.to_dict("list")), ".json")
    rows["an answer with data"] = partial(same, json.dumps({"ok": 1, "data": LONG.to_dict("records")}), ".json")
    whole = pd.DataFrame({"0": range(30), "1": range(30, 60)})
    rows["columns 0 and 1"] = partial(
        same, whole.to_json(orient="records"), ".json", times=False, values=whole.to_numpy()
    )
    rows["values"] = partial(same, LONG.to_json(orient="values"), ".json", note="no names")
    rows["numbers"] = partial(refused, json.dumps(ARRAY.tolist()), ".json", "no names", "orient='records'")
    rows["labels that are words"] = partial(refused, json.dumps({"A": {"x": 1}, "B": {"x": 2}}), ".json", "A, B")
    for name, series in {"a word": "up", "labels": {"metric": "up", "values": [[1, "2"]]}, "no pairs": {}}.items():
        answer = {"data": {"resultType": "matrix", "result": [series]}}
        rows[f"Prometheus, {name}"] = partial(refused, json.dumps(answer), ".json", "a series", "orient='records'")
    rows["columns of other lengths"] = partial(refused, json.dumps({"a": [1, 2], "y": [1]}), ".json", "'y' has 1")
    return rows


def headers() -> dict[str, Callable[[], str]]:
    """Return a check for each file without words in its first row."""
    days = pd.date_range(DAYS[0], periods=30)
    csv, names = pd.DataFrame.to_csv, "is read as the names"
    floats, whole = ARRAY[:, :3], (100 * ARRAY[:, :3]).astype(int)
    rows = {
        "an array": (csv(pd.DataFrame(floats), index=False), floats, False, names),
        "an array with row numbers": (csv(pd.DataFrame(floats)), floats, False, names),
        "an array of whole numbers": (csv(pd.DataFrame(whole), index=False), whole, False, names),
        "an array with days": (csv(pd.DataFrame(ARRAY, index=days)), ARRAY, True, names),
        "an array with days and ;": (csv(pd.DataFrame(ARRAY, index=days), sep=";", decimal=","), ARRAY, True, names),
        "a Series with days": (pd.Series(ARRAY[:, 0], index=days).to_csv(), ARRAY[:, 0], True, names),
        "years": (csv(pd.DataFrame(whole[:, :2], columns=[2020, 2021]), index=False), whole[:, :2], False, names),
        "no names": (csv(pd.DataFrame(floats), index=False, header=False), floats, False, ""),
        "no names, counting": (
            csv(pd.DataFrame(np.arange(90).reshape(30, 3)), index=False, header=False),
            np.arange(90).reshape(30, 3),
            False,
            "is read as values",
        ),
    }
    return {
        name: partial(same, text, ".csv", times=times, values=values, note=note)
        for name, (text, values, times, note) in rows.items()
    }


def newest_first(name: str, cells: list[Any]) -> str:
    """Return a table of these times, newest first."""
    return pd.DataFrame({name: cells, "y": Y[: len(cells)]}).iloc[::-1].to_csv(index=False)


def orders() -> dict[str, Callable[[], str]]:
    """Return a check for each column that orders the rows: read in the order of time, or refused."""
    rows: dict[str, Callable[[], str]] = {}
    weeks = [202440 + i if i < 13 else 202501 + i - 13 for i in range(N)]
    quarters = [(2020 + i // 4) * 10 + i % 4 + 1 for i in range(N)]
    for names, cells in (
        (("week", "year_week", "yw", "isoweek"), weeks),
        (("quarter", "yq", "period"), quarters),
        (("fiscal_year", "Jahr"), list(range(1990, 1990 + N))),
    ):
        for name in names:
            rows[f"{name}, {cells[0]}"] = partial(in_order, name, cells)
    months = pd.date_range("2020-01-01", periods=N, freq="MS")
    words = {
        "Week 7": [f"Week {i + 1}" for i in range(N)],
        **{form: list(months.strftime(form)) for form in ("%m-%y", "%m/%y", "%b_%Y", "%Y_%m")},
    }
    read_now = {
        "2023/24": [f"{2000 + i}/{(i + 1) % 100:02}" for i in range(N)],
        "2001/02": [f"{2000 + i}/{i + 1:02}" for i in range(11)],
        "2001-02": [f"{2000 + i}-{i + 1:02}" for i in range(11)],
        "2003-2004": [f"{2000 + i}-{2001 + i}" for i in range(N)],
        "FY24 Q1": [f"FY{20 + i // 4} Q{i % 4 + 1}" for i in range(N)],
        "2024 week 7": [f"2024 week {i + 1}" for i in range(N)],
        "H1 2024": [f"H{i % 2 + 1} {2000 + i // 2}" for i in range(N)],
        **{form: list(months.strftime(form)) for form in ("%b-%y", "%b '%y")},
    }
    for form, cells in read_now.items():
        for name in ("x", "fy", "period"):
            rows[f"{name}, {form}"] = partial(turned, newest_first(name, cells))
    for form, cells in words.items():
        for name in ("x", "fy", "period"):
            rows[f"{name}, {form}"] = partial(refused, newest_first(name, cells), ".csv", str(cells[-1]), "time")
    rows["a week that is not"] = partial(refused, newest_first("week", [202330 + i for i in range(N)]), ".csv", "2023")
    in_file_order = pd.DataFrame({"x": words["Week 7"], "y": Y}).to_csv(index=False)
    rows["weeks in order"] = partial(same, in_file_order, ".csv", times=False, note="'x' ('Week 1')")
    return rows


def turned(content: str) -> str:
    """Rows that are newest first are read in the order of time."""
    data = in_file(content, ".csv")
    np.testing.assert_array_equal(data.values[:, 0], Y[: content.count("\n") - 1])
    assert data.times is not None
    assert data.times.dtype.kind == "M"
    return f"right: from {data.times[0]}"


def in_order(name: str, cells: list[int]) -> str:
    """Whole numbers that are weeks, quarters or years are read, sorted, and written in their form."""
    data = in_file(newest_first(name, cells), ".csv")
    np.testing.assert_array_equal(data.values[:, 0], Y)
    assert data.times is not None
    assert data.times.dtype.kind == "M"
    assert data.calendars[0] is not None
    ahead = ostinato.forecast(data, horizon=1, model="naive").frame["ds"].cast(pl.String)[0]
    after = {202440: "202512", 20201: "20261", 1990: "2014"}[cells[0]]
    assert ahead.startswith(after), ahead
    return f"right: {after} follows"


def parquets() -> dict[str, Callable[[], str]]:
    """Return a check for each type of a column of Parquet files."""

    def written(frame: Any) -> bytes:
        buffer = io.BytesIO()
        frame.write_parquet(buffer) if isinstance(frame, pl.DataFrame) else frame.to_parquet(buffer)
        return buffer.getvalue()

    table = pl.from_pandas(LONG)
    words, clock = table["ds"].to_list(), pl.Series("ds", range(N)).cast(pl.Int64)
    months = pd.DataFrame({"p": pd.period_range("2020-01", periods=N, freq="M"), "y": Y})
    rows: dict[str, Callable[[], str]] = {
        "categories": partial(
            same, written(table.with_columns(pl.col("ds").cast(pl.Categorical)).reverse()), ".parquet"
        ),
        "an enum": partial(same, written(table.with_columns(pl.col("ds").cast(pl.Enum(words))).reverse()), ".parquet"),
        "nanoseconds": partial(
            same, written(table.with_columns(pl.col("ds").str.to_datetime(time_unit="ns"))), ".parquet"
        ),
        "decimals": partial(same, written(table.with_columns(pl.col("y").cast(pl.Decimal(10, 3)))), ".parquet"),
        "periods of pandas": partial(same, written(months.iloc[::-1]), ".parquet", times=False),
        "whole numbers of 128 bits": partial(
            same,
            written(table.with_columns(pl.Series("y", [2**90 + i * 2**60 for i in range(N)], dtype=pl.Int128))),
            ".parquet",
            values=[float(2**90 + i * 2**60) for i in range(N)],
        ),
    }
    for dtype in (pl.Time, pl.Duration("us")):
        odd = table.with_columns(clock.cast(dtype))
        rows[str(dtype)] = partial(refused, written(odd), ".parquet", "expected times")
    return rows


def sheets() -> dict[str, Callable[[], str]]:
    """Return a check for each spreadsheet."""
    import xlsxwriter

    def book(cover: str | None, *, hidden: bool = False, clock: bool = False) -> bytes:
        buffer = io.BytesIO()
        with xlsxwriter.Workbook(buffer, {"in_memory": True}) as file:
            if cover is not None:
                first = file.add_worksheet("first")
                for i, line in enumerate(cover.splitlines()):
                    first.write_row(i, 0, line.split("\t"))
                if hidden:
                    first.write_column(0, 0, ["y", 1, 2, 3])
                    first.hide()
            sheet = file.add_worksheet("data")
            sheet.activate()
            sheet.write_row(0, 0, ["date", "time", "y"] if clock else ["ds", "y"])
            for i in range(N):
                if clock:
                    day = file.add_format({"num_format": "yyyy-mm-dd"}), file.add_format({"num_format": "hh:mm"})
                    sheet.write_datetime(1 + i, 0, DAYS[i // 12].to_pydatetime(), day[0])
                    sheet.write_number(1 + i, 1, (i % 12) / 24, day[1])
                    sheet.write(1 + i, 2, Y[i])
                else:
                    sheet.write_row(1 + i, 0, [LONG["ds"][i], Y[i]])
        return buffer.getvalue()

    return {
        "a cover": partial(same, book("Report"), ".xlsx", note="'data' of first, data"),
        "a cover of several lines": partial(
            same,
            book("Report\nSource\tthe operator\nPrinted\t2024\nContact\tA. Person"),
            ".xlsx",
            note="'data' of first, data",
        ),
        "a hidden sheet": partial(same, book("", hidden=True), ".xlsx", note="'data' of first, data"),
        "a date and a clock": partial(same, book(None, clock=True), ".xlsx", times=False, note="read together"),
    }


def units() -> dict[str, Callable[[], str]]:
    """Return a check for each unit in the cells."""
    return {
        f"{name}, {unit}": partial(
            refused, LONG.assign(y=[f"{v}{unit}" for v in Y]).rename(columns={"y": name}).to_csv(index=False), ".csv",
            unit.strip(),
        )
        for unit in (" °C", "kg", " m/s", "EUR/MWh", " µg")
        for name in ("y", "weight")
    }  # fmt: skip


def ids() -> dict[str, Callable[[], str]]:
    """Return a check for each pair of ids that look alike."""
    pairs = {
        "letters": ("é", unicodedata.normalize("NFD", "é")),
        "a blank without width": ("a", "a\u200b"),
        "capitals": ("Paris", "paris"),
        "a blank within": ("New York", "New  York"),
    }
    rows: dict[str, Callable[[], str]] = {
        name: partial(alike, *pair, "differ only in", 2) for name, pair in pairs.items()
    }
    rows["a blank at the end"] = partial(alike, "a", "a ", "blanks at the ends", 1)
    return rows


def alike(one: str, other: str, note: str, series: int) -> str:
    """Two ids that look alike are noted."""
    data = in_file(LONG.assign(id=[one] * 12 + [other] * 12).to_csv(index=False), ".csv")
    assert len(data.ids) == series
    assert any(note in said for said in data.notes), data.notes
    return "noted"


def horizons() -> dict[str, Callable[[], str]]:
    """Return a check for each horizon that is too far."""
    model = ostinato.fit(LONG, model="ar").model
    late = LONG.assign(ds=[f"{9900 + i}-01-01" for i in range(N)])
    rows: dict[str, Callable[[], str]] = {}
    for steps, data, says in ((10**6, LONG, "use at most 1,000 steps"), (100, late, "use at most 76 steps")):
        for name, how in (("auto", {}), ("ets", {"model": "ets"}), ("direct", {"model": "direct"}), ("a model", model)):
            arguments = (data,) if isinstance(how, dict) else (how, data)
            rows[f"{steps:,} steps by {name}"] = partial(
                too_far, says, *arguments, horizon=steps, **(how if isinstance(how, dict) else {})
            )
    return rows


def too_far(says: str, *arguments: Any, **options: Any) -> str:
    """A horizon is refused before any work, and the error says which one is sensible."""
    with pytest.raises(ConfigError) as caught:
        ostinato.forecast(*arguments, **options)
    assert says in str(caught.value), str(caught.value)
    return f"refused: {says}"


def a_link() -> str:
    """A link to a file that is gone is not the file that was meant."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "s.csv").symlink_to("gone.csv")
        with pytest.raises(DataError) as caught:
            read(Path(folder) / "s.csv")
    assert "did you mean" not in str(caught.value)
    return "refused: no such file"


KINDS = {
    "layouts of JSON": jsons,
    "first rows": headers,
    "orders": orders,
    "Parquet": parquets,
    "spreadsheets": sheets,
    "units": units,
    "ids": ids,
    "horizons": horizons,
}
ROWS = [
    *(Row(kind, name, "pandas, or an error", check) for kind, made in KINDS.items() for name, check in made().items()),
    Row("links", "a link to nothing", "a DataError", a_link),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_layouts(row: Row) -> None:
    assert row.check()
