"""Facts as few bytes: whole numbers from 0 up, strings, bytes and lists of them. Each value says where it ends."""

from __future__ import annotations

from typing import Any

#: What a value is, in the last two bits of its first number; the rest is the number itself, or a length.
_NUMBER, _TEXT, _LIST, _BYTES = range(4)
#: Lists in lists, more than any file has.
_DEEPEST = 8


def written(value: Any) -> bytes:
    """Return a value as bytes."""
    match value:
        case int():
            return _varint(value << 2 | _NUMBER)
        case str():
            raw = value.encode()
            return _varint(len(raw) << 2 | _TEXT) + raw
        case bytes():
            return _varint(len(value) << 2 | _BYTES) + value
        case _:
            return _varint(len(value) << 2 | _LIST) + b"".join(map(written, value))


def read(raw: bytes | memoryview, at: int = 0, depth: int = 0) -> tuple[Any, int]:
    """Return the value that begins at a place in some bytes, and the place after it.

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
            value, at = read(raw, at, depth + 1)
            values.append(value)
        return values, at
    part = bytes(raw[at : at + size])
    return (part if kind == _BYTES else part.decode()), at + size


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
