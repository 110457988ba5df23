"""Where rows came from, so that a wrong one can be named as its maker sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FileRows:
    """Rows from one place. line: a row from 0 -> the line of the file, where it has lines."""

    name: str
    rows: int
    line: Callable[[int], int] | None = None
    unit: str = "row"


@dataclass(frozen=True)
class Origin:
    """The places that rows came from, in order, and what they are called together."""

    name: str
    parts: tuple[FileRows, ...]

    @staticmethod
    def frame(rows: int, name: str = "the frame") -> Origin:
        """Rows without lines: a frame in memory, or a Parquet file."""
        return Origin(name, (FileRows(name, rows),))

    @staticmethod
    def joined(name: str, origins: Sequence[Origin]) -> Origin:
        """Several places, one after the other."""
        return Origin(name, tuple(part for origin in origins for part in origin.parts))

    def at(self, row: int, series: str | None = None) -> str:
        """The place of a row, counted from 0 over all parts, in words."""
        for part in self.parts:
            if row < part.rows:
                break
            row -= part.rows
        place = f"line {part.line(row)}" if part.line else f"{part.unit} {row} (from 0)"
        return f"{part.name}, {place}" + (f", series {series!r}" if series is not None else "")
