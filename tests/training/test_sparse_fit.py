"""A fit of the ladder takes far lags, and all that follows a fit goes on with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import ostinato
from ostinato.data.sequences import SequenceSet
from ostinato.fits.budget import Budget
from ostinato.gradients.methods import FullBPTT, TruncatedBPTT
from ostinato.layers.build import depth_for
from ostinato.layers.front import InnovationFront
from ostinato.training.config import method_for
from zoo import kept, rungs, sequential

LAG, STEPS = 40, 2500


def echo(prices: bool = False) -> SequenceSet:
    x = np.random.default_rng(3).standard_normal(STEPS)
    for t in range(LAG, STEPS):
        x[t] += 0.85 * x[t - LAG]
    values = 100 * np.exp(0.01 * x.cumsum()) if prices else x
    return SequenceSet("prices" if prices else "series", values[:, None], np.array([0, STEPS]), ("a",))


def test_a_far_lag_is_a_rung_within_a_hundredth_of_the_truth_and_networks_stand_on_it(tmp_path: Path) -> None:
    data = echo()
    found = ostinato.fit(data, model="gru", budget=Budget(None, 2), hidden=4)
    closed, network = rungs(found)
    assert closed.detail == f"AR(lag {LAG})"
    x, first = data.values[:, 0], round(0.9 * STEPS)
    noise = x[first:] - 0.85 * x[first - LAG : STEPS - LAG]
    truth = -0.5 * np.log(2 * np.pi) - 0.5 * float((noise**2).mean())
    assert closed.held_out > truth - 0.01
    assert network.held_out > truth - 0.03
    model = sequential(found.model)
    assert isinstance(model.front, InnovationFront)
    assert model.front.ar.lags == (LAG,)
    assert ("closed form", f"an autoregression on the lags {LAG}") in model.facts()
    ostinato.save_model(model, tmp_path / "m.ost")
    again = sequential(ostinato.load_model(tmp_path / "m.ost"))
    whole = ostinato.score(again, data).surprisal
    np.testing.assert_array_equal(whole, ostinato.score(model, data).surprisal)
    stream = ostinato.Stream(again, "a")
    parts = [stream.update(x[:37]).surprisal, *(stream.update([v]).surprisal for v in x[37:120])]
    np.testing.assert_allclose(np.concatenate(parts), whole[:120], rtol=2e-4, atol=2e-4)
    # one step ahead of the end, the forecast is the value of forty steps before
    forecast = ostinato.forecast(model, data, 1).frame["ostinato"][0]
    assert float(str(forecast)) == pytest.approx(0.85 * x[-LAG], abs=0.25)


def test_prices_have_a_far_lag_with_garch_or_without() -> None:
    found = ostinato.fit(echo(prices=True), model="ar")
    assert f"lag {LAG}" in kept(found).detail
    paths = ostinato.forecast(found.model, echo(prices=True), 5).paths[0]
    assert np.isfinite(paths).all()


def test_an_order_that_is_given_is_the_farthest_lag() -> None:
    assert kept(ostinato.fit(echo(), model="ar", max_order=20)).detail == "AR(0)"
    assert kept(ostinato.fit(echo(), model="ar", max_order=LAG)).detail == f"AR(lag {LAG})"


def test_the_reach_of_convolution_and_truncation_starts_from_the_lag() -> None:
    assert [depth_for("conv", 1, reach) for reach in (0, 63, 64, 300, 512)] == [1, 1, 7, 9, 10]
    assert depth_for("gru", 2, 300) == 2
    assert method_for(echo(), 300) == TruncatedBPTT(300)
    assert method_for(echo(), 40) == TruncatedBPTT(128)
    assert isinstance(method_for(echo().cut(np.array([0]), np.array([300])), 200), FullBPTT)


def test_pieces_are_judged_with_the_whole_past_that_the_closed_form_needs() -> None:
    x = np.random.default_rng(1).standard_normal(3000)
    for t in range(300, 3000):
        x[t] += 0.85 * x[t - 300]
    data = SequenceSet("series", x[:, None], np.array([0, 3000]), ("a",))
    found = ostinato.fit(data, model="ar", emission="normal", refit=False)
    with torch.no_grad():
        expected = -ostinato.score(found.model, data).surprisal[2700:].mean()
    assert kept(found).held_out == pytest.approx(expected, abs=1e-4)
