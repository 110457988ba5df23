"""Two tables in one file, one below the other: the first is not a title of the second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile

from ostinato.data.time_names import TIMES
from ostinato.errors import DataError

#: The fewest rows below each other that are a table.
_ROWS = 3
#: A record of a file: its line, and its cells.
Record = tuple[int, list[str]]
AreNames = Callable[[list[str]], bool]


def refuse_another_table(above: Sequence[Record], table: Record, skipped: int, are_names: AreNames) -> None:
    """Raise DataError if the lines above a table hold another table, with names and several rows of values.

    Facts about the table are none: a line of names and one of values, pairs of a word and a value, or a row for each id
    of the table below.

    Args:
        above: The lines above the table.
        table: The line of the names of its columns.
        skipped: The number of lines before the text.
        are_names: Whether no cell is a number or a date.
    """
    heads = _filled(table[1])
    filled = [(line, _filled(cells)) for line, cells in above]
    for at, (line, names) in enumerate(filled):
        if len(names) < 2 or not are_names(names):
            continue
        below = [cells for _, cells in filled[at + 1 :]]
        rows = list(takewhile(partial(_has_length, len(names)), below))
        values = [column for column in zip(*rows, strict=True) if not any(are_names([cell]) for cell in column)]
        keyed = names[0] in heads and names[0].lower() not in TIMES
        keyed = keyed or all(row[0] in heads for row in rows)  # facts about the columns of the table below
        if len(rows) < _ROWS or len(values) < 2 or keyed:
            continue
        raise DataError(
            f"another table begins in line {table[0] + skipped}, below the one from line {line + skipped}",
            where=f"line {line + skipped}",
            fix="write each table to a file of its own",
        )


def _has_length(length: int, cells: list[str]) -> bool:
    return len(cells) == length


def _filled(cells: list[str]) -> list[str]:
    """Return the cells of a line without the empty ones at its end, which sheets have."""
    last = max((i for i, cell in enumerate(cells) if cell.strip()), default=-1)
    return [cell.strip() for cell in cells[: last + 1]]
