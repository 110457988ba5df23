"""Coupled channels: the joint density, its draws and its fit, against the multivariate normal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from ostinato.data.sequences import SequenceSet
from ostinato.dispatch.fit import fit
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.coupling import Coupling, StepCoupling
from ostinato.emissions.emission import Support
from ostinato.emissions.logistic_mixture import LogisticMixture
from ostinato.emissions.normal import Normal
from ostinato.fits.budget import Budget
from ostinato.inference.sample import sample
from ostinato.inference.score import score
from ostinato.model import SequenceModel
from ostinato.model_file import load_model, save_model
from ostinato.storage import load_bundle, save_bundle
from zoo import KINDS, fitted, made

F64, REAL = torch.float64, Support.real(torch.float64)
COVARIANCE = np.array([[1.0, 0.8, -0.3], [0.8, 1.5, 0.1], [-0.3, 0.1, 0.7]])


def three() -> tuple[Conditional, NDArray[np.float64], NDArray[np.float64]]:
    """Return a conditional of three channels, and the mean and covariance of x under it by Cholesky in NumPy."""
    C = np.linalg.cholesky(COVARIANCE)
    L = np.eye(3) - np.linalg.inv(C / np.diag(C))
    coupling = Coupling(3).double()
    with torch.no_grad():
        coupling.weight.copy_(torch.from_numpy(L[np.tril_indices(3, -1)]))
    means, deviation = torch.tensor([0.3, -0.2, 0.5], dtype=F64), torch.from_numpy(np.diag(C).copy())
    params = torch.stack([means, (deviation - 1e-4).expm1().log()], -1)
    loc, scale = torch.tensor([5.0, -1.0, 0.0], dtype=F64), torch.tensor([2.0, 0.1, 1.0], dtype=F64)
    mean = loc.numpy() + scale.numpy() * np.linalg.solve(np.eye(3) - L, means.numpy())
    return Conditional(Normal(), params, loc, scale, coupling), mean, COVARIANCE * np.outer(scale, scale)


def pair(steps: int, rho: float) -> SequenceSet:
    """Return two AR(1) series whose normal innovations have the correlation rho."""
    e = np.random.default_rng(0).multivariate_normal([0, 0], [[1, rho], [rho, 1]], steps)
    y = np.zeros((steps, 2))
    for t in range(1, steps):
        y[t] = np.array([0.7, 0.4]) * y[t - 1] + e[t]
    return SequenceSet("series", y * [4, 0.5] + [20, -3], np.array([0, steps]), ("y",), ("u", "v"))


def channel(data: SequenceSet, d: int) -> SequenceSet:
    return replace(data, values=data.values[:, d : d + 1], channels=data.channels[d : d + 1])


def closed(data: SequenceSet) -> SequenceModel:
    model = fit(data, model="ar", emission="normal", max_order=1).model
    assert isinstance(model, SequenceModel)
    return model


@torch.no_grad()
def test_the_joint_density_is_the_multivariate_normals() -> None:
    conditional, mean, covariance = three()
    x = mean + np.random.default_rng(0).standard_normal((50, 3)) * np.sqrt(np.diag(covariance))
    found = conditional.log_prob(torch.from_numpy(x), REAL).sum(-1)
    np.testing.assert_allclose(found, stats.multivariate_normal(mean, covariance).logpdf(x), rtol=1e-9)
    np.testing.assert_allclose(conditional.mean(REAL), mean, rtol=1e-9)


@torch.no_grad()
def test_draws_have_the_joint_law_and_an_independent_uniform_pit() -> None:
    conditional, mean, covariance = three()
    many = replace(conditional, params=conditional.params.expand(40_000, 3, 2))
    x, spread = many.sample(REAL, torch.Generator().manual_seed(1)), np.sqrt(np.diag(covariance))
    error = 5 / np.sqrt(len(x))
    np.testing.assert_allclose((x.numpy().mean(0) - mean) / spread, 0, atol=error)
    np.testing.assert_allclose((np.cov(x.T) - covariance) / np.outer(spread, spread), 0, atol=2 * error)
    pit = many.cdf(x, REAL)
    assert min(stats.kstest(column, "uniform").pvalue for column in pit.T) > 1e-3
    np.testing.assert_allclose(np.corrcoef(pit.T), np.eye(3), atol=error)


@torch.no_grad()
@pytest.mark.parametrize("explained", [-9.0, -1.0, 0.0, 0.7, 9.0])
def test_a_lattice_has_all_the_mass_of_a_channel_whatever_earlier_channels_explain(explained: float) -> None:
    every = torch.arange(-20, 21, dtype=F64) / 2
    lattice = Support(*(torch.tensor(end, dtype=F64) for end in (0.5, -10.0, 10.0)))
    rows = torch.tensor([[0.0, 0.0], [explained, 0.0]], dtype=F64)
    emission, point = LogisticMixture(2), torch.tensor([1.0, -2.0], dtype=F64)
    params = torch.tensor([0.1, 0.0, 0.5, -0.2, 0.4, -0.5, 0.2], dtype=F64).expand(2, 7)
    conditional = Conditional(emission, params, point, torch.tensor([1.5, 0.7], dtype=F64), StepCoupling(rows))
    for first in (-10.0, 0.5, 3.0, 10.0):
        x = torch.stack([torch.full_like(every, first), every], -1)
        nats, cdf = conditional.log_prob(x, lattice)[:, 1], conditional.cdf(x, lattice)[:, 1]
        assert nats.isfinite().all()
        np.testing.assert_allclose(nats.exp().sum(), 1.0, rtol=1e-9)
        np.testing.assert_allclose(nats.exp().cumsum(0), cdf, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("explained", [-9.0, -1.0, 0.0, 0.7, 9.0])
@pytest.mark.parametrize("centre", [-10.0, 1.0, 9.5])
def test_the_mean_is_that_of_the_points_of_a_lattice_given_the_means_before(explained: float, centre: float) -> None:
    every = torch.arange(-100, 101, dtype=F64) / 10
    lattice = Support(*(torch.tensor(end, dtype=F64) for end in (0.1, -10.0, 10.0)))
    rows = torch.tensor([[0.0, 0.0], [explained, 0.0]], dtype=F64)
    params = torch.tensor([0.1, 0.0, 0.5, -0.2, 0.4, -0.5, 0.2], dtype=F64).expand(2, 7)
    point, spread = torch.tensor([centre, -2.0], dtype=F64), torch.tensor([1.5, 0.7], dtype=F64)
    conditional = Conditional(LogisticMixture(2), params, point, spread, StepCoupling(rows))
    mean = conditional.mean(lattice)
    for d in range(2):
        x = torch.stack([every if d == c else mean[c].expand_as(every) for c in range(2)], -1)
        p = conditional.log_prob(x, lattice)[:, d].exp()
        np.testing.assert_allclose((p * every).sum(), mean[d], atol=0.005)
    median = conditional.quantile(torch.tensor([0.5], dtype=F64), lattice)[1, 0]
    below = conditional.cdf(torch.stack([mean[0], median - 0.1]), lattice)[1]
    assert below < 0.5 <= conditional.cdf(torch.stack([mean[0], median]), lattice)[1]


@torch.no_grad()
def test_quantiles_are_those_given_the_channels_before() -> None:
    conditional, mean, covariance = three()
    x, q = torch.tensor([[7.0, -0.9, 2.0]], dtype=F64), torch.tensor([0.1, 0.5, 0.9], dtype=F64)
    for given in (x, None):
        at = x[0].numpy() if given is not None else mean
        found = conditional.quantile(q, REAL, given).reshape(3, 3)
        for d in range(3):
            slope = np.linalg.solve(covariance[:d, :d], covariance[:d, d])
            middle = mean[d] + slope @ (at[:d] - mean[:d])
            deviation = np.sqrt(covariance[d, d] - slope @ covariance[:d, d])
            np.testing.assert_allclose(found[d], stats.norm(middle, deviation).ppf(q), rtol=1e-9)


def test_a_missing_channel_counts_as_its_prediction() -> None:
    conditional, _, _ = three()
    assert conditional.loc is not None
    x = torch.tensor([[7.0, torch.nan, 2.0]], dtype=F64)
    filled = torch.where(x.isnan(), conditional.loc, x)
    with torch.no_grad():
        found, expected = conditional.log_prob(x, REAL), conditional.log_prob(filled, REAL)
        apart = replace(conditional, coupling=None).log_prob(x * torch.tensor([torch.nan, torch.nan, 1]), REAL)
        none_before = conditional.log_prob(x * torch.tensor([torch.nan, torch.nan, 1]), REAL)
    torch.testing.assert_close(found, expected)
    assert none_before[0, 2] == apart[0, 2]
    assert none_before[0, 2] != found[0, 2]


def test_gradients_are_those_of_finite_differences_and_pass_missing_values_by() -> None:
    conditional, _, _ = three()
    assert isinstance(conditional.coupling, Coupling)
    coupling = conditional.coupling
    x = torch.tensor([[7.0, -0.9, 2.0], [4.0, torch.nan, 1.0]], dtype=F64)

    def nats(weight: torch.Tensor, loc: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        own = Coupling(3).double()
        del own.weight
        own.weight = weight  # type: ignore[assignment]
        ahead = replace(conditional, loc=loc, scale=scale, coupling=own).log_prob(x, REAL)
        return ahead[~x.isnan()]

    assert conditional.loc is not None
    assert conditional.scale is not None
    given = (coupling.weight, conditional.loc, conditional.scale)
    assert torch.autograd.gradcheck(nats, [t.detach().clone().requires_grad_() for t in given])


def test_rows_are_fitted_by_least_squares_on_observed_values() -> None:
    e = torch.from_numpy(np.random.default_rng(2).multivariate_normal(np.zeros(3), COVARIANCE, 900))
    e[::7, 1] = torch.nan
    e[::5, 0] = torch.nan
    coupling = Coupling(3).double()
    u = coupling.fit(e)
    X = e.nan_to_num(0.0).numpy()
    for d in (1, 2):
        rows = ~e[:, d].isnan().numpy()
        expected = np.linalg.lstsq(X[rows, :d], X[rows, d])[0]
        np.testing.assert_allclose(coupling.matrix()[d, :d].detach(), expected, rtol=1e-4)
    assert torch.equal(u.isnan(), e.isnan())


def test_one_outlier_does_not_dominate_a_row() -> None:
    e = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    e[500] = torch.tensor([3.0, 1e4])
    coupling = Coupling(2)
    coupling.fit(e)
    assert abs(coupling.weight.item()) < 0.1


@pytest.mark.parametrize("steps", [0, 1, 2, 30, 3000])
def test_independent_channels_are_left_uncoupled(steps: int) -> None:
    coupling = Coupling(20)
    coupling.fit(torch.randn(steps, 20, generator=torch.Generator().manual_seed(3)))
    assert not coupling.weight.any()


def test_one_channel_twice_and_one_that_is_still() -> None:
    e = torch.randn(500, 1, generator=torch.Generator().manual_seed(0))
    coupling = Coupling(4)
    u = coupling.fit(torch.cat([e, e, 0 * e, -e], -1))
    assert bool(u.isfinite().all())
    assert float(u[:, 1:].abs().max()) < 1e-4
    torch.testing.assert_close(coupling.together(u), torch.cat([e, e, 0 * e, -e], -1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rho", [0.9, -0.5])
def test_a_fit_of_both_is_likelier_than_of_each_by_their_mutual_information(rho: float) -> None:
    data = pair(6000, rho)
    joint, single = closed(data), [closed(channel(data, d)) for d in range(2)]
    nats = score(joint, data).log_prob[0]
    apart = sum(float(score(model, channel(data, d)).log_prob[0]) for d, model in enumerate(single))
    assert (nats - apart) / 6000 == pytest.approx(-0.5 * np.log(1 - rho**2), abs=0.03)
    assert joint.coupling is not None
    assert joint.coupling.weight.item() == pytest.approx(rho, abs=0.03)
    y = np.concatenate([path[50:] for path in sample(joint, 500, n_samples=20, seed=1)])
    innovations = np.stack([y[1:, 0] - 0.7 * y[:-1, 0], y[1:, 1] - 0.4 * y[:-1, 1]])
    assert np.asarray(np.corrcoef(innovations))[0, 1] == pytest.approx(rho, abs=0.05)


def test_a_network_begins_at_the_coupling_and_trains_it() -> None:
    """Outliers mislead least squares, and the gradient of a Student's t likelihood does not follow them."""
    data = pair(3000, 0.9)
    data.values[::100, 0] += 60
    base, found = (fit(data, model=m, budget=Budget(None, 60), max_order=1, hidden=8).model for m in ("ar", "gru"))
    assert isinstance(base, SequenceModel)
    assert isinstance(found, SequenceModel)
    first, last = (m.coupling.weight.item() for m in (base, found) if m.coupling)
    assert first < last < 0.95


def test_only_several_continuous_channels_are_coupled() -> None:
    assert {kind for kind in KINDS if fitted(kind, "gru").coupling is not None} == {"channels", "nonnegative channels"}
    counts = SequenceSet("series", np.ones((9, 2)), np.array([0, 9]), ("y",), ("u", "v"), count=True)
    assert fit(counts, model="ar").model.coupling is None  # type: ignore[union-attr]


def test_a_file_from_before_has_channels_apart(tmp_path: Path) -> None:
    model = fitted("channels", "ar")
    save_model(model, tmp_path / "m.ost")
    tensors, document = load_bundle(tmp_path / "m.ost")
    del tensors["coupling.weight"]
    save_bundle(tmp_path / "old.ost", tensors, {k: v for k, v in document.items() if k in ("description", "encoding")})
    old, new = load_model(tmp_path / "old.ost"), load_model(tmp_path / "m.ost")
    assert isinstance(new, SequenceModel)
    assert (score(old, made("channels")).surprisal != score(new, made("channels")).surprisal).any()
    new.coupling = None
    np.testing.assert_array_equal(score(old, made("channels")).surprisal, score(new, made("channels")).surprisal)
