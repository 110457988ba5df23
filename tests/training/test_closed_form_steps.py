"""A closed form of sound or series is fitted to what the budget allows; figures of a part carry a standard error."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import ostinato
from ostinato.data.sequences import SequenceSet
from ostinato.fits.budget import Budget
from ostinato.kinds import Kind
from ostinato.training import closed_form_steps
from ostinato.training.objective import ratio_error
from zoo import kept


@pytest.fixture(params=["sound", "series", "channels"])
def data(request: pytest.FixtureRequest) -> SequenceSet:
    rng = np.random.default_rng(0)
    lengths = rng.integers(300, 900, 40) if request.param == "sound" else np.array([24_000])
    walk = np.zeros((lengths.sum(), 2 if request.param == "channels" else 1))
    for t in range(1, len(walk)):
        walk[t] = 0.9 * walk[t - 1] + rng.normal(0, 40, walk.shape[1])
    ids = tuple(f"{i:02d}" for i in range(len(lengths)))
    kind: Kind = "sound" if request.param == "sound" else "series"
    names = ("a", "b")[: walk.shape[1]]
    return SequenceSet(kind, np.rint(walk), np.cumsum([0, *lengths]), ids, names, meta={"bits": 16})


@pytest.mark.parametrize("refit", [True, False])
def test_what_the_budget_does_not_allow_is_left_out_with_a_note(
    data: SequenceSet, refit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"LEAST": 4096, "RATE": 1}.items():
        monkeypatch.setattr(closed_form_steps, name, value)
    limits = Budget(100, 2)
    monkeypatch.setattr(closed_form_steps, "seconds_of", lambda *_: 0.0)
    whole = ostinato.fit(data, model="ar", budget=limits, refit=refit)
    assert not any("larger budget" in note for note in whole.notes)
    # a second for each step: the fewest steps are taken
    monkeypatch.setattr(closed_form_steps, "seconds_of", lambda _material, _options, steps: float(steps))
    part = ostinato.fit(data, model="ar", budget=limits, refit=refit)
    (note,) = (note for note in part.notes if "larger budget takes more" in note)
    assert "fitted to 4,096" in note
    assert kept(part).held_out != kept(whole).held_out
    assert kept(part).held_out == pytest.approx(kept(whole).held_out, abs=0.02 * data.values.shape[1])


def test_the_steps_follow_from_the_seconds(data: SequenceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LEAST": 2048, "RATE": 1}.items():
        monkeypatch.setattr(closed_form_steps, name, value)
    # of a fifth of 40 s, 4 s are left for each of two fits
    monkeypatch.setattr(closed_form_steps, "seconds_of", lambda _material, _options, steps: 1e-3 * steps)
    fit = ostinato.fit(data, model="ar", budget=Budget(40, 2), refit=False)
    assert any("fitted to 4,000" in note for note in fit.notes)
    # four times the steps in twice the seconds: 8,192 take 4 s
    monkeypatch.setattr(closed_form_steps, "seconds_of", lambda _material, _options, steps: 4 * (steps / 8192) ** 0.5)
    fit = ostinato.fit(data, model="ar", budget=Budget(40, 2), refit=False)
    assert any("fitted to 8,192" in note for note in fit.notes)


@pytest.mark.parametrize("count", [2, 30, 400])
def test_the_error_of_equal_stretches_is_that_of_a_mean(count: int) -> None:
    nats = np.random.default_rng(count).normal(-3, 1, count)
    found = ratio_error([(float(x) * 50, 50) for x in nats])
    assert found == pytest.approx(float(stats.sem(nats)), rel=1e-9)


def test_the_error_of_unequal_stretches_is_that_of_the_jackknife() -> None:
    rng = np.random.default_rng(1)
    n = rng.integers(20, 500, 300)
    x = n * rng.normal(-3, 0.5) + np.sqrt(n) * rng.normal(0, 4, 300) + n * rng.normal(0, 0.3, 300)
    left_out = np.array([(x.sum() - x[i]) / (n.sum() - n[i]) for i in range(300)])
    jackknife = np.sqrt(299 / 300 * ((left_out - left_out.mean()) ** 2).sum())
    assert ratio_error(list(zip(x.tolist(), n.tolist(), strict=True))) == pytest.approx(jackknife, rel=0.02)


def test_one_stretch_has_no_error() -> None:
    assert ratio_error([]) is None
    assert ratio_error([(-3.0, 5), (0.0, 0)]) is None
