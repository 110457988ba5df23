"""The origin of rows, so that an error can name the file and the line of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FileRows:
    """The rows of one file or frame.

    Attributes:
        name: The name of the file or frame.
        rows: The number of rows.
        line: A function from a row (from 0) to its line in the file; None if the rows have no lines.
        unit: The word for a row in an error.
    """

    name: str
    rows: int
    line: Callable[[int], int] | None = None
    unit: str = "row"


@dataclass(frozen=True)
class Origin:
    """The files or frames that rows came from, and what was changed on the way.

    Attributes:
        name: The name of the whole source.
        parts: The files or frames, in the order of the rows.
        rows: The number that each row had before others were left out, (N,); None if all rows are kept.
        notes: What was left out or changed, in words.
        cells: The column and the words of each note on the cells of a column.
        decimal: The decimal sign that the cells of one file show; "?" if they leave it open, "" without decimals.
    """

    name: str
    parts: tuple[FileRows, ...]
    rows: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()
    cells: tuple[tuple[str, str], ...] = ()
    decimal: str = ""

    @staticmethod
    def frame(rows: int, name: str = "the frame") -> Origin:
        """Return the origin of rows without lines: a frame in memory, or a Parquet file."""
        return Origin(name, (FileRows(name, rows),))

    @staticmethod
    def joined(name: str, origins: Sequence[Origin]) -> Origin:
        """Return the origin of the rows of several origins, one after the other."""
        sizes = [sum(part.rows for part in origin.parts) for origin in origins]
        starts = np.cumsum([0, *sizes])
        rows = None
        if any(origin.rows is not None for origin in origins):
            each = [np.arange(n) if o.rows is None else o.rows for n, o in zip(sizes, origins, strict=True)]
            rows = np.concatenate([part + start for part, start in zip(each, starts, strict=False)])
        notes = tuple(
            note if len(origins) == 1 else f"{origin.name}: {note}" for origin in origins for note in origin.notes
        )
        cells: dict[tuple[str, str], None] = {}
        for origin in origins:
            cells.update(dict.fromkeys(origin.cells))
        parts = tuple(part for origin in origins for part in origin.parts)
        return Origin(name, parts, rows, notes, tuple(cells))

    def kept(self, rows: NDArray[np.int64]) -> Origin:
        """Return the origin of the rows (K,) that are kept of these rows, by their numbers."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows])

    def files(self, rows: int) -> NDArray[np.int64]:
        """Return the number of the file or frame of each row, (N,), from 0."""
        ends = np.cumsum([part.rows for part in self.parts])
        return np.searchsorted(ends, np.arange(rows) if self.rows is None else self.rows, side="right").astype(np.int64)

    def noting(self, *notes: str, column: str | None = None) -> Origin:
        """Return the origin with notes, on the whole table or on the cells of one column."""
        if column is None:
            return replace(self, notes=(*self.notes, *notes))
        return replace(self, cells=(*self.cells, *((column, note) for note in notes)))

    def on(self, columns: Iterable[str]) -> list[str]:
        """Return the notes on the whole table and on the cells of these columns."""
        wanted = set(columns)
        by_column: dict[str, list[str]] = {}
        for column, note in dict.fromkeys(self.cells):
            if column in wanted:
                by_column.setdefault(column, []).append(note)
        return [*self.notes, *(f"column {column!r}: {'; '.join(notes)}" for column, notes in by_column.items())]

    def place(self, row: int) -> str:
        """Return the line or the number of a row, in words without the name of the file."""
        name, unit = self._found(row)
        return f"{unit} of {name}" if len(self.parts) > 1 else unit

    @property
    def typed(self) -> bool:
        """Whether the columns have types, as in a frame or a Parquet file. A text file has none."""
        return all(part.line is None for part in self.parts)

    def at(self, row: int, series: str | None = None) -> str:
        """Return the place of a row in words.

        Args:
            row: The number of the row over all parts, from 0.
            series: The id of its series.

        Returns:
            Words such as "sales.csv, line 12, series 'a'".
        """
        name, place = self._found(row)
        return f"{name}, {place}" + (f", series {series!r}" if series is not None else "")

    def _found(self, row: int) -> tuple[str, str]:
        if self.rows is not None:
            row = int(self.rows[row])
        for part in self.parts:
            if row < part.rows:
                break
            row -= part.rows
        return part.name, f"line {part.line(row)}" if part.line else f"{part.unit} {row} (from 0)"
