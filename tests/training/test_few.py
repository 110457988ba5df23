"""Models of a few values: their intervals know how little the values tell."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import t as student

import ostinato
from ostinato.emissions.constraints import scale_of
from ostinato.training.few import BEFORE, ENOUGH, Few, changes
from pretend_card import pretend_card

Array = NDArray[np.float64]

VALUES = {
    "rising by 1": np.arange(4.0),
    "three rising by 1": np.arange(3.0),
    "three that jump": np.array([10.0, 10.0, 14.0]),
    "three apart": np.array([101.3, 98.7, 106.4]),
    "four that turn": np.array([3.0, 1.0, 4.0, 1.0]),
    "five of two values": np.array([5.5, 7.25, 5.5, 7.25, 5.5]),
    "five far from 0": 1e6 + np.array([0.0, 2.0, 1.0, 4.0, 2.0]),
    "three tiny": np.array([1.0, 3.0, 2.0]) * 1e-6,
}


@pytest.mark.parametrize(("model", "name"), list(product(("ar", "ets", "theta"), VALUES)))
def test_no_interval_of_a_few_values_is_narrower_than_their_changes(model: str, name: str) -> None:
    y = VALUES[name]
    found = ostinato.fit(y[:, None] + np.zeros(1), model=model, support="real")
    row = ostinato.forecast(found.model, y, horizon=1, level=[95]).frame.row(0)
    low, high = sorted(row[-2:])
    assert high - low > np.abs(np.diff(y)).mean()


def test_the_prior_alone_is_the_distribution_of_student() -> None:
    """Without a degree of freedom the scale is the size of the changes, with those of the prior."""
    few = Few(torch.tensor([3.0]), 3, torch.tensor([2.0]))
    constant = few.start(torch.tensor([[0.0, 0.0, 50.0]]), torch.zeros(3, 1))
    # (0 + 2 x 2^2) / (3 + 2 - 3)
    assert float(scale_of(constant[:, 1])) == pytest.approx(2.0, rel=1e-6)
    freedom = float(torch.nn.functional.softplus(few.within(constant)[0, 2])) + 2.05
    assert freedom == pytest.approx(max(BEFORE, 2.051), abs=1e-3)
    assert student.ppf(0.975, freedom) > 4


def test_the_loss_has_its_minimum_at_the_posterior_mode() -> None:
    few, e = (
        Few(torch.tensor([6.0]), 2, torch.tensor([1.5])),
        torch.tensor([[1.0], [-2.0], [0.5], [0.3], [-1.0], [2.0]]),
    )
    mode = few.start(torch.zeros(1, 2), e)

    def loss(constant: torch.Tensor) -> float:
        scale = scale_of(constant[:, 1])
        return float((6 * scale.log() + 0.5 * (e / scale).square().sum()).sum() + few.loss(constant))

    assert loss(mode) < min(loss(mode + 0.05), loss(mode - 0.05))


def test_the_prior_fades() -> None:
    few = Few(torch.tensor([2.0, 2.0 + ENOUGH / 2, 2.0 + ENOUGH, 1000.0]), 2, torch.ones(4))
    torch.testing.assert_close(few.weight, torch.tensor([1.0, 0.5, 0.0, 0.0]))
    constant = torch.tensor([[0.0, 0.3, 80.0]]).repeat(4, 1)
    torch.testing.assert_close(few.within(constant)[2:], constant[2:])
    assert Few(torch.tensor([3.0]), 2, torch.zeros(1)).silent  # values that never change


def test_a_steady_rise_counts_as_one_change() -> None:
    y = torch.arange(21.0)[:, None] * 5
    assert float(changes(y, [0, 21])) == pytest.approx(np.sqrt(25 / 20))
    gap = torch.tensor([[1.0], [torch.nan], [5.0], [6.0]])
    assert float(changes(gap, [0, 4])) == pytest.approx(1.0)  # from 5 to 6 alone


@pytest.mark.parametrize("model", ["ets", "theta"])
def test_a_fit_on_a_card_says_what_the_processor_computes(model: str) -> None:
    y = np.random.default_rng(0).standard_normal(40)
    with pretend_card():
        found = ostinato.fit(y, model=model, device="cuda")
    assert any(f"{model} was computed on the CPU, not on cuda:0" in note for note in found.notes)
    assert not any("was computed on the CPU" in note for note in ostinato.fit(y, model=model, device="cpu").notes)


def test_a_refit_says_what_it_found_out() -> None:
    """The known part is too short for the limit of the search, and all of the data are not."""
    y = np.random.default_rng(1).standard_normal(430)
    told = "the parameters of smoothing were searched on the newest 400 steps of a series"
    assert ostinato.fit(y, model="ets").notes.count(told) == 1
    assert told not in ostinato.fit(y, model="ets", refit=False).notes
