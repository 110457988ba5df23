"""Temperature 0 on a lattice is the likeliest of all its values, by enumeration."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ostinato.emissions import likeliest
from ostinato.emissions.bounded import Located
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.coupling import Coupling, StepCoupling
from ostinato.emissions.emission import Support
from ostinato.emissions.logistic_mixture import LogisticMixture
from ostinato.emissions.normal import Normal

F64 = torch.float64
FAMILIES: dict[str, Callable[[], Located]] = {
    "normal": Normal,
    "one logistic": lambda: LogisticMixture(1),
    "mixture": lambda: LogisticMixture(4),
}
COUPLINGS = ("none", "all", "of steps")
UNIT, CELLS = 0.25, range(-20, 31)


def lattice() -> Support:
    """Return a lattice that is not symmetric about 0."""
    return Support(*(torch.full((2,), v, dtype=F64) for v in (UNIT, UNIT * CELLS[0], UNIT * CELLS[-1])))


def made(family: str, coupling: str, spread: float, seed: int) -> Conditional:
    """Return distributions of two channels in eight rows, with locations inside and outside of the lattice."""
    emission, rng = FAMILIES[family](), torch.Generator().manual_seed(seed)
    params = spread * torch.randn(8, 2, emission.parameters, generator=rng, dtype=F64)
    loc = 4 * torch.randn(8, 2, generator=rng, dtype=F64)
    scale = torch.rand(8, 2, generator=rng, dtype=F64) + 0.2
    strength = torch.tensor([[0.0, 0.0], [0.7, 0.0]], dtype=F64)
    coupled: Coupling | StepCoupling | None = None
    if coupling == "all":
        coupled = Coupling(2).double()
        torch.nn.init.constant_(coupled.weight, 0.7)
    elif coupling == "of steps":
        coupled = StepCoupling(strength.expand(8, 2, 2))
    return Conditional(emission, params, loc, scale, coupled)


def by_enumeration(conditional: Conditional, support: Support) -> torch.Tensor:
    """Return the greatest nats of each channel, (8, 2), each given the likeliest value of the one before it."""
    grid, x = UNIT * torch.tensor(list(CELLS), dtype=F64), torch.zeros(8, 2, dtype=F64)
    out = torch.zeros(8, 2, dtype=F64)
    for d in range(2):
        tried = x.repeat(len(grid), 1, 1)
        tried[..., d] = grid[:, None]
        nats = torch.stack([conditional.log_prob(one, support)[:, d] for one in tried])
        out[:, d], best = nats.max(0)
        x[:, d] = grid[best]
    return out


@pytest.mark.parametrize("spread", [0.5, 2.0])
@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_temperature_0_is_the_likeliest_value(family: str, coupling: str, spread: float) -> None:
    support, rng = lattice(), torch.Generator().manual_seed(0)
    for seed in range(5):
        conditional = made(family, coupling, spread, seed)
        found = conditional.sample(support, rng, 0.0)
        torch.testing.assert_close(conditional.log_prob(found, support), by_enumeration(conditional, support))


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_a_family_of_the_values_themselves_agrees(family: str) -> None:
    """Without a prediction the emission draws itself."""
    support, rng = lattice(), torch.Generator().manual_seed(0)
    for seed in range(5):
        held = made(family, "none", 2.0, seed)
        conditional = Conditional(held.emission, held.params)
        found = conditional.sample(support, rng, 0.0)
        torch.testing.assert_close(conditional.log_prob(found, support), by_enumeration(conditional, support))


@torch.no_grad()
def test_between_two_components_and_at_an_edge() -> None:
    """The likeliest value may be the mean of no component: between two that overlap, or in a cell that holds a tail."""
    emission, rng = LogisticMixture(2), torch.Generator().manual_seed(0)
    support = Support(*(torch.tensor([v], dtype=F64) for v in (1.0, -9.0, 9.0)))
    overlapping = torch.tensor([[0.0, 0.0, 0.0, -2.0, 2.0, 1.0, 1.0]], dtype=F64)
    assert float(emission.sample(overlapping, support, rng, 0.0)) == 0.0
    wide = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0, 4.0, 4.0]], dtype=F64)
    assert float(emission.sample(wide, support, rng, 0.0)) == 9.0


@torch.no_grad()
def test_a_wide_lattice_is_searched_in_two_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    support, rng = lattice(), torch.Generator().manual_seed(0)
    conditional = made("mixture", "none", 0.5, 3)
    all_looked_at = conditional.sample(support, rng, 0.0)
    monkeypatch.setattr(likeliest, "MOST", 8)
    torch.testing.assert_close(conditional.sample(support, rng, 0.0), all_looked_at)
