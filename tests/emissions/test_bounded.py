"""A family cut off at a bound is that of the values above it; scipy and quadrature are the oracles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

import ostinato
from ostinato.data.sequences import SequenceSet
from ostinato.emissions import bounded
from ostinato.emissions.bounded import Located
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.constraints import scale_of
from ostinato.emissions.coupling import Coupling
from ostinato.emissions.emission import Support
from ostinato.emissions.logistic_mixture import LogisticMixture
from ostinato.emissions.normal import Normal
from ostinato.emissions.student_t import StudentT
from ostinato.errors import ConfigError, DataError
from zoo import kept, sequential

FAMILIES = [Normal(), StudentT(), LogisticMixture(3)]
families = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
LEVELS = torch.tensor([1e-4, 0.1, 0.5, 0.9, 0.999], dtype=torch.float64)


def parameters(family: Located, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, family.parameters, generator=generator, dtype=torch.float64)


@families
@pytest.mark.parametrize("low", [-3.0, 0.2, 4.0])
def test_the_density_integrates_to_one_and_gives_the_cdf_and_the_mean(family: Located, low: float) -> None:
    params, bound = parameters(family), torch.tensor([low], dtype=torch.float64)
    x = low + torch.logspace(-9, 5, 400_001, dtype=torch.float64) - 1e-9
    nats = family.log_prob(params.expand(len(x), 1, -1), x[:, None], Support.real(torch.float64))
    p = (nats - bounded.log_above(family, params, bound)).exp()[:, 0]
    assert float(torch.trapezoid(p, x)) == pytest.approx(1.0, abs=1e-5)
    assert float(bounded.mean(family, params, bound)) == pytest.approx(float(torch.trapezoid(p * x, x)), rel=2e-3)
    quantiles = bounded.quantile(family, params, LEVELS, bound)[0]
    below = [float(torch.trapezoid(p[x <= v], x[x <= v])) for v in quantiles]
    np.testing.assert_allclose(below, LEVELS, atol=1e-3)
    cdf = [1 - float(bounded.above(family, params, v[None], bound)) for v in quantiles]
    np.testing.assert_allclose(cdf, LEVELS, atol=1e-9)


def test_the_normal_is_that_of_scipy() -> None:
    params, low = parameters(Normal()), torch.tensor([1.5], dtype=torch.float64)
    loc, scale = float(params[0, 0]), float(scale_of(params[0, 1]))
    theirs = stats.truncnorm((1.5 - loc) / scale, np.inf, loc, scale)
    np.testing.assert_allclose(bounded.quantile(Normal(), params, LEVELS, low)[0], theirs.ppf(LEVELS), rtol=1e-9)
    assert float(bounded.mean(Normal(), params, low)) == pytest.approx(theirs.mean())


@families
def test_the_gradient_of_the_tail(family: Located) -> None:
    for low in (-2.0, 3.0):
        bound = torch.tensor([low], dtype=torch.float64)
        params = parameters(family, 3).requires_grad_()
        assert torch.autograd.gradcheck(lambda p, b=bound: family.log_above(p, b), (params,), eps=1e-5, atol=1e-5)


@families
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_draws_are_above_the_bound_and_follow_the_distribution(family: Located, temperature: float) -> None:
    params, n = parameters(family).expand(20_000, 1, -1), 20_000
    low = torch.full((n, 1), 0.7, dtype=torch.float64)
    real, generator = Support.real(torch.float64), torch.Generator().manual_seed(2)
    u = family.sample(params, real, generator, temperature)
    x = bounded.drawn_again(family, params, u, low, generator, temperature)
    assert float(x.min()) >= 0.7
    torch.testing.assert_close(x[u >= low], u[u >= low])
    if temperature == 1.0:
        uniform = 1 - bounded.above(family, params, x, low)
        assert stats.kstest(uniform[:, 0].numpy(), "uniform").pvalue > 1e-3


@families
def test_the_tail_in_plain_numbers_is_that_of_torch(family: Located) -> None:
    if (tail := family.plain_tail) is None:
        assert isinstance(family, LogisticMixture)
        return
    for low in (-4.0, 0.3, 6.0):
        params, bound = parameters(family, 1), torch.tensor([low], dtype=torch.float64)
        kept, excess = tail(params[0].tolist(), low)
        assert kept == pytest.approx(float(family.log_above(params, bound)), rel=1e-9)
        assert excess == pytest.approx(float(family.excess(params, bound)), rel=1e-6, abs=1e-12)


def test_coupled_channels_are_cut_off_each_given_those_before_it() -> None:
    coupling = Coupling(2)
    with torch.no_grad():
        coupling.weight.fill_(-1.5)
    n = 20_000
    params = torch.tensor([[0.2, 0.5], [-0.3, 0.1]]).expand(n, 2, 2)
    loc, scale = torch.full((n, 2), 0.4), torch.ones(n, 2)
    both = Conditional(Normal(), params, loc, scale, coupling)
    support = Support(torch.zeros(n, 2), torch.tensor([[0.0, -torch.inf]]).expand(n, 2), torch.full((n, 2), torch.inf))
    with torch.no_grad():
        x = both.sample(support, torch.Generator().manual_seed(0))
        u = both.cdf(x, support)
    assert float(x[:, 0].min()) >= 0
    assert float(x[:, 1].min()) < -1
    for d in range(2):
        assert stats.kstest(u[:, d].numpy(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u.T.numpy())[0, 1]) < 0.03
    with torch.no_grad():
        quantiles = both.quantile(torch.tensor([0.25, 0.75]), support, x)
    shares = (x[..., None] <= quantiles).double().mean(0)
    np.testing.assert_allclose(shares, [[0.25, 0.75]] * 2, atol=0.02)


def cycle(n: int = 240) -> SequenceSet:
    """Cycles that touch 0, like those of the sunspots."""
    rng = np.random.default_rng(0)
    y = np.maximum(20 * np.sin(np.arange(n) * 0.6) + 14 + 4 * rng.standard_normal(n), 0.0)
    return SequenceSet("series", y[:, None], np.array([0, n]), ("a",))


def test_a_series_that_is_never_below_0_is_never_forecast_below_0() -> None:
    data = cycle()
    found = ostinato.fit(data, model="ar", max_order=6)
    assert any("no value is below 0" in note for note in found.notes)
    model = sequential(found.model)
    made = ostinato.forecast(model, data, 30, level=(80, 99.9))
    assert min(float(path.min()) for path in made.paths) >= 0
    ends = [name for name in made.frame.columns if name.startswith("ostinato")]
    assert made.frame.select(ends).to_numpy().min() >= 0
    stream = ostinato.Stream(model, "a")
    for value in data.values[:50, 0]:
        assert stream.quantiles([0.001])[0, 0] >= 0
        assert stream.update([value]).prediction[0, 0] >= 0
    with pytest.raises(DataError, match="cannot take the value -1"):
        stream.update([-1.0])
    free = ostinato.fit(data, model="ar", max_order=6, support="real")
    assert not any("below 0" in note for note in free.notes)
    assert min(float(path.min()) for path in ostinato.forecast(free.model, data, 30).paths) < 0
    # the mass that the real line puts below 0 is what the bound gains
    assert kept(found).held_out > kept(free).held_out


def test_a_support_that_the_data_contradict_and_an_unknown_one_are_refused() -> None:
    data = cycle()
    with pytest.raises(DataError, match="the least value is -1, and the support is nonnegative"):
        ostinato.fit(SequenceSet("series", data.values - 1, data.offsets, data.ids), model="ar", support="nonnegative")
    with pytest.raises(ConfigError, match="unknown support 'half'"):
        ostinato.fit(data, model="ar", support="half")


def test_a_live_step_far_below_the_bound_is_the_score() -> None:
    """A line falls to 0 and stays there, where the autoregression foresees a value 100 standard deviations below 0."""
    rng = np.random.default_rng(0)
    fall = np.arange(200, 9, -10.0) + 0.05 * rng.standard_normal((30, 20))
    data = ostinato.read([row.tolist() for row in fall])
    model = ostinato.fit(data, model="ar", support="nonnegative", emission="normal").model
    path = [30.0, 20.0, 10.0, 0.0, 0.0, 0.0]
    stream = ostinato.Stream(model)
    live = [float(stream.update([y]).surprisal[0]) for y in path]
    np.testing.assert_allclose(live, ostinato.score(model, [path]).surprisal, rtol=2e-3)
