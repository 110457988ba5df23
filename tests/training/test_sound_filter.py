"""The rates of the adaptive filters of sound, and those of a model that was stored with others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
        assert (getattr(own, name), getattr(usual, name)) == (value, getattr(FilterForm(), name))


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
