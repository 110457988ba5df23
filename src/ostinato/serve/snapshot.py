"""A stream as bytes: its record in a store, and where the parts of its state and of an event are in them."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import DataError
from ostinato.inference.alarm_rule import Alarms, evidence_name
from ostinato.model import SequenceModel

Bytes = NDArray[np.uint8]

#: The head of a record: the name of each number, and its type in ``struct``. "width" and "tail" are lengths in bytes.
_FIELDS = (
    ("magic", "4s"),
    ("model", "16s"),
    ("seq", "q"),
    ("steps", "q"),
    ("block", "q"),
    ("width", "I"),
    ("tail", "I"),
)
_HEAD = struct.Struct("<" + "".join(code for _, code in _FIELDS))
#: The first bytes of a record say what the history holds; earlier releases wrote the same mark for both.
NUMBERS, TEXT, UNMARKED = b"OSTN", b"OSTT", b"OST1"
#: The number of events in a block of the history.
BLOCK = 16
#: The flags of an event in the history.
ALARM, SKIPPED = 1, 2
#: The place of the number of the evidence among the bits of the flags; earlier releases left it 0.
_EVIDENCE = 2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stream at rest.

    Attributes:
        model: The first 16 bytes of the digest of the model that the state belongs to.
        seq: The number of the last event that was taken in.
        steps: The number of steps of the model, with those that were left out.
        block: The number of the next block of the history.
        row: The state of the model, of the prices and of the alarm, as ``Layout`` packs it.
        tail: The events since the last full block.
        extra: The clock and the events that wait, as JSON; empty for none.
        symbols: What the history holds: ``NUMBERS``, ``TEXT``, or ``UNMARKED``, which earlier releases wrote.
    """

    model: bytes
    seq: int
    steps: int
    block: int
    row: bytes
    tail: bytes
    extra: bytes = b""
    symbols: bytes = UNMARKED

    def to_bytes(self) -> bytes:
        """Return the snapshot as the bytes of a record."""
        lengths = len(self.row), len(self.tail)
        head = _HEAD.pack(self.symbols, self.model, self.seq, self.steps, self.block, *lengths)
        return head + self.row + self.tail + self.extra

    @staticmethod
    def from_bytes(data: bytes) -> Snapshot:
        """Return the snapshot of a record.

        Raises:
            DataError: The bytes are not a record, or one of a newer version.
        """
        if len(data) < _HEAD.size or data[:4] not in {NUMBERS, TEXT, UNMARKED}:
            raise DataError("the record of the stream cannot be read", fix="update ostinato")
        symbols, model, seq, steps, block, row, tail = _HEAD.unpack_from(data)
        a, b = _HEAD.size + row, _HEAD.size + row + tail
        return Snapshot(model, seq, steps, block, data[_HEAD.size : a], data[a:b], data[b:], symbols)


def is_state_of(data: bytes, digest: bytes, width: int) -> bool:
    """Return whether the state of a record belongs to a model, and has as many bytes as it has now.

    Args:
        data: The bytes of the record.
        digest: The digest of the model.
        width: The number of bytes of a state; it also depends on the rule of alarms.
    """
    if len(data) < _HEAD.size:
        return False
    _, model, _, _, _, row, _ = _HEAD.unpack_from(data)
    return bool(model == digest[:16] and row == width)


def record_dtype(width: int, size: int) -> np.dtype[Any]:
    """Return the type of a record without its end: its head, a state, and a full block of events.

    The records of many streams are written as one array. Of each, ``Snapshot.from_bytes`` reads what comes before the
    events that are not there yet.

    Args:
        width: The number of bytes of a state.
        size: The number of bytes of an event.
    """
    # numpy reads "q" and "I" as struct does; bytes are void, which keeps zeros at their end
    head = [(name, f"V{code[:-1]}" if code.endswith("s") else f"<{code}") for name, code in _FIELDS]
    found = np.dtype([*head, ("state", "u1", (width,)), ("events", "u1", (BLOCK * size,))])
    assert found.fields is not None
    assert found.fields["state"][1] == _HEAD.size
    return found


@final
class Layout:
    """Where the parts of a stream's state are in one row of bytes.

    Args:
        parts: The name, the type and the shape of each part.
    """

    def __init__(self, parts: Sequence[tuple[str, np.dtype[Any], tuple[int, ...]]]) -> None:
        self.parts: list[tuple[str, np.dtype[Any], tuple[int, ...], int, int]] = []
        at = 0
        for name, dtype, shape in parts:
            size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            self.parts.append((name, dtype, shape, at, at + size))
            at += size
        self.width = at

    def pack(self, arrays: Sequence[NDArray[Any]]) -> Bytes:
        """Return B rows (B, W) of bytes from the parts, (B, ...) each."""
        count = len(arrays[0])
        rows = np.empty((count, self.width), dtype=np.uint8)
        for (_, dtype, _, a, b), x in zip(self.parts, arrays, strict=True):
            rows[:, a:b] = np.ascontiguousarray(x, dtype=dtype).reshape(count, -1).view(np.uint8).reshape(count, b - a)
        return rows

    def unpack(self, rows: Bytes) -> list[NDArray[Any]]:
        """Return the parts, (B, ...) each, of B rows (B, W) of bytes."""
        # copies: a part of a single row is contiguous as it is, and would keep the row's place and step in memory
        return [rows[:, a:b].copy().view(dtype).reshape(len(rows), *shape) for _, dtype, shape, a, b in self.parts]


def model_digest(model: SequenceModel) -> bytes:
    """Return the SHA-256 of everything that the answers of a model depend on."""
    tensors, document = model.to_parts()
    words = [document["encoding"], model.description.config, model.description.kind]
    sha = hashlib.sha256(json.dumps(words, sort_keys=True, default=str).encode())
    for name in sorted(tensors):
        if not name.startswith("before."):
            x = tensors[name].detach().contiguous().numpy()
            sha.update(f"{name} {x.dtype} {x.shape}".encode() + x.tobytes())
    return sha.digest()


def flags_of(alarms: Alarms) -> Alarms:
    """Return the flags of events, (N,), from which evidence gave their alarms."""
    return np.where(alarms > 0, ALARM | alarms << _EVIDENCE, 0).astype(np.uint8)


def alarm_in(flags: int) -> tuple[bool, str | None]:
    """Return whether the flags of an event hold an alarm, and the name of its evidence if that is known."""
    return bool(flags & ALARM), evidence_name(int(flags) >> _EVIDENCE)


def history_dtype(channels: int) -> np.dtype[Any]:
    """Return the type of an event in the history, for a number of channels."""
    return np.dtype(
        [
            ("seq", "<i8"),
            ("ds", "<i8"),
            ("y", "<f8", (channels,)),
            ("surprisal", "<f8"),
            ("expected", "<f4", (channels,)),
            ("flags", "u1"),
        ]
    )
