"""Laws of the combination, with members whose forecasts are known, and of held-out windows, support and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

import ostinato
from ostinato.emissions.quantiles import LEVELS
from ostinato.local.calibrate import SHARES, _quantile, calibrate
from ostinato.local.combine import Combination, combine, compare, mix
from ostinato.local.held_out import Windows, cuts, hold_out
from ostinato.local.panel import Ahead, Fit, Fitted, Panel
from ostinato.local.support import Support
from ostinato.local.weights import weigh
from ostinato.shapes import Array

PROBABILITIES = np.array([0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975])


@dataclass(frozen=True)
class Normal:
    """A member that predicts a normal distribution with a mean and a deviation of each series."""

    mean: Array
    deviation: Array

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        mean = np.repeat(self.mean[:, None], horizon, axis=1)
        grown = self.deviation[:, None] * np.sqrt(np.arange(1, horizon + 1))
        return Ahead(mean, mean[..., None] + grown[..., None] * ndtri(probabilities))

    def description(self, s: int) -> str:
        return f"normal at {self.mean[s]:.3g}"


def _change(y: Array) -> float:
    return float(np.sqrt(np.mean(np.diff(y) ** 2))) if len(y) > 1 else 1.0


def last(panel: Panel) -> Fitted:
    """The last value."""
    return Normal(np.array([y[-1] for y in panel.values]), np.array([_change(y) for y in panel.values]))


def mean(panel: Panel) -> Fitted:
    """The mean."""
    return Normal(
        np.array([y.mean() for y in panel.values]), np.array([y.std() + 1e-9 * abs(y).max() for y in panel.values])
    )


def first(panel: Panel) -> Fitted:
    """The first value: a bad member."""
    return Normal(np.array([y[0] for y in panel.values]), np.array([_change(y) for y in panel.values]))


MEMBERS: dict[str, Fit] = {"last": last, "mean": mean, "first": first}


def walks(count: int, seed: int = 0, at: float = 1000.0) -> tuple[Array, ...]:
    rng = np.random.default_rng(seed)
    return tuple(at + rng.standard_normal(rng.integers(8, 60)).cumsum() for _ in range(count))


def everything(combination: Combination, horizon: int = 6) -> Array:
    said = combination.ahead(horizon, PROBABILITIES)
    return np.concatenate([said.point[..., None], said.quantiles], axis=-1)


@given(st.integers(0, 2**31), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_a_mixture_lies_in_the_range_of_its_members_and_keeps_the_order(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    said = np.sort(rng.standard_normal((count, 3, 4, 7)) * 10 ** rng.uniform(-5, 5), axis=-1)
    weights = rng.dirichlet(np.ones(count), 3)
    mixed = mix(said, weights)
    assert (mixed >= said.min(axis=0)).all()
    assert (mixed <= said.max(axis=0)).all()
    assert (np.diff(mixed, axis=-1) >= 0).all()


def test_a_mixture_of_one_member_is_that_member() -> None:
    said = np.sort(np.random.default_rng(0).standard_normal((1, 3, 4, 7)), axis=-1)
    np.testing.assert_array_equal(mix(said, np.ones((3, 1))), said[0])


def test_a_member_that_is_not_finite_loses_its_weight_for_that_series_only() -> None:
    said = np.ones((2, 2, 3, 5)) * np.array([1.0, 3.0])[:, None, None, None]
    said[1, 0, 2, 4] = np.nan
    mixed = mix(said, np.full((2, 2), 0.5))
    np.testing.assert_array_equal(mixed[0], 1.0)
    np.testing.assert_array_equal(mixed[1], 2.0)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 9, 30])
@pytest.mark.parametrize("horizon", [1, 6, 40])
def test_a_single_series_of_any_length_has_a_forecast(length: int, horizon: int) -> None:
    y = np.random.default_rng(length).standard_normal(length)
    said = combine(Panel((y,), (4,)), MEMBERS).ahead(horizon, PROBABILITIES)
    assert said.point.shape == (1, horizon)
    assert np.isfinite(said.quantiles).all()
    assert (np.diff(said.quantiles, axis=-1) >= 0).all()


@pytest.mark.parametrize("factor", [1e-12, 1e9])
def test_a_forecast_scales_with_its_series(factor: float) -> None:
    series = walks(6)
    plain = everything(combine(Panel(series), MEMBERS))
    np.testing.assert_allclose(everything(combine(Panel(tuple(y * factor for y in series)), MEMBERS)), plain * factor)


def test_the_order_of_the_series_changes_nothing() -> None:
    series = walks(9)
    order = np.random.default_rng(1).permutation(9)
    plain = everything(combine(Panel(series), MEMBERS))
    np.testing.assert_allclose(everything(combine(Panel(tuple(series[s] for s in order)), MEMBERS)), plain[order])


def test_a_series_that_is_never_below_0_is_not_forecast_below_0() -> None:
    rng = np.random.default_rng(0)
    series = (np.abs(rng.standard_normal(30)), rng.standard_normal(30))
    said, support = combine(Panel(series), MEMBERS).ahead(12, PROBABILITIES), Support.of(series)
    np.testing.assert_array_equal(support.low, [0.0, -np.inf])
    np.testing.assert_array_equal(support.below(said.quantiles), [True, False])
    assert (support.inside(said.quantiles)[0] >= 0).all()
    assert (support.inside(said.point)[0] >= 0).all()
    assert (support.inside(said.quantiles)[1, :, 0] < 0).all()


@given(st.integers(1, 200), st.integers(1, 40), st.sampled_from([1, 4, 12]), st.integers(1, 4))
def test_windows_leave_half_of_the_series_and_hold_something_out(
    length: int, horizon: int, season: int, count: int
) -> None:
    found = cuts(length, horizon, season, count)
    assert len(found) <= count
    assert found == sorted(set(found))
    for cut in found:
        assert 2 * (length - cut) >= length
        assert cut >= 1


def test_members_see_nothing_of_their_windows() -> None:
    series = walks(5)
    seen: list[Panel] = []

    def spy(panel: Panel) -> Fitted:
        seen.append(panel)
        return last(panel)

    windows = hold_out(Panel(series), [spy], 4, 3)
    histories = [y for panel in seen for y in panel.values]
    assert len(histories) == len(windows) > 5
    for n, history in enumerate(histories):
        whole = series[windows.series[n]]
        np.testing.assert_array_equal(history, whole[: len(history)])
        later = whole[len(history) :][:4]
        np.testing.assert_array_equal(windows.y[n, : len(later)], later)
        assert np.isnan(windows.y[n, len(later) :]).all()


def test_of_a_large_panel_a_sample_has_windows_in_any_order() -> None:
    series = walks(30)
    order = np.random.default_rng(1).permutation(30)
    some = hold_out(Panel(series), [last], 4, 2, most=10)
    other = hold_out(Panel(tuple(series[s] for s in order)), [last], 4, 2, most=10)
    assert len(set(some.series)) == 10
    assert set(some.series) == {int(order[s]) for s in other.series}


def test_a_good_member_has_more_weight_and_with_few_windows_less_so() -> None:
    series = walks(40)
    windows = hold_out(Panel(series), list(MEMBERS.values()), 4, 3)
    weights = weigh(windows, len(series))
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights.mean(axis=0).argmax(), weights.mean(axis=0).argmin()) == (0, 2)
    one = hold_out(Panel(series[:1]), list(MEMBERS.values()), 4, 1)
    few = weigh(one, 1)
    assert np.abs(few - 1 / 3).max() < np.abs(weights - 1 / 3).max()


def exact(panel: Panel) -> Fitted:
    """The value at which every made series stays."""
    return Normal(np.full(len(panel), 1.0), np.full(len(panel), 0.01))


def far(panel: Panel) -> Fitted:
    """Values that no made series has."""
    return Normal(np.full(len(panel), 9.0), np.full(len(panel), 0.01))


def test_a_combination_that_does_not_beat_its_best_member_is_not_used() -> None:
    rng = np.random.default_rng(0)
    series = tuple(1 + 0.01 * rng.standard_normal(20) for _ in range(40))
    members = {"far": far, "exact": exact, "farther": far}
    many = hold_out(Panel(series), list(members.values()), 4, 2)
    equal = np.full((len(many), 3), 1 / 3)
    best, said = compare(many, mix(many.quantiles, equal), tuple(members))
    assert (best, "worse than exact" in said, str(len(many)) in said) == (1, True, True)
    alike = hold_out(Panel(series), [exact, exact, exact], 4, 2)
    assert compare(alike, mix(alike.quantiles, equal), tuple(members))[0] is None


def test_one_window_does_not_outweigh_the_prior() -> None:
    series = walks(1)
    one = hold_out(Panel(series), list(MEMBERS.values()), 4, 1)
    assert len(one) == 1
    assert compare(one, mix(one.quantiles, np.full((1, 3), 1 / 3)), tuple(MEMBERS))[0] is None


def test_intervals_that_are_too_narrow_are_widened_to_their_level() -> None:
    rng = np.random.default_rng(0)
    N, H = 400, 5
    y = rng.standard_normal((N, H))
    quantiles = np.broadcast_to(0.5 * ndtri(LEVELS), (N, H, len(LEVELS)))
    windows = Windows(np.arange(N), np.zeros(N, np.int64), y, np.ones(N), quantiles[None])
    factors = calibrate(windows, quantiles, N)
    wide = factors.widen(quantiles, np.zeros((N, H)), LEVELS)
    later = rng.standard_normal((N, H))
    for k, share in enumerate(SHARES[1:], start=1):
        inside = ((wide[..., k] <= later) & (later <= wide[..., -1 - k])).mean()
        assert inside == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("size", [0.25, 1.0])
def test_the_shape_of_errors_counts_in_full(size: float) -> None:
    """In calm windows and in others, the ends of intervals are as far apart as the quantiles of heavy tails are."""
    rng, N = np.random.default_rng(0), 4000
    quantiles = np.broadcast_to(ndtri(LEVELS), (N, 3, len(LEVELS)))
    y = size * rng.standard_t(3, (N, 3))
    windows = Windows(np.arange(N), np.zeros(N, np.int64), y, np.ones(N), quantiles[None])
    made = calibrate(windows, quantiles, N).widen(quantiles[:1], np.zeros((1, 3)), LEVELS).mean(axis=(0, 1))
    expected = stdtrit(3, LEVELS)
    np.testing.assert_allclose(made[8:13] / made[13], expected[8:13] / expected[13], rtol=0.06)


@pytest.mark.parametrize("wide", [1.5, 5.0])
def test_what_windows_say_against_the_width_of_intervals_counts_half(wide: float) -> None:
    rng = np.random.default_rng(0)
    N = 2000
    quantiles = np.broadcast_to(wide * ndtri(LEVELS), (N, 3, len(LEVELS)))
    y = rng.standard_normal((N, 3))
    windows = Windows(np.arange(N), np.zeros(N, np.int64), y, np.ones(N), quantiles[None])
    made = calibrate(windows, quantiles, N).widen(quantiles, np.zeros((N, 3)), LEVELS)
    half = np.sqrt(wide) * ndtri(LEVELS)  # between the width of the model, and 1, which holds what it should
    np.testing.assert_allclose(made[0, :, 1:4], np.broadcast_to(half[1:4], (3, 3)), rtol=0.06)


def test_few_windows_hardly_narrow_an_interval() -> None:
    quantiles = np.broadcast_to(5 * ndtri(LEVELS), (2, 3, len(LEVELS)))
    windows = Windows(np.zeros(2, np.int64), np.arange(2), np.zeros((2, 3)), np.ones(2), quantiles[None])
    made = calibrate(windows, quantiles, 1).widen(quantiles[:1], np.zeros((1, 3)), LEVELS)
    assert (np.abs(made) >= 0.84 * np.abs(quantiles[:1])).all()


@pytest.mark.parametrize("steps", [4, 48])
@pytest.mark.parametrize("needed", [0.4, 2.0])
def test_two_windows_of_a_single_series_count_as_what_their_steps_are_worth(steps: int, needed: float) -> None:
    """H steps are worth the square root of H values, the model's own width counts as 20, and narrowing by half.

    The narrowing that counts half is that of the 95 % interval, of whose ends the errors reach another multiple.
    """
    quantiles = np.broadcast_to(ndtri(LEVELS), (2, steps, len(LEVELS)))
    ends = needed * ndtri(LEVELS)[[3, -4]]  # errors that reach a multiple of the 80 % interval, on both sides in turn
    y = np.tile(ends, (2, steps // 2))
    windows = Windows(np.zeros(2, np.int64), np.arange(2), y, np.ones(2), quantiles[None])
    made = calibrate(windows, quantiles, 1).widen(quantiles[:1], np.zeros((1, steps)), LEVELS)
    values = 2 * np.sqrt(steps)
    told = values / (values + 20)
    factor = needed**told * max((needed * ndtri(0.9) / ndtri(0.975)) ** -told, 1.0) ** 0.5
    np.testing.assert_allclose(made[0, :, [3, -4]], np.outer(factor * ndtri(LEVELS)[[3, -4]], np.ones(steps)))


def test_two_windows_of_many_steps_do_not_ask_for_the_greatest_error() -> None:
    """Intervals that hold what they should hardly widen at 80 %. By the greatest of 96 errors they would by 10 %."""
    rng = np.random.default_rng(0)
    quantiles = np.broadcast_to(ndtri(LEVELS), (2, 48, len(LEVELS)))
    widths = []
    for _ in range(60):
        windows = Windows(
            np.zeros(2, np.int64), np.arange(2), rng.standard_normal((2, 48)), np.ones(2), quantiles[None]
        )
        made = calibrate(windows, quantiles, 1).widen(quantiles[:1], np.zeros((1, 48)), LEVELS)
        widths.append(np.log((made[..., -4] - made[..., 3]) / (2 * ndtri(0.9))).mean())
    assert 0.0 <= np.mean(widths) < 0.07


def _judged(better: NDArray[np.int64]) -> Windows:
    """Return windows (S, K) of one step in which one of two members errs by 1, and the other by 1.6."""
    S, K = better.shape
    error = np.where(better.ravel() == np.arange(2)[:, None], 1.0, 1.6)
    quantiles = np.broadcast_to(error[:, :, None, None], (2, S * K, 1, len(LEVELS)))
    series, age = np.divmod(np.arange(S * K), K)
    return Windows(series, age, np.zeros((S * K, 1)), np.ones(S * K), quantiles)


def test_a_series_counts_for_itself_as_far_as_the_series_of_its_panel_differ() -> None:
    rng = np.random.default_rng(0)
    differ = _judged(np.repeat(rng.integers(0, 2, (200, 1)), 4, axis=1))
    best = differ.losses[:, differ.age == 0].argmin(axis=0)
    own = weigh(differ, 200)[np.arange(200), best]
    alike = _judged(rng.integers(0, 2, (200, 4)))
    wins = np.bincount(alike.series, alike.losses.argmin(axis=0) == 0)
    by_chance = weigh(alike, 200)[wins == 4, 0]  # of series in which one member happened to be better each time
    assert own.min() > 0.98
    assert by_chance.max() < 0.95


def test_more_than_two_windows_lie_in_the_last_quarter_of_a_series_that_is_not_long() -> None:
    assert cuts(1000, 48, 168, 5) == [48, 96, 144, 192, 240]
    assert cuts(700, 48, 168, 5) == [48, 96, 144]
    assert cuts(144, 18, 12, 5) == [18, 36]
    assert cuts(50_000, 48, 336, 5) == [48, 96]


def test_a_fit_says_what_it_stands_on() -> None:
    combination = combine(Panel(walks(4)), MEMBERS)
    combination.ahead(3, PROBABILITIES)
    assert "windows" in combination.description(0)
    assert "normal at" in combination.description(0)


@pytest.mark.parametrize("differ", [0.0, 0.5])
def test_factors_are_those_of_windows_that_a_series_has_not_seen(differ: float) -> None:
    # intervals half as wide as they should be, and series that differ in size or do not
    rng = np.random.default_rng(0)
    S, H = 1000, 1
    size = np.exp(differ * rng.standard_normal(S))
    quantiles = np.broadcast_to(ndtri(LEVELS), (2 * S, H, len(LEVELS)))
    y = 2 * rng.standard_normal((2 * S, H)) * np.tile(size, 2)[:, None]
    series, age = np.tile(np.arange(S), 2), np.repeat([0, 1], S)
    windows = Windows(series, age, y, np.ones(2 * S), quantiles[None])
    wide = calibrate(windows, quantiles, S).widen(quantiles[:S], np.zeros((S, H)), LEVELS)
    later = 2 * rng.standard_normal((500, S)) * size
    for share, at in zip(SHARES[1:4], range(1, 4), strict=True):
        held = ((later >= wide[:, 0, at]) & (later <= wide[:, 0, -1 - at])).mean()
        assert abs(held - share) < 0.02, (share, held)


def test_a_lead_that_windows_do_not_tell_has_no_number() -> None:
    """Beside a member that makes almost no error, the shares would have nine digits."""
    for y in (np.arange(12.0), np.array([5.0, 7, 6, 8, 6, 7, 5, 6, 7])):
        (said,) = (one for one in ostinato.forecast({"a": y}, horizon=4).notes if one.startswith("auto"))
        assert "too few to tell whether" in said
        assert "%" not in said


@given(
    st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 11, 40, 300]), st.sampled_from([0.2, 1 / 3, 0.9, 0.975, 1.0])
)
def test_a_conformal_quantile_is_that_of_all_values_in_order(seed: int, count: int, share: float) -> None:
    """The search sorts a few values only; ties, weights that follow the values and NaN change nothing."""
    rng = np.random.default_rng(seed)
    values = np.clip(np.round(5 * rng.standard_normal(count), int(rng.integers(0, 3))), -8, 8)
    values[rng.random(count) < rng.choice([0.0, 0.2])] = np.nan
    weight: NDArray[np.float64] = np.where(values > 1, 1 / 16, 1.0)
    if rng.random() < 0.5:
        weight = np.power(0.5, rng.integers(0, 5, count))
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    expected = np.interp(share * reached[-1], reached - weight[order] / 2, values[order])
    np.testing.assert_equal(_quantile(values, weight, share), expected)
