"""The command inspect: a model in words."""

from __future__ import annotations

import pytest

from ostinato.dispatch.fit import fit
from ostinato.fits.budget import Budget
from ostinato.inference.describe import describe_model
from ostinato.layers.build import BARE
from zoo import PAIRS, fitted, made, rungs


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_a_model_is_described(kind: str, name: str) -> None:
    model = fitted(kind, name)
    first, emission, base, weights, shown, *_ = describe_model(model)
    assert first.startswith(f"a model of {made(kind).kind}: ")
    assert (f"backbone {name}, 8 units" in first) == (name not in BARE)
    coupled = ", each channel given the channels before it at the same step" if kind.endswith("channels") else ""
    assert emission == f"emission: {model.emission.name.replace('_', ' ')}{coupled}"
    if made(kind).kind == "text":
        assert ("a Markov chain of order 2" in base) == (name == "ar")
    else:
        assert ("adaptive filters of the lengths" in base) == (name == "filter")
        assert ("exponential smoothing ETS(A,Ad,A)" in base) == (name == "ets")
        assert ("an autoregression of order 3" in base) == (name not in {"filter", "ets"})
    assert weights.startswith("weights: ")
    assert shown.startswith("input: ")


def test_a_fitted_model_describes_its_results() -> None:
    result = fit(made("series").take([0, 4]), model="gru", budget=Budget(None, 3), hidden=4)
    words = "\n".join(describe_model(result.model))
    for rung in rungs(result):
        assert f"held out, {rung.name}: {rung.held_out:.4f} nats a step" in words
    assert "fitted to 150 steps in 2 sequences" in words
    assert "seed 0" in words
