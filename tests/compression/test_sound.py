"""The engine codes sound to the bits of the NumPy form, in any number of calls, and finds the same samples again."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import ostinato
from ostinato.compression import coder, sound
from ostinato.compression.coder import Coded, Decoder, Encoder
from ostinato.compression.container import VERSION
from ostinato.compression.lanes import drive_of
from ostinato.compression.sound import SoundLanes
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.model import SequenceModel
from ostinato.ops.engine.extension import ABSENT

pytest.importorskip("constriction", reason="the outside oracle of the range coder")
pytestmark = pytest.mark.skipif(bool(ABSENT), reason="the engine is not compiled")
MODELS = ("filter", "ar", "gru")


def noisy(bits: int, channels: int, frames: int, seed: int, unit: int = 1) -> NDArray[np.int64]:
    """Return tones with noise as whole numbers of a lattice, (T, D)."""
    rng, t = np.random.default_rng(seed), np.arange(frames)[:, None]
    tone = 0.3 * np.sin(t / 7 + np.arange(channels)) + 0.02 * rng.standard_normal((frames, 1))
    whole = np.rint((tone + 0.005 * rng.standard_normal((frames, channels))) * 2 ** (bits - 1) / unit) * unit
    return np.asarray(whole, dtype=np.int64)


@cache
def fitted(name: str, bits: int, channels: int) -> SequenceModel:
    """Return a small model of sound."""
    x = np.concatenate([noisy(bits, channels, 300, s) for s in range(3)])
    names, meta = ("left", "right")[:channels], {"sample_rate": 8000, "bits": bits}
    offsets = np.arange(0, 901, 300, dtype=np.int64)
    data = SequenceSet("sound", x.astype(np.int32), offsets, ("a", "b", "c"), names, step=np.ones(3), meta=meta)
    options: dict[str, Any] = {"hidden": 4} if name == "gru" else {}
    fit = ostinato.fit(data, model=name, budget=ostinato.Budget(None, 2), **options)
    return fit.model.likelihood("test")


def coded(lanes: SoundLanes, rows: list[NDArray[np.int64]], lattice: list[int]) -> Encoder:
    """Return the encoder of some rows."""
    encoder = Encoder()
    found = lanes.run(encoder, [*rows], [len(row) for row in rows], lattice)
    assert all(np.array_equal(a, b) for a, b in zip(found, rows, strict=True))
    return encoder


def lanes_of(model: SequenceModel) -> SoundLanes:
    """Return the drive of a model of sound."""
    lanes = drive_of(model, VERSION)
    assert isinstance(lanes, SoundLanes)
    return lanes


@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (16, 1), (16, 2), (24, 1)])
@pytest.mark.parametrize("name", MODELS)
def test_the_engine_codes_to_the_bits_of_the_numpy_form(name: str, bits: int, channels: int) -> None:
    from sound_by_hand import drive_by_hand

    lattice = [1, 4, 1]
    lanes = lanes_of(fitted(name, bits, channels))
    rows = [noisy(bits, channels, n, 7 + n, u) for n, u in zip((40, 25, 3), lattice, strict=True)]
    theirs, ours = drive_by_hand(lanes, rows, lattice), coded(lanes, rows, lattice)
    assert ours._coder.words() == theirs.coder.get_compressed().tolist()
    assert (ours._digest, ours._coded) == (theirs.digest, theirs.coded)


def restored(lanes: SoundLanes, whole: Coded) -> list[NDArray[Any]]:
    """Return the rows of 70 and 90 steps that follow a number."""
    decoder = Decoder(whole, "a test")
    assert decoder.number(1000, None) == 7
    found = lanes.run(decoder, None, [70, 90], [1, 2])
    decoder.finish(b"x")
    return found


@pytest.mark.parametrize("name", MODELS)
def test_calls_blocks_and_segments_of_any_size_restore_the_samples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for size, block, segment in ((1 << 15, 1 << 16, 256), (64, 50, 3)):
        monkeypatch.setattr(sound, "CALL", size)
        monkeypatch.setattr(coder, "BLOCK", block)
        monkeypatch.setattr(coder, "SEGMENT", segment)
        lanes, lattice = lanes_of(fitted(name, 16, 2)), [1, 2]
        rows = [noisy(16, 2, n, n, u) for n, u in zip((70, 90), lattice, strict=True)]
        encoder = Encoder()
        encoder.number(1000, 7)  # what a container codes before the samples
        lanes.run(encoder, [*rows], [70, 90], lattice)
        ended = encoder.coded(b"x")
        whole = Coded(ended.segments, ended.digests, 4)
        assert all(np.array_equal(a, b) for a, b in zip(restored(lanes, whole), rows, strict=True))
        wrong = Coded(whole.segments, [whole.digests[0] ^ 1, *whole.digests[1:]], 4)
        with pytest.raises(DataError, match="different probabilities"):
            restored(lanes, wrong)


def test_a_sample_outside_its_lattice_is_refused() -> None:
    lanes = lanes_of(fitted("filter", 8, 1))
    with pytest.raises(ValueError, match="outside the lattice"):
        lanes.run(Encoder(), [np.array([[300]])], [1], [1])
