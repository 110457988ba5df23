"""Symbols of texts, drawn one after the other, up to the end of each text or a string that stops it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ostinato.data.alphabet import Alphabet
from ostinato.data.lines import plain
from ostinato.data.readable import Readable
from ostinato.emissions.choice import Choice
from ostinato.errors import ConfigError
from ostinato.inference.live.logits import Drawing, Writer, writer_of
from ostinato.model import SequenceModel
from ostinato.shapes import Array, State

#: The uniform numbers that the generator of a row draws at a time, and the most steps of a call.
BLOCK = 64
#: The seconds that a call should take at most: a text that is shown as it is made flows, and Ctrl+C is heard at once.
BLINK = 0.04


@final
@dataclass(frozen=True)
class Writing:
    """What makes the symbols of a row a text: it can be read back, and it ends.

    Attributes:
        alphabet: The symbols.
        stop: The strings after which a text ends.
        on_symbols: What is called with the symbols of each step, (B,).
    """

    alphabet: Alphabet
    stop: tuple[str, ...] = ()
    on_symbols: Callable[[NDArray[np.int64]], None] | None = None


def drawn_symbols(
    model: SequenceModel, state: State, horizon: int, choice: Choice, seed: int, least: int
) -> Iterator[NDArray[np.int64]]:
    """Draw the next symbols of B rows from all symbols, without an end.

    Each row has a generator of its own, from which each step takes one number. So the symbols of a row do not depend on
    the number of rows, up to the rounding of float32 in the products.

    Args:
        model: A model of text.
        state: The state before the first step, (B, ...) each.
        horizon: The number T of steps.
        choice: The options of the draws.
        seed: The seed of the draws.
        least: The least symbol that is drawn: 1 leaves the unknown symbol out.

    Yields:
        The symbols of a step, (B,).
    """
    rows, count = len(state[0]), model.encoding.vocabulary_size or 0
    known = np.arange(count)[None] >= least
    anything = Readable(known, np.zeros((1, count), dtype=np.int64), np.zeros(1, dtype=np.int64))
    drawing = Drawing(choice, anything, -1, np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=bool))
    for symbols in _blocks(writer_of(model, state, horizon), drawing, _Draws(seed, rows), horizon):
        yield from symbols


def written_symbols(
    model: SequenceModel, state: State, horizon: int, choice: Choice, seed: int, writing: Writing
) -> Iterator[NDArray[np.int64]]:
    """Draw the next symbols of B texts that can be read back, until all have ended (see ``drawn_symbols``).

    Args:
        model: A model of text.
        state: The state before the first step, (B, ...) each.
        horizon: The greatest number T of steps.
        choice: The options of the draws.
        seed: The seed of the draws.
        writing: What ends a text.

    Yields:
        The symbols of a step, (B,); -1 in a row that has ended before.
    """
    alphabet, rows = writing.alphabet, len(state[0])
    stops, end = _Stops(alphabet, writing.stop, rows), -1 if alphabet.end_symbol is None else alphabet.end_symbol
    place, ended = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=bool)
    drawing, stopped = Drawing(choice, Readable.of(alphabet), end, place, ended), np.zeros(rows, dtype=bool)
    for block in _blocks(writer_of(model, state, horizon), drawing, _Draws(seed, rows), horizon):
        if not writing.stop and writing.on_symbols is None:
            yield from block
            continue
        for drawn in block:
            # a string may have ended a text within the block, whose later symbols then do not count
            symbols = np.where(stopped, -1, drawn)
            if writing.on_symbols is not None:
                writing.on_symbols(symbols)
            yield symbols
            stopped |= (symbols == -1) | (symbols == end) | stops.reached(symbols)
            if stopped.all():
                return
        drawing.ended |= stopped


def _blocks(writer: Writer, drawing: Drawing, draws: _Draws, horizon: int) -> Iterator[NDArray[np.int64]]:
    """Draw the symbols of texts a call at a time: as many steps as fit into a blink, which no symbol depends on.

    Args:
        writer: What draws them.
        drawing: The options and the texts, which are moved on.
        draws: The uniform numbers.
        horizon: The greatest number T of steps.

    Yields:
        The symbols of some steps, (steps, B); fewer than T in all once all texts have ended.
    """
    done, steps = 0, 1
    while done < horizon:
        count = min(steps, BLOCK - done % BLOCK, horizon - done)
        start = time.perf_counter()
        symbols = writer.write(drawing, draws.next(count), horizon - done)
        each = (time.perf_counter() - start) / count
        yield symbols
        if drawing.ended.all():
            return
        done += count
        steps = max(1, min(2 * steps, BLOCK, int(BLINK / max(each, 1e-9))))


@final
class _Draws:
    """The uniform numbers of B rows, each from a generator of its own."""

    def __init__(self, seed: int, rows: int) -> None:
        self._t = 0
        self._own = [np.random.default_rng([seed, row]) for row in range(rows)]
        self._uniform = np.zeros((BLOCK, rows))

    def next(self, steps: int) -> Array:
        """Return the numbers of the next steps, (T, B). The steps must not cross the end of a block."""
        at = self._t % BLOCK
        if at == 0:
            self._uniform = np.stack([one.random(BLOCK) for one in self._own], axis=1)
        self._t += steps
        return self._uniform[at : at + steps]


def stop_strings(stop: str | Sequence[str], *, symbols: bool) -> tuple[str, ...]:
    r"""Return the strings after which a text ends, checked. The end of a line is "\n" in them, as in every text.

    Args:
        stop: One string, or several.
        symbols: Whether the values are symbols.

    Raises:
        ConfigError: One is empty or no string, or the values are numbers.
        DataError: One has half a character.
    """
    if not isinstance(stop, str | Sequence):
        raise ConfigError(f"stop must be a string or several strings, got {stop!r}", fix="use a string such as '.'")
    strings = (stop,) if isinstance(stop, str) else tuple(stop)
    if strings and not symbols:
        raise ConfigError(f"stop ends a text, and the values are numbers, got {strings[0]!r}", fix="remove stop")
    for one in strings:
        if not isinstance(one, str):
            raise ConfigError(f"a stop string must be a string, got {one!r}", fix="use a string such as '.'")
        if not one:
            raise ConfigError(
                f"a stop string must have at least 1 character, got {one!r}", fix="use a string such as '.'"
            )
    return tuple(plain(one, "the stop string") for one in strings)


def until(text: str, stop: Sequence[str]) -> str:
    """Return a text up to the first stop string, which may end within the last symbol that was drawn."""
    return text[: min((text.find(one) + len(one) for one in stop if one in text), default=len(text))]


@final
class _Stops:
    """The rows whose text ends with a stop string; the prompt does not count."""

    def __init__(self, alphabet: Alphabet, stop: Sequence[str], rows: int) -> None:
        spelling, points = alphabet.spelling, alphabet.vocabulary()
        self._units = [(), *(() if p < 0 else spelling.units(p) for p in points[1:])]
        self._stop = tuple(tuple(u for p in spelling.points(s).tolist() for u in spelling.units(p)) for s in stop)
        self._longest = max(map(len, self._stop), default=0)
        self._tails: list[tuple[int, ...]] = [()] * rows
        self._none = np.zeros(rows, dtype=bool)

    def reached(self, symbols: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows end with a stop string after these symbols, (B,)."""
        if not self._stop:
            return self._none
        found = np.zeros(len(symbols), dtype=bool)
        for b, symbol in enumerate(symbols.tolist()):
            if symbol < 0:
                continue  # the text has ended
            new = self._units[symbol]
            tail = (*self._tails[b], *new)
            # a string may end within the last symbol
            ends = range(len(tail) - len(new) + 1, len(tail) + 1)
            found[b] = any(tail[max(0, end - len(s)) : end] == s for s in self._stop for end in ends)
            self._tails[b] = tail[-self._longest :]
        return found
