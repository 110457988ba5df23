"""Sound files of every format are read sample by sample, at their true resolution."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ostinato.data.read import read
from ostinato.errors import DataError

TONE = np.rint(np.sin(np.arange(2_000) / 9) * 9_000).astype(np.int16)


@pytest.mark.parametrize(("name", "subtype"), [("t.wav", "PCM_16"), ("t.flac", "PCM_16"), ("T.WAV", "PCM_16")])
def test_lossless(tmp_path: Path, name: str, subtype: str) -> None:
    soundfile.write(tmp_path / name, TONE, 8_000, subtype=subtype)
    data = read(tmp_path / name)
    assert (data.kind, data.ids, data.meta["bits"], data.meta["sample_rate"]) == ("sound", (name[0],), 16, 8_000)
    np.testing.assert_array_equal(data.values[:, 0], TONE)
    assert data.step is not None
    assert data.step.tolist() == [1.0]


def test_ogg_is_near(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "t.ogg", TONE, 8_000)
    data = read(tmp_path / "t.ogg")
    assert (data.kind, data.meta["bits"], data.values.shape) == ("sound", 16, (2_000, 1))
    assert np.corrcoef(data.values[:, 0], TONE)[0, 1] > 0.99


def test_a_packed_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "t.wav", TONE, 8_000)
    (tmp_path / "t.wav.gz").write_bytes(gzip.compress((tmp_path / "t.wav").read_bytes()))
    np.testing.assert_array_equal(read(tmp_path / "t.wav.gz").values[:, 0], TONE)


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_U8", 8), ("PCM_24", 24), ("PCM_32", 32), ("FLOAT", 24)])
def test_other_resolutions(tmp_path: Path, subtype: str, bits: int) -> None:
    coarse = (TONE.astype(np.int32) >> 8) / 128
    soundfile.write(tmp_path / "t.wav", coarse, 8_000, subtype=subtype)
    data = read(tmp_path / "t.wav")
    assert data.meta["bits"] == bits
    np.testing.assert_array_equal(data.values[:, 0] / 2.0 ** (bits - 1), coarse)
    assert data.step is not None
    assert data.step[0] >= 2.0 ** (bits - 8)


def test_files_of_several_resolutions_share_one_scale(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", TONE, 8_000, subtype="PCM_24")
    soundfile.write(tmp_path / "b.wav", TONE, 8_000, subtype="PCM_16")
    soundfile.write(tmp_path / "c.wav", TONE & -256, 8_000, subtype="PCM_16")
    data = read(tmp_path)
    np.testing.assert_array_equal(data[0], data[1])
    assert data.step is not None
    assert data.step.tolist() == [256.0, 256.0, 65_536.0]
    assert "3 of 3 files use fewer bits than their format has" in data.notes


def test_a_channel_is_chosen(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "t.flac", np.stack([TONE, -TONE], axis=1), 8_000)
    for channel, sign in ((0, 1), (1, -1)):
        np.testing.assert_array_equal(read(tmp_path / "t.flac", channel=channel).values[:, 0], sign * TONE)
    both = read(tmp_path / "t.flac")
    np.testing.assert_array_equal(both.values, np.stack([TONE, -TONE], axis=1))
    assert both.channels == ("left", "right")
    assert both.notes == ("a step has a sample of each of the 2 channels, and its nats and bits are their sums",)
    np.testing.assert_array_equal(read(tmp_path / "t.flac", mix=True).values, 0)
    with pytest.raises(DataError, match="no channel 2"):
        read(tmp_path / "t.flac", channel=2)


def test_an_empty_sound_file_among_others(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", TONE[:0], 8_000)
    soundfile.write(tmp_path / "b.wav", TONE, 8_000)
    assert read(tmp_path).lengths.tolist() == [0, 2_000]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
def test_any_cut_is_refused(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "t.wav", TONE, 8_000, subtype=subtype)
    raw = (tmp_path / "t.wav").read_bytes()
    for cut in (20, 50, len(raw) // 2, len(raw) - 1):
        (tmp_path / "cut.wav").write_bytes(raw[:cut])
        with pytest.raises(DataError, match=r"damaged|cut short"):
            read(tmp_path / "cut.wav")


def test_a_stream_that_could_not_know_its_length(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "t.wav", TONE, 8_000)
    raw = bytearray((tmp_path / "t.wav").read_bytes())
    at = raw.index(b"data") + 4
    raw[at : at + 4] = raw[4:8] = b"\xff" * 4
    (tmp_path / "t.wav").write_bytes(raw)
    np.testing.assert_array_equal(read(tmp_path / "t.wav").values[:, 0], TONE)
