"""Tables in forms that are not read are refused, and prose, poems, code, logs and lists stay text."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import ostinato
from ostinato.data import tables, unread_tables
from ostinato.errors import DataError

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_PREFACE = ["Title:      Money stock", "Source:     a bank", "", "Seasonally adjusted, in billions of dollars.", ""]
_DATED = [f"{1960 + i // 12}-{1 + i % 12:02d}-01   {100 + 1.5 * i:.1f}" for i in range(60)]
UNREAD = {
    "ts.txt": [
        *("Time Series:", "Start = 1 ", "End = 40 ", "Frequency = 1 "),
        *(f" [{1 + 10 * r}] " + " ".join(f"{r + c}.5" for c in range(10)) for r in range(4)),
    ],
    "monthly.txt": [
        "     " + "  ".join(MONTHS),
        *(f"{1949 + r} " + " ".join(f"{112 + r + c}" for c in range(12)) for r in range(11)),
        "1960 417 391 419",
    ],
    "fred.txt": [*_PREFACE, "DATE         VALUE", *_DATED],
    "preface.txt": [*(f"Line {i} about how the values were measured." for i in range(40)), "", "day  value", *_DATED],
    "footer.txt": [*_PREFACE, "DATE         VALUE", *_DATED, "", "(c) a bank", "All rights reserved, see the page."],
    "dump.sql": [
        "CREATE TABLE t (ds date, y real);",
        *(f"INSERT INTO t VALUES ('2024-01-{i:02d}', {i}.5);" for i in range(1, 29)),
    ],
    "rows.sql": [
        *("CREATE TABLE t (ds date, y real);", "INSERT INTO t (ds, y) VALUES"),
        *(f"('2024-01-{i:02d}', {i}.5)," for i in range(1, 28)),
        "('2024-01-28', 28.5);",
    ],
}
#: Texts that have numbers in them.
TEXTS = {
    "prose": ["In 1848 there were 12 of them, and in 1849 only 7.", "Nobody knew why.", ""] * 20,
    "code": inspect.getsource(tables).split("\n"),
    "numbered list": [f"{i}. the {i}th of the things to do" for i in range(1, 40)],
    "words": [f"word{i}" for i in range(60)],
    "chat": [f"[10:{i:02d}] <ann> are you there? {i}" for i in range(60)],
    "requests": [f'10.0.0.{i} - - [10/Oct/2000:13:55:{i:02d} -0700] "GET /a HTTP/1.0" 200 {i}326' for i in range(60)],
    "chess": ["1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. Ba4 Nf6 5. O-O Be7"] * 30,
    "verses": [f"1:{i} And it came to pass, in the {i} year of the king" for i in range(1, 50)],
    "prose with a table": [*["There were many who had not seen it, and said so."] * 60, *_DATED[:20]],
    "array in code": ["int main() {", "  int a[] = {", *["    call(1, x, 2, y, z);"] * 20, "  };", "  return 0;", "}"],
    "queries": ["SELECT a FROM t WHERE b > 3", "  AND c < 5;", "INSERT INTO t SELECT a FROM u;", "DELETE FROM u;"] * 9,
    "recipe": ["200 g flour", "2 eggs", "1 l milk", "Mix, and bake at 180 degrees for 20 minutes."] * 9,
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_table_that_is_not_read_is_refused_and_may_be_read_as_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("\n".join(UNREAD[name]) + "\n")
    try:
        kind = ostinato.read(path).kind
    except DataError as error:
        assert error.fix  # noqa: PT017
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert kind == "series"
    assert ostinato.read(path, kind="text").kind == "text"


@pytest.mark.parametrize("name", TEXTS)
def test_text_stays_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / "some.txt"
    path.write_text("\n".join(TEXTS[name]) + "\n")
    assert ostinato.read(path).kind == "text"


def test_the_end_of_a_large_file_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_text("\n".join([*_PREFACE, "DATE         VALUE", *_DATED * 300]) + "\n")
    assert path.stat().st_size > 200_000
    with pytest.raises(DataError, match="rows of numbers, from line 7"):
        unread_tables.refuse_unread_table(path)


@pytest.mark.parametrize("comment", ["", "\tComment"])
def test_a_file_of_labview_is_read_below_its_heads(tmp_path: Path, comment: str) -> None:
    path = tmp_path / "meter.lvm"
    heads = [
        *("LabVIEW Measurement\t", "Writer_Version\t2", "Separator\tTab", "***End_of_Header***\t", "\t"),
        *("Channels\t1\t", "X0\t0.0E+0\t", "Delta_X\t0.1\t", "***End_of_Header***\t\t"),
    ]
    rows = [f"{i / 10}\t{i % 7}.25" for i in range(40)]
    path.write_text("\n".join([*heads, f"X_Value\tVoltage{comment}", *rows]) + "\n")
    data = ostinato.read(path, target="Voltage")
    assert data.values[:, 0].tolist() == [i % 7 + 0.25 for i in range(40)]
    assert any("lines 1 to 9 above the table are left out" in note for note in data.notes)
