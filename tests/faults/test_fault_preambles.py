"""Comments above a table, and the head of a logger's file: the rows are the same as without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.errors import DataError

ROWS = [f"2024-01-0{day}{{s}}{day * day}" for day in range(1, 8)]
COMMENTS = (
    ("# Station 12",),
    ("# made by a logger, version 2",),  # as many cells as a row
    ("# a,b,c,d", "#", "", "# x; y; z", '# a "quoted" word'),
    tuple(f"# line {i}, of many" for i in range(100)),
)
TOA5 = """\
"TOA5","CR1000","CR1000","12345","CR1000.Std.32","CPU:prog.CR1","1234","Table1"
"TIMESTAMP","BattV_Avg","AirTC_Avg"
"TS","Volts","Deg C"
"","Avg","Avg"
"2024-01-01 00:00:00",12.5,1.5
"2024-01-01 00:10:00",12.4,"NAN"
"2024-01-01 00:20:00","NAN",1.6
"2024-01-01 00:30:00",12.5,1.8
"""


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("comments", COMMENTS, ids=lambda lines: lines[0])
@pytest.mark.parametrize("header", ["ds{s}y", "# ds{s}y"])
def test_comments_above_a_table_are_set_aside(
    tmp_path: Path, comments: tuple[str, ...], separator: str, header: str
) -> None:
    lines = [*comments, *(row.format(s=separator) for row in (header, *ROWS))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    data = ostinato.read(tmp_path / "a.csv")
    np.testing.assert_array_equal(data.values[:, 0], np.arange(1, 8) ** 2)
    assert data.times is not None
    assert str(data.times[0])[:10] == "2024-01-01"
    assert data.channels == ("y",)
    assert any("above the table" in note for note in data.notes)


@pytest.mark.parametrize("header", ["#,y", "#ds,y", "ds,y", "ds,#y"])
def test_names_are_no_comments(tmp_path: Path, header: str) -> None:
    (tmp_path / "a.csv").write_text("\n".join([header, *(row.format(s=",") for row in ROWS)]) + "\n")
    data = ostinato.read(tmp_path / "a.csv")
    assert len(data.values) == 7
    assert not any("comment" in note for note in data.notes)


def test_the_line_of_an_error_is_that_of_the_file(tmp_path: Path) -> None:
    rows = ["# one, two", "# three", "ds,y", *(row.format(s=",") for row in ROWS), "2024-01-08,a7"]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError, match=r"line 11"):
        ostinato.read(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["a.csv", "a.dat", "a.txt"])
@pytest.mark.parametrize(
    "text", [TOA5, TOA5.replace('"', ""), TOA5.replace("\n", "\r\n")], ids=["quoted", "plain", "crlf"]
)
def test_the_file_of_a_logger_is_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.replace(",NAN", "," if '"' not in text else ",NAN").encode())
    data = ostinato.read(tmp_path / name)
    assert data.channels == ("BattV_Avg", "AirTC_Avg")
    nan = np.nan
    np.testing.assert_array_equal(data.values, [[12.5, 1.5], [12.4, nan], [nan, 1.6], [12.5, 1.8]])
    assert any("Campbell logger (TOA5): line 2 holds the names" in note for note in data.notes)


def test_the_line_of_an_error_in_the_file_of_a_logger(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text(TOA5.replace('"NAN",1.6', '"bad",1.6'))
    with pytest.raises(DataError, match=r"line 7"):
        ostinato.read(tmp_path / "a.dat")
