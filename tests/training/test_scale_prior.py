"""Models of a few values: their intervals are as wide as so few values require."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import t as student

import ostinato
from ostinato.emissions.constraints import LEAST_DF, scale_of
from ostinato.errors import ConfigError
from ostinato.model import SequenceModel
from ostinato.shapes import Array
from ostinato.training.scale_prior import BEFORE, ENOUGH, MANY, ScalePrior, changes
from pretend_card import pretend_card

VALUES = {
    "rising by 1": np.arange(4.0),
    "three rising by 1": np.arange(3.0),
    "three that jump": np.array([10.0, 10.0, 14.0]),
    "three apart": np.array([101.3, 98.7, 106.4]),
    "four that turn": np.array([3.0, 1.0, 4.0, 1.0]),
    "five of two values": np.array([5.0, 7.0, 5.0, 7.0, 5.0]),
    "five of two that are not whole": np.array([5.5, 7.25, 5.5, 7.25, 5.5]),
    "eight of two values": np.array([5.0, 7.0] * 4),
    "eight of two that are not whole": np.array([5.5, 7.25] * 4),
    "one after four equal ones": np.array([5.0, 5.0, 5.0, 5.0, 9.0]),
    "one after four equal ones, not whole": np.array([5.5, 5.5, 5.5, 5.5, 9.1]),
    "a count after zeros": np.array([0.0, 0.0, 0.0, 0.0, 0.0, 7.0]),
    "doubling": 2.0 ** np.arange(6),
    "doubling, not whole": 1.5 * 2.0 ** np.arange(6),
    "eight rising by 1": np.arange(8.0),
    "eight rising, not whole": 0.3 + 0.7 * np.arange(8),
    "counts that turn": np.array([3.0, 1.0, 4.0, 1.0, 5.0]),
    "large counts of two values": np.array([1e5, 3e5, 1e5, 3e5, 1e5]),
    "five far from 0": 1e6 + np.array([0.0, 2.0, 1.0, 4.0, 2.0]),
    "twelve above 0": np.array([0.7, 1.4, 2.9, 1.6, 1.1, 1.9, 0.1, 0.2, 0.4, 1.8, 0.4, 0.4]),
    "three tiny": np.array([1.0, 3.0, 2.0]) * 1e-6,
}


#: The emissions of the closed forms; a count has no density of Student's t.
EMISSIONS = (None, "normal", "student_t", "logistic_mixture")


def _interval(y: Array, model: str, emission: str | None = None) -> tuple[float, float, float]:
    """Return the point forecast of the next value and the ends of its 95 % interval."""
    found = ostinato.fit(y[:, None] + np.zeros(1), model=model, support="real", emission=emission)
    point, low, high = ostinato.forecast(found.model, y, horizon=1, level=[95]).frame.row(0)[2:]
    return point, low, high


#: Values that each emission is tried on.
HARD = ("three that jump", "five of two values", "eight of two that are not whole", "a count after zeros", "doubling")
CASES = [
    *product((None,), ("ar", "ets", "theta"), VALUES),
    *product(EMISSIONS[1:], ("ar", "theta"), HARD),
    ("logistic_mixture", "ar", "counts that turn"),
]


@pytest.mark.parametrize(("emission", "model", "name"), CASES)
def test_no_interval_of_a_few_values_is_narrower_than_their_changes(
    emission: str | None, model: str, name: str
) -> None:
    y = VALUES[name]
    whole = bool((y == y.round()).all() and y.max() < 1000)
    if whole and emission == "student_t":
        with pytest.raises(ConfigError, match="continuous"):
            _interval(y, model, emission)
        return
    point, low, high = _interval(y, model, emission)
    moves = np.diff(y)
    # of a steady rise, only the first step is a surprise
    usual = min(np.abs(moves).mean(), np.sqrt(moves.var() + moves.mean() ** 2 / len(moves)))
    # both of the counts at the ends belong to an interval, which the least count may cut off
    assert high - low + whole > usual * (0.9 if whole and low == 0 else 1)
    assert high - low < 100 * np.abs(moves).mean()
    assert np.abs([point, low, high]).max() < 20 * np.abs(y).max()


def test_values_above_a_bound_have_no_endless_interval() -> None:
    """The likeliest normal of values near 0 lies far below 0, and a heavy tail there would reach 900."""
    y = VALUES["twelve above 0"]
    model = ostinato.fit(y, model="ar", support="nonnegative").model
    low, high = ostinato.forecast(model, y, horizon=1, level=[95]).frame.row(0)[3:]
    assert 0 <= low < high < 4 * y.max()


def test_the_emission_of_counts_is_the_likeliest() -> None:
    """The constants are those of maximum likelihood, on the lattice of the counts and with its first cell."""
    y = np.random.default_rng(0).poisson(1.5, 300).astype(np.float64)
    for model in ("ar", "ets", "theta"):
        kept = ostinato.fit(y, model=model).model
        assert isinstance(kept, SequenceModel)
        best = kept.constant.detach().clone()

        def nats(*moved: float, kept: SequenceModel = kept, best: torch.Tensor = best) -> float:
            with torch.no_grad():
                kept.constant.copy_(best + torch.tensor(moved))
            return float(ostinato.score(kept, y).surprisal.sum())

        at_best = nats(0.0, 0.0)
        assert at_best < min(nats(0.0, 0.05), nats(0.0, -0.05)), model


def test_a_perfect_fit_of_many_counts_is_certain() -> None:
    """Forty steps of two values by turns are no few: their likelihood, with that of the first step, decides."""
    y = np.array([5.0, 7.0] * 20)
    kept = ostinato.fit(y, model="ar").model
    nats = ostinato.score(kept, y).surprisal
    assert nats[0] < 3
    assert nats[1:].max() < 0.05


def test_no_scale_is_too_large_for_cells_at_an_edge() -> None:
    """A cell at the edge of a lattice holds a tail, and half of the probability however wide the scale is."""
    few = ScalePrior(torch.tensor([6.0]), torch.tensor([4]), torch.tensor([1.0]), inner=torch.tensor([1.0]))
    wide, wider = (torch.tensor([[0.0, raw]]) for raw in (1e3, 1e6))
    # the one count in the middle costs log s more
    assert float(few.loss(wider) - few.loss(wide)) + np.log(1e3) > 1


def test_the_prior_alone_is_the_distribution_of_student() -> None:
    """Without a degree of freedom the scale is the size of the changes, with those of the prior."""
    few = ScalePrior(torch.tensor([3.0]), torch.tensor([3]), torch.tensor([2.0]))
    constant = few.start(torch.tensor([[0.0, 0.0, 50.0]]), torch.zeros(3, 1))
    # (0 + 2 x 2^2) / (3 + 2 - 3), and as much again for three parameters from three innovations
    assert float(scale_of(constant[:, 1])) == pytest.approx(8**0.5, rel=1e-6)
    freedom = _freedom(few.widened(constant))[0]
    assert freedom == pytest.approx(max(BEFORE, 2.051), abs=1e-3)
    assert student.ppf(0.975, freedom) > 4


def test_the_loss_has_its_minimum_at_the_posterior_mode() -> None:
    few, e = (
        ScalePrior(torch.tensor([6.0]), torch.tensor([2]), torch.tensor([1.5])),
        torch.tensor([[1.0], [-2.0], [0.5], [0.3], [-1.0], [2.0]]),
    )
    mode = few.start(torch.zeros(1, 2), e)

    def loss(constant: torch.Tensor) -> float:
        scale = scale_of(constant[:, 1])
        return float((6 * scale.log() + 0.5 * (e / scale).square().sum()).sum() + few.loss(constant))

    assert loss(mode) < min(loss(mode + 0.05), loss(mode - 0.05))


def _freedom(constant: torch.Tensor) -> Array:
    """Return the degrees of freedom of parameters of a Student t, (D,)."""
    return (torch.nn.functional.softplus(constant[:, 2].double()) + LEAST_DF).numpy()


def test_the_prior_fades() -> None:
    freedom = np.array([0.0, ENOUGH / 2, ENOUGH, MANY / 2, 0.75 * MANY, MANY])
    few = ScalePrior(torch.tensor(2 + freedom), torch.full((6,), 2), torch.ones(6))
    torch.testing.assert_close(few.weight, torch.tensor([1.0, 0.5, 0.0, 0.0, 0.0, 0.0]).double())
    torch.testing.assert_close(few.bound, torch.tensor([1.0, 1.0, 1.0, 1.0, 0.5, 0.0]).double())
    constant = torch.tensor([[0.0, 0.3, 80.0]]).double().repeat(6, 1)
    torch.testing.assert_close(few.widened(constant)[5:], constant[5:])
    # the inverses of the degrees of freedom of the tails, and of those of the scale with its prior, are added
    expected = 1 / (1 / 82.05 + np.array([1 / LEAST_DF, 1 / 6, 1 / 10, 1 / 200, 0.5 / 300]))
    np.testing.assert_allclose(_freedom(few.widened(constant)[:5]), np.maximum(expected, LEAST_DF + 1e-3), rtol=1e-4)
    assert ScalePrior(torch.tensor([3.0]), torch.tensor([2]), torch.zeros(1)).silent  # values that never change


@pytest.mark.parametrize("phi", [0.0, 0.6])
@pytest.mark.parametrize("n", [15, 40, 150])
def test_the_next_value_lies_in_its_interval_as_often_as_it_should(n: int, phi: float) -> None:
    """Four thousand Gaussian autoregressions of one lag, fitted to n values; the likeliest scale holds 90 % of 15."""
    rng, series = np.random.default_rng(n), 4000
    e = rng.standard_normal((n + 50, series))
    y = np.zeros_like(e)
    for t in range(1, len(e)):
        y[t] = phi * y[t - 1] + e[t]
    x, z = y[49:-2] - y[49:-2].mean(axis=0), y[50:-1] - y[50:-1].mean(axis=0)
    slope = (x * z).sum(axis=0) / (x * x).sum(axis=0)
    error = torch.tensor(z - slope * x)
    few = ScalePrior(torch.full((series,), float(len(x))), torch.full((series,), 2), torch.ones(series))
    normal = torch.tensor([[0.0, 0.0, 1e6]]).double().repeat(series, 1)
    constant = few.widened(few.start(normal, error))
    missed = np.abs(y[-1] - y[50:-1].mean(axis=0) - slope * (y[-2] - y[49:-2].mean(axis=0)))
    plain = few.widened(few.start(normal[:, :2], error))
    np.testing.assert_allclose(
        scale_of(plain[:, 1]) * student.ppf(0.975, 1e6),
        scale_of(constant[:, 1]).numpy() * student.ppf(0.975, _freedom(constant)),
        rtol=1e-3,
    )
    for level in (0.8, 0.95):
        held = (missed < scale_of(constant[:, 1]).numpy() * student.ppf(0.5 + level / 2, _freedom(constant))).mean()
        # three standard errors, and one point for the bias of few values
        assert held == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / series) + 0.01)


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
