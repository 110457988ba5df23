"""What adaptive counts keep of the past of a row, and the hashes of the contexts that are made of it, written out."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ostinato.ops.counts.words import A, B, C, D, E, F, joined, scattered, signed, wrapped

Path = NDArray[Any]

#: The places in the path of the word so far, and of whether the next symbol was predicted.
_WORD, ASSERTED = 8, 11
#: The places of the symbols further back, of the character so far and those before it, of the length of the word,
#: and of the matches.
_FURTHER, _CHARACTER, LENGTH, MATCHED = 13, 21, 25, 26


def contexts(path: Path, *, second: bool) -> list[int]:
    """Return the hash of each context.

    Args:
        path: The path of a row (see ``form.CountsState``).
        second: Whether the counts have the second form.
    """
    return _second(path) if second else _first(path)


def push(path: Path, symbol: int, letter: NDArray[Any], begins: NDArray[Any] | None) -> None:
    """Take a symbol into the path, in place.

    Args:
        path: The path of a row.
        symbol: The symbol; any other number is the start of a sequence.
        letter: The letter of each symbol, (V,).
        begins: Whether a character begins with each symbol, (V,); None in the first form.
    """
    if not 0 <= symbol < len(letter):
        path[:ASSERTED] = 0
        path[_FURTHER:] = 0 if begins is not None else path[_FURTHER:]
        return
    if begins is not None:
        path[_FURTHER + 1 : _CHARACTER] = path[_FURTHER : _CHARACTER - 1].copy()
        path[_FURTHER] = path[_WORD - 1]
        if begins[symbol]:
            path[_CHARACTER + 1 : LENGTH] = path[_CHARACTER : LENGTH - 1].copy()
            path[_CHARACTER] = 0
        path[_CHARACTER] = signed(joined(wrapped(int(path[_CHARACTER])), symbol))
        path[LENGTH] = path[LENGTH] + 1 if letter[symbol] else 0
    path[1:_WORD] = path[: _WORD - 1].copy()
    path[0] = symbol + 1
    if letter[symbol]:
        word = wrapped((wrapped(int(path[_WORD])) + int(letter[symbol])) * F)
        path[_WORD] = signed(word ^ (word >> 31))
    elif path[_WORD]:
        path[_WORD + 1 : ASSERTED] = path[_WORD : ASSERTED - 1].copy()
        path[_WORD] = 0


def latest(path: Path) -> list[int]:
    """Return the last 16 symbols + 1, the latest first; 0 before the start."""
    return [*path[:_WORD].tolist(), *path[_FURTHER:_CHARACTER].tolist()]


def _first(path: Path) -> list[int]:
    """Return the orders 0 to 6 and 8, the word so far, with one before it, symbols 2 and 3 back, and with two words."""
    h, out = 0, []
    for k in range(9):
        if k:
            h = wrapped((h + int(path[k - 1])) * A)
            h ^= h >> 29
        if k != 7:
            out.append(wrapped(h * 31 + k + 1))
    word, one, two = (wrapped(int(w)) for w in path[_WORD:ASSERTED])
    now = wrapped((word + 77) * B)
    pair = wrapped((now + one + 3) * C)
    skip = wrapped(((int(path[1]) * 0x10001 + int(path[2])) * 977 + 5) * D)
    return [*out, now, pair, skip, wrapped((pair + two) * E)]


def _second(path: Path) -> list[int]:
    """Return the contexts of the second form.

    They are the orders 0 to 6, 8, 11 and 16, and five more: the word so far; this with the word before it; the length
    of the word and the last symbol; the character so far with the second and the third one before it; and the word
    before and the last symbol.
    """
    h, out = 0, [0]
    symbols = latest(path)
    for k, symbol in enumerate(symbols, start=1):
        h = joined(h, symbol)
        if k <= 6 or k in (8, 11, 16):
            out.append(h)
    word, one = (wrapped(int(w)) for w in path[_WORD : _WORD + 2])
    now, _, two, three = (wrapped(int(c)) for c in path[_CHARACTER:LENGTH])
    out += [word, joined(word, one), joined(symbols[0], wrapped(int(path[LENGTH])))]
    out += [joined(joined(now, two), three), joined(symbols[0], one)]
    return [scattered(joined(h, c)) for c, h in enumerate(out)]
