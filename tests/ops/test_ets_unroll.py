"""Exponential smoothing: the engine against the reference, both against statsmodels, and the laws of a recurrence."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from ostinato.errors import ConfigError
from ostinato.ops.engine import extension
from ostinato.ops.ets import array, native, reference
from ostinato.ops.ets.form import FORMS, Batch, Form, Unrolled
from ostinato.ops.selection import IMPLEMENTATIONS as EVERY
from ostinato.ops.selection import explain
from ostinato.shapes import Array

engine = pytest.mark.skipif(extension.ABSENT is not None, reason=extension.ABSENT or "")
every_form = pytest.mark.parametrize("form", FORMS, ids=str)


def problem(form: Form, B: int, T: int, m: int, seed: int = 0, missing: float = 0.1) -> tuple[Batch, Array]:
    """Return series that every form allows, rows of several lengths, and parameters within their bounds."""
    rng = np.random.default_rng(seed)
    S, m = max(1, B - 2), m * form.seasonal
    y = 100 + rng.normal(0, 3, (S, T)) + 10 * np.sin(np.arange(T))
    y[rng.random((S, T)) < missing] = np.nan
    batch = Batch(y, rng.integers(0, S, B), rng.integers(0, T + 1, B), rng.uniform(0, 1e-3, B))
    batch.lengths[0] = T
    return batch, parameters(form, B, m, rng)


def parameters(form: Form, B: int, m: int, rng: np.random.Generator) -> Array:
    """Return parameters within their bounds, (B, 6 + m)."""
    trend = form.trend != "N"
    alpha = rng.uniform(0.05, 0.6, B)
    phi = rng.uniform(0.8, 0.98, B) if form.trend == "Ad" else np.ones(B)
    theta = [alpha, trend * alpha * rng.random(B), form.seasonal * (1 - alpha) * rng.random(B) * 0.5, phi]
    theta += [rng.uniform(90, 110, B), trend * rng.uniform(-0.2, 0.2, B)]
    season = rng.uniform(0.9, 1.1, (m, B)) if form.season == "M" else rng.normal(0, 5, (m, B))
    return np.stack([*theta, *season], 1)


def same(mine: Unrolled, other: Unrolled, lengths: NDArray[np.int64]) -> None:
    np.testing.assert_allclose(mine.log_likelihood, other.log_likelihood, rtol=1e-11, atol=1e-11)
    assert mine.gradient is not None
    assert other.gradient is not None
    size = np.abs(other.gradient).max(initial=1.0)
    np.testing.assert_allclose(mine.gradient / size, other.gradient / size, rtol=0, atol=1e-11)
    assert mine.mean is not None
    assert other.mean is not None
    until = np.arange(mine.mean.shape[1]) < lengths[:, None]
    np.testing.assert_allclose(np.where(until, mine.mean, 0), np.where(until, other.mean, 0), rtol=1e-11)
    assert mine.last is not None
    assert other.last is not None
    np.testing.assert_allclose(mine.last, other.last, rtol=1e-10, atol=1e-10)


@engine
@pytest.mark.usefixtures("instruction_set")
@every_form
@settings(deadline=None, max_examples=8)
@given(B=st.integers(1, 19), T=st.integers(1, 40), m=st.integers(1, 7), seed=st.integers(0, 99), data=st.data())
def test_any_size_is_the_reference(form: Form, B: int, T: int, m: int, seed: int, data: st.DataObject) -> None:
    torch.set_num_threads(data.draw(st.integers(1, 3)))
    batch, theta = problem(form, B, T, m, seed)
    ours, theirs = (f(batch, form, theta, gradient=True, path=True) for f in (native.unroll, reference.unroll))
    same(ours, theirs, batch.lengths)


@every_form
@settings(deadline=None, max_examples=15)
@given(B=st.integers(1, 9), T=st.integers(1, 30), m=st.integers(1, 7), seed=st.integers(0, 99))
def test_numpy_is_the_reference(form: Form, B: int, T: int, m: int, seed: int) -> None:
    batch, theta = problem(form, B, T, m, seed)
    ours, theirs = (f(batch, form, theta, gradient=True, path=True) for f in (array.unroll, reference.unroll))
    same(ours, theirs, batch.lengths)


def oracle(form: Form, y: Array, theta: Array, m: int) -> ETSModel:
    """Return statsmodels' model of one row, smoothed with the same parameters."""
    model = ETSModel(
        y,
        error={"A": "add", "M": "mul"}[form.error],
        trend=None if form.trend == "N" else "add",
        damped_trend=form.trend == "Ad",
        seasonal={"N": None, "A": "add", "M": "mul"}[form.season],
        seasonal_periods=m if form.seasonal else None,
        initialization_method="known",
        initial_level=theta[4],
        initial_trend=theta[5] if form.trend != "N" else None,
        initial_seasonal=theta[6:] if form.seasonal else None,
    )
    given = {"smoothing_level": theta[0], "smoothing_trend": theta[1], "smoothing_seasonal": theta[2]}
    names = {"damping_trend": theta[3], "initial_level": theta[4], "initial_trend": theta[5], **given}
    values = []
    for name in model.param_names:
        if name.startswith("initial_seasonal."):
            # statsmodels numbers the seasons backwards in time, the latest first
            values.append(theta[6:][::-1][int(name.split(".")[1])])
        else:
            values.append(names[name])
    return model.smooth(np.array(values))


@every_form
@pytest.mark.parametrize("m", [4, 12])
def test_statsmodels_has_the_same_states_predictions_likelihood_and_forecasts(form: Form, m: int) -> None:
    """Statsmodels divides by the new level where the book has the old one, so a ratio has its season fixed here."""
    T, H = 60, 15
    batch, theta = problem(form, 2, T, m, missing=0)
    theta[:, 2] *= form.season != "M"
    longer = np.concatenate([batch.y, np.full((len(batch.y), H), np.nan)], 1)
    for b in range(2):
        y = batch.y[batch.series[b]]
        theirs = oracle(form, y, theta[b], m)
        lengths = np.arange(T + 1)
        rows = np.full(T + 1, batch.series[b])
        ours = reference.unroll(
            Batch(batch.y, rows, lengths, np.zeros(T + 1)), form, np.tile(theta[b], (T + 1, 1)), path=True
        )
        assert ours.last is not None
        np.testing.assert_allclose(ours.last[1:, 0], theirs.level, rtol=1e-8)
        if form.trend != "N":
            np.testing.assert_allclose(ours.last[1:, 1], theirs.slope, rtol=1e-8, atol=1e-8)
        if form.seasonal:
            np.testing.assert_allclose(ours.last[1:, -1], theirs.season, rtol=1e-8, atol=1e-8)
        assert ours.log_likelihood[T] == pytest.approx(theirs.llf, abs=1e-8)
        one = np.array([batch.series[b]])
        ahead = reference.unroll(Batch(longer, one, np.array([T + H]), np.zeros(1)), form, theta[b : b + 1], path=True)
        assert ahead.mean is not None
        np.testing.assert_allclose(ahead.mean[0, :T], theirs.fittedvalues, rtol=1e-8)
        np.testing.assert_allclose(ahead.mean[0, T:], theirs.forecast(H), rtol=1e-8)


@every_form
def test_what_statsmodels_simulates_has_the_errors_that_it_was_simulated_with(form: Form) -> None:
    """Its simulation has the book's updates for every form."""
    T, m = 50, 4
    batch, theta = problem(form, 1, T, m, missing=0)
    e = np.random.default_rng(1).normal(0, 0.02 if form.error == "M" else 2, T)
    y = oracle(form, batch.y[0], theta[0], m).simulate(T, anchor="start", random_errors=e[:, None])
    found = reference.unroll(Batch(y[None], np.zeros(1, np.int64), np.array([T]), np.zeros(1)), form, theta, path=True)
    assert found.mean is not None
    errors = y - found.mean[0]
    np.testing.assert_allclose(errors / found.mean[0] if form.error == "M" else errors, e, rtol=0, atol=1e-10)


@every_form
def test_the_gradient_of_the_reference_is_that_of_finite_differences(form: Form) -> None:
    batch, theta = problem(form, 3, 12, 3)
    free = torch.from_numpy(theta).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: reference.follow(batch, form, t)[0], (free,))


IMPLEMENTATIONS = [
    pytest.param(array.unroll, id="array"),
    pytest.param(native.unroll, marks=engine, id="native"),
    pytest.param(reference.unroll, id="reference"),
]


@pytest.mark.parametrize("unroll", IMPLEMENTATIONS)
@every_form
def test_chunks_are_one_pass(form: Form, unroll: object) -> None:
    """A row goes on from the state of its first part, and so do its predictions."""
    assert callable(unroll)
    batch, theta = problem(form, 5, 30, 4)
    whole = unroll(batch, form, theta, path=True)
    for cut in (0, 1, 4, 17):
        head = Batch(batch.y[:, :cut] if cut else batch.y, batch.series, np.minimum(batch.lengths, cut), batch.floor)
        first = unroll(head, form, theta, path=True)
        tail = Batch(batch.y[:, cut:], batch.series, np.maximum(batch.lengths - cut, 0), batch.floor)
        second = unroll(tail, form, np.concatenate([theta[:, :4], first.last], 1), path=True)
        np.testing.assert_allclose(second.last, whole.last, rtol=1e-12, atol=1e-12)
        until = np.arange(30 - cut) < tail.lengths[:, None]
        np.testing.assert_allclose(
            np.where(until, second.mean, 0), np.where(until, whole.mean[:, cut:], 0), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("unroll", IMPLEMENTATIONS)
@every_form
def test_a_batch_is_its_rows(form: Form, unroll: object) -> None:
    assert callable(unroll)
    batch, theta = problem(form, 11, 30, 4)
    together = unroll(batch, form, theta, gradient=True, path=True)
    for b in range(11):
        row = slice(b, b + 1)
        single = Batch(batch.y, batch.series[row], batch.lengths[row], batch.floor[row])
        alone = unroll(single, form, theta[row], gradient=True, path=True)
        same(alone, Unrolled(*(a[row] for a in together)), single.lengths)


@pytest.mark.parametrize("unroll", IMPLEMENTATIONS)
@every_form
def test_a_missing_value_is_one_that_is_its_own_prediction(form: Form, unroll: object) -> None:
    assert callable(unroll)
    batch, theta = problem(form, 1, 30, 4, missing=0.3)
    gaps = np.flatnonzero(np.isnan(batch.y[0]))
    assert len(gaps)
    given = unroll(batch, form, theta, path=True)
    filled = Batch(np.where(np.isnan(batch.y), given.mean, batch.y), batch.series, batch.lengths, batch.floor)
    np.testing.assert_allclose(unroll(filled, form, theta, path=True).last, given.last, rtol=1e-12, atol=1e-12)
    nothing = Batch(np.full((1, 5), np.nan), np.zeros(1, np.int64), np.array([5]), np.ones(1))
    assert unroll(nothing, form, theta, gradient=True).log_likelihood[0] == 0
    assert not unroll(nothing, form, theta, gradient=True).gradient.any()


@pytest.mark.parametrize("unroll", IMPLEMENTATIONS)
def test_a_relative_error_gives_a_mean_of_zero_or_less_no_probability(unroll: object) -> None:
    assert callable(unroll)
    batch = Batch(np.full((1, 4), 5.0), np.zeros(2, np.int64), np.array([4, 4]), np.zeros(2))
    theta = np.array([[0.1, 0, 0, 1, -1, 0], [0.1, 0, 0, 1, 4, 0]])
    found = unroll(batch, Form("M", "N", "N"), theta).log_likelihood
    assert found[0] == -math.inf
    assert math.isfinite(found[1])


def test_arrays_that_do_not_fit_are_refused() -> None:
    y, one = np.zeros((1, 3)), np.zeros(1, np.int64)
    with pytest.raises(ConfigError, match="a series that y does not have"):
        Batch(y, one + 1, one, np.zeros(1))
    with pytest.raises(ConfigError, match="more steps"):
        Batch(y, one, one + 4, np.zeros(1))
    with pytest.raises(ConfigError, match="do not fit"):
        Batch(y, one, one, np.zeros(2))


@engine
def test_parameters_that_do_not_fit_the_form_are_refused() -> None:
    batch = Batch(np.zeros((1, 3)), np.zeros(1, np.int64), np.ones(1, np.int64), np.zeros(1))
    for form, width in ((Form("A", "N", "N"), 8), (Form("A", "N", "A"), 6)):
        with pytest.raises(ConfigError, match="theta"):
            native.unroll(batch, form, np.zeros((1, width)))


@engine
def test_an_engine_from_before_exponential_smoothing_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_engine", object())
    assert explain("ets", dtype=torch.float64).startswith(
        "ets: array, preferred of array, reference; native cannot run"
    )


def test_no_rows_and_no_steps_are_nothing() -> None:
    for B, T in ((0, 5), (2, 0)):
        batch = Batch(np.zeros((1, T)), np.zeros(B, np.int64), np.zeros(B, np.int64), np.zeros(B))
        usable = [f for name, f in EVERY["ets"].items() if name != "native" or extension.ABSENT is None]
        for unroll in usable:
            found = unroll(batch, Form("A", "A", "A"), np.ones((B, 9)), gradient=True, path=True)
            assert found.log_likelihood.tolist() == [0] * B
            assert not found.gradient.any()
            assert found.last.shape == (B, 5)
