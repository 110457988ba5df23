"""inspect: a model in words."""

from __future__ import annotations

import pytest

from ostinato.fits.budget import Budget
from ostinato.inference.describe import describe_model
from ostinato.training.fit import fit
from zoo import PAIRS, fitted, made, rungs


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_a_model_is_described(kind: str, name: str) -> None:
    model = fitted(kind, name)
    first, asserts, base, weights, shown, *_ = describe_model(model)
    assert first.startswith(f"a model of {made(kind).kind}: ")
    assert (f"memory: {name}, 8 units" in first) == (name != "ar")
    coupled = ", of each channel given those before it at the same step" if kind == "channels" else ""
    assert asserts == f"asserts: {model.emission.name.replace('_', ' ')}{coupled}"
    if made(kind).kind == "text":
        assert ("a Markov chain of order 2" in base) == (name == "ar")
    else:
        assert "an autoregression of order 3" in base
    assert weights.startswith("weights: ")
    assert shown.startswith("input: ")


def test_a_fitted_model_says_how_good_it_was() -> None:
    result = fit(made("series").take([0, 4]), model="gru", budget=Budget(None, 3), hidden=4)
    words = "\n".join(describe_model(result.model))
    for rung in rungs(result):
        assert f"held out, {rung.name}: {rung.held_out:.4f} nats a step" in words
    assert "fitted to 150 steps in 2 sequences" in words
    assert "seed 0" in words
