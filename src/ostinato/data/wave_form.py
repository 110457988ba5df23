"""The form of the samples of a WAV file: how many of the bits of each are valid."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

_ORDERS: Final[dict[bytes, Literal["little", "big"]]] = {b"RIFF": "little", b"RF64": "little", b"RIFX": "big"}
_PCM: Final = 1
_EXTENSIBLE: Final = 0xFFFE


class Form(NamedTuple):
    """What the chunk "fmt " says of whole numbers.

    Attributes:
        at: Where the bits of a sample stand in the file.
        order: The order of bytes.
        bits: The bits of a sample, as the header has them.
        width: The bytes of a sample, by the size of a block; by the bits, if that size is none for them.
        channels: The number of channels.
        rate: The samples of a channel in a second.
        valid: The bits that hold the sample, the most significant ones of its bytes.
    """

    at: int
    order: Literal["little", "big"]
    bits: int
    width: int
    channels: int
    rate: int
    valid: int


def in_containers(raw: bytes) -> tuple[bytes, int | None]:
    """Return a WAV file whose header gives the bits of the bytes that each sample takes, and how many are valid.

    Some programs write 24 bits in the 4 bytes of a block as "24 bits"; libsndfile would read 3 bytes a sample. The
    valid bits are the most significant ones, and the others are 0 (Microsoft, "WAVEFORMATEXTENSIBLE":
    wValidBitsPerSample). Their number is None where all are valid, where the header does not say, and for samples of
    8 bits and fewer, which have no sign.
    """
    form = form_of(raw)
    if form is None or form.width > 4:
        return raw, None
    if (form.bits + 7) // 8 < form.width:
        raw = raw[: form.at] + (8 * form.width).to_bytes(2, form.order) + raw[form.at + 2 :]
    return raw, form.valid if 8 < form.valid < 8 * form.width else None


def form_of(raw: bytes) -> Form | None:
    """Return the form of the samples of a WAV file of whole numbers; None for any other file."""
    order = _ORDERS.get(raw[:4])
    if order is None or raw[8:12] != b"WAVE":
        return None

    def number(at: int, size: int = 2) -> int:
        return int.from_bytes(raw[at : at + size], order)

    at = 12
    while at + 24 <= len(raw):
        size = number(at + 4, 4)
        if raw[at : at + 4] == b"fmt ":
            extensible = number(at + 8) == _EXTENSIBLE and size >= 26
            tag = number(at + (32 if extensible else 8))
            channels, block, bits = map(number, (at + 10, at + 20, at + 22))
            if tag != _PCM or not channels:
                return None
            least, width = (bits + 7) // 8, 0 if block % channels else block // channels
            valid = (number(at + 26) if extensible else 0) or bits
            width = width if least <= width <= 4 else least  # the size of a block is wrong in some files
            return Form(at + 22, order, bits, width, channels, number(at + 12, 4), valid)
        at += 8 + size + size % 2
    return None
