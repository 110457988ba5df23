"""The constants of an emission are those of maximum likelihood, found in few steps, and no mixture learns by heart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from ostinato.emissions.constraints import LEAST_DF, scale_of
from ostinato.emissions.emission import Emission, Support
from ostinato.emissions.logistic_mixture import LogisticMixture
from ostinato.emissions.student_t import StudentT
from ostinato.shapes import Array
from ostinato.training.constants import MOST_DF, likeliest_constants

EVERYWHERE = Support(*torch.tensor([0.0, -torch.inf, torch.inf], dtype=torch.float64)[:, None])


def fitted(emission: Emission, values: Array, centred: bool = False) -> tuple[Tensor, int]:
    """Return the likeliest constants of values (N,) or (N, D), and how often their likelihood was asked for."""
    e, asked = torch.from_numpy(values.reshape(len(values), -1)), 0

    def loss(constant: Tensor) -> Tensor:
        nonlocal asked
        asked += 1
        return -emission.log_prob(constant, e, EVERYWHERE).mean()

    found = likeliest_constants(emission, loss, emission.initial(e, EVERYWHERE), e.numel(), centred)
    assert found is not None
    return found, asked


def parts(constant: Tensor) -> tuple[float, ...]:
    """Return location, scale and degrees of freedom of a Student t."""
    loc, raw, tails = constant[0]
    return float(loc), float(scale_of(raw)), float(torch.nn.functional.softplus(tails)) + LEAST_DF


@pytest.mark.parametrize("df", [3.0, 8.0])
def test_a_student_t_is_that_of_scipy(df: float) -> None:
    values = 2 + 0.5 * stats.t.rvs(df, size=2000, random_state=1)
    found, asked = fitted(StudentT(), values)
    loc, scale, tails = parts(found)
    expected = stats.t.fit(values)
    np.testing.assert_allclose([tails, loc, scale], expected, rtol=2e-3)
    assert asked < 30


@pytest.mark.parametrize("size", [60, 5000])
def test_light_tails_are_those_of_a_normal_in_few_steps(size: int) -> None:
    """The degrees of freedom go to their bound at once: creeping there took five times as many evaluations."""
    values = np.random.default_rng(0).uniform(-1, 1, size)
    found, asked = fitted(StudentT(), values)
    loc, scale, tails = parts(found)
    assert tails == pytest.approx(MOST_DF, rel=1e-6)
    np.testing.assert_allclose([loc, scale], [values.mean(), values.std()], rtol=1e-3, atol=1e-3)
    assert asked < 30


def test_each_of_two_channels_has_its_own() -> None:
    values = np.random.default_rng(0).standard_t(4, (500, 2)) * [1, 3]
    both = fitted(StudentT(), values)[0]
    alone = torch.cat([fitted(StudentT(), values[:, [d]])[0] for d in (0, 1)])
    np.testing.assert_allclose(both, alone, atol=5e-3)


def test_a_location_that_is_given_stays() -> None:
    values = 3 + np.random.default_rng(0).standard_normal(200)
    start = StudentT().initial(torch.from_numpy(values)[:, None], EVERYWHERE)
    assert fitted(StudentT(), values, centred=True)[0][0, 0] == start[0, 0]


@pytest.mark.parametrize("size", [60, 300, 3000])
def test_a_mixture_of_few_values_does_not_learn_them_by_heart(size: int) -> None:
    """On values that it has not seen, it loses little to the distribution that they come from."""
    rng = np.random.default_rng(1)
    (found, asked), others = fitted(LogisticMixture(), rng.standard_normal(size)), rng.standard_normal(20_000)
    nats = -LogisticMixture().log_prob(found, torch.from_numpy(others)[:, None], EVERYWHERE).mean()
    assert float(nats) - 0.5 * np.log(2 * np.pi * np.e) < 0.02 + 8 / size
    assert asked < 100
