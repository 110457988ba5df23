"""The rates of the adaptive filters of sound, and those of a model that was stored with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import ostinato
from ostinato.data.sequences import SequenceSet
from ostinato.ops.filter.form import FilterForm
from ostinato.training import closed_form


def sound() -> SequenceSet:
    """Return four sounds whose resonance moves, in whole numbers."""
    rng, rows = np.random.default_rng(0), []
    for _ in range(4):
        y = np.zeros(400)
        for t in range(2, 400):
            y[t] = 1.8 * np.cos(0.3 + t / 800) * y[t - 1] - 0.81 * y[t - 2] + rng.normal(0, 60)
        rows.append(np.rint(y))
    offsets = np.arange(5) * 400
    return SequenceSet("sound", np.concatenate(rows)[:, None], offsets, tuple("abcd"), meta={"bits": 16})


def form_of(model: ostinato.SequenceModel) -> FilterForm:
    return next(part.form for part in model.modules() if hasattr(part, "form") and isinstance(part.form, FilterForm))


def fitted(kind: str) -> ostinato.SequenceModel:
    data = sound() if kind == "sound" else ostinato.read(sound().values[:400, 0] / 3, kind="series")
    model = ostinato.fit(data, model="filter", budget=ostinato.Budget(None, 1), threads=1).model
    assert isinstance(model, ostinato.SequenceModel)
    return model


def test_sound_has_rates_of_its_own_and_series_the_usual_ones() -> None:
    own, usual = form_of(fitted("sound")), form_of(fitted("series"))
    for name, value in closed_form.SOUND.items():
        expected = closed_form.SERIES.get(name, getattr(FilterForm(), name))
        assert (getattr(own, name), getattr(usual, name)) == (value, expected)


def test_a_stored_model_keeps_its_rates_and_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(closed_form, "SOUND", {})
        model = fitted("sound")
    scores = ostinato.score(model, sound())
    model.save(tmp_path / "earlier.ost")
    kept = ostinato.load_model(tmp_path / "earlier.ost")
    assert isinstance(kept, ostinato.SequenceModel)
    assert form_of(kept).share == FilterForm().share
    np.testing.assert_array_equal(ostinato.score(kept, sound()).log_prob, scores.log_prob)
    assert not np.array_equal(ostinato.score(fitted("sound"), sound()).log_prob, scores.log_prob)


OFFSETS = {
    "none": (0, 3.0),
    "a quiet sound far from 0": (5000, 3.0),
    "below 0": (-30_000, 3.0),
    "a loud sound": (5000, 2000.0),
}


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("name", OFFSETS)
def test_filters_reach_the_level_of_a_sound_with_an_offset(name: str, bits: int) -> None:
    """White noise has the entropy of a normal distribution; its level is learned within a file."""
    level, deviation = OFFSETS[name]
    x = np.rint(level + deviation * np.random.default_rng(0).standard_normal((2000, 1)))
    fit = ostinato.fit(as_sound(x, bits), model="filter", budget=ostinato.Budget(5, 2))
    surprisal = ostinato.score(fit.model, as_sound(x, bits)).surprisal[:500]
    entropy = np.log(deviation * np.sqrt(2 * np.pi * np.e))
    assert surprisal[100:].mean() < entropy + 0.6
    assert surprisal[:100].sum() < 100 * entropy + 200


@pytest.mark.parametrize(("level", "deviation"), [(0, 50), (0, 5000), (8000, 50), (-20_000, 3000), (32_000, 3)])
def test_a_loud_start_is_learned_in_a_few_samples(level: int, deviation: int) -> None:
    """Filters of quiet sounds meet a loud one, or one that lies far from 0."""
    rng = np.random.default_rng(0)
    quiet = as_sound(np.rint(50 * rng.standard_normal((4000, 1))), 16)
    model = ostinato.fit(quiet, model="filter", budget=ostinato.Budget(5, 2), threads=1).model
    x = np.clip(np.rint(level + deviation * rng.standard_normal((2000, 1))), -32_768, 32_767)
    surprisal = np.asarray(ostinato.score(model, as_sound(x, 16)).surprisal[:500])
    entropy = np.log(deviation * np.sqrt(2 * np.pi * np.e))
    assert surprisal[:100].sum() < 100 * entropy + 60
    assert surprisal[100:].mean() < entropy + 0.2


@pytest.mark.parametrize("walks", [False, True])
@pytest.mark.parametrize(("level", "deviation"), [(0.0, 1.0), (1000.0, 1.0), (1e6, 1.0), (0.0, 1000.0), (-1e4, 0.1)])
def test_a_series_may_begin_anywhere(walks: bool, level: float, deviation: float) -> None:
    """Filters of noise of deviation 1 meet noise or a walk far from it, in `score` and in a stream."""
    rng = np.random.default_rng(0)
    known = ostinato.read(rng.standard_normal(2000), kind="series")
    model = ostinato.fit(known, model="filter", budget=ostinato.Budget(5, 2), threads=1).model
    noise = deviation * rng.standard_normal(400)
    x = level + (np.cumsum(noise) if walks else noise)
    surprisal = np.asarray(ostinato.score(model, ostinato.read(x, kind="series")).surprisal)
    entropy = np.log(deviation * np.sqrt(2 * np.pi * np.e))
    assert surprisal[:100].sum() < 100 * entropy + 80
    assert surprisal[100:].mean() < entropy + 0.3
    stream = ostinato.Stream(model)
    lived = [float(stream.update([value]).surprisal[0]) for value in x[:50]]
    # a location far from the fitted level is rounded to float32 on the way to the score, and not in the stream
    rounding = 4 * 2.0**-24 * abs(level) / deviation
    np.testing.assert_allclose(lived, surprisal[:50], rtol=1e-4, atol=1e-4 + rounding)


@pytest.mark.parametrize("level", [0, 1, -777, 10_922, -32_768])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_constant_sound_costs_nothing_once_it_is_known(level: int, channels: int) -> None:
    x = np.full((1200, channels), level)
    fit = ostinato.fit(as_sound(x, 16), model="filter", budget=ostinato.Budget(5, 2))
    surprisal = ostinato.score(fit.model, as_sound(x, 16)).surprisal[:300]
    assert np.isfinite(surprisal).all()
    assert surprisal[100:].max() < 0.1 * channels


def as_sound(x: NDArray[Any], bits: int) -> SequenceSet:
    """Return samples (T, D) as a sound of four files, with the spacing that a reader finds."""
    step = max(1, int(np.gcd.reduce(x.astype(np.int64), axis=None)))
    offsets = np.linspace(0, len(x), 5).astype(np.int64)
    names, meta = ("left", "right")[: x.shape[1]], {"bits": bits, "sample_rate": 8000}
    return SequenceSet(
        "sound", x.astype(np.int32), offsets, tuple("abcd"), names, step=np.full(4, step & -step), meta=meta
    )
