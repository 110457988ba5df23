"""Without pyarrow, errors of formulas look like empty cells of a sheet, and a note says so where there are any."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import ostinato

xlsxwriter = pytest.importorskip("xlsxwriter", reason="writes the sheets of this test")
pytest.importorskip("fastexcel", reason="reads them")


def book(path: Path, *, error: bool = False, empty: bool = False) -> Path:
    with xlsxwriter.Workbook(path) as out:
        sheet = out.add_worksheet()
        sheet.write_row(0, 0, ["ds", "y"])
        for i in range(20):
            sheet.write(1 + i, 0, f"2024-01-{i + 1:02}")
            if error and i == 5:
                sheet.write_formula(1 + i, 1, "=1/0", None, "#DIV/0!")
            elif not (empty and i == 7):
                sheet.write(1 + i, 1, i * i)
    return path


@pytest.mark.parametrize("error", [True, False])
@pytest.mark.parametrize("empty", [True, False])
def test_a_note_says_that_errors_and_empty_cells_look_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: bool, empty: bool
) -> None:
    path = book(tmp_path / "a.xlsx", error=error, empty=empty)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    notes = ostinato.read(path).notes
    assert any("without pyarrow" in note for note in notes) == (error or empty), notes


def test_nothing_is_said_with_pyarrow(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="tells the errors")
    notes = ostinato.read(book(tmp_path / "a.xlsx", error=True)).notes
    assert not any("without pyarrow" in note for note in notes), notes
    assert any("#DIV/0!" in note for note in notes), notes


@pytest.mark.parametrize("above", [0, 1, 5])
@pytest.mark.parametrize("aside", [0, 2])
def test_an_error_names_the_row_of_the_sheet(tmp_path: Path, above: int, aside: int) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as out:
        sheet = out.add_worksheet()
        for row, cells in enumerate([("ds", "y"), ("2024-01-01", 1.5), ("2024-01-02", "bad"), ("2024-01-03", 2.5)]):
            sheet.write_row(above + row, aside, cells)
    with pytest.raises(ostinato.errors.DataError, match=f"line {above + 3}"):
        ostinato.read(tmp_path / "a.xlsx")
