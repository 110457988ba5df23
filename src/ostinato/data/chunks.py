"""The sizes that the header of a sound file promises. libsndfile reads what is there, and does not report the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

#: The chunked formats: the first bytes, the order of bytes, where the first chunk begins, the chunk with the samples,
#: and the number to which the sizes of chunks are rounded up.
_CHUNKED: tuple[tuple[bytes, Literal["little", "big"], bytes], ...] = (
    (b"RIFF", "little", b"data"),
    (b"RIFX", "big", b"data"),
    (b"FORM", "big", b"SSND"),
)
#: A program that writes to a pipe does not know the size, and writes the largest one or one near it.
_UNKNOWN, _LARGEST = 0xFFFF_FF00, 0xFFFF_FFFF
#: Other sizes that mean the same: those of SoX and arecord, and the largest one with a sign. 0 is in the header until a
#: recording ends.
_UNFINISHED = frozenset({0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000})


def finished(raw: bytes) -> tuple[bytes, bool]:
    """Return a WAV file whose header says how many samples it has, and whether it did not say so before.

    A recorder that was stopped, or that wrote to a pipe, leaves no true size in the header. The samples then last to
    the end of the file. A tag of ID3 before the file, which libsndfile counts as samples, is left out. BW64 (ITU-R
    BS.2088) is RF64 by another name, which libsndfile does not know.
    """
    if raw.startswith(b"BW64"):
        raw = b"RF64" + raw[4:]
    if raw.startswith(b"ID3") and len(raw) > 10:
        tag = 10 + sum((byte & 0x7F) << (7 * (3 - i)) for i, byte in enumerate(raw[6:10]))
        raw = raw[tag:] if raw[tag : tag + 4] in {b"RIFF", b"RIFX", b"FORM", b"fLaC"} else raw
    if raw[:4] != b"RIFF":
        return raw, False
    at = 12
    while at + 8 <= len(raw):
        size = int.from_bytes(raw[at + 4 : at + 8], "little")
        if raw[at : at + 4] == b"data":
            rest = len(raw) - at - 8
            if (size in _UNFINISHED and size > rest) or (size == 0 and rest and not _are_chunks(raw, at + 8)):
                return raw[: at + 4] + rest.to_bytes(4, "little") + raw[at + 8 :], True
            return raw, size >= _UNKNOWN
        at += 8 + size + size % 2
    return raw, False


def _are_chunks(raw: bytes, at: int) -> bool:
    """Return whether whole chunks fill a WAV file from a place on."""
    while at + 8 <= len(raw):
        at += 8 + (size := int.from_bytes(raw[at + 4 : at + 8], "little")) + size % 2
    return at in {len(raw), len(raw) + 1}


def missing_bytes(raw: bytes) -> int:
    """Return how many bytes of samples a WAV, AIFF, AU or W64 file lacks, according to its header."""
    return max(0, _samples(raw)[1] - len(raw))


def broken_frame(raw: bytes, frame: int) -> int:
    """Return how many bytes of a last frame that is not whole a WAV, AIFF, AU or W64 file holds.

    Args:
        raw: The file.
        frame: The bytes of a frame, which are the samples of all channels at one time.
    """
    start, stop = _samples(raw)
    return max(0, min(stop or len(raw), len(raw)) - start) % frame if start else 0


def _samples(raw: bytes) -> tuple[int, int]:
    """Return where the samples of a file begin and end by its header; 0 where it does not say so."""
    for magic, order, name in _CHUNKED:
        if raw.startswith(magic):
            at = 12
            while at + 8 <= len(raw):
                size = int.from_bytes(raw[at + 4 : at + 8], order)
                if raw[at : at + 4] == name:
                    # the samples of AIFF follow two numbers of four bytes
                    start = at + (16 if name == b"SSND" else 8)
                    return start, at + 8 + size if size < _UNKNOWN else 0
                at += 8 + size + size % 2
            return 0, 0
    if raw.startswith(b".snd"):
        start, size = int.from_bytes(raw[4:8], "big"), int.from_bytes(raw[8:12], "big")
        return start, start + size if size < _UNKNOWN else 0
    return next(_long_chunks(raw), (0, 0))


def uncounted_bytes(raw: bytes) -> int:
    """Return how many bytes follow the samples of a WAV, AIFF or AU file that its header gives no meaning to.

    They may be samples, if the header counts fewer than there are. Chunks behind the samples, such as a title, are
    counted.
    """
    if raw.startswith(b".snd"):
        start, size = int.from_bytes(raw[4:8], "big"), int.from_bytes(raw[8:12], "big")
        return max(0, len(raw) - start - size) if size < _UNKNOWN else 0
    for magic, order, name in _CHUNKED:
        if not raw.startswith(magic):
            continue
        at, behind = 12, False
        while at + 8 <= len(raw):
            size = int.from_bytes(raw[at + 4 : at + 8], order)
            ends = at + 8 + size + size % 2
            known = raw[at : at + 4].isascii() and raw[at : at + 4].decode().isprintable() and ends <= len(raw) + 1
            if behind and not known:
                return len(raw) - at
            behind = behind or raw[at : at + 4] == name
            at = ends
        return max(0, len(raw) - at) if behind else 0
    return 0


def _long_chunks(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the samples of a W64 or an RF64 file begin and end, whose sizes have eight bytes."""
    if raw.startswith(b"riff") and len(raw) > 40:
        at = 40
        while at + 24 <= len(raw):
            size = int.from_bytes(raw[at + 16 : at + 24], "little")
            if raw[at : at + 4] == b"data":
                yield at + 24, at + size
                return
            if size < 24:
                return
            at += size + -size % 8
    if raw.startswith(b"RF64") and raw[12:16] == b"ds64":
        whole, at = int.from_bytes(raw[28:36], "little"), 12
        while at + 8 <= len(raw):
            size = int.from_bytes(raw[at + 4 : at + 8], "little")
            if raw[at : at + 4] == b"data":
                # the largest number of four bytes refers to that of eight bytes
                yield at + 8, at + 8 + (whole if size == _LARGEST else size)
                return
            at += 8 + size + size % 2
