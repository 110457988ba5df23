"""Tables in files of all formats, as frames with the line of every row."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import polars as pl

from ostinato.data import columns, records, sheets, stored
from ostinato.data.columns import IDS, holds_numbers
from ostinato.data.dialect import Dialect, is_number
from ostinato.data.drawn import with_tabs
from ostinato.data.files import as_utf8, contents, ending, names_of
from ostinato.data.lines import decode, lines_of
from ostinato.data.margins import Margins, without_margins
from ostinato.data.origin import Origin
from ostinato.data.preambles import is_logger_file, without_preamble
from ostinato.data.text_table import TextTable
from ostinato.data.unread_tables import refuse_print
from ostinato.errors import DataError
from ostinato.forked import require_polars

#: The fewest numbers in a line that are a series, and not one step of several channels.
_ONE_LINE = 12


def from_files(
    paths: list[Path],
    source: str,
    *,
    id_col: str | None = None,
    words: bool = False,
    decimal: str | None = None,
    sheet: str | None = None,
) -> tuple[pl.DataFrame, Origin]:
    """Read files as one table.

    Args:
        paths: The files.
        source: The name of the whole source, for an error.
        id_col: The column of ids, if given. If there is none, each of several files is one series.
        words: Whether to read every cell as it is written, and not as a number.
        decimal: The decimal sign where the cells leave it open: "." or ","; None to find it.
        sheet: The name of the sheet of a spreadsheet, if given.

    Returns:
        The table, and the origin of its rows.

    Raises:
        DataError: A file is not a table, or the tables have different columns.
        ConfigError: polars cannot compute in this process (see ``forked``).
    """
    require_polars()
    raws = [as_utf8(contents(p)) for p in paths]
    stored.check([(raw, str(p), ending(p)) for raw, p in zip(raws, paths, strict=True)])

    def one(raw: bytes, path: Path, sign: str | None = decimal) -> tuple[pl.DataFrame, Origin]:
        return parse(raw, str(path), id_col=id_col, words=words, decimal=sign, sheet=sheet)

    tables = [one(raw, p) for raw, p in zip(raws, paths, strict=True)]
    signs = {origin.decimal for _, origin in tables}
    if "?" in signs and len(found := signs - {"", "?"}) == 1:
        # what one file leaves open, the others decide
        sign = found.pop()
        pairs = zip(raws, paths, tables, strict=True)
        tables = [one(raw, p, sign) if table[1].decimal == "?" else table for raw, p, table in pairs]
    first = tables[0][0]
    for (frame, _), path in zip(tables, paths, strict=True):
        if set(frame.columns) != set(first.columns):
            odd = sorted(set(frame.columns) ^ set(first.columns))
            raise DataError(
                f"the tables have different columns: {', '.join(odd)}",
                where=f"{paths[0]} and {path}",
                fix="read the files one by one, or give them the same columns",
            )
    frames = [frame.select(first.columns) for frame, _ in tables]
    single = len(frames) == 1 or id_col is not None or any(c.lower() in IDS for c in first.columns)
    if not single and not words:
        named_frames = zip(frames, names_of(paths), strict=True)
        frames = [f.with_columns(pl.lit(name).alias("unique_id")) for f, name in named_frames]
    whole = pl.concat(frames, how="vertical_relaxed")
    whole = _whole_ids(whole, id_col) if single and not words else whole
    return whole, Origin.joined(source, [origin for _, origin in tables])


def parse(
    raw: bytes,
    where: str,
    *,
    id_col: str | None = None,
    words: bool = False,
    decimal: str | None = None,
    sheet: str | None = None,
) -> tuple[pl.DataFrame, Origin]:
    """Parse the bytes of a file as a table.

    Args:
        raw: The bytes.
        where: The name of the file.
        id_col: The column of ids, if given; its cells are not read as numbers.
        words: Whether to read every cell as it is written, and not as a number.
        decimal: The decimal sign where the cells leave it open: "." or ","; None to find it.
        sheet: The name of the sheet of a spreadsheet, if given.

    Returns:
        The table, and the origin of its rows.

    Raises:
        DataError: The file is empty, binary, damaged or not UTF-8, or its rows differ in length.
    """
    frame = stored.frame_of(raw, where, ending(Path(where)))
    if frame is not None:
        origin = Origin.frame(len(frame), where)
    else:
        table = records.written(raw, where, ending(Path(where)), sheet)
        text, where = (decode(raw, where), where) if table is None else (table.text, table.where)
        if table is None:
            refuse_print(text, where)
        eye = with_tabs(text) if table is None and not words else None
        text, said = (text, ()) if eye is None else (eye[0], eye[1:])
        if not text.strip():
            raise DataError("the file is empty", where=where, fix="give a file that has data")
        body, skipped = text.strip("\n"), len(text) - len(text.lstrip("\n"))
        margins = Margins(body, skipped) if words else _margins(body, skipped, where)
        margins = replace(margins, notes=(*said, *margins.notes))
        cells = TextTable(margins, where, id_col, decimal, table)
        frame, origin = cells.words() if words else cells.numbers()
        if not words and len(frame) == 1 and frame.width >= _ONE_LINE and frame.columns[0] == "channel_1":
            what = f"the table is one row of {frame.width} numbers without names of columns"
            raise DataError(what, where=where, fix="write each number on a line of its own")
        origin = origin if table is None else table.located(origin)
    if not len(frame):
        raise DataError("the table has a header but no rows", where=where, fix="give a file that has data")
    return frame, origin


def _margins(text: str, skipped: int, where: str) -> Margins:
    """Return a table without the lines around it; an error about one of them names the file."""
    try:
        return without_margins(text, skipped)
    except DataError as error:
        raise DataError(error.what, where=f"{where}, {error.where}", fix=error.fix) from None


def _whole_ids(frame: pl.DataFrame, id_col: str | None) -> pl.DataFrame:
    """Return the ids as whole numbers if all are written as such, as other readers of the file return them."""
    key = id_col or columns.named(frame.columns, IDS)
    if key not in frame.columns or frame[key].dtype != pl.String or frame[key].null_count():
        return frame
    ids = frame[key].unique()
    if not ids.str.contains(r"^(0|-?[1-9][0-9]{0,17})$").all():
        return frame
    return frame.with_columns(pl.col(key).cast(pl.Int64))


def is_words(frame: pl.DataFrame, target: list[str] | None) -> bool:
    """Return whether the target is one column that holds words."""
    if target is None or len(target) != 1 or target[0] not in frame.columns:
        return False
    return frame[target[0]].dtype == pl.String and not holds_numbers(frame[target[0]])


def looks_like_table(raw: bytes) -> bool:
    """Return whether text is a table: lines with the same number of separated cells, some of them numbers."""
    if raw.startswith(sheets.MAGIC) or stored.stored_format(raw, "") or records.looks_like_json(raw):
        return True
    text = raw[:20_000].decode("utf-8-sig", errors="ignore")
    if is_logger_file(text):
        return True
    lines = [line for line in lines_of(without_preamble(text, 0)[0])[:50] if line.strip()]
    lines = lines[:-1] if len(lines) > 2 else lines
    if len(lines) < 2 or with_tabs("\n".join(lines)) is not None:
        return len(lines) > 1
    try:
        for separator in "\t;,":
            cells = [c for _, c in Dialect(separator).records("\n".join(lines))]
            if len(cells) > 1 and len({len(c) for c in cells}) == 1 and len(cells[0]) > 1:
                seen = (*cells[1], *cells[-1])
                return any(is_number(c.replace(",", ".") if separator == ";" else c) for c in seen)
    except csv.Error:
        return False
    return all(is_number(line) for line in lines[1:])
