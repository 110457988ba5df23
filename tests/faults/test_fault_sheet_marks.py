"""What the file of a spreadsheet says of its cells: merged cells, hidden rows, formulas without a result, and types."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ostinato
from ostinato.data import sheets
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


#: Cells of OpenDocument as LibreOffice writes them: the type, the attribute of the value, the value, and the word.
CELLS = {
    "clock": ("time", "time-value", "PT08H30M00S", "08:30:00"),
    "clock that is rounded": ("time", "time-value", "PT08H29M59.9999999999S", "08:30:00"),
    "parts of a second": ("time", "time-value", "PT08H30M15.250S", "08:30:15.25"),
    "more than a day": ("time", "time-value", "PT30H15M00S", "30:15:00"),
    "days": ("time", "time-value", "P1DT6H15M", "30:15:00"),
    "less than nothing": ("time", "time-value", "-PT01H30M00S", "-01:30:00"),
    "day": ("date", "date-value", "2024-01-31", "2024-01-31"),
    "day and clock": ("date", "date-value", "2024-01-31T08:30:00", "2024-01-31T08:30:00"),
    "boolean": ("boolean", "boolean-value", "true", "true"),
    "percentage": ("percentage", "value", "0.125", "0.125"),
    "currency": ("currency", "value", "3.5", "3.5"),
}
_ODF = "urn:oasis:names:tc:opendocument:xmlns"


def open_document(path: Path, rows: list[list[str]]) -> Path:
    """Write rows of cells, each as XML, to a sheet of OpenDocument."""
    names = " ".join(f'xmlns:{name}="{_ODF}:{name}:1.0"' for name in ("office", "table", "text"))
    table = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in rows)
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        out.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{_ODF}:manifest:1.0"></manifest:manifest>',
        )
        out.writestr(
            "content.xml",
            f"<office:document-content {names}><office:body><office:spreadsheet>"
            f'<table:table table:name="a">{table}</table:table></office:spreadsheet></office:body>'
            "</office:document-content>",
        )
    return path


def odf(kind: str, attribute: str, value: str) -> str:
    held = f' office:{attribute}="{value}"' if attribute else ""
    return (
        f'<table:table-cell office:value-type="{kind}"{held}><text:p>{"as shown" if attribute else value}</text:p>'
        "</table:table-cell>"
    )


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_of_open_document_keeps_its_value(tmp_path: Path, name: str) -> None:
    *cell, word = CELLS[name]
    names = [odf("string", "", n) for n in ("x", "y")]
    rows = [names, *[[odf(*cell), odf("float", "value", f"{i}.5")] for i in range(4)]]
    raw = open_document(tmp_path / "a.ods", rows).read_bytes()
    assert sheets.written(raw, "a.ods", None).text.splitlines() == ["x\ty", *[f"{word}\t{i}.5" for i in range(4)]]


def test_days_and_clocks_of_open_document_are_times(tmp_path: Path) -> None:
    at = pd.date_range("2024-01-31 20:00", periods=N, freq="h")
    names = [odf("string", "", n) for n in ("date", "time", "y")]
    rows = [
        [odf("date", "date-value", f"{t:%Y-%m-%d}"), odf("time", "time-value", f"{t:PT%HH%MM%SS}"),
         odf("float", "value", f"{i}.5")] for i, t in enumerate(at)
    ]  # fmt: skip
    data = ostinato.read(open_document(tmp_path / "a.ods", [names, *rows]))
    np.testing.assert_array_equal(data.times, at.to_numpy())


@pytest.mark.parametrize("above", [0, 2])
@pytest.mark.parametrize("total", [True, False])
def test_hours_of_excel_are_no_days_of_1900(tmp_path: Path, above: int, total: bool) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as out:
        sheet = out.add_worksheet()
        hours, clock, day = (out.add_format({"num_format": form}) for form in ("[h]:mm", "hh:mm", "yyyy-mm-dd hh:mm"))
        sheet.write_row(above, 0, ["worked", "at", "day"])
        for i in range(1, N):
            sheet.write_number(above + i, 0, i * 10.25 / 24, hours)
            sheet.write_number(above + i, 1, i / 24, clock)
            sheet.write_number(above + i, 2, 300 + i / 24, day)
        if total:
            sheet.write_row(above + N, 0, ["Total", "", ""])
    lines = sheets.written((tmp_path / "a.xlsx").read_bytes(), "a.xlsx", None).text.splitlines()[1:N]
    for i, line in enumerate(lines, 1):
        minutes = i * 615
        assert line.split("\t") == [
            f"{minutes // 60:02}:{minutes % 60:02}:00",
            f"{i:02}:00:00",
            f"1900-10-26 {i:02}:00:00",
        ]
