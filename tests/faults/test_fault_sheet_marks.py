"""What the file of a spreadsheet says of its cells: merged cells, hidden rows, formulas without a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ostinato
from ostinato.data.sheet_marks import marks_of
from ostinato.errors import DataError

xlsxwriter = pytest.importorskip("xlsxwriter", reason="writes the sheets of this test")
pytest.importorskip("fastexcel", reason="reads them")
N = 20


def book(path: Path, change: Callable[[Any], object], above: int = 0, without: tuple[int, ...] = ()) -> Path:
    """Write days and values, without some values, below some lines of a title, and change the sheet."""
    with xlsxwriter.Workbook(path) as out:
        out.add_worksheet("A & B").write(0, 0, "read me")
        sheet = out.add_worksheet('"Data" <1>')
        for line in range(above):
            sheet.write(line, 0, "a title")
        sheet.write_row(above, 0, ["ds", "y"])
        for i in range(N):
            sheet.write_row(above + 1 + i, 0, [f"2024-01-{i + 1:02}", *([] if i in without else [i + 0.5])])
        change(sheet)
    return path


@pytest.mark.parametrize("above", [0, 3])
def test_a_merged_number_is_noted(tmp_path: Path, above: int) -> None:
    at = above + 4
    path = book(tmp_path / "a.xlsx", lambda s: s.merge_range(at, 1, at + 2, 1, 9.5), above, (3, 4, 5))
    data = ostinato.read(path)
    right = [i + 0.5 for i in range(N)]
    right[3:6] = [9.5, np.nan, np.nan]
    np.testing.assert_array_equal(data.values[:, 0], right)
    assert any(f"'9.5' of lines {at + 1} to {at + 3}" in note for note in data.notes), data.notes


@pytest.mark.parametrize("rows", [1, 4])
def test_hidden_rows_are_counted(tmp_path: Path, rows: int) -> None:
    path = book(tmp_path / "a.xlsx", lambda s: [s.set_row(3 + r, None, None, {"hidden": True}) for r in range(rows)])
    data = ostinato.read(path)
    assert len(data.values) == N
    assert any(f"a filter hides, are read too: {rows}" in note for note in data.notes), data.notes


def test_formulas_without_results_are_refused(tmp_path: Path) -> None:
    def change(sheet: Any) -> None:
        for i in range(N):
            sheet.write_formula(1 + i, 1, f"=A{i + 1}*2", None, "")

    path = book(tmp_path / "a.xlsx", change)
    cells = marks_of(path.read_bytes(), '"Data" <1>').unsolved
    assert cells == tuple(f"B{i + 2}" for i in range(N))
    with pytest.raises(DataError, match=r"20 cells of column B, such as B2, have a formula without a result"):
        ostinato.read(path)


def test_a_sum_without_a_result_below_the_table_is_noted(tmp_path: Path) -> None:
    def change(sheet: Any) -> None:
        sheet.write(N + 1, 0, "Total")
        sheet.write_formula(N + 1, 1, "=SUM(B2:B21)", None, "")

    data = ostinato.read(book(tmp_path / "a.xlsx", change))
    assert len(data.values) == N
    assert any("formulas without a result" in note and "B22" in note for note in data.notes), data.notes


def test_results_of_formulas_are_read(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", lambda s: [s.write_formula(1 + i, 1, "=1+1", None, i * 2.5) for i in range(N)])
    assert ostinato.read(path).values[:, 0].tolist() == [i * 2.5 for i in range(N)]


@pytest.mark.parametrize("stored", [True, False])
def test_merged_names_stand_in_each_row(tmp_path: Path, stored: bool) -> None:
    """Regions that are merged over their rows are the ids of these rows; a single merged word is left alone."""
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as out:
        sheet = out.add_worksheet()
        sheet.write_row(0, 0, ["region", "ds", "y"])
        for k in range(3):
            for i in range(5):
                sheet.write_row(1 + 5 * k + i, 1, [f"2024-01-0{i + 1}", 10 * k + i + 0.5])
            if stored:
                sheet.merge_range(1 + 5 * k, 0, 5 + 5 * k, 0, f"r{k}")
            else:
                sheet.write(1 + 5 * k, 0, f"r{k}")
    if stored:
        data = ostinato.read(path)
        assert data.ids == ("r0", "r1", "r2")
        assert data[1][:, 0].tolist() == [10.5, 11.5, 12.5, 13.5, 14.5]
        assert any("3 merged cells" in note for note in data.notes), data.notes
    else:
        with pytest.raises(DataError, match="occurs twice"):
            ostinato.read(path)


def test_values_below_a_merged_cell_are_read(tmp_path: Path) -> None:
    data = ostinato.read(book(tmp_path / "a.xlsx", lambda s: s.merge_range(4, 1, 6, 1, 9.5)))
    assert data.values[3:6, 0].tolist() == [9.5, 4.5, 5.5]
    assert not any("merged" in note for note in data.notes)


def test_other_files_have_no_marks(tmp_path: Path) -> None:
    assert not marks_of(b"a,b\n1,2\n", "x").merged
    path = book(tmp_path / "a.xlsx", lambda _: None)
    assert marks_of(path.read_bytes(), "no such sheet").hidden == 0


@pytest.mark.parametrize(("top", "left"), [(2, 0), (0, 1), (3, 2)])
def test_merged_words_of_a_table_that_does_not_begin_in_the_corner(tmp_path: Path, top: int, left: int) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as out:
        sheet = out.add_worksheet("s")
        sheet.write_row(top, left, ["region", "date", "y"])
        for r, region in enumerate("AB"):
            sheet.merge_range(top + 1 + 10 * r, left, top + 10 + 10 * r, left, region)
            for i in range(10):
                sheet.write_row(top + 1 + 10 * r + i, left + 1, [f"2024-01-{i + 1:02}", i + r / 2])
    data = ostinato.read(tmp_path / "a.xlsx")
    assert data.ids == ("A", "B")
    assert data.lengths.tolist() == [10, 10]
