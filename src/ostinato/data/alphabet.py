"""Text in model space: the symbols of an alphabet, an unknown one, and the end of a sequence where that is an event."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.encoded import Encoded, Encoding
from ostinato.data.sequences import SequenceSet

#: Unicode scalar values: what an unknown character is one of.
_SCALARS = 0x110000 - 0x800


@dataclass(frozen=True)
class Alphabet(Encoding):
    """Symbol ids: 0 is the unknown symbol, then the code points (or bytes) in order, then the end of a sequence.

    An unknown character costs the unknown symbol and a uniform choice among all characters outside the alphabet,
    so that P sums to one over every text, not only over texts in known characters.
    """

    name = "alphabet"
    code_points: tuple[int, ...]
    terminated: bool
    of_bytes: bool

    @staticmethod
    def fit(data: SequenceSet) -> Alphabet:
        """The alphabet of data (the training part)."""
        of_bytes = data.meta.get("alphabet") == "bytes"
        points = range(256) if of_bytes else np.unique(data.values).tolist()
        return Alphabet(tuple(points), data.terminated, of_bytes)

    @property
    def size(self) -> int:
        """V."""
        return len(self.code_points) + 1 + self.terminated

    @property
    def end(self) -> int:
        """The id of the end symbol; -1 where the end is no event."""
        return self.size - 1 if self.terminated else -1

    @property
    def vocabulary_size(self) -> int:
        """The number V of symbols."""
        return self.size

    @property
    def end_symbol(self) -> int | None:
        """The id of the end symbol; None where the end is no event."""
        return self.end if self.terminated else None

    def encode(self, data: SequenceSet) -> Encoded:
        """See Encoding. Where the end is an event, a sequence is one step longer than its text; a prompt has no end."""
        points = np.asarray(self.code_points, dtype=np.int64)
        raw = data.values[:, 0].astype(np.int64)
        place = np.minimum(np.searchsorted(points, raw), max(len(points) - 1, 0))
        known = points[place] == raw if len(points) else np.zeros(len(raw), dtype=bool)
        symbols = np.where(known, place + 1, 0)
        penalty = np.where(known, 0.0, -math.log(max(1, (256 if self.of_bytes else _SCALARS) - len(points))))
        offsets = data.offsets
        if self.terminated and data.terminated:
            ends = data.offsets[1:]
            symbols, penalty = np.insert(symbols, ends, self.end), np.insert(penalty, ends, 0.0)
            offsets = data.offsets + np.arange(len(data.offsets))
        flat = torch.zeros(len(data), 1)
        values = torch.from_numpy(symbols.astype(np.int64)).reshape(-1, 1)
        measure = torch.from_numpy(penalty).float().reshape(-1, 1)
        return Encoded(values, offsets, flat + 1, flat, flat + self.size - 1, measure)

    def decode(self, z: NDArray[Any], data: SequenceSet | None = None, row: int = 0) -> NDArray[Any]:
        """Symbol ids of any shape -> code points; the unknown symbol becomes U+FFFD, the end -1."""
        table = np.array([0xFFFD, *self.code_points, -1], dtype=np.int64)
        return table[np.minimum(np.asarray(z, dtype=np.int64), len(table) - 1)]

    def text(self, symbols: NDArray[Any]) -> str:
        """Symbol ids (T,) as text, up to the end symbol."""
        points = self.decode(np.asarray(symbols))
        ends = np.flatnonzero(points < 0)
        points = points[: ends[0]] if len(ends) else points
        if self.of_bytes:
            return bytes(int(p) & 0xFF for p in points).decode("utf-8", errors="replace")
        return "".join(map(chr, points.tolist()))

    def to_json(self) -> dict[str, Any]:
        """See Encoding."""
        return {
            "name": self.name,
            "code_points": list(self.code_points),
            "terminated": self.terminated,
            "of_bytes": self.of_bytes,
        }

    @staticmethod
    def from_json(document: dict[str, Any]) -> Alphabet:
        """The inverse of to_json."""
        return Alphabet(tuple(document["code_points"]), document["terminated"], document["of_bytes"])
