"""Tables of spreadsheets and JSON files written as text, so that one parser reads every table of words.

A missing value, a number, a header, an id and a row of sums are then the same thing in each of them.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from ostinato.data.lines import plain
from ostinato.data.origin import FileRows, Origin


@dataclass(frozen=True)
class Written:
    """A table as text with tabs.

    Attributes:
        text: The table.
        where: The name of the table, for an error.
        lines: The line in the file of each line of the text.
        notes: What was chosen for the user, in words.
        named: Whether the first row surely holds the names of the columns, as for JSON.
    """

    text: str
    where: str
    lines: list[int]
    notes: tuple[str, ...] = ()
    named: bool = False

    @staticmethod
    def of(rows: pl.DataFrame, where: str, lines: list[int], notes: tuple[str, ...] = ()) -> Written:
        """Write rows of words.

        Args:
            rows: The rows, with the names of the columns as the first row if there are any.
            where: The name of the table, for an error.
            lines: The line of each row in its file, counted from 1.
            notes: What was chosen for the user, in words.
        """
        buffer = io.StringIO()
        # a single column of words may hold any separator
        style: Literal["necessary", "non_numeric"] = "necessary" if rows.width > 1 else "non_numeric"
        rows.write_csv(buffer, separator="\t", quote_style=style, include_header=False)
        text = plain(buffer.getvalue(), where)
        if text.count("\n") == len(rows):
            return Written(text, where, lines, notes)
        inside = [sum(plain(c, where).count("\n") for c in row if c is not None) for row in rows.rows()]
        repeated = [line for line, more in zip(lines, inside, strict=True) for _ in range(1 + more)]
        return Written(text, where, repeated, notes)

    def located(self, origin: Origin) -> Origin:
        """Return the origin of the rows of the text, with the lines of the file and the notes of the table."""
        parts = tuple(replace(part, line=self._in_file(part)) for part in origin.parts)
        return replace(origin, parts=parts, notes=(*self.notes, *origin.notes))

    def _in_file(self, part: FileRows) -> Callable[[int], int] | None:
        line = part.line
        if line is None:
            return None
        return lambda row: self.lines[line(row) - 1]
