"""The engine refuses a state of counts that it must not read or write at its addresses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ostinato.errors import ConfigError, ModelFileError
from ostinato.layers.counts import Counts
from ostinato.ops.counts.form import CountsState
from ostinato.ops.counts.past import MATCHED
from ostinato.ops.engine.extension import ABSENT

pytestmark = pytest.mark.skipif(bool(ABSENT), reason="the engine is not compiled")
V, ROWS = 6, 2
X = torch.zeros(3, ROWS, 1)
Change = Callable[[torch.Tensor], torch.Tensor]
CHANGES: dict[str, Change] = {
    "type": lambda s: s.to(torch.float64),
    "half": lambda s: s.to(torch.int16),
    "rows": lambda s: s[:1],
    "dimensions": lambda s: s[0],
    "size": lambda s: s[..., :-1],
    "device": lambda s: s.to("meta"),
    "layout": lambda s: s.repeat_interleave(2, -1)[..., ::2],
    "shared": lambda s: s[:1].expand(ROWS, *s.shape[1:]),
}


def counts() -> Counts:
    symbols = np.arange(60) % V
    return Counts.fit(symbols, np.array([0, 60]), [1] * V, slots=64, implementation="native")


@pytest.mark.parametrize("name", [n for n in CountsState._fields if n != "given"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_state_that_does_not_fit_is_refused(name: str, change: str) -> None:
    made = counts()
    state = CountsState(*made.owned(made.initial_state(ROWS), learns=True))
    bad = state._replace(**{name: CHANGES[change](getattr(state, name))})
    with pytest.raises(ConfigError, match=r"state"):
        made.unroll_(X, bad)


@pytest.mark.parametrize("last", [-1, V + 1, 1 << 40])
def test_a_last_symbol_out_of_range_is_refused(last: int) -> None:
    made = counts()
    state = CountsState(*made.owned(made.initial_state(ROWS), learns=True))
    state.path[1, 0] = last
    with pytest.raises(ValueError, match="out of range"):
        made.unroll_(X, state)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e38])
def test_numbers_of_any_value_end_in_probabilities(value: float) -> None:
    made = counts()
    for name in ("rate", "maps", "weights", "last", "corrections", "trust"):
        state = CountsState(*made.owned(made.initial_state(ROWS), learns=True))
        getattr(state, name).fill_(value)
        assert bool(made.unroll_(X, state).isfinite().all())


@pytest.mark.parametrize("value", [-(1 << 62), -1, 0, V + 1, (1 << 31) - 1, 1 << 62])
def test_matches_of_any_place_end_in_probabilities(value: int) -> None:
    made = counts()
    for name in ("history", "path"):
        state = CountsState(*made.owned(made.initial_state(ROWS), learns=True))
        low, high = -(1 << 31), (1 << 31) - 1
        state.history[:] = min(max(value, low), high) if name == "history" else 1
        state.path[:, MATCHED:] = value if name == "path" else 1
        assert bool(made.unroll_(X, state).isfinite().all())


def test_lengths_beyond_the_steps_are_refused() -> None:
    made = counts()
    with pytest.raises(ConfigError, match="length"):
        made.unroll(X, lengths=torch.tensor([1, 4]))


def test_another_type_of_weights_leaves_the_memory_as_it_is() -> None:
    made = counts()
    expected, _ = made.unroll(X)
    found, _ = made.double().unroll(X)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("name", ["child", "place", "start", "path"])
def test_a_tree_that_leads_outside_of_itself_is_refused(name: str) -> None:
    made = counts()
    held = made.state_dict()
    held[name] = held[name] + 1_000
    with pytest.raises(ModelFileError, match="outside"):
        made.load_state_dict(held)


@pytest.mark.parametrize("name", ["x", "network", "out"])
def test_a_step_on_tensors_that_do_not_fit_is_refused(name: str) -> None:
    made = counts()
    state = made.owned(made.initial_state(ROWS), learns=True)
    given = {"x": torch.zeros(ROWS, dtype=torch.int64), "network": torch.zeros(ROWS, V), "out": torch.zeros(ROWS, V)}
    for wrong in (given[name][:-1], given[name].double(), given[name].repeat_interleave(2, -1)[..., ::2]):
        tensors = {**given, name: wrong}
        with pytest.raises(ConfigError):
            made.bound(tensors["x"], tensors["network"], state, tensors["out"])
