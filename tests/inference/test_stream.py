"""``Stream``: its expected values, its errors, ends of lines, and constant memory."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ostinato
from ostinato.errors import DataError
from ostinato.inference.evidence import evidence_of
from ostinato.inference.monitor import Monitor
from ostinato.inference.score import score
from ostinato.inference.stream import Stream
from zoo import BACKBONES, NUMBERS, as_text, fitted, live, made


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_the_expected_value_uses_only_the_past(kind: str, name: str) -> None:
    """The expected value of a step does not depend on the step, and is in the units of the data."""
    model, data = fitted(kind, name), made(kind)
    values = np.asarray(data[4], dtype=float)
    first, second = live(model, data, 4), live(model, data, 4)
    changed = values.copy()
    changed[60:] = values[70]
    a, b = first.update(values).prediction, second.update(changed).prediction
    np.testing.assert_allclose(a[:61], b[:61], rtol=1e-5)
    known = np.isfinite(a).all(axis=1) & np.isfinite(values).all(axis=1)
    assert known.sum() >= 87  # the first price of all, and one after a missing price, have none to move
    spread = values[known].std(axis=0)
    assert (np.abs(a[known] - values[known]).mean(axis=0) < 3 * spread + 2).all()


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(("kind", "bad"), [("series", np.inf), ("prices", 0.0), ("counts", 0.5), ("sound", 1e6)])
def test_a_refused_block_leaves_the_stream_as_it_was(kind: str, bad: float, name: str) -> None:
    if (kind, name) == ("counts", "ar"):
        name = "gru"
    model, data = fitted(kind, name), made(kind)
    values = np.asarray(data[4], dtype=float)
    stream, spoilt = live(model, data, 4), np.append(values[30:40], bad)
    before = stream.update(values[:30]).surprisal
    with pytest.raises(DataError, match="cannot take") as error:
        stream.update(spoilt)
    assert "step 41" in str(error.value)
    seen = np.concatenate([before, stream.update(values[30:]).surprisal])
    expected = score(model, data.take([4])).surprisal
    np.testing.assert_allclose(seen, expected, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_newline_ends_a_sequence_and_starts_the_next(name: str) -> None:
    model, data = fitted("lines", name), made("lines")
    text = "".join(as_text(row) + "\n" for row in data)
    expected = score(model, data).surprisal
    for size in (1, 7, 1000):
        stream = Stream(model)
        seen = [stream.update(text[i : i + size]).surprisal for i in range(0, len(text), size)]
        np.testing.assert_allclose(np.concatenate(seen), expected, rtol=2e-4, atol=2e-4)


def test_an_unknown_character_raises_no_error() -> None:
    model = fitted("text", "gru")
    seen = Stream(model).update("a☃b")
    assert seen.surprisal[1] > 13  # one of 1.1 million
    assert np.isfinite(seen.surprisal).all()


def test_a_step_of_the_wrong_width() -> None:
    with pytest.raises(DataError, match="the step has 1 value, expected 2"):
        Stream(fitted("channels", "ar")).update([1.0, 2.0])


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("kind", ["series", "prices", "text", "lines"])
def test_memory_does_not_grow(kind: str, name: str) -> None:
    """A stream takes as much memory after 1,800 more steps as before them."""
    model, data = fitted(kind, name), made(kind)
    rng = np.random.default_rng(0)
    stream, held = Stream(model), []
    for blocks in (5, 2, 20):  # what fills once is not traced, and what is replaced is traced from the second on
        for _ in range(blocks):
            block = as_text(data[4]) + "\n"[: kind == "lines"] if data.kind == "text" else data[4][rng.permutation(90)]
            stream.update(block)
        gc.collect()
        tracemalloc.start()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[2] - held[1] < 20_000
    assert sum(s.numel() for s in stream._state) == sum(s.numel() for s in model.initial_state(1))


SHAPES = {
    "dc": np.full(40, 5120),
    "clipped": np.clip(np.rint(40_000 * np.sin(np.arange(60) / 3) / 256) * 256, -32768, 32512),
    "silent": np.zeros(30),
    "one sample": np.array([768]),
    "one loud sample": np.array([-32768]),
    "of a coarse step": np.rint(9 * np.sin(np.arange(50))) * 1024,
    "of a fine step": np.rint(900 * np.sin(np.arange(50))),
}


@pytest.mark.parametrize("name", ["ar", "gru", "filter"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_stream_of_a_sound_equals_score_for_the_same_spacing(shape: str, name: str, tmp_path: Path) -> None:
    """``score`` takes the spacing of the file; on whole numbers a stream is ``score`` of a file that has them."""
    model, samples = fitted("coarse sound", name), SHAPES[shape].astype(np.int16)[:, None]
    soundfile.write(tmp_path / "a.wav", samples, 8000, subtype="PCM_16")
    data = ostinato.read(tmp_path / "a.wav")
    assert data.step is not None
    for step in {float(data.step[0]), 1.0}:
        expected = score(model, replace(data, step=np.array([step]))).surprisal
        stream = Stream(model, data.ids[0], step=step)
        assert stream.spacing == step
        seen = [stream.update(part.astype(float)).surprisal for part in np.split(samples, [7, 8, 9])]
        np.testing.assert_allclose(np.concatenate(seen), expected, rtol=2e-4, atol=2e-4)
    assert (str(int(data.step[0])) in score(model, data).spaced) == (data.step[0] > 1)


@pytest.mark.parametrize("name", ["ar", "gru", "filter"])
def test_a_sample_between_the_amplitudes_is_refused(name: str) -> None:
    """It has no probability of its own: the cells of the lattice would overlap, and sum to more than 1."""
    model, data = fitted("coarse sound", name), made("coarse sound")
    values = np.asarray(data[4], dtype=float)
    stream = Stream(model, data.ids[4], step=256)
    seen = [stream.update(values[:9]).surprisal]
    for bad in ([300.0], [[256.0], [-1.0]], [0.5]):
        with pytest.raises(DataError, match=r"not a multiple of 256|cannot take"):
            stream.update(np.array(bad))
    seen.append(stream.update(values[9:]).surprisal)
    np.testing.assert_allclose(np.concatenate(seen), score(model, data.take([4])).surprisal, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", ["ar", "filter"])
def test_the_alarm_of_a_sound_is_calibrated_on_what_its_streams_say(name: str) -> None:
    model, data = fitted("coarse sound", name), made("coarse sound")
    parts, *_ = evidence_of(model, data, None)
    monitor, filled = Monitor(model), [(key, values) for key, values in zip(data.ids, data, strict=True) if len(values)]
    for part, (key, values) in zip(parts, filled, strict=True):
        live_ones = [monitor.update(float(value), key).surprisal for value in values[:, 0]]
        np.testing.assert_allclose(part.surprisal, live_ones, rtol=2e-4, atol=2e-4)
