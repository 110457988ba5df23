"""Tables as programs print and store them: labels of rows, drawn lines, blanks, sums, wide layouts, archives, Arrow."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from files_read import in_file, refused
from rows import Row, rows_of

import ostinato

N = 12
DAYS = pd.date_range("2024-01-25", periods=N)
FRAME = pd.DataFrame({"ds": DAYS.strftime("%Y-%m-%d"), "amount": np.arange(N) * 1.25 - 3})


def right(content: str | bytes, note: str = "", ending: str = ".csv", **options: Any) -> str:
    """A file has the times and the values of FRAME, as one channel."""
    data = in_file(content, ending, **options)
    assert data.channels in {("amount",), ("y",)}
    np.testing.assert_array_equal(data.values[:, 0], FRAME["amount"])
    assert data.times is not None
    np.testing.assert_array_equal(data.times, DAYS.to_numpy().astype("datetime64[us]"))
    assert not note or any(note in one for one in data.notes), data.notes
    return f"right: {data.channels[0]}"


def printed(frame: pd.DataFrame, **options: Any) -> str:
    """Return a table as pandas prints it."""
    return str(frame.to_string(**options)) + "\n"


def boxed(top: str, middle: str, bottom: str = "", *, again: int = 0) -> str:
    """Return a table between drawn lines, whose names may occur again after some rows."""
    rows = [f"| {d} | {v!r:>6} |" for d, v in FRAME.itertuples(index=False)]
    head = ["| ds         | amount |", *([middle] if middle else [])]
    body = [line for i, row in enumerate(rows) for line in ([*head, row] if again and i and not i % again else [row])]
    return "\n".join(line for line in [top, *head, *body, bottom] if line) + "\n"


def bad_line() -> str:
    """An error in a table between drawn lines names the line of the file."""
    return refused(
        boxed("Report", "|---|---|").replace("| 2024-01-27 |   -0.5", "| 2024-01-27 |   high"), "'high'", "line 6"
    )


def as_r(separator: str) -> str:
    """Return a table as write.table of R writes it by default, with the names of its rows and none for these."""
    rows = [f'"{i}"{separator}"{d}"{separator}{v}' for i, (d, v) in enumerate(FRAME.itertuples(index=False), start=1)]
    return "\n".join([f'"ds"{separator}"amount"', *rows]) + "\n"


def labelled(labels: list[int], name: str = "") -> str:
    """Return a table with labels of its rows in front, as pandas writes the index of a frame."""
    return FRAME.set_axis(labels).to_csv(index_label=name)


def named_index() -> str:
    """A Series with times as labels is read, and so are later data with the model of it."""
    text = pd.Series(FRAME["amount"].to_numpy(), index=FRAME["ds"], name="amount").to_csv(index_label="")
    right(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text(text)
        model = ostinato.fit(path, model="ar").model
        ahead = ostinato.forecast(model, path, horizon=1).frame
    assert pd.Timestamp(str(ahead["ds"][0])) == DAYS[-1] + pd.Timedelta(days=1)
    return f"right: {ahead['ds'][0]}"


def wide(columns: list[str], *more: str, rows: dict[str, list[Any]] | None = None) -> str:
    """A table whose columns are steps is refused, and is read if its columns are named as channels."""
    frame = pd.DataFrame(rows or {"item": ["a", "b", "c"]}).assign(**dict.fromkeys([*columns, *more], 1.5))
    refused(frame.to_csv(index=False), columns[0], "next to each other")
    assert in_file(frame.to_csv(index=False), target=columns).channels == tuple(columns)
    return "refused"


def channels(columns: list[str], rows: dict[str, list[Any]]) -> str:
    """A table whose columns are called by numbers is no wide table."""
    frame = pd.DataFrame(rows).assign(**dict.fromkeys(columns, 1.5))
    assert in_file(frame.to_csv(index=False)).channels == tuple(columns)
    return f"right: {len(columns)} channels"


def in_zip(name: str, content: bytes) -> bytes:
    """Return an archive of one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def arrow(frame: pl.DataFrame) -> bytes:
    """Return a frame as a stream of Arrow."""
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer)
    return buffer.getvalue()


def merged(corner: tuple[str, str], above: list[str]) -> str:
    """Names below merged cells are joined with these, in a text file and in a sheet."""
    import xlsxwriter

    names = ["a", "b", "a", "b"]
    rows: list[list[Any]] = [[corner[0], *above], [corner[1], *names]]
    rows += [[str(day.date()), i + 0.5, i + 1.5, i + 2.5, i + 3.5] for i, day in enumerate(DAYS)]
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for i, row in enumerate(rows):
            sheet.write_row(i, 0, [cell if cell != "" else None for cell in row])
    text = "\n".join(",".join(map(str, row)) for row in rows)
    for data in (in_file(text), in_file(buffer.getvalue(), ".xlsx")):
        assert data.channels == tuple(f"{above[i // 2 * 2]} {name}" for i, name in enumerate(names))
        assert data.values.shape == (N, 4)
        assert data.values[1].tolist() == [1.5, 2.5, 3.5, 4.5]
        assert any("read as the names of the columns" in note for note in data.notes)
    return "right: 4 channels"


CSV = FRAME.to_csv(index=False)
RECORDS = FRAME.to_dict("records")
JSON = json.dumps(RECORDS)
DATES = {"ds": ["2024-01-01", "2024-01-02", "2024-01-03"]}
KINDS: dict[str, dict[str, Callable[[], str]]] = {
    "row labels": {
        "from 0": partial(right, labelled(list(range(N)))),
        "from 1": partial(right, labelled(list(range(1, N + 1)))),
        "of a part": partial(right, labelled([3 * i * i for i in range(N)]), "labels of the rows"),
        "shuffled": partial(right, labelled([7 * i % N for i in range(N)]), "labels of the rows"),
        "Unnamed: 0": partial(right, labelled([2 * i for i in range(N)], "Unnamed: 0"), "labels of the rows"),
        "times without a name": named_index,
    },
    "empty columns": {
        **{f"{n} at the end": partial(right, CSV.replace("\n", "," * n + "\n")) for n in (1, 2, 5)},
        "in front": partial(right, "".join(f",{line}\n" for line in CSV.splitlines())),
        "between": partial(right, CSV.replace(",", ",,")),
    },
    "between lines": {
        "Markdown": partial(right, boxed("", "|---|---:|"), "drawn lines"),
        "SQL": partial(right, boxed(RULE := "+------------+--------+", RULE, RULE) + "12 rows in set (0.00 sec)\n"),
        "SAP": partial(right, boxed("List of values\n\n---------", "---------", "-------", again=5), "occur again"),
        "without rules": partial(right, boxed("", ""), "drawn lines"),
        "a bad cell": bad_line,
    },
    "between blanks": {
        "pandas": partial(right, printed(FRAME), "blanks"),
        "pandas, without labels": partial(right, printed(FRAME, index=False), "blanks"),
        "R": partial(right, as_r(" "), "blanks"),
        "a text file": partial(right, printed(FRAME, index=False), ending=".txt"),
        "below a comment": partial(right, "# made, by hand\n" + printed(FRAME, index=False)),
        "a blank cell": partial(refused, printed(FRAME, index=False).replace("-3.00", "     "), "no column of numbers"),
    },
    "merged cells": {
        "words": partial(merged, ("ds", ""), ["North", "", "South", ""]),
        "words, no corner above": partial(merged, ("", "ds"), ["North", "", "South", ""]),
        "years": partial(merged, ("", "ds"), ["2023", "", "2024", ""]),
    },
    "sums": {
        word: partial(right, f"{CSV},\n{word},36\n", "row of sums")
        for word in ("Total", "Gesamtergebnis", "Total général", "Totale complessivo", "Общий итог", "총합계")
    },
    "wide": {
        "years and a sum": partial(wide, ["2021", "2022", "2023"], "Grand Total"),
        "years beside a number": partial(wide, ["2021", "2022", "2023"], "population"),
        "months and a sum": partial(wide, ["2024-01", "2024-02", "2024-03"], "Total"),
        "times of day": partial(wide, ["00:00", "06:00", "12:00", "18:00"], rows=DATES),
        "days of a competition": partial(wide, ["d_1", "d_2", "d_3", "d_4"], rows={"id": ["a", "b", "c"]}),
        "weeks": partial(wide, ["W01", "W02", "W03"], rows={"id": ["a", "b", "c"]}),
        "channels by years": partial(channels, ["2021", "2022", "2023"], DATES),
        "channels by numbers": partial(channels, ["d_1", "d_2", "d_3"], DATES),
        "sensors": partial(channels, ["s_1", "s_2", "s_3"], {"id": ["a", "b", "c"]}),
    },
    "JSON": {
        "a field twice": partial(refused, JSON.replace('"amount"', '"amount": 0, "amount"', 1), "'amount' occurs twice",
                                 ending=".json"),
        "a field twice in a line": partial(
            refused, "\n".join(map(json.dumps, RECORDS)) + '\n{"ds": "2024-02-06", "amount": 1, "amount": 2}',
            "'amount' occurs twice", "line 13", ending=".jsonl"),
        "in an archive": partial(right, in_zip("a.json", JSON.encode()), ending=".zip"),
        "lines in an archive": partial(
            right, in_zip("a.jsonl", "\n".join(map(json.dumps, RECORDS)).encode()), ending=".zip"),
    },
    "bytes": {
        "xz filled up": partial(right, lzma.compress(CSV.encode()) + bytes(8), ending=".csv.xz"),
        "gzip in two members": partial(right, gzip.compress(CSV[:50].encode()) + gzip.compress(CSV[50:].encode())),
        "a stream of Arrow": partial(right, arrow(pl.DataFrame(RECORDS)), ending=".arrow"),
        "a cut stream of Arrow": partial(refused, arrow(pl.DataFrame(RECORDS))[:200], "damaged", ending=".arrow"),
        "ISO-2022-JP": partial(refused, CSV.replace("amount", "売上").encode("iso-2022-jp"), "ISO-2022-JP", "iconv"),
    },
    "no names": {
        f"groups by {sign!r}": partial(
            lambda text: str(in_file(text).values[:, 0].tolist() == [1234, 2345, 3456] or pytest.fail(text)),
            f"1{sign}234\n2{sign}345\n3{sign}456\n")
        for sign in (" ", "'", "\u202f", "\u00a0")
    },
}  # fmt: skip
ROWS = rows_of(KINDS, "pandas, polars, or an error")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_program_tables(row: Row) -> None:
    assert row.check()
