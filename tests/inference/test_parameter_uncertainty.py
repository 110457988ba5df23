"""Forecasts of an autoregression of few values allow for other coefficients, and for a unit root by its likelihood."""

from __future__ import annotations

import numpy as np
import pytest

import ostinato
from ostinato.inference.parameter_uncertainty import _largest, _one_more, _Seen, allowance, small_sample
from ostinato.model import SequenceModel

RNG = np.random.default_rng(0)


def walk(steps: int, seed: int) -> np.ndarray:
    return 20 + np.random.default_rng(seed).standard_normal(steps).cumsum()


def simulated(phi: float, steps: int, seed: int) -> np.ndarray:
    """Return values x_t = phi x_(t-1) + e_t, (steps,), which start at 0."""
    out = np.random.default_rng(seed).standard_normal(steps)
    for t in range(1, steps):
        out[t] += phi * out[t - 1]
    return out


@pytest.mark.parametrize("lags", [(), (1,), (1, 2), (3,)])
def test_the_allowance_has_no_unit_and_grows_with_the_doubt(lags: tuple[int, ...]) -> None:
    y, phi = walk(16, 1), np.full(len(lags), 0.4)
    factor, shift = allowance(y, lags, phi, 16, 8)
    assert (factor >= 1).all()
    assert factor[-1] > 1.05
    assert np.abs(shift).max() > 0
    np.testing.assert_allclose(allowance(-1e-9 * (y - 1e3), lags, phi, 16, 8).factor, factor, rtol=1e-5)
    np.testing.assert_allclose(allowance(-1e-9 * (y - 1e3), lags, phi, 16, 8).shift, -1e-9 * shift, rtol=1e-5)
    np.testing.assert_allclose(allowance(y, lags, phi, 16, 3), np.stack([factor, shift])[:, :3], rtol=1e-12)


def test_the_doubt_of_one_known_lag_is_that_of_its_level() -> None:
    """With many values in the fit and no lag, what is left is the variance of the mean, sigma^2 / n, and of the lag."""
    y = RNG.standard_normal(400)
    n = 400
    made = allowance(y, (), np.zeros(0), n, 4)
    assert (made.factor[1:] < 1 + 4 / n).all()


@pytest.mark.parametrize(
    "y", [np.array([3.0, 4.0]), np.full(9, 2.0), np.array([1.0, 2, 3, np.nan]), np.full(5, np.nan)], ids=str
)
def test_a_history_that_says_nothing_changes_nothing(y: np.ndarray) -> None:
    factor, shift = allowance(y, (1,), np.array([0.5]), 8, 3)
    assert (factor == 1).all()
    assert (shift == 0).all()


def seen_of(y: np.ndarray, *lags: int) -> _Seen:
    seen = _Seen.of(y, np.array(lags))
    assert seen is not None
    return seen


def weights(y: np.ndarray, *lags: int) -> np.ndarray:
    """Return the weights of no unit root, one with a drift, and one without, (3,)."""
    found = np.array([one.weight for one in seen_of(y, *lags).regressions(None)[0]])
    return np.asarray(found / found.sum())


@pytest.mark.parametrize(("phi", "root"), [(0.0, 0.0), (0.8, 0.0), (1.0, 1.0)])
def test_the_weight_tends_to_what_is_true(phi: float, root: float) -> None:
    """The weight of unit roots tends to 1 for random walks and to 0 for stationary series (Schwarz 1978)."""
    at = {n: 1 - np.mean([weights(simulated(phi, n, seed), 1, 2)[0] for seed in range(20)]) for n in (25, 100, 400)}
    away = [abs(root - weight) for weight in at.values()]
    assert away[0] > away[1] > away[2]
    assert away[2] < 0.15


def test_a_drift_is_told_from_none() -> None:
    y = simulated(1.0, 200, 1)
    assert weights(y, 1).argmax() == 2
    assert weights(y + np.arange(200), 1).argmax() == 1


@pytest.mark.parametrize("lags", [(1,), (1, 2), (1, 2, 12)])
def test_a_unit_root_is_that_of_least_squares_with_the_restriction(lags: tuple[int, ...]) -> None:
    """The oracle regresses the changes on differences of the lags, and its likelihood gives Schwarz's criterion."""
    y = simulated(0.9, 300, 4)
    seen = seen_of(y, *lags)
    any_, drift, none = seen.regressions(None)[0]
    change, X = seen.target - seen.X[:, 0], seen.X[:, 1:] - seen.X[:, :1]
    error = {0: seen.target - np.column_stack([seen.X, np.ones(len(change))]) @ any_.mean}
    for k, one, columns in ((1, drift, np.column_stack([X, np.ones(len(X))])), (2, none, X)):
        beta, *_ = np.linalg.lstsq(columns, change, rcond=None)
        error[k] = change - columns @ beta
        np.testing.assert_allclose(one.mean[1:], np.append(beta, [0] * (k == 2)), atol=0.02)
        assert one.mean[:-1].sum() == pytest.approx(1)
        n, ratio = len(change), (error[k] @ error[k]) / (error[0] @ error[0])
        bic = -n / 2 * np.log(ratio) + k / 2 * np.log(n)
        assert np.log(one.weight / any_.weight) + np.log(2) == pytest.approx(bic, abs=0.15)


def test_a_shorter_history_than_that_of_the_fit_tells_no_unit_root() -> None:
    y = walk(12, 5)
    assert (allowance(y, (1,), np.array([0.5]), 13, 4).shift == 0).all()
    assert (allowance(y, (1,), np.array([0.5]), 12, 4).shift != 0).all()


def test_one_odd_value_leaves_the_allowance_as_it_was() -> None:
    y = 100 + np.random.default_rng(3).standard_normal(60)
    dip = y.copy()
    dip[30] = 0.0
    usual, odd = allowance(y, (1,), np.zeros(1), 60, 12), allowance(dip, (1,), np.zeros(1), 60, 12)
    np.testing.assert_allclose(odd.factor, usual.factor, rtol=0.1)
    # two events among zeros are all that changes, so they count
    events = np.zeros(60)
    events[[20, 40]] = 5.5
    assert allowance(events, (1,), np.zeros(1), 60, 12).factor.max() < 3


def test_walks_of_few_values_are_held() -> None:
    """Without the doubt, 95 % intervals six steps ahead hold 58 % of random walks after 8 values."""
    held = []
    for seed in range(30):
        y = walk(14, seed)
        made = ostinato.forecast(ostinato.fit(y[:8], model="ar").model, y[:8], horizon=6)
        low, high = (made.frame[f"ostinato-{side}-95"].to_numpy() for side in ("lo", "hi"))
        assert any("fitted to only 8 values" in note for note in made.notes)
        held.append((y[8:] >= low) & (y[8:] <= high))
    assert np.mean(held) > 0.85


def test_points_paths_and_quantiles_move_together() -> None:
    """The sample paths have the point as their mean and the ends of intervals as quantiles, in each channel."""
    y = np.stack([walk(14, 3), walk(14, 4)], axis=1)
    model = ostinato.fit(y, model="ar").model
    made = ostinato.forecast(model, y, horizon=5, level=50, n_paths=1000)
    again = ostinato.forecast(model, y, horizon=5, level=50, n_paths=1000)
    assert made.frame.equals(again.frame)
    low, point, high = (made.frame[f"ostinato{end}"].to_numpy() for end in ("-lo-50", "", "-hi-50"))
    paths = made.paths[0].transpose(0, 2, 1).reshape(1000, -1)
    error = 6 * paths.std(axis=0) / np.sqrt(1000)
    assert (np.abs(paths.mean(axis=0) - point) < error).all()
    assert (np.abs(np.quantile(paths, [0.25, 0.75], axis=0) - [low, high]) < error).all()


def count(data: object, model: str) -> int | None:
    """Return the number of values of a fit whose coefficients are in doubt."""
    made = ostinato.fit(data, model=model).model
    assert isinstance(made, SequenceModel)
    return small_sample(made)


def test_models_of_more_values_or_of_panels_are_as_they_were() -> None:
    for data in (walk(420, 0), {"a": walk(9, 0), "b": walk(9, 1)}):
        assert count(data, "ar") is None
    assert count(walk(9, 0), "ets") is None
    assert count(walk(9, 0), "ar") == 9


def test_counts_stay_whole_and_above_0() -> None:
    y = np.array([3, 1, 0, 2, 4, 1, 0, 2, 3])
    made = ostinato.forecast(ostinato.fit(y, model="ar").model, y, horizon=5)
    ends = made.frame.select("ostinato-lo-95", "ostinato-hi-95").to_numpy()
    assert (ends == np.rint(ends)).all()
    assert (ends >= 0).all()


def ends_of(data: object, y: object, support: str | None = None) -> np.ndarray:
    """Return the ends of the 95 % intervals of an AR that was fitted to data, after y, (H, 2)."""
    made = ostinato.fit(data, model="ar", support=support).model
    return ostinato.forecast(made, y, horizon=4).frame.select("ostinato-lo-95", "ostinato-hi-95").to_numpy()


def test_the_bound_of_the_model_holds_and_no_other() -> None:
    """Values above 0 alone do not bound the forecast of a model whose values may fall below 0."""
    y = np.array([1.5, 0.4, 1.1, 0.2, 1.3, 0.3, 0.6, 0.1, 0.5])
    assert ends_of(y, y, "real").min() < 0
    assert ends_of(y, y).min() >= 0


def test_missing_values_at_the_end_are_in_doubt_too() -> None:
    """The first step after two missing ones is the third step after the last value."""
    y = walk(8, 3)
    whole, after = ends_of(y, y), ends_of(y, np.append(y, [np.nan, np.nan]))
    np.testing.assert_allclose(np.diff(after[:2]), np.diff(whole[2:]), rtol=0.1)


@pytest.mark.parametrize("lags", [(), (1,), (2,), (1, 2, 3), (1, 7)])
def test_one_lag_more_is_in_doubt(lags: tuple[int, ...]) -> None:
    more = _one_more(lags)
    assert set(lags) < set(more)
    assert len(more) == len(lags) + 1
    assert list(more) == sorted(more)


def test_roots_are_those_of_numpy() -> None:
    """A bound stands for the largest root where the sizes of the coefficients sum to less than .999."""
    rng, lags = np.random.default_rng(0), np.array([1, 3, 4])
    phi = rng.normal(0, 0.6, (200, 3))
    theirs = [np.abs(np.roots([1, -a, 0, -b, -c])).max() for a, b, c in phi]
    ours, small = _largest(phi, lags), np.abs(phi).sum(axis=1) <= 0.999
    np.testing.assert_allclose(ours[~small], np.array(theirs)[~small], rtol=1e-8)
    assert (np.array(theirs)[small] < 1).all()
    assert (ours[small] < 1).all()
