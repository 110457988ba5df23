"""The lags of a sparse autoregression: sums by the covariance method, known lags found, and the likelier form kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ostinato.layers.ar import AR
from ostinato.layers.autoregression import fit_ar, fit_ar_at
from ostinato.layers.lag_choice import fit_dense_or_sparse, name_of
from ostinato.layers.lag_search import moments, pursue, useful_lags
from ostinato.layers.lagged import lagged
from ostinato.shapes import Array


def made(weights: dict[int, float], steps: int, seed: int = 0) -> Array:
    x = np.random.default_rng(seed).standard_normal(steps)
    for t in range(max(weights, default=0), steps):
        x[t] += sum(w * x[t - lag] for lag, w in weights.items())
    return x


def whole(x: Array) -> NDArray[np.int64]:
    return np.array([0, len(x)])


def test_the_sums_are_those_of_the_rows() -> None:
    rng, K = np.random.default_rng(1), 6
    x = rng.standard_normal(90)
    x[[3, 40, 41, 77]] = np.nan
    rows = lagged(x, np.array([0, 30, 33, 90]), "c")
    targets = (rows.date > K) & (rows.run > 0) & (rng.random(90) < 0.8)
    z = np.where(np.isnan(x), 0.0, rows.z)
    at = np.flatnonzero(targets)
    X = np.column_stack([np.ones(len(at)), *(z[at - lag] for lag in range(1, K + 1)), z[at]])
    np.testing.assert_allclose(moments(rows, targets, K), X.T @ X, atol=1e-10)


def test_pursuit_takes_the_lag_of_the_greatest_gain_first_and_pays_for_each() -> None:
    x = made({3: 0.5, 11: 0.4}, 3000)
    rows = lagged(x, whole(x), "c")
    targets = rows.date > 20
    n = int(targets.sum())
    G = moments(rows, targets, 20)
    assert pursue([G], 20, [n], 20) == [3, 11]
    assert max(pursue([G], 10, [n], 20)) <= 10
    assert pursue([G, G], 20, [n, n], 20) == [3, 11]
    # one step later in the search, the gain of each lag is that of the least squares with it
    solved = [np.linalg.lstsq(G[np.ix_(c, c)], G[c, -1], rcond=None)[0] for c in ([0, 3, lag] for lag in range(1, 21))]
    left = [G[-1, -1] - b @ G[[0, 3, lag], -1] for lag, b in zip(range(1, 21), solved, strict=True)]
    assert int(np.argmin(left)) + 1 == 11


@pytest.mark.parametrize("weights", [{7: 0.85}, {40: 0.85}, {168: 0.85}, {300: 0.85}, {40: 0.5, 168: 0.35}])
def test_known_lags_are_found_and_kept_and_their_errors_are_the_noise(weights: dict[int, float]) -> None:
    x = made(weights, 3000)
    (fit,) = fit_dense_or_sparse(x[:, None], whole(x), 32, 512)
    assert fit.lags == tuple(weights)
    np.testing.assert_allclose(fit.coefficients, list(weights.values()), atol=0.05)
    assert fit.sigma2 == pytest.approx(1.0, abs=0.1)
    assert any("the autoregression uses the lags" in note for note in fit.notes)


def test_noise_and_a_short_dense_memory_stay_as_they_are() -> None:
    noise = np.random.default_rng(5).standard_normal(2000)
    (fit,) = fit_dense_or_sparse(noise[:, None], whole(noise), 32, 512)
    assert fit.lags == ()
    x = made({1: 1.2, 2: -0.5}, 2000)
    (fit,) = fit_dense_or_sparse(x[:, None], whole(x), 32, 512)
    assert fit.lags == (1, 2)
    np.testing.assert_allclose(fit.coefficients, fit_ar(x, whole(x), 32).coefficients)


def test_channels_share_their_lags() -> None:
    a = made({40: 0.8}, 2500, 1)
    b = made({90: 0.7}, 2500, 2)
    fits = fit_dense_or_sparse(np.stack([a, b], axis=1), whole(a), 8, 200)
    assert [fit.lags for fit in fits] == [(40, 90)] * 2


def test_missing_values_and_short_sequences() -> None:
    x = made({40: 0.85}, 3000)
    x[np.random.default_rng(3).random(3000) < 0.1] = np.nan
    (fit,) = fit_dense_or_sparse(x[:, None], whole(x), 8, 512)
    assert fit.lags[0] == 40
    assert fit.coefficients[0] == pytest.approx(0.85, abs=0.05)
    pieces = np.concatenate([made({12: 0.85}, 60, seed) for seed in range(60)])
    rows = lagged(pieces, np.arange(0, 3601, 60), "c")
    assert useful_lags([rows], np.ones(3600, dtype=bool), 512) == (12,)
    for few in (np.append(np.full(50, np.nan), 1.0), np.ones(1), np.ones(9)):
        assert useful_lags([lagged(few, whole(few), "c")], np.ones(len(few), dtype=bool), 9) == ()


def test_a_fit_at_all_lags_is_the_dense_fit_and_its_forecast_is_the_recursion() -> None:
    x = made({2: 0.6}, 300)
    dense, at = fit_ar(x, whole(x), 3, order=3), fit_ar_at(x, whole(x), (1, 2, 3))
    np.testing.assert_allclose(at.coefficients, dense.coefficients)
    sparse = fit_ar_at(x, whole(x), (2, 5))
    means, _ = sparse.forecast(x, 4)
    path = list(x)
    for _ in range(4):
        path.append(sparse.intercept + sparse.coefficients @ [path[-2], path[-5]])
    np.testing.assert_allclose(means, path[-4:])
    gap = x.copy()
    gap[-3] = np.nan
    filled = gap.copy()
    filled[-3] = sparse.intercept + sparse.coefficients @ [x[-5], x[-8]]
    np.testing.assert_allclose(sparse.forecast(gap, 4)[0], sparse.forecast(filled, 4)[0])


def test_the_recurrence_of_sparse_fits_is_the_dense_one_with_zeros() -> None:
    rng = np.random.default_rng(4)
    y = rng.standard_normal((200, 2)).cumsum(axis=0)
    fits = [fit_ar_at(y[:, 0], whole(y), (1, 5)), fit_ar_at(y[:, 1], whole(y), (2,))]
    sparse = AR.from_fits(fits, dtype=torch.float64)
    assert sparse.lags == (1, 2, 5)
    dense = AR(2, 5, dtype=torch.float64)
    with torch.no_grad():
        for k in range(6):
            used = sum(lag <= k for lag in sparse.lags)
            dense.weight[:, k, [0, 1, 4]] = sparse.weight[:, used]
            dense.bias[:, k], dense.log_sigma[:, k] = sparse.bias[:, used], sparse.log_sigma[:, used]
    x = torch.from_numpy(rng.standard_normal((12, 3, 2)))
    x[2, 0, 1], x[7, 1] = torch.nan, torch.nan
    whole_pass, last = sparse.unroll(x)
    torch.testing.assert_close(whole_pass, dense.unroll(x)[0])
    h, state = sparse.unroll(x[:5])
    steps = [h]
    for t in range(5, 12):
        state, one = sparse.step(state, x[t])
        steps.append(one[None])
    torch.testing.assert_close(torch.cat(steps), whole_pass)
    torch.testing.assert_close(state, last)
    lengths = torch.tensor([12, 4, 0])
    padded, ends = sparse.unroll(x, lengths=lengths)
    torch.testing.assert_close(padded[:4, 1], whole_pass[:4, 1])
    torch.testing.assert_close(ends[0][1], sparse.unroll(x[:4])[1][0][1])
    seen = torch.arange(8.0, dtype=torch.float64)
    torch.testing.assert_close(sparse.sigma(seen), dense.sigma(seen))


def test_names() -> None:
    assert [name_of(lags) for lags in ((), (1,), (1, 2, 3), (40,), (1, 12), (1, 2, 7, 9, 30))] == [
        "AR(0)", "AR(1)", "AR(3)", "AR(lag 40)", "AR(lags 1, 12)", "AR(5 lags up to 30)",
    ]  # fmt: skip
