"""Draws of every emission follow its likelihood, jointly over the channels of a step."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from ostinato.emissions import draws, live
from ostinato.emissions.categorical import Categorical
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.constraints import FLOOR, LEAST_DF
from ostinato.emissions.coupling import Coupling, StepCoupling
from ostinato.emissions.draws import RowGenerators, Source
from ostinato.emissions.emission import Emission, Support
from ostinato.emissions.logistic_mixture import LogisticMixture
from ostinato.emissions.negative_binomial import NegativeBinomial
from ostinato.emissions.normal import Normal
from ostinato.emissions.student_t import StudentT
from ostinato.emissions.zero_inflated import ZeroInflated

F64 = torch.float64
DRAWS = 40_000
#: The least p value: one seed, and about 40 tests, so that a right law fails once in 2,500 choices of the seed.
LEAST = 1e-5
LOCATED: dict[str, Callable[[], Emission]] = {
    "normal": Normal,
    "student_t": StudentT,
    "logistic_mixture": lambda: LogisticMixture(3),
}
COUNTS: dict[str, Callable[[], Emission]] = {"negative_binomial": NegativeBinomial, "zero_inflated": ZeroInflated}


def lattice(low: float, high: float, unit: float) -> Support:
    """Return the lattice of two channels."""
    return Support(*(torch.full((2,), v, dtype=F64) for v in (unit, low, high)))


def coupling(kind: str, strength: float) -> Coupling | StepCoupling | None:
    """Return a coupling of two channels, (2, 2)."""
    if kind == "none":
        return None
    if kind == "of steps":
        return StepCoupling(torch.tensor([[0.0, 0.0], [strength, 0.0]], dtype=F64))
    made = Coupling(2).double()
    torch.nn.init.constant_(made.weight, strength)
    return made


def conditional(emission: Emission, kind: str, strength: float, scale: float) -> Conditional:
    """Return a distribution of two channels with an odd location."""
    params = 0.4 * torch.randn(2, emission.parameters, generator=torch.Generator().manual_seed(3), dtype=F64)
    loc = torch.tensor([0.35, -0.8], dtype=F64)
    return Conditional(emission, params, loc, torch.tensor([scale, 1.4 * scale], dtype=F64), coupling(kind, strength))


@torch.no_grad()
def drawn(of: Conditional, support: Support) -> Tensor:
    """Return draws, (n, 2)."""
    many = of.each(lambda part: part.expand(DRAWS, *part.shape))
    return many.sample(support, torch.Generator().manual_seed(11))


@torch.no_grad()
def assert_follows(of: Conditional, support: Support, points: list[float]) -> None:
    """Compare the counts of every pair of points with the likelihood; pairs that are rare count as one."""
    pairs = torch.tensor(list(product(points, points)), dtype=F64)
    p = of.each(lambda part: part.expand(len(pairs), *part.shape)).log_prob(pairs, support).sum(-1).exp().numpy()
    x = drawn(of, support).numpy()
    places = {pair: i for i, pair in enumerate(map(tuple, pairs.numpy().round(6).tolist()))}
    found = np.array([places.get(pair, len(p)) for pair in map(tuple, x.round(6).tolist())])
    counts = np.bincount(found, minlength=len(p) + 1)
    expected = np.append(p, max(1 - p.sum(), 0.0)) * DRAWS
    often = expected >= 8
    observed = np.append(counts[often], counts[~often].sum())
    wanted = np.append(expected[often], expected[~often].sum())
    if wanted[-1] < 8:  # too rare to judge by a chi-square: most of the other pairs are what says something
        observed, wanted = observed[:-1], wanted[:-1] * observed[:-1].sum() / wanted[:-1].sum()
    assert often.sum() > 3
    assert stats.chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue > LEAST


@pytest.mark.parametrize("scale", [0.3, 1.5], ids=["narrow", "wide"])
@pytest.mark.parametrize("strength", [0.9, -3.0])
@pytest.mark.parametrize("kind", ["none", "of the model", "of steps"])
@pytest.mark.parametrize("name", ["normal", "logistic_mixture"])  # Student's t has no law on a lattice
def test_on_a_lattice_with_edges(name: str, kind: str, strength: float, scale: float) -> None:
    of, support = conditional(LOCATED[name](), kind, strength, scale), lattice(-2.0, 1.5, 0.5)
    points = [0.5 * k for k in range(-4, 4)]
    pairs = torch.tensor(list(product(points, points)), dtype=F64)
    with torch.no_grad():
        nats = of.each(lambda part: part.expand(len(pairs), *part.shape)).log_prob(pairs, support).sum(-1)
    np.testing.assert_allclose(nats.exp().sum(), 1.0, rtol=1e-9)
    assert_follows(of, support, points)


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    emission = COUNTS[name]()
    params = 0.4 * torch.randn(2, emission.parameters, generator=torch.Generator().manual_seed(3), dtype=F64)
    assert_follows(Conditional(emission, params), lattice(0.0, torch.inf, 1.0), [float(k) for k in range(40)])


def test_symbols() -> None:
    of = Conditional(Categorical(5), torch.tensor([[0.0, 1.0, -1.0, 2.0, 0.5]], dtype=F64))
    p = of.params[0].softmax(-1).numpy()
    x = drawn(of, Support.real(F64)).numpy()
    assert stats.chisquare(np.bincount(x[:, 0].astype(int), minlength=5), p * DRAWS).pvalue > LEAST


@pytest.mark.parametrize("bound", [-torch.inf, -0.6])
@pytest.mark.parametrize("kind", ["none", "of the model", "of steps"])
@pytest.mark.parametrize("name", LOCATED)
def test_continuous_values_by_their_cdf(name: str, kind: str, bound: float) -> None:
    """The probabilities below the values, each given the channels before it, are independent and uniform."""
    of, support = conditional(LOCATED[name](), kind, 0.9, 1.5), lattice(bound, torch.inf, 0.0)
    x = drawn(of, support)
    with torch.no_grad():
        u: Any = of.each(lambda part: part.expand(DRAWS, *part.shape)).cdf(x, support).numpy()
    assert stats.kstest(u[:, 0], "uniform").pvalue > LEAST
    assert stats.kstest(u[:, 1], "uniform").pvalue > LEAST
    assert stats.spearmanr(u[:, 0], u[:, 1]).pvalue > LEAST


@pytest.mark.parametrize("mixed", [0, 1])
def test_a_lattice_beside_bounded_values(mixed: int) -> None:
    """One channel lies on a lattice, and the other is continuous and never negative."""
    of = conditional(Normal(), "of the model", 0.9, 1.0)
    unit = torch.tensor([1.0, 1.0], dtype=F64)
    unit[mixed] = 0.0
    low, high = torch.tensor([-2.0, -2.0], dtype=F64), torch.tensor([2.0, 2.0], dtype=F64)
    low[mixed], high[mixed] = 0.0, torch.inf
    support = Support(unit, low, high)
    x = drawn(of, support)
    assert bool((x[:, mixed] >= 0).all())
    assert set(x[:, 1 - mixed].tolist()) <= {-2.0, -1.0, 0.0, 1.0, 2.0}
    many = of.each(lambda part: part.expand(DRAWS, *part.shape))
    with torch.no_grad():
        u = many.cdf(x, support)[:, mixed].numpy()
    assert stats.kstest(u, "uniform").pvalue > LEAST


SOURCES: dict[str, Callable[[int], Source]] = {
    "one generator": lambda n: torch.Generator().manual_seed(5),
    "a generator for each row": lambda n: RowGenerators.of(5, n),
}


@pytest.mark.parametrize("df", [2.06, 2.5, 4.0, 30.0, 1e4, 1e9])
@pytest.mark.parametrize("source", SOURCES)
def test_students_t_by_scipy(source: str, df: float) -> None:
    """Tails too: of 40,000 draws the rarest thousandth lies where scipy has it."""
    rows = 4000 if source == "one generator" else 40
    x = draws.student_t(torch.full((rows, DRAWS // rows), df, dtype=F64), SOURCES[source](rows)).numpy().ravel()
    assert stats.kstest(x, "t", args=(df,)).pvalue > LEAST
    far = int((np.abs(x) > stats.t.isf(0.0005, df)).sum())
    assert stats.binomtest(far, DRAWS, 0.001).pvalue > LEAST
    assert np.isfinite(x).all()


@pytest.mark.parametrize("df", [2.06, 5.0, 1e4])
def test_students_t_in_plain_numbers_follows_the_same_law(df: float) -> None:
    raw = float(np.log(np.expm1(df - LEAST_DF))) if df < 100 else df - LEAST_DF
    params = np.tile(np.array([1.5, 0.3, raw], dtype=np.float32), (DRAWS, 1, 1))
    scale = float(np.log1p(np.exp(np.float32(0.3)))) + FLOOR
    for temperature in (1.0, 0.5):
        x = live.draw_student_t(params, np.random.default_rng(3), temperature).ravel()
        assert stats.kstest((x - 1.5) / (scale * temperature), "t", args=(df,)).pvalue > LEAST


def test_a_row_of_students_t_does_not_depend_on_the_other_rows() -> None:
    df = torch.tensor([3.0, 7.0, 2.2], dtype=F64)
    three, first = RowGenerators.of(9, 3), RowGenerators.of(9, 1)
    for _ in range(100):
        assert draws.student_t(df[:, None], three)[0] == draws.student_t(df[:1, None], first)[0]
