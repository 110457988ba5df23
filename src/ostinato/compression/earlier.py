"""Containers of the versions before, which are read and not written.

Version 1: magic (4) | version (1) | digest of the model (8) | size of the facts (4) | facts in JSON, which may be
deflated | digests of blocks, 4 each | words of the coder | digest of the original bytes (4) | digest of all (8)

Version 2: magic (2) | version (1) | digest of the model (2) | facts, which may be deflated | what the coder wrote |
digests of blocks, 3 each | digest of all before it (3). Its facts say where they end, without marks between them.

Versions 3 and 4 have the present container, but other probabilities of names and numbers.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from ostinato.compression.chooser import MOST, Chooser, of_bits
from ostinato.compression.coder import Coded
from ostinato.compression.facts import Facts
from ostinato.compression.names import HABITS, Habits, Names
from ostinato.compression.refusals import damaged, newer

MAGIC_1, MAGIC_2 = b"OSTZ", b"OZ"
_HEAD_1 = struct.Struct("<4sB8sI")
#: The bytes of the digest of a block, and of the container, in version 2.
_BLOCK, _CHECK = 3, 3
_DEFLATED = 0x80
#: What deflated facts may unpack to.
_MOST_FACTS = 1 << 26
#: What a value of facts is, in the last two bits of its first number; the rest is the number itself, or a length.
_NUMBER, _TEXT, _LIST, _BYTES = range(4)
#: Lists in lists, more than any file has.
_DEEPEST = 8


#: The first bytes of the digest of the model; the name of each file and what is left of it; what the coder wrote; and
#: the digest of the files' bytes in version 1, or None if the digest of the last block covers them.
Held: TypeAlias = tuple[bytes, list[Any], Coded, bytes | None]


def read(view: memoryview, where: str) -> Held:
    """Return what a container of version 1 or 2 holds.

    Args:
        view: The bytes, which begin with MAGIC_1 or MAGIC_2.
        where: The name of the file, for an error.

    Raises:
        DataError: It is damaged, or of a version that is not known.
    """
    return _version_1(bytes(view), where) if bytes(view[:4]) == MAGIC_1 else _version_2(view, where)


def _version_1(raw: bytes, where: str) -> Held:
    if len(raw) > 4 and raw[4] != 1:
        raise newer(raw[4], where)
    body, check = raw[:-8], raw[-8:]
    if len(body) < _HEAD_1.size + 4 or hashlib.blake2b(body, digest_size=8).digest() != check:
        raise damaged(where)
    _, _, model, size = _HEAD_1.unpack(body[: _HEAD_1.size])
    packed, rest = body[_HEAD_1.size : _HEAD_1.size + size], body[_HEAD_1.size + size : -4]
    plain = zlib.decompress(packed[1:]) if packed[:1] == b"\1" else packed[1:]
    blocks, files = json.loads(plain)
    digests = list(struct.unpack(f"<{blocks}I", rest[: 4 * blocks]))
    words = rest[4 * blocks :]
    turned = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
    return model, [[name, *left] for name, left in files], Coded([turned], digests, 4), body[-4:]


def _version_2(view: memoryview, where: str) -> Held:
    if len(view) > 2 and view[2] & ~_DEFLATED != 2:
        raise newer(view[2] & ~_DEFLATED, where)
    body, at = view[:-_CHECK], 5
    if len(body) <= at or hashlib.blake2b(body, digest_size=_CHECK).digest() != bytes(view[-_CHECK:]):
        raise damaged(where)
    try:
        if view[2] & _DEFLATED:
            inflater = zlib.decompressobj(wbits=-15)
            (count, *rest), _ = facts(inflater.decompress(body[at:], _MOST_FACTS))
            at = len(body) - len(inflater.unused_data)
        else:
            (count, *rest), at = facts(body, at)
        sizes, files = [r for r in rest if isinstance(r, int)], [r for r in rest if isinstance(r, list)]
        edges, end = np.cumsum([at, *sizes]).tolist(), len(body) - _BLOCK * count
    except (ValueError, TypeError, OverflowError, zlib.error) as error:
        raise damaged(where) from error
    if edges[-1] > end:
        raise damaged(where)
    segments = [body[a:z] for a, z in zip(edges, [*edges[1:], end], strict=True)]
    found = [int.from_bytes(body[i : i + _BLOCK], "little") for i in range(end, len(body), _BLOCK)]
    return bytes(view[3:5]), files, Coded(segments, found, _BLOCK), None


def facts(raw: bytes | memoryview, at: int = 0, depth: int = 0) -> tuple[Any, int]:
    """Return the value that begins at a place in the facts of version 2, and the place after it.

    Raises:
        ValueError: The bytes end before the value does, or hold none.
    """
    head, shift = 0, 0
    while True:
        if at >= len(raw) or shift > 63 or depth > _DEEPEST:
            raise ValueError("the facts are cut short")
        head, at, shift = head | (raw[at] & 0x7F) << shift, at + 1, shift + 7
        if raw[at - 1] < 0x80:
            break
    kind, size = head & 3, head >> 2
    if kind == _NUMBER:
        return size, at
    if size > len(raw) - at:
        raise ValueError("the facts are cut short")
    if kind == _LIST:
        values = []
        for _ in range(size):
            value, at = facts(raw, at, depth + 1)
            values.append(value)
        return values, at
    part = bytes(raw[at : at + size])
    return (part if kind == _BYTES else part.decode()), at + size


#: The initial probabilities of names in version 3.
_HABITS_3 = Habits(
    first=(
        (0.05, 0.7, 0.3, 0.05, 0.4),
        (0.4, 0.0, 0.3, 0.6, 0.4),
        (0.2, 0.2, 0.0, 0.6, 0.4),
        (0.05, 0.6, 0.4, 0.05, 0.4),
    ),
    again=((0.5, 0.5, 0.5, 0.5),) * 4,
    gains=(1.0,) * 6,
    plain=np.array([[16.0 if chr(b).islower() and b < 128 else 4.0 if 32 < b < 127 else 1.0 for b in range(257)]]),
    seed_words=((b".", b"txt"), (b".", b"wav")),
    empty=True,
)


def facts_3(coder: Chooser, usual: list[int | None]) -> Facts:
    """Return the facts of version 3 (see ``Facts``)."""
    return Facts(coder, usual, names=Names(coder, _HABITS_3), field=_Field3)


class _Field3:
    """A field of version 3: the number of the previous file, or a number of bits and the bits.

    Args:
        usual: The usual number of the field, or None.
    """

    def __init__(self, usual: int | None) -> None:
        self._last, self._same = usual, MOST + 1
        self._weights = np.array([1.0 / (2 + abs(bits - 12)) for bits in range(MOST + 1)] + [20.0])
        if usual is None:
            self._weights[self._same] = 0.0

    def code(self, coder: Chooser, value: int | None) -> int:
        """Code a number from 0 to 2^62 - 1 and return it."""
        choice = None if value is None else self._same if value == self._last else value.bit_length()
        choice = coder.choice(self._weights, choice)
        self._weights[choice] += 2.0
        if choice == self._same:
            assert self._last is not None
            return self._last
        self._last = found = of_bits(coder, choice, value)
        self._weights[self._same] = max(self._weights[self._same], 0.5)
        self._weights[max(choice - 1, 0) : choice + 2] += 0.5
        return found


#: The initial probabilities of names in version 4, which has no choice for a number greater by more than 1.
_HABITS_4 = replace(
    HABITS,
    first=(
        (0.02, 0.6, 0.35, 0.03, 0.4),
        (0.3, 0.0, 0.25, 0.7, 0.4),
        (0.1, 0.2, 0.0, 0.7, 0.4),
        (0.02, 0.6, 0.4, 0.03, 0.4),
        (0.01, 0.85, 0.15, 0.01, 0.2),
    ),
    gains=(2.0, 0.5, 0.5, 0.5, 1.0, 1.0),
)


def facts_4(coder: Chooser, usual: list[int | None]) -> Facts:
    """Return the facts of version 4 (see ``Facts``)."""
    return Facts(coder, usual, names=Names(coder, _HABITS_4), field=_Field4)


class _Field4:
    """A field of version 4: the number of an earlier file, or a number of bits and the bits.

    Args:
        usual: The usual number of the field, or None.
    """

    def __init__(self, usual: int | None) -> None:
        middle = 12 if usual is None else usual.bit_length()
        self._known = [] if usual is None else [usual]
        self._once = 0.1 if usual is None else 2.0
        self._weights = [1.0 / (4 + (bits - middle) ** 2) for bits in range(MOST + 1)] + [6.0] * len(self._known)

    def code(self, coder: Chooser, value: int | None) -> int:
        """Code a number from 0 to 2^62 - 1 and return it."""
        choice = None
        if value is not None:
            choice = MOST + 1 + self._known.index(value) if value in self._known else value.bit_length()
        choice = coder.choice(np.array(self._weights), choice)
        self._weights[choice] += 2.0
        if choice > MOST:
            return self._known[choice - MOST - 1]
        for bits in range(max(choice - 1, 0), min(choice + 1, MOST) + 1):
            self._weights[bits] += 0.5
        found = of_bits(coder, choice, value)
        if len(self._known) < 256 and found not in self._known:
            self._known.append(found)
            self._weights.append(self._once)
        return found
