"""Sound whose header and whose bytes disagree: what is left out is said."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ostinato.data.read import read
from ostinato.errors import DataError

WAVE = (8000 * np.sin(np.arange(1000) / 5)).astype(np.int16)
SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")


def sound(kind: str, subtype: str | None = None, samples: int = 1000) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, WAVE[:samples], 8000, format=kind, subtype=subtype)
    return buffer.getvalue()


def shortened(raw: bytes, kind: str) -> bytes:
    """Return a file whose header counts half of its samples."""
    if kind == "AU":
        return raw[:8] + struct.pack(">I", 1000) + raw[12:]
    name, order, offset = (b"SSND", ">I", 8) if kind == "AIFF" else (b"data", "<I", 0)
    at = raw.index(name) + 4
    return raw[:at] + struct.pack(order, 1000 + offset) + raw[at + 4 :]


def notes(folder: Path, name: str, raw: bytes) -> tuple[int, str]:
    (folder / name).write_bytes(raw)
    data = read(folder / name)
    return len(data.values), "; ".join(data.notes)


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "AIFF", "AU"])
def test_samples_that_the_header_does_not_count_are_named(tmp_path: Path, kind: str) -> None:
    name = f"a.{'wav' if kind == 'WAVEX' else kind.lower()}"
    count, words = notes(tmp_path, name, shortened(sound(kind), kind))
    assert count == 500
    assert f"1,000 bytes behind the samples that the header of {name} counts are left out" in words
    assert "26 bytes behind" in notes(tmp_path, name, sound(kind) + b"not a chunk of this format")[1]


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("samples", [1, 2, 999, 1000])
def test_whole_files_and_chunks_behind_samples_are_not_named(tmp_path: Path, subtype: str, samples: int) -> None:
    raw = sound("WAV", subtype, samples)
    for more in (b"", b"LIST" + struct.pack("<I", 4) + b"INFO", b"odd " + struct.pack("<I", 3) + b"abc\0"):
        assert "behind" not in notes(tmp_path, "a.wav", raw + more)[1]


@pytest.mark.parametrize("kind", ["WAVEX", "AIFF", "AU", "CAF", "W64", "RF64", "FLAC", "OGG"])
@pytest.mark.parametrize("samples", [2, 999, 1000])
def test_whole_files_of_other_formats_are_not_named(tmp_path: Path, kind: str, samples: int) -> None:
    name = f"a.{'wav' if kind == 'WAVEX' else kind.lower()}"
    assert notes(tmp_path, name, sound(kind, samples=samples))[1].count("behind") == 0


def test_files_of_a_folder_share_one_note(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav"):
        (tmp_path / name).write_bytes(shortened(sound("WAV"), "WAV"))
    words = [note for note in read(tmp_path).notes if "behind" in note]
    assert len(words) == 1
    assert "a.wav counts, and those in 2 more are left out" in words[0]


LONG = np.tile(WAVE, 20)


def flac(count: int, channels: int = 1) -> bytes:
    """Return a FLAC file of 20,000 frames whose header counts another number."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([LONG] * channels, axis=1), 8000, format="FLAC")
    raw = buffer.getvalue()
    word = int.from_bytes(raw[18:26], "big") >> 36 << 36
    return raw[:18] + (word | count).to_bytes(8, "big") + raw[26:]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("count", "words"),
    [
        (20_000, ""),
        (10_000, "10,000 samples beyond those that the header of a.flac counts are read"),
        (1, "19,999 samples beyond those"),
        (0, "the header of a.flac gives no length"),
    ],
)
def test_flac_is_read_to_its_end_whatever_its_header_counts(
    tmp_path: Path, count: int, words: str, channels: int
) -> None:
    for more in (b"", b"TAG" + bytes(125)):
        (tmp_path / "a.flac").write_bytes(flac(count, channels) + more)
        data = read(tmp_path / "a.flac")
        np.testing.assert_array_equal(data.values[:, 0], LONG)
        assert words in "; ".join(data.notes)
        assert ("header" in "; ".join(data.notes)) == bool(words)


@pytest.mark.parametrize("count", [0, 40_000])
@pytest.mark.parametrize("lost", [1, 100, 9_000])
def test_flac_that_is_cut_is_refused_whatever_its_header_counts(tmp_path: Path, count: int, lost: int) -> None:
    (tmp_path / "a.flac").write_bytes(flac(count)[:-lost])
    with pytest.raises(DataError, match=r"damaged|cut short"):
        read(tmp_path / "a.flac")


def test_flac_that_promises_more_than_its_blocks_hold_is_cut_short(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(flac(40_000))
    with pytest.raises(DataError, match="cut short"):
        read(tmp_path / "a.flac")


@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM"])
@pytest.mark.parametrize("samples", [1, 2, 319, 320, 321, 999, 1000])
def test_the_padding_of_the_last_block_is_not_read(tmp_path: Path, subtype: str, samples: int) -> None:
    raw = sound("WAV", subtype, samples)
    at = raw.index(b"fact") + 8
    # libsndfile counts the padding of IMA ADPCM, other programs do not
    (tmp_path / "a.wav").write_bytes(raw[:at] + struct.pack("<I", samples) + raw[at + 4 :])
    data = read(tmp_path / "a.wav")
    assert len(data.values) == samples


@pytest.mark.parametrize("count", [0, 10, 0xFFFFFFFF])
def test_a_count_that_is_not_of_the_last_block_is_not_followed(tmp_path: Path, count: int) -> None:
    raw = sound("WAV", "GSM610")
    at = raw.index(b"fact") + 8
    (tmp_path / "a.wav").write_bytes(raw[:at] + struct.pack("<I", count) + raw[at + 4 :])
    assert len(read(tmp_path / "a.wav").values) == 1280


@pytest.mark.parametrize("channels", [1, 2])
def test_mp3_without_a_tag_is_read(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.stack([LONG] * channels, axis=1), 48_000, format="MP3")
    assert not path.read_bytes().startswith(b"ID3")
    right = np.clip(soundfile.read(path, always_2d=True)[0], -1, 1)
    assert np.abs(read(path).values / 2.0**15 - right).max() <= 2.0**-15


def wave(samples: list[int], width: int, bits: int, valid: int | None = None, channels: int = 1, tag: int = 1) -> bytes:
    """Return a WAV file of samples of some bytes each, by the specification of its header."""
    body = b"".join(x.to_bytes(width, "little", signed=True) for x in samples)
    form = struct.pack("<HHIIHH", tag, channels, 8000, 8000 * channels * width, channels * width, bits)
    if valid is not None:
        subformat = struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
        form = struct.pack("<H", 0xFFFE) + form[2:] + struct.pack("<HHI", 22, valid, 0) + subformat
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize(
    ("valid", "width", "extensible"),
    [(24, 4, True), (20, 3, True), (12, 2, True), (20, 4, True), (24, 4, False), (20, 3, False), (12, 2, False)],
)
def test_samples_are_their_valid_bits_which_are_the_first_of_their_bytes(
    tmp_path: Path, valid: int, width: int, extensible: bool
) -> None:
    half = 1 << (valid - 1)
    values, unused = [1, 2, -3, 100, half - 1, -half], 8 * width - valid
    raw = wave([x << unused for x in values], width, 8 * width if extensible else valid, valid if extensible else None)
    (tmp_path / "a.wav").write_bytes(raw)
    data = read(tmp_path / "a.wav")
    assert (data.meta["bits"], data.values[:, 0].tolist(), data.notes) == (valid, values, ())


def test_bits_that_the_header_calls_unused_and_that_are_used_are_read_and_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wave([256, 257, -5], 4, 32, 24))
    data = read(tmp_path / "a.wav")
    assert (data.meta["bits"], data.values[:, 0].tolist()) == (32, [256, 257, -5])
    assert "although the header of a.wav calls 8 of them unused: these are not 0" in "; ".join(data.notes)


@pytest.mark.parametrize(("kind", "offset"), [("WAV", 0), ("AIFF", 8), ("AU", 0), ("W64", 24), ("RF64", 0)])
@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_last_frame_that_is_not_whole_is_named(tmp_path: Path, kind: str, offset: int, lost: int) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([WAVE, WAVE], -1)[:100], 8000, format=kind, subtype="PCM_16")
    raw, size = buffer.getvalue(), 400 - lost
    name = "a.wav" if kind == "RF64" else f"a.{kind.lower()}"
    places = {
        "AIFF": (b"SSND", 4, ">I"), "AU": (b".snd", 8, ">I"), "W64": (b"data", 16, "<Q"), "RF64": (b"ds64", 16, "<Q")
    }  # fmt: skip
    mark, behind, form = places.get(kind, (b"data", 4, "<I"))
    at = raw.index(mark) + behind
    changed = raw[:at] + struct.pack(form, size + offset) + raw[at + struct.calcsize(form) :]
    changed = changed[: len(raw) - lost] + bytes(size % 2 if kind in {"WAV", "AIFF", "RF64"} else 0)
    count, words = notes(tmp_path, name, changed)
    assert count == 99
    assert f"the last {4 - lost} byte{'s' * (lost < 3)} of the samples of {name} are left out" in words
    assert "whole frame" not in notes(tmp_path, name, raw)[1]


@pytest.mark.parametrize("name", [b"RF64", b"BW64"])
def test_a_comment_with_the_name_of_a_chunk_in_a_file_of_long_sizes_is_passed_over(tmp_path: Path, name: bytes) -> None:
    body = WAVE[:100].astype("<i2").tobytes()
    form = wave([], 2, 16)[12:36]
    comment = b"LIST" + struct.pack("<I", 16) + b"INFOICMT" + struct.pack("<I", 4) + b"data"
    long = b"ds64" + struct.pack("<IQQQI", 28, 200, 200, 0, 0)
    raw = name + b"\xff" * 4 + b"WAVE" + long + comment + form + b"data" + b"\xff" * 4 + body
    (tmp_path / "a.wav").write_bytes(raw)
    data = read(tmp_path / "a.wav")
    assert (data.values[:, 0].tolist(), data.notes) == (WAVE[:100].tolist(), ())
    (tmp_path / "a.wav").write_bytes(raw[:-1])
    with pytest.raises(DataError, match="cut short: 1 byte is missing"):
        read(tmp_path / "a.wav")


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG"])
def test_sound_by_the_name_of_another_file_is_named(tmp_path: Path, form: str) -> None:
    soundfile.write(tmp_path / "a.wav", WAVE, 8000, format=form)
    (tmp_path / "a.wav").rename(tmp_path / "a.txt")
    with pytest.raises(DataError, match="the file is sound") as refused:
        read(tmp_path / "a.txt")
    assert 'kind="sound"' in str(refused.value)
    assert read(tmp_path / "a.txt", kind="sound").kind == "sound"
