"""The numbers of samples in the headers of FLAC and of compressed WAV, which libsndfile believes or does not read."""

from __future__ import annotations

#: The length of the marker of FLAC and of the head of its first block, which describes the stream.
_BEGIN = 8
#: Where, behind them, eight bytes hold the rate, the channels, the bits, and the frames in the last 36 bits.
_PLACE = _BEGIN + 10
_COUNT = (1 << 36) - 1
#: A tag of ID3 at the end of a file: its first bytes and its length.
_TAG, _TAG_LENGTH = b"TAG", 128
#: The forms of WAV in which each sample has bytes of its own: whole numbers, floating point, A-law and mu-law.
_PLAIN = frozenset({1, 3, 6, 7, 0xFFFE})


def flac_without_count(raw: bytes) -> tuple[bytes, int] | None:
    """Return a FLAC file whose header does not count its samples, and the number that it counted; None for other files.

    The blocks of FLAC say themselves where they end, and each has a check. So all are read, however many the header
    counts: a damaged or edited one counts fewer. An encoder that writes to a pipe counts 0, for unknown. A tag of ID3
    behind the blocks is left out.
    """
    if not raw.startswith(b"fLaC") or len(raw) < _PLACE + 8:
        return None
    if raw[-_TAG_LENGTH:].startswith(_TAG):
        raw = raw[:-_TAG_LENGTH]
    word = int.from_bytes(raw[_PLACE : _PLACE + 8], "big")
    return raw[:_PLACE] + (word & ~_COUNT).to_bytes(8, "big") + raw[_PLACE + 8 :], word & _COUNT


def padded_last_block(raw: bytes, frames: int) -> int:
    """Return how many of the frames of a compressed WAV file fill up its last block, by its chunk ``fact``.

    GSM and ADPCM hold blocks of some hundred frames, and the chunk ``fact`` counts those that were recorded.

    Args:
        raw: The file.
        frames: The number of frames that its blocks hold.

    Returns:
        The number; 0 for other files, and where the count is not that of an end within the last block.
    """
    if not raw.startswith(b"RIFF"):
        return 0
    block = align = counted = 0
    at = 12
    while at + 8 <= len(raw):
        name, size = raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little")
        body = raw[at + 8 : at + 8 + min(size, 20)]
        if name == b"fmt " and len(body) == 20 and int.from_bytes(body[:2], "little") not in _PLAIN:
            align, block = int.from_bytes(body[12:14], "little"), int.from_bytes(body[18:20], "little")
        elif name == b"fact":
            counted = int.from_bytes(body[:4], "little")
        elif name == b"data" and align and (size + size % 2) % align:
            # libsndfile decodes one block more from the byte that makes the size of the chunk even
            block *= 2
        at += 8 + size + size % 2
    return frames - counted if counted and 0 < frames - counted < block else 0
