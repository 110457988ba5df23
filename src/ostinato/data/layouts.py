"""The layouts in which programs write a table as one JSON value, brought into records.

pandas writes six of them (the ``orient`` of ``DataFrame.to_json``), and polars the list of records. A layout that is
not known is refused: read as one record, a table of a year would be one row of thousands of channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import polars as pl

from ostinato.data.numerals import as_numbers
from ostinato.data.stamps import parse_times
from ostinato.data.time_names import MORE_TIMES, TIMES
from ostinato.errors import DataError
from ostinato.numbers import counted

#: What to do about a table that cannot be read.
_WRITE = "write one object for each row: df.to_json(path, orient='records') in pandas, df.write_json(path) in polars"
_SHOWN = 3
#: The least of whole numbers that are times since 1970, in seconds: the year 2001.
_SINCE_1970 = 10**9


class Layout(NamedTuple):
    """The rows of a table, and what was chosen for the user, in words."""

    records: list[dict[str, Any]]
    notes: tuple[str, ...] = ()


def layout_of(item: Any, where: str) -> Layout | None:
    """Return the table of a JSON value that holds all rows.

    Args:
        item: The value, with objects as dicts.
        where: The name of the file, for an error.

    Returns:
        The rows; None if the value is a list of records, or one record.

    Raises:
        DataError: The value is a table without the names of its columns, or of a layout that cannot be told.
    """
    if isinstance(item, list):
        return _rows(item, where) if item and all(isinstance(row, list) for row in item) else None
    if not isinstance(item, dict) or not item:
        return None
    for known in (_split, _schema, _lists, _range_query, _records, _one_table, _deep_records):
        found = known(item, where)
        if found is not None:
            return found
    if all(isinstance(inner, dict) and inner for inner in item.values()):
        return _of_objects(item, where)
    if len(item) > 1 and _is_index(list(item)) and not any(isinstance(v, dict | list) for v in item.values()):
        return _indexed(list(item), {"y": list(item.values())})  # a Series
    return None


def _rows(rows: list[list[Any]], where: str) -> Layout:
    """Read [["ds", "y"], ["2024-01-01", 1.5], ...], whose first row has the names if the others hold numbers.

    A first row with a time in it is one of values, as in the klines of Binance.
    """
    if all(row and all(isinstance(one, dict) for one in row) for row in rows):
        # Home Assistant writes an array of records for each of its entities
        note = f"the records of {counted(len(rows), 'array')} are read one below the other"
        return Layout([one for row in rows for one in row], (note,) if len(rows) > 1 else ())
    names, cells = rows[0], rows[1:]
    named = len(set(map(str, names))) == len(names) > 0 and all(isinstance(n, str) and n.strip() for n in names)
    # a time or a number in the first row is a cell
    named = named and not any(as_numbers(pl.Series([n])).all or _times([n]) is not None for n in names)
    plain = len(rows) > 1 and len(names) > 1 and not any(isinstance(cell, list | dict) for row in rows for cell in row)
    # times in a row of names are those of a wide table, whose other rows have none below them
    unnamed = not named and plain and any(_is_time(a) and _is_time(b) for a, b in zip(names, rows[1], strict=False))
    if unnamed:
        names, cells = [f"channel_{i + 1}" for i in range(len(names))], rows
    elif not named or not any(isinstance(cell, int | float) for row in cells for cell in row):
        raise DataError("the rows have no names of columns", where=where, fix=_WRITE)
    odd = next((i for i, row in enumerate(cells, 2) if len(row) != len(names)), None)
    if odd is not None:
        what = f"the row has {counted(len(cells[odd - 2]), 'cell')}, expected {len(names)} as in the first row"
        raise DataError(
            what, where=f"{where}, row {odd - unnamed}", fix="give every row as many cells as there are names"
        )
    if unnamed:
        return Layout([dict(zip(names, row, strict=True)) for row in rows], ("the rows have no names of columns",))
    note = f"the first row is read as the names of the columns: {', '.join(names[:_SHOWN])}"
    return Layout([dict(zip(names, row, strict=True)) for row in cells], (note,))


def _is_time(cell: Any) -> bool:
    """Return whether a cell is a time, in words or since 1970."""
    if isinstance(cell, str):
        return not as_numbers(pl.Series([cell])).most and _times([cell]) is not None
    return isinstance(cell, int) and cell >= _SINCE_1970


def _split(item: dict[str, Any], where: str) -> Layout | None:
    """Read {"columns": [...], "index": [...], "data": [[...], ...]}, and a Series with a name in place of columns."""
    data, index, names = item.get("data"), item.get("index"), item.get("columns")
    if not isinstance(data, list) or not set(item) <= {"columns", "index", "data", "name"} or "data" not in item:
        return None
    if names is None and "name" in item and isinstance(index, list):
        names, data = [item["name"] or "y"], [[value] for value in data]
    if not isinstance(names, list) or not all(isinstance(row, list) and len(row) == len(names) for row in data):
        return None
    columns = {_name(n): [row[d] for row in data] for d, n in enumerate(names)}
    if len(columns) < len(names) or (isinstance(index, list) and len(index) != len(data)):
        raise DataError("the names of the columns repeat, or the index has another length", where=where, fix=_WRITE)
    return _indexed(index if isinstance(index, list) else list(range(len(data))), columns)


def _schema(item: dict[str, Any], where: str) -> Layout | None:
    """Read {"schema": {...}, "data": [{...}, ...]} of a Table Schema, whose rows hold the index as a field."""
    schema, data = item.get("schema"), item.get("data")
    if set(item) != {"schema", "data"} or not isinstance(schema, dict) or not isinstance(data, list):
        return None
    keys = schema.get("primaryKey")
    if not data or not all(isinstance(row, dict) for row in data) or not isinstance(keys, list) or len(keys) != 1:
        return _records({"data": data}, where)
    columns = {name: [row.get(name) for row in data] for name in data[0]}
    index = columns.pop(keys[0], list(range(len(data))))
    if keys[0] != "index" or not columns:
        return Layout(data)
    return _indexed(index, columns)


def _lists(item: dict[str, Any], where: str) -> Layout | None:
    """Read {"ds": [...], "y": [...]}: one list of values for each column."""
    if not all(isinstance(v, list) and not any(isinstance(x, dict | list) for x in v) for v in item.values()):
        return None
    lengths = {name: len(v) for name, v in item.items()}
    if len(set(lengths.values())) > 1:
        (one, short), (other, long) = min(lengths.items(), key=_second), max(lengths.items(), key=_second)
        raise DataError(
            f"the columns differ in length: {one!r} has {counted(short, 'value')}, and {other!r} has {long}",
            where=where,
            fix="give every column one value for each row, null where it is missing",
        )
    rows = next(iter(lengths.values()))
    return Layout([{name: v[i] for name, v in item.items()} for i in range(rows)])


def _range_query(item: dict[str, Any], where: str) -> Layout | None:
    """Read what the API of Prometheus answers to a query of a range: the labels of each series, and [time, "value"]."""
    data = item.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
        return None
    rows = []
    for series in (one if isinstance(one, dict) else {} for one in data["result"]):
        metric, pairs = series.get("metric") or {}, series.get("values")
        if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise DataError("a series has no list of times and values", where=where, fix=_WRITE)
        if not isinstance(metric, dict):
            what = f"the labels of a series are of the type {type(metric).__name__}, expected an object"
            raise DataError(what, where=where, fix=_WRITE)
        labels = ",".join(f'{label}="{value}"' for label, value in metric.items() if label != "__name__")
        name = f"{metric.get('__name__', '')}{{{labels}}}"
        rows += [{"unique_id": name, "timestamp": time, "value": value} for time, value in pairs]
    return Layout(rows, ("the file is an answer of Prometheus: the labels of a series are its id",))


def _one_table(item: dict[str, Any], _where: str) -> Layout | None:
    """Read the only object within an object whose fields are times, each with the values of that time."""
    objects = {name: v for name, v in item.items() if isinstance(v, dict) and v}
    tables = [
        name
        for name, v in objects.items()
        if all(isinstance(row, dict) for row in v.values()) and _times(list(v)) is not None
    ]
    others = [v for name, v in item.items() if name not in tables]
    flat = all(not any(isinstance(x, dict | list) for x in v.values()) for v in others if isinstance(v, dict))
    if len(tables) != 1 or not others or not flat or any(isinstance(v, list) for v in others):
        return None
    table = item[tables[0]]
    names = list(dict.fromkeys(name for row in table.values() for name in row))
    if any(isinstance(x, dict | list) for row in table.values() for x in row.values()):
        return None
    rows = _indexed(list(table), {name: [row.get(name) for row in table.values()] for name in names})
    return rows._replace(notes=(f"the records of the field {tables[0]!r} are read", *rows.notes))


def _second(pair: tuple[str, int]) -> int:
    return pair[1]


def _records(item: dict[str, Any], where: str) -> Layout | None:
    """Read the only list of objects within an object, such as the answer {"status": "ok", "data": [{...}, ...]}."""
    lists = {name: v for name, v in item.items() if isinstance(v, list)}
    tables = [name for name, v in lists.items() if v and all(isinstance(row, dict) for row in v)]
    if not tables:
        return None
    if len(lists) > 1:
        raise DataError(f"the object holds several lists: {', '.join(lists)}", where=where, fix=_WRITE)
    note = f"the records of the field {tables[0]!r} are read"
    return Layout(lists[tables[0]], (note,) if len(item) > 1 else ())


def _deep_records(item: dict[str, Any], _where: str) -> Layout | None:
    """Read the only list within objects within an object, as {"hits": {"total": 2, "hits": [{...}, ...]}}."""
    lists = list(_lists_within(item, ()))
    if len(lists) != 1 or not lists[0][1] or not all(isinstance(row, dict) for row in lists[0][1]):
        return None
    path, rows = lists[0]
    return Layout(rows, (f"the records of the field {'.'.join(path)!r} are read",))


def _lists_within(item: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Yield the lists within an object and the objects in it, with the names of the fields that lead to them."""
    for name, value in item.items():
        if isinstance(value, list):
            yield (*path, name), value
        elif isinstance(value, dict):
            yield from _lists_within(value, (*path, name))


def _of_objects(item: dict[str, Any], where: str) -> Layout | None:
    """Read objects within an object: one for each column, as pandas writes by default, or one for each row."""
    outer, inner = list(item), list(next(iter(item.values())))
    same = all(set(one) == set(inner) for one in item.values())
    scalar = not any(isinstance(v, dict | list) for one in item.values() for v in one.values())
    if same and scalar and _is_index(inner):
        return _indexed(inner, {name: [one[key] for key in inner] for name, one in item.items()})
    if scalar and _is_index(outer) and (same or len(outer) > 1):
        names = list(dict.fromkeys(name for one in item.values() for name in one))
        return _indexed(outer, {name: [one.get(name) for one in item.values()] for name in names})
    if len(outer) == 1 and not (same and scalar and len(inner) > 1):
        # one record with an object in it, such as {"room": {"temperature": 20.5}}
        return None
    what = f"the file is one object of objects ({', '.join(outer[:_SHOWN])}), and each of them may be a row or a column"
    raise DataError(what, where=where, fix=_WRITE)


def _is_index(labels: list[str]) -> bool:
    """Return whether all labels are numbers of rows or times."""
    return all(label.isdecimal() for label in labels) or _times(labels) is not None


def _times(labels: list[Any]) -> Any:
    """Return labels that are times, and not mere numbers; None for all others."""
    words = [str(label) for label in labels]
    column = pl.Series("ds", words)
    if all(word.lstrip("-").isdecimal() for word in words):
        column = column.cast(pl.Int64, strict=False)
    times = None if column.null_count() else parse_times(column)
    return times if times is not None and times.dtype.kind == "M" else None


def _indexed(index: list[Any], columns: dict[str, list[Any]]) -> Layout:
    """Return the rows of columns, with the index as the column ds if it holds times and no column does."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    numbers = [int(label) if str(label).lstrip("-").isdecimal() else None for label in index]
    if numbers == list(range(len(index))):
        return Layout(rows)
    shown = ", ".join(str(label) for label in index[:_SHOWN])
    if _times(index) is None:
        rises = None not in numbers and all(b > a for a, b in pairwise(n for n in numbers if n is not None))
        how = "" if rises else "; the rows keep their order"
        return Layout(rows, (f"the labels of the rows, {shown} ..., are left out{how}",))
    if any(name.lower() in (*TIMES, *MORE_TIMES) for name in columns):
        return Layout(rows, (f"the labels of the rows, {shown} ..., are left out",))
    cells = [n if n is not None else label for n, label in zip(numbers, index, strict=True)]
    note = f"the labels of the rows, {shown} ..., are read as the times"
    return Layout([{"ds": cell, **row} for cell, row in zip(cells, rows, strict=True)], (note,))


def _name(name: Any) -> str:
    """Return the name of a column as a word: a column of several levels has a list."""
    return " ".join(str(part) for part in name) if isinstance(name, list) else str(name)
