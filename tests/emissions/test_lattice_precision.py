"""Cells on a lattice where the difference of two cdfs would fail: narrow cells, far tails, float32, mixed rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from ostinato.emissions.build import build_emission
from ostinato.emissions.constraints import inverse_softplus, raw_scale
from ostinato.emissions.emission import Support

F64 = torch.float64


def lattice(unit: float, low: float = -np.inf, high: float = np.inf, dtype: torch.dtype = F64) -> Support:
    return Support(*(torch.tensor([v], dtype=dtype) for v in (unit, low, high)))


def normal_cell(m: float, h: float) -> float:
    """Return the log of the standard normal mass on [m - h, m + h], m >= 0, by scaled quadrature."""
    top = max(m - h, 0.0)
    width = min(2 * h, 40.0 / max(top, 1.0))
    start = top if m > h else -min(h - m, 40.0)
    stop = min(m + h, top + width) if m > h else min(m + h, 40.0)
    area = integrate.quad(lambda t: np.exp(0.5 * (top**2 - t**2)), start, stop, epsabs=0, epsrel=1e-12)[0]
    return float(np.log(area) - 0.5 * top**2 - 0.5 * np.log(2 * np.pi))


@pytest.mark.parametrize("m", [0.0, 0.3, 3.0, 9.0, 30.0, 49.9, 50.1, 200.0])
@pytest.mark.parametrize("h", [1e-6, 0.01, 0.0195, 0.5, 3.0])
def test_normal_cells_match_quadrature(m: float, h: float) -> None:
    params = torch.tensor([[0.0, float(raw_scale(torch.tensor(1.0, dtype=F64)))]], dtype=F64)
    got = float(build_emission("normal").log_prob(params, torch.tensor([m], dtype=F64), lattice(2 * h)))
    assert got == pytest.approx(normal_cell(m, h), rel=1e-7, abs=1e-6)


@pytest.mark.parametrize("name", ["normal", "logistic_mixture"])
def test_float32_sound_agrees_with_float64(name: str) -> None:
    """16-bit samples in units of their standard deviation: the cells are 1e-4 wide at values of 4."""
    emission = build_emission(name, components=3)
    generator = torch.Generator().manual_seed(1)
    params = torch.randn(500, 1, emission.parameters, generator=generator, dtype=F64)
    x = torch.round(torch.randn(500, 1, generator=generator, dtype=F64) / 1e-4) * 1e-4
    wide = emission.log_prob(params, x, lattice(1e-4, -3.2, 3.2))
    narrow = emission.log_prob(params.float(), x.float(), lattice(1e-4, -3.2, 3.2, torch.float32))
    inside = wide.isfinite()
    torch.testing.assert_close(narrow[inside].double(), wide[inside], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", ["normal", "logistic_mixture"])
def test_continuous_rows_and_lattice_rows_can_be_mixed(name: str) -> None:
    emission = build_emission(name, components=2)
    generator = torch.Generator().manual_seed(2)
    params = torch.randn(5, 3, 1, emission.parameters, generator=generator, dtype=F64).requires_grad_()
    units, low, high = [0.0, 0.5, 0.25], [-np.inf, -1.0, -np.inf], [np.inf, 1.0, np.inf]
    mixed = Support(*(torch.tensor(v, dtype=F64)[:, None] for v in (units, low, high)))
    x = emission.sample(params, mixed, generator)
    value = emission.log_prob(params, x, mixed)
    for b in range(3):
        alone = emission.log_prob(params[:, b], x[:, b], lattice(units[b], low[b], high[b]))
        torch.testing.assert_close(value[:, b], alone)
    torch.autograd.backward(value.sum())
    assert params.grad is not None
    assert bool(params.grad.isfinite().all())


@pytest.mark.parametrize("name", ["normal", "logistic_mixture"])
def test_values_beyond_the_edges_have_zero_probability(name: str) -> None:
    emission = build_emission(name, components=2)
    params = torch.zeros(1, emission.parameters)
    x = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]])
    got = emission.log_prob(params, x, lattice(0.5, -1.0, 1.0, torch.float32))[:, 0]
    assert got.isfinite().tolist() == [False, True, True, False]
    cdf = emission.cdf(params, x, lattice(0.5, -1.0, 1.0, torch.float32))[:, 0]
    assert (float(cdf[0]), float(cdf[2]), float(cdf[3])) == (0.0, 1.0, 1.0)


def test_student_t_with_many_degrees_of_freedom_is_normal_in_float32() -> None:
    x = torch.linspace(-5, 5, 11)[:, None]
    raw = float(raw_scale(torch.tensor(1.0)))
    got = build_emission("student_t").log_prob(torch.tensor([[0.0, raw, 1e8]]), x, Support.real())
    torch.testing.assert_close(
        got[:, 0].double(), torch.tensor(stats.norm.logpdf(x[:, 0].numpy())).double(), atol=1e-5, rtol=1e-5
    )


def test_logistic_mixture_of_one_is_a_logistic_far_out() -> None:
    raw = float(torch.log(torch.tensor(0.1)))
    emission = build_emission("logistic_mixture", components=1)
    x = torch.tensor([[-500.0], [500.0]], dtype=F64)
    got = emission.log_prob(torch.tensor([[0.0, 0.0, 0.0, raw]], dtype=F64), x, lattice(1.0))
    scale = np.exp(raw) + 1e-5
    # sinh(h) / (cosh a + cosh h) with h = 1 / (2 scale), far out
    expected = -500 / scale + np.log(2 * np.sinh(0.5 / scale))
    torch.testing.assert_close(got[:, 0], torch.full((2,), expected, dtype=F64))


def test_inverse_softplus_inverts() -> None:
    y = torch.tensor([1e-8, 1e-3, 1.0, 40.0, 1e6], dtype=F64)
    for beta in (1.0, 5.0):
        torch.testing.assert_close(torch.nn.functional.softplus(inverse_softplus(y, beta), beta), y)
