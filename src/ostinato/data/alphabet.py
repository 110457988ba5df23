"""Text in model space: the symbols of an alphabet, the unknown symbol, and the end of a sequence if it is an event."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.corpus import Look, blocks, told_of
from ostinato.data.encoded import Encoded, Encoding, Lazy
from ostinato.data.lines import plain
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import Characters, Spelling, spelling_from_json, spelling_of
from ostinato.shapes import Span

#: The number of symbols that are encoded together.
BLOCK = 1 << 20
#: More than the greatest point: the code points, and the jamo beyond them.
POINTS = 0x110044


@dataclass(frozen=True)
class Alphabet(Encoding):
    """Symbol ids: 0 is the unknown symbol, then the points of a spelling in order, then the end of a sequence.

    An unknown character costs the unknown symbol and a uniform choice among all characters outside the alphabet. So
    the probabilities of all texts sum to one, and not only those of texts in known characters. A sample is drawn from
    the distribution given that the symbol is known.

    Attributes:
        code_points: The known points of the spelling (characters, bytes, jamo or pieces), in increasing order.
        terminated: Whether the end of a sequence is an event.
        spelling: How a text is spelled in points.
    """

    name = "alphabet"
    code_points: tuple[int, ...]
    terminated: bool
    spelling: Spelling

    @staticmethod
    def fit(data: SequenceSet, spans: list[Span] | None = None) -> Alphabet:
        """Return the alphabet of a part of data.

        Args:
            data: Text.
            spans: The part, which should be the training part; None is all of the data.
        """
        spelling = spelling_of(data.meta)
        seen = np.zeros(POINTS, dtype=bool)
        if not spelling.closed:
            for points in blocks(data.values[:, 0]) if spans is None else _points_of(data, spans):
                seen[points] = True
        known = np.union1d(spelling.always, np.flatnonzero(seen))
        return Alphabet(tuple(known.astype(int).tolist()), data.terminated, spelling)

    @property
    def size(self) -> int:
        """The number V of symbols."""
        return len(self.code_points) + 1 + self.terminated

    @property
    def vocabulary_size(self) -> int:
        """The number V of symbols."""
        return self.size

    @property
    def end_symbol(self) -> int | None:
        """The id of the end symbol; None if the end of a sequence is not an event."""
        return self.size - 1 if self.terminated else None

    def places_in(self, earlier: Encoding) -> list[int] | None:
        """Return the symbol of an earlier alphabet for each symbol of this one: the unknown one for a new character."""
        assert isinstance(earlier, Alphabet)
        known = {point: i + 1 for i, point in enumerate(earlier.code_points)}
        ends = [earlier.size - 1] if self.terminated else []
        return [0, *(known.get(point, 0) for point in self.code_points), *ends]

    def encode(self, data: SequenceSet) -> Encoded:
        """Return all of data in model space. A sequence with an end is one step longer than its text.

        Args:
            data: Text. If ``data.terminated`` is False, as for a prompt, the sequences have no end.
        """
        if data.on_disk:
            return self._on_disk(data)
        points, raw = np.asarray(self.code_points, dtype=np.int32), data.values[:, 0]
        symbols, offsets, ends = np.empty(len(raw), dtype=np.int64), data.offsets, np.zeros(0, dtype=np.int64)
        # in blocks, because a text may be long, and several arrays lie between its points and its symbols
        for at in range(0, len(raw), BLOCK):
            block = raw[at : at + BLOCK]
            place = np.minimum(np.searchsorted(points, block), max(len(points) - 1, 0))
            known = points[place] == block if len(points) else np.zeros(len(block), dtype=bool)
            symbols[at : at + BLOCK] = np.where(known, place + 1, 0)
        if self.terminated and data.terminated:
            ends = data.offsets[1:]
            symbols, offsets = np.insert(symbols, ends, self.size - 1), data.offsets + np.arange(len(data.offsets))
        flat, values = torch.zeros(len(data), 1), torch.from_numpy(symbols).reshape(-1, 1)
        # most texts have no unknown character, and a measure of 0 takes no memory; nor do characters that are one each
        unknown = values == 0
        measure = torch.zeros(1, 1).expand(len(values), 1)
        if bool(unknown.any()):
            measure = torch.where(unknown, self.unknown_nats, 0.0).float()
        counted = None
        if not isinstance(self.spelling, Characters):
            counted = torch.from_numpy(np.insert(self.spelling.characters(raw), ends, 1))
        # the unknown symbol, 0, stands for many characters: it has a probability, but none of them can be drawn
        return Encoded(values, offsets, flat + 1, flat + 1, flat + self.size - 1, measure, counted)

    def _on_disk(self, data: SequenceSet) -> Encoded:
        """Return data on disk in model space: each step is encoded when it is asked for."""
        if data.terminated:
            raise ValueError("sequences on disk have no ends that are events")
        most = int(min(np.iinfo(data.values.dtype).max + 1, POINTS))
        table = np.zeros(most, dtype=np.int64)
        places = np.asarray(self.code_points, dtype=np.int64)
        table[places[places < most]] = np.flatnonzero(places < most) + 1
        look, n = Look(data.values[:, 0]), len(data.values)

        def symbols(key: Any) -> Tensor:
            return torch.from_numpy(table[look.at(key)])[..., None]

        def measure(key: Any) -> Tensor:
            return torch.where(symbols(key) == 0, self.unknown_nats, 0.0).float()

        def characters(key: Any) -> Tensor:
            return torch.from_numpy(self.spelling.characters(look.at(key)))

        flat = torch.zeros(len(data), 1)
        counted = None if isinstance(self.spelling, Characters) else Lazy((n,), torch.int64, characters)
        values, log_measure = Lazy((n, 1), torch.int64, symbols), Lazy((n, 1), torch.float32, measure)
        return Encoded(values, data.offsets, flat + 1, flat + 1, flat + self.size - 1, log_measure, counted)

    @property
    def unknown_nats(self) -> float:
        """The log probability, in nats, of each point outside the alphabet if the symbol is the unknown one."""
        outside = np.asarray(self.code_points)
        return -math.log(max(1, self.spelling.possible - int((outside < 0x110000).sum())))

    def decode(self, z: NDArray[Any], data: SequenceSet | None = None, row: int = 0) -> NDArray[Any]:
        """Return the points of symbol ids of any shape; the unknown symbol becomes U+FFFD, the end -1."""
        table = np.array([0xFFFD, *self.code_points, -1], dtype=np.int64)
        return table[np.minimum(np.asarray(z, dtype=np.int64), len(table) - 1)]

    def text(self, symbols: NDArray[Any]) -> str:
        """Return symbol ids (T,) as text, up to the end symbol."""
        points = self.decode(np.asarray(symbols))
        ends = np.flatnonzero(points < 0)
        points = points[: ends[0]] if len(ends) else points
        return self.spelling.text(points.tolist())

    def describe(self) -> str:
        """Return what the model takes as input, in words."""
        symbols = self.spelling.plural
        end = ", and the end of a sequence" if self.terminated else ""
        return f"{len(self.code_points):,} {symbols}, and an unknown one{end}"

    def prompt(self, words: str, channels: int) -> NDArray[Any]:
        """Return the code points (T, 1) of a prompt, of which an unknown character is the unknown symbol.

        If the end of a line is an event, a sample continues the last line of the prompt.

        Raises:
            DataError: The prompt has half a character.
        """
        points, _ = self.lines(plain(words, "the prompt"))[-1]
        return points

    def unknown(self, words: str) -> list[str]:
        """Return the characters of a text that the alphabet does not have, each once and in order."""
        known = {*self.code_points, *([0x0A] if self.terminated else [])}
        text = sorted(set(plain(words, "the text")))
        return [c for c in text if not known.issuperset(self.spelling.points(c).tolist())]

    def samples(self, z: NDArray[Any], start: SequenceSet, words: str) -> list[Any]:
        """Return n samples z (n, T, 1) as strings, each after the words of the prompt."""
        prompt = plain(words, "the prompt")
        return [prompt + self.text(row[:, 0]) for row in z]

    def lines(self, text: str) -> list[tuple[NDArray[Any], bool]]:
        """Return the code points (T, 1) of each line, and whether its end is an event."""
        text = plain(text, "the text")
        *ended, rest = text.split("\n") if self.terminated else [text]
        return [
            (self.spelling.points(line).reshape(-1, 1), ends)
            for line, ends in [*((line, True) for line in ended), (rest, False)]
        ]

    def vocabulary(self) -> list[int]:
        """Return the code point of each symbol, U+FFFD for the unknown symbol and -1 for the end."""
        points: list[int] = self.decode(np.arange(self.size)).tolist()
        return points

    def symbol_table(self) -> dict[str, int]:
        """Return the symbol of each character that is one symbol, and of a newline if it ends a sequence."""
        table = {}
        for i, point in enumerate(self.code_points):
            text = self.spelling.text([point])
            if len(text) == 1 and text != "\ufffd" and self.spelling.points(text).tolist() == [point]:
                table[text] = i + 1
        return {**table, "\n": self.size - 1} if self.terminated else table

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to build the encoding again, as JSON."""
        return {
            "name": self.name,
            "code_points": list(self.code_points),
            "terminated": self.terminated,
            "spelling": self.spelling.to_json(),
        }

    @staticmethod
    def from_json(document: dict[str, Any]) -> Alphabet:
        """Return the alphabet that ``to_json`` wrote."""
        # before other spellings were known, a file said whether symbols were bytes
        spelling = document.get("spelling") or {"name": "byte" if document["of_bytes"] else "character"}
        return Alphabet(tuple(document["code_points"]), document["terminated"], spelling_from_json(spelling))


def _points_of(data: SequenceSet, spans: list[Span]) -> Iterator[NDArray[Any]]:
    """Yield each point that spans of texts have, at least once.

    Of a corpus it is known where each point comes first, so that no span from the start of a text is looked at.
    """
    told, at = told_of(data.values), data.offsets
    firsts = None if told is None else told.firsts
    for b, first, stop in spans:
        if firsts is None or first:
            yield from blocks(data.values[at[b] + first : at[b] + stop, 0])
        else:
            points, places = (np.array(part, dtype=np.int64) for part in firsts[b])
            yield points[places < stop]
