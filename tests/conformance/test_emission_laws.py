"""Laws that every emission obeys on every support it has: one test for each (law, instance)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats
from torch import Tensor

from ostinato.emissions.build import build_emission
from ostinato.emissions.emission import Emission, Support
from ostinato.shapes import Array

F64 = torch.float64
Law = Callable[[Array], Array]


def support(unit: float = 0.0, low: float = -np.inf, high: float = np.inf) -> Support:
    return Support(*(torch.tensor([v], dtype=F64) for v in (unit, low, high)))


def softplus(x: Array) -> Array:
    return np.logaddexp(0, x)


def normal_law(p: Array) -> tuple[Law, Law]:
    law = stats.norm(p[0], softplus(p[1]) + 1e-4)
    return law.logpdf, law.cdf


def student_law(p: Array) -> tuple[Law, Law]:
    law = stats.t(softplus(p[2]) + 2.05, p[0], softplus(p[1]) + 1e-4)
    return law.logpdf, law.cdf


def mixture_law(p: Array) -> tuple[Law, Law]:
    logits, means, raw = p[1:].reshape(3, -1)
    weights, parts = special.softmax(logits), stats.logistic(p[0] + means, np.exp(raw) + 1e-5)
    return (
        lambda x: np.log((weights * parts.pdf(np.asarray(x)[..., None])).sum(-1)),
        lambda x: (weights * parts.cdf(np.asarray(x)[..., None])).sum(-1),
    )


@dataclass(frozen=True)
class Case:
    """An emission on a support, its parameters (D=1, P), and its distribution by scipy."""

    label: str
    emission: Emission
    support: Support
    params: Tensor
    oracle: Law

    @property
    def unit(self) -> float:
        return float(self.support.unit)

    def points(self) -> Tensor:
        """Return points (N, 1): a bounded support, most of an unbounded lattice, or some continuous values."""
        if self.emission.symbolic:
            return torch.arange(self.emission.parameters, dtype=F64)[:, None]
        if self.unit == 0:
            return torch.linspace(-6, 7, 41, dtype=F64)[:, None]
        low = max(float(self.support.low), -60.0)
        high = min(float(self.support.high), 60.0)
        return (torch.arange(round(low / self.unit), round(high / self.unit) + 1, dtype=F64) * self.unit)[:, None]

    def log_prob(self, x: Tensor) -> Tensor:
        return self.emission.log_prob(self.params, x, self.support)


def cells(cdf: Callable[[Array], Array], s: Support) -> Callable[[Array], Array]:
    unit, low, high = float(s.unit), float(s.low), float(s.high)

    def log_mass(x: Array) -> Array:
        upper = np.where(x + unit / 2 > high, 1.0, cdf(x + unit / 2))
        lower = np.where(x - unit / 2 < low, 0.0, cdf(x - unit / 2))
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(upper - lower))

    return log_mass


def count_law(law: Any, unit: float) -> Law:
    """The log probability of counts in a unit."""
    return lambda x: np.asarray(law.logpmf(np.rint(x / unit)))


def inflated_law(law: Any, unit: float, share: float) -> Law:
    """The log probability of counts in a unit, of which a share is a zero of its own."""
    return lambda x: np.asarray(np.log(share * (np.rint(x / unit) == 0) + (1 - share) * law.pmf(np.rint(x / unit))))


def cases() -> list[Case]:
    real = {
        "continuous": support(),
        "lattice": support(0.25),
        "coarse": support(2.0),
        "edges": support(0.5, -2.0, 1.5),
        "low_edge": support(0.5, low=-1.0),
    }
    table = []
    for where, s in real.items():
        for name, law, p in (
            ("normal", normal_law, [0.3, 0.7]),
            ("logistic_mixture", mixture_law, [0.2, 0.5, -0.5, 0.1, -1.5, 0.4, 1.6, -1.0, -2.0, -0.7]),
        ):
            density, cdf = law(np.array(p))
            oracle = density if where == "continuous" else cells(cdf, s)
            emission = build_emission(name, components=3)
            table.append(Case(f"{name}-{where}", emission, s, torch.tensor([p], dtype=F64), oracle))
    p = [0.3, 0.2, 3.0]
    density, _ = student_law(np.array(p))
    table.append(
        Case("student_t", build_emission("student_t"), real["continuous"], torch.tensor([p], dtype=F64), density)
    )
    for label, p, unit in (("counts", [1.5, 0.3], 0.25), ("counts_poisson", [3.0, -30.0], 0.5)):
        mean, alpha = np.logaddexp(0, 5 * p[0]) / 5 / unit, softplus(np.array(p[1])) + 1e-4
        frozen = stats.nbinom(1 / alpha, 1 / (1 + alpha * mean))
        table.append(
            Case(
                f"negative_binomial-{label}",
                build_emission("negative_binomial"),
                support(unit, low=0.0),
                torch.tensor([p], dtype=F64),
                count_law(frozen, unit),
            )
        )
        share = special.expit(-0.4)
        table.append(
            Case(
                f"zero_inflated-{label}",
                build_emission("zero_inflated"),
                support(unit, low=0.0),
                torch.tensor([[*p, -0.4]], dtype=F64),
                inflated_law(frozen, unit, share),
            )
        )
    logits = np.array([0.5, -1.0, 2.0, 0.0, -0.3])
    table.append(
        Case(
            "categorical",
            build_emission("categorical", symbols=5),
            support(1.0, 0.0, 4.0),
            torch.tensor(logits)[None],
            lambda x: special.log_softmax(logits)[x.astype(int)],
        )
    )
    return table


CASES = cases()
every = pytest.mark.parametrize("case", CASES, ids=[c.label for c in CASES])
discrete = pytest.mark.parametrize("case", [c for c in CASES if c.unit], ids=[c.label for c in CASES if c.unit])
numbers = [c for c in CASES if not c.emission.symbolic]
numeric = pytest.mark.parametrize("case", numbers, ids=[c.label for c in numbers])


def generator(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draws(case: Case, n: int = 20_000, seed: int = 7, **how: float) -> Tensor:
    return case.emission.sample(case.params.expand(n, 1, -1), case.support, generator(seed), **how)


@every
def test_log_prob_is_scipys(case: Case) -> None:
    x = case.points()
    expected = torch.tensor(case.oracle(x.numpy()))
    # the oracle's cells cancel below 1e-9; the emission's do not
    known = expected > -20
    torch.testing.assert_close(case.log_prob(x)[known], expected[known], rtol=1e-7, atol=1e-7)


@every
def test_total_probability_is_one(case: Case) -> None:
    if case.unit:
        total = float(case.log_prob(case.points()).exp().sum())
    else:

        def density(z: float) -> float:
            return float(case.log_prob(torch.tensor([z], dtype=F64)).exp())

        total = integrate.quad(density, -40, 40, points=[-2, 0, 2], limit=200)[0]
    assert total == pytest.approx(1.0, abs=1e-4 if case.emission.name == "student_t" else 1e-7)


@discrete
def test_frequencies_agree_with_log_prob(case: Case) -> None:
    x, p = case.points(), case.log_prob(case.points()).exp()[:, 0]
    n = 20_000
    seen = (draws(case, n).to(F64) - x[:, 0]).abs() < 1e-9
    assert bool(seen.any(-1).all()), "a sample lies off the support"
    counts = seen.sum(0)
    assert bool(((counts - n * p).abs() <= 5 * (n * p * (1 - p)).sqrt() + 5).all())


@every
def test_the_share_of_samples_below_a_quantile_is_its_level(case: Case) -> None:
    n, q = 20_000, torch.tensor([0.05, 0.3, 0.5, 0.9], dtype=F64)
    at = case.emission.quantile(case.params, q, case.support)
    # (Q, 1): through the cdf, since on a lattice a quantile covers more than q
    covered = case.emission.cdf(case.params, at.reshape(-1, 1), case.support)[:, 0]
    seen = (draws(case, n) <= at[0] + 1e-9).to(F64).mean(0)
    assert bool(((seen - covered).abs() <= 5 * (covered * (1 - covered) / n).sqrt() + 1e-3).all())


@every
def test_cdf_adds_up_log_prob(case: Case) -> None:
    x = case.points()
    cdf = case.emission.cdf(case.params, x, case.support)
    if case.unit:
        expected = case.log_prob(x).exp().cumsum(0)
        below = case.emission.cdf(case.params, x - case.unit, case.support)
        torch.testing.assert_close(below[1:], cdf[:-1])
    else:
        fine = torch.linspace(-200, 7, 200_001, dtype=F64)[:, None]
        area = torch.cumulative_trapezoid(case.log_prob(fine).exp(), fine, dim=0)[:, 0]
        place = torch.searchsorted(fine[1:, 0], x[:, 0].contiguous()).clamp(max=len(area) - 1)
        expected, x = area[place][:, None], fine[1:][place]
        cdf = case.emission.cdf(case.params, x, case.support)
    torch.testing.assert_close(cdf, expected, rtol=0, atol=1e-5)


@every
def test_quantile_inverts_cdf(case: Case) -> None:
    q = torch.tensor([1e-3, 0.05, 0.25, 0.5, 0.77, 0.99], dtype=F64)
    at = case.emission.quantile(case.params, q, case.support)
    assert at.shape == (1, 6)
    x = at.reshape(-1, 1).to(F64)
    reached = case.emission.cdf(case.params, x, case.support)[:, 0]
    if case.unit:
        before = case.emission.cdf(case.params, x - case.unit, case.support)[:, 0]
        assert bool(((reached >= q - 1e-9) & (before < q + 1e-9)).all())
    else:
        torch.testing.assert_close(reached, q, rtol=0, atol=1e-9)


@numeric
def test_mean_is_the_mean(case: Case) -> None:
    mean = float(case.emission.mean(case.params, case.support))
    if case.unit:
        exact = float((case.points() * case.log_prob(case.points()).exp()).sum())
        assert abs(mean - exact) < (0.05 if case.unit < 1 else case.unit / 2)
    sample = draws(case)
    # a coarse lattice moves the mean
    slack = case.unit / 2 if case.unit > 1 else 0.02
    assert abs(float(sample.mean()) - mean) <= 5 * float(sample.std()) / len(sample) ** 0.5 + slack


@every
def test_same_seed_same_samples(case: Case) -> None:
    assert torch.equal(draws(case, 50), draws(case, 50))
    assert not torch.equal(draws(case, 50), draws(case, 50, seed=8))


@every
def test_gradient_of_log_prob(case: Case) -> None:
    x = case.points()[::3]
    params = case.params.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: case.emission.log_prob(p, x, case.support), params, atol=1e-5)


@numeric
@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=["float32", "float64"])
def test_extremes_stay_finite(case: Case, dtype: torch.dtype) -> None:
    """For extreme values and parameters, log_prob and its gradient are finite wherever x is possible."""
    levels = torch.tensor([-1e30, -1e4, -50.0, 0.0, 50.0, 1e4, 1e30], dtype=dtype)
    count = case.emission.parameters
    rows = [case.params[0].to(dtype).index_fill(0, torch.tensor([k]), float(v)) for k in range(count) for v in levels]
    params = torch.stack([*rows, *levels[:, None].expand(-1, count)])[:, None, None].requires_grad_()
    s = Support(case.support.unit.to(dtype), case.support.low.to(dtype), case.support.high.to(dtype))
    x = torch.cat([case.points()[::5].to(dtype), levels[:, None]])
    x = x[((x >= s.low) & (x <= s.high))[:, 0] | (s.unit == 0)]
    value = case.emission.log_prob(params, x, s)
    assert bool(value.isfinite().all())
    torch.autograd.backward(value.mean())
    assert params.grad is not None
    assert bool(params.grad.isfinite().all())


@every
def test_nan_parameters_give_nan(case: Case) -> None:
    for k in range(case.emission.parameters):
        params = case.params.clone()
        params[0, k] = torch.nan
        assert bool(case.log_prob(case.points()).isfinite().all())
        inner = case.points()[len(case.points()) // 2][None]
        assert bool(case.emission.log_prob(params, inner, case.support).isnan().all())


@every
def test_low_temperature_concentrates(case: Case) -> None:
    cold = draws(case, 200, temperature=1e-6).to(F64)
    frozen = draws(case, 200, temperature=0.0).to(F64)
    assert float(cold.std()) < 1e-4
    assert bool((frozen == frozen[0]).all())
    # temperature 0 is the likeliest value; the limit of low temperatures is the middle of the likeliest component
    assert bool((case.log_prob(frozen) >= case.log_prob(cold) - 1e-4).all())


@every
def test_a_batch_equals_its_rows(case: Case) -> None:
    """Params (T, B, D, P), with D = 1 for symbols, and a support for each row (B, D)."""
    d = 1 if case.emission.symbolic else 2
    params = case.params + 0.1 * torch.randn(4, 3, d, case.emission.parameters, generator=generator(), dtype=F64)
    by_row = Support(*(v.expand(3, d).contiguous() for v in (case.support.unit, case.support.low, case.support.high)))
    x = case.points()[torch.arange(4 * 3 * d) % len(case.points())].reshape(4, 3, d)
    q = torch.tensor([0.2, 0.6], dtype=F64)
    whole = case.emission.log_prob(params, x, by_row), case.emission.cdf(params, x, by_row)
    quantile, mean = case.emission.quantile(params, q, by_row), case.emission.mean(params, by_row)
    assert (whole[0].shape, quantile.shape, mean.shape) == ((4, 3, d), (4, 3, d, 2), (4, 3, d))
    assert case.emission.sample(params, by_row, generator()).shape == (4, 3, d)
    for t in range(4):
        one = params[t, 1]
        torch.testing.assert_close(whole[0][t, 1], case.emission.log_prob(one, x[t, 1], case.support))
        torch.testing.assert_close(whole[1][t, 1], case.emission.cdf(one, x[t, 1], case.support))
        torch.testing.assert_close(quantile[t, 1], case.emission.quantile(one, q, case.support))
        torch.testing.assert_close(mean[t, 1], case.emission.mean(one, case.support))


@every
@pytest.mark.parametrize("fill", ["drawn", "missing", "empty", "constant"])
def test_initial_suits_the_data(case: Case, fill: str) -> None:
    x = draws(case, 500).float()
    if fill == "missing":
        x = x.masked_fill(torch.arange(500)[:, None] % 3 == 0, torch.nan)
    if fill == "constant":
        x = torch.full_like(x, float(x[0]))
    s = Support(case.support.unit.float(), case.support.low.float(), case.support.high.float())
    params = case.emission.initial(x[:0] if fill == "empty" else x, s)
    assert params.shape == (1, case.emission.parameters)
    score = case.emission.log_prob(params, x.nan_to_num(0.0), s)
    assert bool(score.isfinite().all())
    if fill == "drawn":
        truth = case.emission.log_prob(case.params.float(), x, s)
        assert float(score.mean()) > float(truth.mean()) - 0.4
