"""Tables that are not written as separated cells, JSON and spreadsheets, brought into such cells.

All text tables are then read by one parser, so that a missing value, a number, a header and an id are the same thing in
each of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import polars as pl

from ostinato.data import sheets
from ostinato.data.columns import IDS
from ostinato.data.json_words import json_words, loads
from ostinato.data.layouts import layout_of
from ostinato.data.lines import decode, lines_of, plain
from ostinato.data.nested import flat
from ostinato.data.written import Written
from ostinato.errors import DataError
from ostinato.numbers import counted
from ostinato.wording import option


def written(raw: bytes, where: str, ending: str, sheet: str | None = None) -> Written | None:
    """Return the table of a JSON file or a spreadsheet as text.

    Args:
        raw: The bytes of the file.
        where: The name of the file.
        ending: The ending of the file, which shows JSON.
        sheet: The name of the sheet of a spreadsheet. If None, it is the first one that is shown and holds a table.

    Returns:
        The table; None if the file is something else.

    Raises:
        DataError: The file is damaged, a record is nested, or there is no such sheet.
        ConfigError: The package that reads spreadsheets is not installed.
    """
    if raw.startswith(sheets.MAGIC):
        return sheets.written(raw, where, sheet)
    if sheet is not None:
        raise DataError(
            f"a sheet is given, {sheet!r}, but the file is not a spreadsheet",
            where=where,
            fix=f"leave out {option('--sheet')}",
        )
    if ending in _JSON or looks_like_json(raw):
        records, notes = _records(decode(raw, where), where)
        return _of_records(list(records), where, notes)
    return None


#: The endings of JSON files.
_JSON = (".json", ".jsonl", ".ndjson")


def looks_like_json(raw: bytes) -> bool:
    """Return whether a file is JSON: an object on each of its first lines, or an array of objects or of arrays."""
    head = raw[:20_000].decode("utf-8-sig", errors="ignore")
    if head.lstrip().startswith("["):
        return _begins_with_record(head.lstrip()[1:].lstrip())
    first = lines_of(head)[:5]
    first = [line for line in first if line.strip()]
    if not first or not all(line.lstrip().startswith("{") for line in first):
        return False
    try:
        return all(isinstance(json.loads(line), dict) for line in first[: max(1, len(first) - 1)])
    except (ValueError, RecursionError):
        return False


def _begins_with_record(text: str) -> bool:
    try:
        first = json.JSONDecoder().raw_decode(text)[0]
        # or with an array of the names of columns
        return isinstance(first, dict) or (isinstance(first, list) and len(first) > 1 and all(map(_is_word, first)))
    except (ValueError, RecursionError):
        return False


def _is_word(value: Any) -> bool:
    return isinstance(value, str)


def _records(text: str, where: str) -> tuple[Iterator[tuple[int, dict[str, Any]]], tuple[str, ...]]:
    """Return the line and the fields of each record, and notes: one on each line, or those of one table."""
    rows = [(i + 1, line) for i, line in enumerate(lines_of(text)) if line.strip()]
    if not rows:
        raise DataError("the file is empty", where=where, fix="give a file that has data")
    whole = text.lstrip().startswith("[") or len(rows) == 1 or not _is_object(rows[0][1])
    if not whole:
        return _by_line(rows, where), ()
    item = _json(text, where, rows[0][0])
    table = layout_of(item, where)
    items = item if isinstance(item, list) else [item]
    records, notes = (items, ()) if table is None else table
    if isinstance(item, list) or table is not None:
        return ((i + 1, _checked(one, f"{where}, record {i + 1}")) for i, one in enumerate(records)), notes
    return iter([(rows[0][0], _checked(item, f"{where}, line {rows[0][0]}"))]), ()


def _is_object(line: str) -> bool:
    """Return whether a line is a JSON value of its own, and not the begin of one."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _by_line(rows: list[tuple[int, str]], where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in rows:
        try:
            yield number, _checked(loads(line), f"{where}, line {number}")
        except (ValueError, RecursionError) as error:
            raise _not_json(error, f"{where}, line {number}: {line[:60]!r}") from error


def _json(text: str, where: str, line: int) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_json(error, f"{where}, line {getattr(error, 'lineno', line)}") from error


def _not_json(error: Exception, where: str) -> DataError:
    return DataError(
        f"cannot read the line as JSON: {json_words(error)}",
        where=where,
        fix="write one JSON object on each line, or one array",
    )


def _checked(item: Any, where: str) -> dict[str, Any]:
    """Return a record whose fields are words, numbers, true, false or null, whether it was nested or not."""
    if not isinstance(item, dict):
        raise DataError(
            f"a record is {type(item).__name__} {json.dumps(item)[:40]}, expected an object such as"
            ' {"ds": "2024-01-31", "y": 1.5}',
            where=where,
            fix="write one JSON object on each line, or an array of objects",
        )
    try:
        record = flat(item)
    except ValueError as error:
        raise DataError(str(error), where=where, fix="give each field its own name") from error
    for name, value in record.items():
        for word in (name, value) if isinstance(value, str) else (name,):
            plain(word, where)
        if isinstance(value, list):
            raise DataError(
                f"the field {name!r} holds a list of {counted(len(value), 'value')}, expected a word, a number or an "
                "object",
                where=where,
                fix="write one record for each value, with its id and time, as df.explode does in pandas and polars",
            )
    return record


def _of_records(records: list[tuple[int, dict[str, Any]]], where: str, notes: tuple[str, ...]) -> Written:
    names = list(dict.fromkeys(name for _, record in records for name in record))
    if not names:
        raise DataError("the file holds no records with fields", where=where, fix="give a file that has data")
    notes = (*notes, *_two_types(records, [name for name in names if name.lower() in IDS]))
    columns = [pl.Series(str(i), [n, *(_word(r.get(n)) for _, r in records)], pl.String) for i, n in enumerate(names)]
    lines = [records[0][0], *(line for line, _ in records)]
    return replace(Written.of(pl.DataFrame(columns), where, lines, notes), named=True)


def _two_types(records: list[tuple[int, dict[str, Any]]], names: list[str]) -> Iterator[str]:
    """Yield a note on each field of ids in which a number, true or false is the same word as a string."""
    for name in names:
        values = [record[name] for _, record in records if record.get(name) is not None]
        words = {value for value in values if isinstance(value, str)}
        both = next((value for value in values if not isinstance(value, str) and _word(value) in words), None)
        if both is not None:
            yield f"the field {name!r} holds {json.dumps(both)} and {json.dumps(_word(both))}, which are read as one id"


def _word(value: Any) -> str | None:
    """Return a JSON value as the word of a cell, without loss of digits."""
    match value:
        case None | dict():  # an empty object: the others are flat
            return None
        case bool():
            return "true" if value else "false"
        case float() if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        case str():
            return value
        case _:
            return repr(value)
