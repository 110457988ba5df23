"""Volatility: the recursion by hand, the fit on series with a known law, and no fit for a constant variance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ostinato.data.read import read
from ostinato.dispatch.fit import fit
from ostinato.inference.score import score
from ostinato.layers.volatility import Volatility, fit_volatility


def returns(a: float, b: float, steps: int, seed: int = 0) -> np.ndarray:
    """Return innovations (T,) of a GARCH(1,1) with Student's t, 6 degrees of freedom and everyday variance 1."""
    rng, v, out = np.random.default_rng(seed), 1.0, np.empty(steps)
    for t in range(steps):
        out[t] = np.sqrt(v * 4 / 6) * rng.standard_t(6)
        v = 1 - a - b + a * out[t] ** 2 + b * v
    return out


def test_the_recursion_by_hand() -> None:
    volatility = Volatility.of([(0.1, 0.8), (0.0, 0.0)])
    e = torch.tensor([[[2.0, 2.0]], [[torch.nan, 3.0]], [[0.0, 1.0]]])
    v = volatility.unroll(e, torch.ones(1, 2))
    # 0.1 + 0.1 * 4 + 0.8 * 1 = 1.3; a missing one counts as 1: 0.1 + 0.1 + 0.8 * 1.3 = 1.24; 0.1 + 0.8 * 1.24
    torch.testing.assert_close(v[:, 0, 0], torch.tensor([1.0, 1.3, 1.24, 1.092]))
    assert (v[:, 0, 1] == 1).all()


@pytest.mark.parametrize(("a", "b"), [(0.1, 0.85), (0.05, 0.93), (0.2, 0.5)])
def test_the_fit_recovers_the_true_parameters(a: float, b: float) -> None:
    e = np.concatenate([returns(a, b, 6000, seed) for seed in (0, 1)])
    found = fit_volatility(e, np.array([0, 6000, 12_000]))
    assert found is not None
    assert sum(found) == pytest.approx(a + b, abs=0.03 if a < 0.2 else 0.1)
    assert found[1] == pytest.approx(b, abs=0.04 if a < 0.2 else 0.1)


def test_noise_gets_no_volatility() -> None:
    e = np.random.default_rng(0).standard_t(5, 4000)
    assert fit_volatility(e, np.array([0, 4000])) is None
    assert fit_volatility(e[:50], np.array([0, 50])) is None


def test_one_sequence_does_not_warm_the_next() -> None:
    """The likelihood of joined sequences is the sum of their own likelihoods, so their order does not matter."""
    parts = [returns(0.1, 0.85, 700, seed) for seed in range(4)]
    at = np.arange(5) * 700
    one, other = (fit_volatility(np.concatenate(p), at) for p in (parts, parts[::-1]))
    assert one is not None
    assert one == pytest.approx(other, abs=2e-3)


def test_the_volatility_of_prices_improves_their_score() -> None:
    y = 100 * np.exp(np.cumsum(0.01 * returns(0.1, 0.88, 4000)))
    model = fit(read([y[:3000]], kind="prices"), model="ar").model
    volatility = model.front.ar.volatility  # type: ignore[union-attr]
    assert volatility is not None
    nats = -score(model, read([y], kind="prices")).surprisal[3000:]
    e = returns(0.1, 0.88, 4000)
    v = [1.0]
    for x in e:
        v.append(0.02 + 0.1 * x**2 + 0.88 * v[-1])
    from scipy import stats

    scale = 0.01 * np.sqrt(np.array(v[3000:4000]) * 4 / 6)
    truth = stats.t.logpdf(0.01 * e[3000:], 6, scale=scale)
    # within a hundredth of a nat of the true model, and much better than a constant variance
    assert nats.mean() == pytest.approx(np.mean(truth), abs=0.01)
