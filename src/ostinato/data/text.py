"""Text files: one sequence in all, or one a line."""

from __future__ import annotations

import numpy as np

from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError


def from_bytes(
    files: list[tuple[str, bytes]], *, alphabet: str = "characters", per_line: bool | None = None
) -> SequenceSet:
    """Text files -> a SequenceSet; a file that begins a new line often and briefly is taken as a sequence a line.

    Raises DataError for what is not UTF-8, with file, line and byte, and where there is no text at all.
    """
    texts = [(name, _decode(name, raw)) for name, raw in files]
    notes: list[str] = []
    if per_line is None:
        lines = [line for _, text in texts for line in text.splitlines()]
        short = sum(0 < len(line) <= 40 for line in lines)
        words = sum(line.count(" ") for line in lines)
        per_line = len(lines) >= 20 and short > 0.95 * len(lines) and words < 0.5 * len(lines)
        if per_line:
            notes.append(f"one sequence a line: {len(lines):,} short lines (--whole for one text)")
    if per_line:
        pieces = [
            (f"{i + 1}", line) for i, line in enumerate(line for _, t in texts for line in t.split("\n")[: _lines(t)])
        ]
    else:
        pieces = texts
    rows = [_symbols(text, alphabet) for _, text in pieces]
    if not sum(map(len, rows)):
        raise DataError(
            "there is no text", where=", ".join(name for name, _ in files[:3]), fix="give a file with text in it"
        )
    return SequenceSet(
        "text",
        np.concatenate(rows).reshape(-1, 1),
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        tuple(name for name, _ in pieces),
        terminated=per_line,
        meta={"alphabet": alphabet, "per_line": per_line},
        notes=tuple(notes),
    )


def _lines(text: str) -> int:
    """Lines in text: a final newline ends the last one and begins none."""
    return text.count("\n") + (not text.endswith("\n"))


def _symbols(text: str, alphabet: str) -> np.ndarray:
    if alphabet == "bytes":
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32)
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.int32)


def _decode(name: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"not UTF-8: byte {raw[error.start]:#04x}",
            where=f"{name}, line {line}, byte {error.start + 1}",
            fix="save the file as UTF-8",
        ) from error
