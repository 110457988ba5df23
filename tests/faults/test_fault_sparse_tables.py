"""Tables with dashes, ids of merged cells, JSON arrays with a row of names, and decimals of more than 38 digits."""

from __future__ import annotations

import decimal
import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ostinato.data import wide_decimals
from ostinato.data.read import read
from ostinato.errors import DataError

DAYS = [f"2024-01-{day:02}" for day in range(1, 9)]
BLOCKS = pd.DataFrame({"store": np.repeat(["north", "south", "west"], 8), "ds": DAYS * 3, "y": np.arange(24) + 0.5})


def text(path: Path, frame: pd.DataFrame) -> Path:
    frame.to_csv(path, index=False)
    return path


def merged(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the ids that repeat the one above them."""
    return frame.assign(store=frame["store"].where(frame["store"] != frame["store"].shift()))


@pytest.mark.parametrize("dash", ["-", "--", "–", "—"])
def test_a_dash_is_missing_where_a_zero_is_written(tmp_path: Path, dash: str) -> None:
    """Pandas reads the same values if it is told that the dash is missing."""
    path = text(tmp_path / "a.csv", pd.DataFrame({"ds": DAYS, "y": ["1.5", dash, "0", "2", dash, "-3", "4", "5"]}))
    data = read(path)
    np.testing.assert_array_equal(data.values[:, 0], pd.read_csv(path, na_values=[dash])["y"])
    assert any("2 cells with a dash alone are missing, as a zero is written '0'" in note for note in data.notes)


@pytest.mark.parametrize("cells", [["1.5", "-", "2"], ["$ 0", "$ -", "$ 2"], ["1.5", "-", "0-0"]])
def test_a_dash_that_may_be_a_zero_is_refused(tmp_path: Path, cells: list[str]) -> None:
    with pytest.raises(DataError, match="write 0 if the dash means 0"):
        read(text(tmp_path / "a.csv", pd.DataFrame({"ds": DAYS[:3], "y": cells})))


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("whole", [False, True])
def test_ids_of_merged_cells_are_filled_down(tmp_path: Path, order: int, whole: bool) -> None:
    frame = BLOCKS.assign(ds=[*DAYS[::order]] * 3)
    frame = frame.assign(store=frame["store"].map({"north": 1, "south": 2, "west": 3})) if whole else frame
    table = frame.assign(store=frame["store"].astype(object).where(frame["store"] != frame["store"].shift(), ""))
    right = frame.assign(store=table["store"].replace("", None).ffill())
    data, full = read(text(tmp_path / "a.csv", table)), read(text(tmp_path / "b.csv", right))
    assert data.ids == full.ids
    assert data.meta["id_type"] == full.meta["id_type"]
    np.testing.assert_array_equal(data.values, full.values)
    assert any("21 rows without an id in column 'store' get the id above them" in note for note in data.notes)


def test_merged_cells_of_a_spreadsheet(tmp_path: Path) -> None:
    writer = pytest.importorskip("xlsxwriter")
    pytest.importorskip("fastexcel")
    with writer.Workbook(tmp_path / "a.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, list(BLOCKS.columns))
        for row, cells in enumerate(BLOCKS.itertuples(index=False), 1):
            sheet.write_row(row, 1, cells[1:])
        for first, name in ((1, "north"), (9, "south"), (17, "west")):
            sheet.merge_range(first, 0, first + 7, 0, name)
    data = read(tmp_path / "a.xlsx")
    assert data.ids == ("north", "south", "west")
    np.testing.assert_array_equal(data.values[:, 0], BLOCKS["y"])


def _without(frame: pd.DataFrame, row: int) -> pd.DataFrame:
    ids = frame["store"].copy()
    ids[row] = None
    return frame.assign(store=ids)


DOUBTS: dict[str, Callable[[], pd.DataFrame]] = {
    "one id is missing": lambda: _without(BLOCKS, 3),
    "an id twice": lambda: merged(BLOCKS).assign(store=lambda t: t["store"].replace("west", "north")),
    "the first row": lambda: _without(merged(BLOCKS), 0),
    "the times go on": lambda: merged(BLOCKS).assign(ds=pd.date_range("2024-01-01", periods=24).astype(str)),
    "an id that was lost": lambda: _without(merged(BLOCKS), 8),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_other_empty_ids_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="'store' is empty"):
        read(text(tmp_path / "a.csv", DOUBTS[name]()))


@pytest.mark.parametrize("ending", [".json", ""])
def test_json_arrays_with_a_row_of_names(tmp_path: Path, ending: str) -> None:
    """The arrays of DataFrame.values below its columns are the table."""
    rows = [list(BLOCKS.columns), *BLOCKS.to_numpy().tolist()]
    path = tmp_path / f"a{ending}"
    path.write_text(json.dumps(rows))
    data = read(path)
    assert data.ids == ("north", "south", "west")
    np.testing.assert_array_equal(data.values[:, 0], BLOCKS["y"])
    assert any("the first row is read as the names" in note for note in data.notes)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([[1.5, 2.5], [3.5, 2]], "no names"),
        ([["2024-01-01", 1.5], ["2024-01-02"]], "row 2"),
        ([["ds", "ds"], ["2024-01-02", 2]], "no names"),
        ([["ds", "5"], ["2024-01-02", 2]], "no names"),
        ([["a", "b"], ["c", "d"]], "no names"),
        ([["ds", "y"], ["2024-01-01", 1], ["2024-01-02"]], "row 3"),
    ],
)
def test_json_arrays_without_names_are_refused(tmp_path: Path, rows: list[Any], says: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(DataError, match=says):
        read(path)


NUMBERS = [decimal.Decimal("1.50"), decimal.Decimal("12345678901234567890123456789012.25"), None]


def wide(precision: int, scale: int) -> Any:
    pa = pytest.importorskip("pyarrow")
    return pa.table({"ds": [1, 2, 3], "y": pa.array(NUMBERS, pa.decimal256(precision, scale))})


@pytest.mark.parametrize(("precision", "scale"), [(39, 2), (60, 2), (76, 40)])
@pytest.mark.parametrize("form", ["parquet", "feather", "memory"])
def test_decimals_of_more_than_38_digits(tmp_path: Path, precision: int, scale: int, form: str) -> None:
    """They are the floats that Python makes of them, and a note names the digits that are lost."""
    table, path = wide(precision, scale), tmp_path / f"a.{form}"
    writers: dict[str, Callable[[], object]] = {
        "parquet": partial(pytest.importorskip("pyarrow.parquet").write_table, table, path),
        "feather": partial(pytest.importorskip("pyarrow.feather").write_feather, table, path, "uncompressed"),
        "memory": lambda: None,
    }
    writers[form]()
    data = read(table if form == "memory" else path)
    assert data.values[:2, 0].tolist() == [float(x) for x in NUMBERS[:2] if x is not None]
    assert np.isnan(data.values[2, 0])
    assert any("more digits than a float" in note for note in data.notes)


def test_a_damaged_file_of_such_decimals_is_refused(tmp_path: Path) -> None:
    raw = io.BytesIO()
    pytest.importorskip("pyarrow.parquet").write_table(wide(60, 2), raw)
    (tmp_path / "a.parquet").write_bytes(raw.getvalue()[:40] + raw.getvalue()[60:])
    with pytest.raises(DataError, match="damaged"):
        read(tmp_path / "a.parquet")


def test_without_pyarrow_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow.parquet").write_table(wide(61, 3), tmp_path / "a.parquet")
    monkeypatch.setattr("ostinato.data.stored.find_spec", lambda name: None)
    with pytest.raises(DataError, match="decimal256"):
        read(tmp_path / "a.parquet")
    assert wide_decimals.SAYS
