"""Of the sheets of a workbook, the first one that holds a table is read; notes on the data are not a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ostinato.data import sheets

DAYS = [f"2024-01-{day:02d}" for day in range(1, 31)]
#: The rows of small sheets, and whether they are a table.
FIRST: dict[str, tuple[list[list[Any]], bool]] = {
    "years": ([["year", "a", "b"], *[[2019 + i, 1.5 * i, i] for i in range(5)]], True),
    "two days": ([["date", "y"], [DAYS[0], 5], [DAYS[1], 6]], True),
    "wide": ([["country", "2020", "2021"], ["DE", 1, 2], ["FR", 3, 4]], True),
    "dates as names": ([["item", *DAYS[:4]], ["a", 1, 2, 3, 4]], True),
    "decimal commas": ([["place", "y"], *[[f"p{i}", f"{i},5"] for i in range(4)]], True),
    "money": ([["place", "y"], *[[f"p{i}", f"$ {i}.50"] for i in range(4)]], True),
    "shares": ([["place", "y"], *[[f"p{i}", f"{i}.5 %"] for i in range(4)]], True),
    "negative in brackets": ([["place", "y"], *[[f"p{i}", f"({i},000)"] for i in range(1, 5)]], True),
    "source and unit": ([["Source", "an office"], ["Unit", "EUR"], ["Year", 2024], ["Date", DAYS[3]]], False),
    "title": ([["Annual report"], [2024]], False),
    "words": ([["date", "what is new"], *[[day, "a table was added"] for day in DAYS[:5]]], False),
}


@pytest.mark.parametrize("name", FIRST)
def test_the_first_sheet_with_a_table_is_read(tmp_path: Path, name: str) -> None:
    writer = pytest.importorskip("xlsxwriter", reason="writes the sheets of this test")
    pytest.importorskip("fastexcel")
    path, (first, table) = tmp_path / "book.xlsx", FIRST[name]
    with writer.Workbook(path) as book:
        for sheet, rows in (("first", first), ("data", [["date", "y"], *[[day, 3.5] for day in DAYS]])):
            page = book.add_worksheet(sheet)
            for at, cells in enumerate(rows):
                page.write_row(at, 0, cells)
    found = sheets.written(path.read_bytes(), "book.xlsx", None)
    assert found.where.endswith("'first'" if table else "'data'")
    assert any("(use sheet= to choose)" in note for note in found.notes)
