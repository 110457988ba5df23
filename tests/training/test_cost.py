"""A text whose chain and counts the budget does not allow is looked at in part, and a note says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.fits.budget import Budget
from ostinato.training import cost
from ostinato.training.checkpoint import Checkpoint
from ostinato.training.within import LEAST, Within, spread
from zoo import kept

WORDS = ["the", "cat", "sat", "on", "the", "mat", "and", "the", "dog", "ran", "to", "the", "house"]
LINES = ["{}\n".format(" ".join(np.random.default_rng(i).choice(WORDS, 9))) for i in range(5000)]


@pytest.fixture(params=["one text", "lines"])
def text(request: pytest.FixtureRequest, tmp_path: Path) -> ostinato.SequenceSet:
    path = tmp_path / "words.txt"
    path.write_text("".join(LINES))
    return ostinato.read(path, per_line=request.param == "lines")


@pytest.mark.parametrize("model", ["ar", "counts"])
def test_what_the_budget_does_not_allow_is_left_out_with_a_note(
    text: ostinato.SequenceSet, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, steps in {"chain": 1 << 16, "learned": 1 << 16, "judged": 1 << 12}.items():
        monkeypatch.setitem(LEAST, name, steps)
    monkeypatch.setattr(cost, "seconds_of", lambda *_: 0.0)
    whole = ostinato.fit(text, model=model, budget=10)
    assert not any("larger budget" in note for note in whole.notes)
    monkeypatch.setattr(cost, "seconds_of", lambda *_: 1000.0)
    fit = ostinato.fit(text, model=model, budget=10)
    (note,) = (note for note in fit.notes if "a larger budget takes more" in note)
    assert f"The Markov chain takes at most {LEAST['chain']:,}" in note
    # the parts that are looked at are spread over the text, so that the model is nearly as good
    assert kept(fit).held_out == pytest.approx(kept(whole).held_out, abs=0.05)
    assert kept(fit).held_out != kept(whole).held_out


def test_a_text_that_fits_in_its_budget_is_fitted_as_before(
    text: ostinato.SequenceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Budget(10, max_steps=1)
    whole = ostinato.fit(text, model="counts", budget=Budget(None, max_steps=1))
    monkeypatch.setattr(cost, "seconds_of", lambda *_: 2.0)
    assert kept(ostinato.fit(text, model="counts", budget=limits)).held_out == kept(whole).held_out


def test_a_fit_that_continues_takes_the_first_estimate(tmp_path: Path) -> None:
    keep, measured = Checkpoint(tmp_path, "mark"), iter([2.5, 7.0])
    assert [keep.measured("chain.seconds", lambda: next(measured)) for _ in range(2)] == [2.5, 2.5]


def test_shares_keep_to_the_fewest_steps_and_to_the_whole() -> None:
    most = Within.shares_of(10_000_000, 0.1, 1.0)
    assert (most.chain, most.learned, most.judged, most.trained) == (1_000_000, 10_000_000, 1_000_000, 10_000_000)
    least = Within.shares_of(10_000_000, 0.0, 0.0)
    assert {name: getattr(least, name) for name in LEAST} == LEAST


@pytest.mark.parametrize("lengths", [[40_000] * 3, [7] * 20_000, [30_000, *[5] * 9000]])
def test_spans_of_any_length_are_looked_at_as_far_as_allowed(lengths: list[int]) -> None:
    spans = [(b, 0, n) for b, n in enumerate(lengths)]
    for most in (1_000, 30_000):
        found = spread(spans, most)
        looked_at = sum(z - a for _, a, z in found)
        assert 0.8 * most <= looked_at <= most
        assert found == sorted(found)
        assert len(set(found)) == len(found)
        assert all(0 <= a < z <= lengths[b] for b, a, z in found)
