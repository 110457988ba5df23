"""The adaptive filter: the engine equals its reference, and every bit is the same in any chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ostinato.emissions.conditional import Conditional
from ostinato.emissions.coupling import StepCoupling
from ostinato.emissions.emission import Support
from ostinato.emissions.logistic_mixture import LogisticMixture
from ostinato.errors import ConfigError
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.filter import native, reference
from ostinato.ops.filter.form import FilterForm

if not ABSENT:
    from ostinato.ops.engine import _engine

ENGINE = pytest.mark.skipif(bool(ABSENT), reason="the engine is not compiled")
ONES = np.ones(2, dtype=np.float32)


def form(channels: int, *, grounded: bool = False) -> FilterForm:
    """Return a small form; its unit is one half."""
    cross = 0 if channels == 1 else 2
    small = {"orders": (6, 3), "forgets": (0.998, 0.97), "taps": (8, 4), "rates": (0.003, 0.003)}
    return FilterForm(
        channels=channels,
        cross=cross,
        wide=50.0,
        unit=0.5,
        wider=2 * grounded,
        grounded=grounded,
        **small,  # type: ignore[arg-type]
    )


def values(channels: int, steps: int = 120) -> NDArray[np.float64]:
    """Return two random walks on the lattice, with a missing value."""
    walks = np.random.default_rng(0).normal(size=(steps, 2, channels)) * 20
    x: NDArray[np.float64] = np.cumsum(walks, 0).round() * 0.5
    x[steps // 2, 0, 0] = np.nan
    return x


def start(form: FilterForm) -> NDArray[np.float64]:
    """Return the memory of two rows before the first step."""
    return np.stack([reference.fresh(form)] * 2)


@ENGINE
@pytest.mark.parametrize(("grounded", "level"), [(False, 0.0), (True, 0.0), (True, 4e5)])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_engine_equals_the_reference(channels: int, grounded: bool, level: float) -> None:
    f, x, lengths = form(channels, grounded=grounded), values(channels) + level, np.array([120, 70])
    one, two = start(f), start(f)
    expected = reference.unroll(f, x, one, ONES, lengths)
    found = native.unroll(f, x, two, ONES, lengths)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(two, one, rtol=1e-6, atol=1e-8 * np.abs(one).max())


@ENGINE
@pytest.mark.parametrize("grounded", [False, True])
def test_chunks_join_to_the_bit(grounded: bool) -> None:
    f, x = form(2, grounded=grounded), values(2)
    one, two = start(f), start(f)
    whole = native.unroll(f, x, one, ONES, None)
    parts = [native.unroll(f, x[a : a + 7], two, ONES, None)[:-1] for a in range(0, 120, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole[:-1])
    np.testing.assert_array_equal(one, two)


@ENGINE
@pytest.mark.parametrize("explained", [-9.0, -1.0, 0.0, 0.7, 9.0])
@pytest.mark.parametrize("centre", [-10.0, 1.0, 9.5])
def test_a_step_has_the_nats_and_the_means_of_the_emission(explained: float, centre: float) -> None:
    f = form(2)
    M = (f.width_out - 2 - f.channels) // 3
    rng = np.random.default_rng(1)
    params = np.concatenate([rng.normal(size=(2, 2 * M)), rng.normal(size=(2, M)) - 1], 1)
    loc, scale = np.array([centre, -2.0]), np.array([1.5, 0.7])
    rows = np.array([[0.0, 0.0], [explained, 0.0]])
    predicted = np.concatenate([loc[:, None], scale[:, None], params, rows], 1).reshape(-1)
    x, rate, means = np.array([-9.5, 10.0]), np.zeros(1, dtype=np.float32), np.zeros(2)
    counts, rates = native.arrays_of(f)
    memory = np.ascontiguousarray(reference.fresh(f))
    held = (counts, rates, x, rate, memory, predicted)
    at, by, here, learns, kept, ahead = (int(a.ctypes.data) for a in held)
    sizes, there = (f.channels, *f.counts, f.lattice), int(means.ctypes.data)
    nats = _engine.filter_step(sizes, at, by, here, learns, kept, ahead, 0.5, -10.0, 10.0, there)
    p = torch.from_numpy(np.concatenate([np.zeros((2, 1)), params], 1))
    conditional = Conditional(
        LogisticMixture(M), p, torch.from_numpy(loc), torch.from_numpy(scale), StepCoupling(torch.from_numpy(rows))
    )
    lattice = Support(*(torch.tensor(end, dtype=torch.float64) for end in (0.5, -10.0, 10.0)))
    np.testing.assert_allclose(means, conditional.mean(lattice), rtol=1e-9)
    found = conditional.log_prob(torch.from_numpy(x), lattice).sum()
    if found > -600:  # the engine has no probability below 1e-300
        np.testing.assert_allclose(-nats, found, rtol=1e-9)


def test_a_frozen_row_learns_nothing() -> None:
    f, x = form(1), values(1)
    memory = start(f)
    before = memory.copy()
    reference.unroll(f, x, memory, np.array([0, 1], dtype=np.float32), None)
    learned = f.places()
    for name in ("weights", "variances", "taps", "stack", "scales", "mixture"):
        for part in learned[name]:
            np.testing.assert_array_equal(memory[0, 0, part], before[0, 0, part])
            assert (memory[1, 0, part] != before[1, 0, part]).any()


def test_a_step_is_predicted_before_it_is_seen() -> None:
    f, x = form(2), values(2)
    other = x.copy()
    other[60:] += 5
    one, two = (reference.unroll(f, v, start(f), ONES, None) for v in (x, other))
    np.testing.assert_array_equal(one[:61], two[:61])
    assert (one[61] != two[61]).any()


@ENGINE
def test_the_portable_exponential_and_logarithm() -> None:
    from ostinato.ops.engine import _engine

    x = np.concatenate([np.linspace(-600, 600, 5001), np.random.default_rng(1).normal(size=1000)])
    y, back = np.empty_like(x), np.empty_like(x)
    _engine.portable_exp(len(x), x.ctypes.data, y.ctypes.data)
    np.testing.assert_allclose(y, np.exp(x), rtol=4e-16 * 8)
    _engine.portable_log(len(x), y.ctypes.data, back.ctypes.data)
    np.testing.assert_allclose(back, np.log(y), rtol=1e-14, atol=1e-15)


@ENGINE
@pytest.mark.parametrize("y", [0.0, 12.0, -(2.0**52) - 1, 2.0**62, -(2.0**63), 3 * 2.0**64, 1e20, 1e300])
def test_the_lattice_of_a_value_of_any_size_is_that_of_the_reference(y: float) -> None:
    f = form(1)
    one, two = start(f), start(f)
    x = np.full((1, 2, 1), y * f.unit)
    reference.unroll(f, x, one, ONES, None)
    native.unroll(f, x, two, ONES, None)
    assert one[0, 0, 0] == two[0, 0, 0]


@ENGINE
@pytest.mark.parametrize("name", ["x", "memory", "rate", "lengths"])
def test_arrays_that_do_not_fit_are_refused(name: str) -> None:
    f = form(2)
    given: dict[str, Any] = {"x": values(2), "memory": start(f), "rate": ONES, "lengths": np.array([120, 70])}
    for wrong in (given[name][..., :-1], given[name][None]):
        with pytest.raises((ConfigError, ValueError), match=r"shape|unpack"):
            native.unroll(f, **{**given, name: wrong})


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", None])
@pytest.mark.parametrize("name", ["channels", "orders", "taps", "cross", "wider"])
def test_forms_that_no_memory_can_have_are_refused(name: str, wrong: object) -> None:
    if wrong == 0 and name in {"cross", "wider"}:
        return
    sizes = form(2).to_json()
    sizes[name] = [wrong, 3] if name in {"orders", "taps"} else wrong
    with pytest.raises(ConfigError, match="whole numbers"):
        FilterForm(**sizes)
