"""The origin of rows, so that an error can name the file and the line of a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


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
    """The files or frames that rows came from.

    Attributes:
        name: The name of the whole source.
        parts: The files or frames, in the order of the rows.
        notes: What was set aside or chosen, in words.
    """

    name: str
    parts: tuple[FileRows, ...]
    notes: tuple[str, ...] = ()

    @staticmethod
    def frame(rows: int, name: str = "the frame") -> Origin:
        """Return the origin of rows without lines: a frame in memory, or a Parquet file."""
        return Origin(name, (FileRows(name, rows),))

    @staticmethod
    def joined(name: str, origins: Sequence[Origin]) -> Origin:
        """Return the origin of the rows of several origins, one after the other."""
        notes = tuple(dict.fromkeys(note for origin in origins for note in origin.notes))
        return Origin(name, tuple(part for origin in origins for part in origin.parts), notes)

    def at(self, row: int, series: str | None = None) -> str:
        """Return the place of a row in words.

        Args:
            row: The number of the row over all parts, from 0.
            series: The id of its series.

        Returns:
            Words such as "sales.csv, line 12, series 'a'".
        """
        for part in self.parts:
            if row < part.rows:
                break
            row -= part.rows
        place = f"line {part.line(row)}" if part.line else f"{part.unit} {row} (from 0)"
        return f"{part.name}, {place}" + (f", series {series!r}" if series is not None else "")
