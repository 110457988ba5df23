"""Exponential smoothing as a recurrence, against the joint distribution of its values, and with a known start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from ostinato.layers.smoothing import Parameters, Smoothing
from ostinato.ops.ets.form import Batch, Form
from ostinato.ops.ets.reference import unroll
from ostinato.shapes import Array

#: alpha, beta, gamma, phi; the spreads of level, trend and season; the length of the season
CASES = {
    "level": ([0.4, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0], 0),
    "drift": ([0.3, 0.0, 0.0, 1.0], [2.0, 0.5, 0.0], 0),
    "trend": ([0.5, 0.2, 0.0, 1.0], [3.0, 0.4, 0.0], 0),
    "damped": ([0.5, 0.2, 0.0, 0.9], [3.0, 0.4, 0.0], 0),
    "season": ([0.3, 0.0, 0.4, 1.0], [2.0, 0.0, 1.5], 4),
    "all": ([0.4, 0.1, 0.3, 0.95], [2.0, 0.3, 1.5], 2),
}
SIGMA = 0.7


def made(name: str, spread: list[float] | None = None) -> Smoothing:
    """Return the recurrence of a case with one channel."""
    smoothing, spreads, season = CASES[name]
    table = (torch.tensor([row], dtype=torch.float64) for row in (smoothing, spread or spreads))
    return Smoothing.of(name, season, Parameters(*table), torch.tensor([SIGMA], dtype=torch.float64))


def covariance(name: str, T: int) -> Array:
    """Return the covariance of the first T values, from the matrices of the book: (T, T)."""
    (alpha, beta, gamma, phi), spread, m = CASES[name]
    n = 2 + m
    F = np.zeros((n, n))
    F[0, :2], F[1, 1] = (1, phi), phi
    w, g = np.zeros(n), np.zeros(n)
    w[:2], g[:2] = (1, phi), (alpha, beta)
    for i in range(m):
        F[2 + i, 2 + (i + 1) % m] = 1
    if m:
        w[2], g[-1] = 1, gamma
    powers = [np.eye(n)]
    for _ in range(T):
        powers.append(F @ powers[-1])
    first = np.stack([w @ powers[t] for t in range(T)])
    errors = np.eye(T)
    for t in range(T):
        errors[t, :t] = [w @ powers[t - 1 - u] @ g for u in range(t)]
    start = np.diag(np.repeat(np.square(spread), [1, 1, m]))
    return np.asarray(SIGMA**2 * (first @ start @ first.T + errors @ errors.T))


def log_likelihood(model: Smoothing, y: Array) -> float:
    """Return the sum of the log densities of the observed values, by the one-step predictions."""
    x = torch.from_numpy(y)[:, None, None]
    mu, deviation, _ = model.path(x, model.initial_state(1))
    return float(np.nansum(norm.logpdf(y, mu[:, 0, 0].numpy(), deviation[:, 0, 0].numpy())))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("missing", [(), (0, 3, 4, 11)])
def test_the_likelihood_is_that_of_all_values_together(name: str, missing: tuple[int, ...]) -> None:
    T = 20
    y, V = np.random.default_rng(1).standard_normal(T) * 3, covariance(name, T)
    y[list(missing)] = np.nan
    seen = np.isfinite(y)
    expected = multivariate_normal.logpdf(y[seen], np.zeros(seen.sum()), V[np.ix_(seen, seen)])
    assert log_likelihood(made(name), y) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_with_a_known_start_it_is_the_innovations_model(name: str) -> None:
    smoothing, _, m = CASES[name]
    y = np.random.default_rng(2).standard_normal(25)
    model = made(name, [0.0, 0.0, 0.0])
    x = torch.from_numpy(y)[:, None, None]
    mu, deviation, (mean, covariance_) = model.path(x, model.initial_state(1))
    batch = Batch(y[None], np.zeros(1, dtype=np.int64), np.array([len(y)]), np.zeros(1))
    theta = np.array([[*smoothing, *[0.0] * (2 + m)]])
    expected = unroll(batch, Form("A", "Ad", "A" if m else "N"), theta, path=True)
    assert expected.mean is not None
    assert expected.last is not None
    np.testing.assert_allclose(mu[:, 0, 0], expected.mean[0], atol=1e-12)
    np.testing.assert_allclose(mean[0, 0], expected.last[0], atol=1e-12)
    assert (deviation == SIGMA).all()
    assert not covariance_.any()


def test_a_gap_widens_the_next_prediction_and_a_long_history_forgets_its_start() -> None:
    model = made("level")
    x = torch.randn(400, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    _, deviation, (_, known) = model.path(x, model.initial_state(1))
    assert not known.any()
    assert float(deviation[-1]) == SIGMA
    gap = torch.cat([x, torch.full((3, 1, 1), torch.nan, dtype=torch.float64)])
    _, (mean, wide) = model.unroll(gap)
    assert float(model.pending((mean, wide))[1]) == pytest.approx(SIGMA * np.sqrt(1 + 3 * 0.4**2))


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_flows_back_through_the_state(name: str) -> None:
    model = made(name)

    def last(x: torch.Tensor) -> torch.Tensor:
        return model.unroll(x)[0][-1]

    assert torch.autograd.gradcheck(last, torch.randn(6, 2, 1, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rows", [1, 3])
def test_the_ring_is_the_arithmetic_of_the_module(name: str, rows: int) -> None:
    """With gaps, rows that end early, a chunk in the middle of a season, and a state that becomes known."""
    model, rng = made(name), np.random.default_rng(4)
    y = rng.standard_normal((90, rows, 1)).cumsum(0)
    y[rng.random(y.shape) < 0.1] = np.nan
    x, lengths = torch.from_numpy(y), torch.tensor([83, 0, 41][:rows])
    state = model.unroll(x[:7])[1]
    for given in (None, lengths):
        said, last = model.unroll(x[7:], state, given)
        wanted, after = model.unroll(x[7:].clone().requires_grad_(), state, given)
        torch.testing.assert_close(said, wanted.detach(), rtol=1e-14, atol=1e-14)
        for a, b in zip(last, after, strict=True):
            torch.testing.assert_close(a, b.detach(), rtol=1e-14, atol=1e-14)
