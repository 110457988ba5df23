"""The nucleus of symbols, and counts at the limits of their dispersion and size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from ostinato.emissions.build import build_emission
from ostinato.emissions.emission import Support

F64 = torch.float64
SYMBOLS = Support(torch.ones(1), torch.zeros(1), torch.full((1,), 3.0))


def counts(unit: float = 1.0) -> Support:
    return Support(*(torch.tensor([v], dtype=F64) for v in (unit, 0.0, np.inf)))


def drawn(p: list[float], n: int = 4000, **how: float) -> Tensor:
    logits = torch.tensor(p).log().expand(n, 1, -1)
    return build_emission("categorical", symbols=len(p)).sample(
        logits, SYMBOLS, torch.Generator().manual_seed(3), **how
    )


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [
        (0.3, {2}),
        (0.5, {2}),
        (0.51, {0, 2}),
        (0.75, {0, 2}),
        (0.76, {0, 2, 3}),
        (0.95, {0, 1, 2, 3}),
        (1.0, {0, 1, 2, 3}),
    ],
)
def test_top_p_keeps_the_least_set_that_reaches_it(top_p: float, kept: set[int]) -> None:
    assert set(drawn([0.25, 0.0625, 0.5, 0.1875], top_p=top_p).flatten().tolist()) == kept


def test_the_nucleus_keeps_its_proportions() -> None:
    share = float((drawn([0.25, 0.0625, 0.5, 0.1875], 20_000, top_p=0.75) == 2).float().mean())
    assert abs(share - 2 / 3) < 5 * (2 / 9 / 20_000) ** 0.5


def test_temperature_sharpens_before_the_nucleus() -> None:
    share = float((drawn([0.25, 0.25, 0.5], 20_000, temperature=0.5) == 2).float().mean())
    assert abs(share - 2 / 3) < 5 * (2 / 9 / 20_000) ** 0.5


def test_missing_symbols_are_left_out_of_the_start() -> None:
    emission = build_emission("categorical", symbols=3)
    start = emission.initial(torch.tensor([[0], [-1], [0], [2]]), SYMBOLS)
    torch.testing.assert_close(start.exp(), torch.tensor([[2.5, 0.5, 1.5]]) / 4.5)


@settings(deadline=None, max_examples=30)
@given(loc=st.floats(-3, 200), raw=st.floats(-40, 20), c=st.integers(0, 2000), unit=st.sampled_from([1.0, 0.01]))
def test_counts_match_scipy(loc: float, raw: float, c: int, unit: float) -> None:
    params = torch.tensor([[loc, raw]], dtype=F64)
    got = build_emission("negative_binomial").log_prob(params, torch.tensor([c * unit], dtype=F64), counts(unit))
    mean = float(torch.nn.functional.softplus(params[0, 0], beta=5)) / unit
    alpha = float(np.logaddexp(0, raw)) + 1e-4
    expected = stats.nbinom.logpmf(c, 1 / alpha, 1 / (1 + alpha * mean))
    assert float(got) == pytest.approx(float(expected), rel=1e-6, abs=1e-6)


def test_without_dispersion_counts_are_poisson() -> None:
    c = torch.arange(30, dtype=F64)[:, None]
    got = build_emission("negative_binomial").log_prob(torch.tensor([[9.0, -1e9]], dtype=F64), c, counts())
    np.testing.assert_allclose(got[:, 0], stats.poisson.logpmf(c[:, 0], 9.0), atol=0.05)


@pytest.mark.parametrize("c", [9.9e9, 1.01e10])
def test_the_two_branches_for_huge_counts_meet(c: float) -> None:
    params = torch.tensor([[1e10, 0.3]], dtype=F64)
    got = build_emission("negative_binomial").log_prob(params, torch.tensor([c], dtype=F64), counts())
    alpha = np.logaddexp(0, 0.3) + 1e-4
    # so large a count is a gamma variable of the same mean
    assert float(got) == pytest.approx(float(stats.gamma.logpdf(c, 1 / alpha, scale=alpha * 1e10)), abs=1e-4)


def test_an_impossible_count_is_impossible_and_a_huge_mean_can_be_drawn() -> None:
    emission = build_emission("negative_binomial")
    params = torch.tensor([[1.0, 0.0]], dtype=F64)
    assert float(emission.log_prob(params, torch.tensor([-1.0], dtype=F64), counts())) == -np.inf
    huge = emission.sample(torch.tensor([[1e15, 0.0]], dtype=F64), counts(), torch.Generator().manual_seed(0))
    assert bool((huge.isfinite() & (huge > 0)).all())
    q = torch.tensor([0.01, 0.5, 0.99], dtype=F64)
    for loc in (-20.0, 0.0, 1e5):
        for raw in (-50.0, 0.0, 50.0):
            at = emission.quantile(torch.tensor([[loc, raw]], dtype=F64), q, counts())
            assert bool(at.isfinite().all())
            assert bool((at.diff() >= 0).all())


def test_the_initial_parameters_explain_extra_zeros_and_raise_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    c = torch.from_numpy(rng.poisson(6.0, (4000, 1)) * (rng.random((4000, 1)) < 0.3)).double()
    inflated, plain = build_emission("zero_inflated"), build_emission("negative_binomial")
    start = inflated.initial(c, counts())
    assert float(start[0, 2].sigmoid()) == pytest.approx(0.7, abs=0.05)
    assert float(inflated.mean(start, counts())) == pytest.approx(float(c.mean()), rel=0.1)
    ahead = inflated.log_prob(start, c, counts()) - plain.log_prob(plain.initial(c, counts()), c, counts())
    assert float(ahead.mean()) > 0.2


def test_only_zeros_and_no_values_have_finite_initial_parameters() -> None:
    emission = build_emission("zero_inflated")
    for x in (torch.zeros(5, 2, dtype=F64), torch.full((5, 2), torch.nan, dtype=F64), torch.zeros(0, 2, dtype=F64)):
        start = emission.initial(x, counts())
        assert start.shape == (2, 3)
        assert bool(start.isfinite().all())
