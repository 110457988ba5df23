"""A row with resets gives the results of its pieces, run one by one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine import extension
from ostinato.ops.engine.places import Places

if extension.ABSENT:
    pytest.skip(extension.ABSENT, allow_module_level=True)

from ostinato.ops.engine.unroll import unroll
from ostinato.ops.weights import Weights
from ostinato.shapes import State

D, H = 2, 3
GATES = {"rnn_tanh": 1, "gru": 3, "lstm": 4, "lstm_projected": 4}
cells = pytest.mark.parametrize("cell", GATES)


def given_to(cell: str, *places: int, rows: int) -> tuple[Tensor, State, Weights]:
    """x, the initial state and the weights."""
    g = torch.Generator().manual_seed(0)
    draw: Callable[..., Tensor] = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64).requires_grad_()  # noqa: E731
    P = 2 if cell == "lstm_projected" else H
    state = (draw(rows, P), draw(rows, H)) if cell.startswith("lstm") else (draw(rows, P),)
    G = GATES[cell]
    weights = draw(G * H, D), draw(G * H, P), draw(G * H), draw(G * H)
    x = draw(*places, D)
    return x, state, Weights(*weights, draw(P, H) if P < H else None)


def apart(cell: str, x: Tensor, state: State, weights: Weights, marks: list[bool],
          reverse: bool) -> tuple[Tensor, State]:  # fmt: skip
    """Run the pieces of one row x (T, D) one by one, the first from ``state``."""
    n = len(marks)
    cuts = [t for t in range(1, n) if marks[t]]
    pieces = list(zip([0, *cuts], [*cuts, n], strict=True))
    rest = tuple(torch.zeros_like(s) for s in state)
    if n and marks[0] and not reverse:
        state = rest
    found = []
    for a, z in reversed(pieces) if reverse else pieces:
        h, state = unroll(cell, x[a:z, None], state, weights, Places(reverse=reverse))
        found.append((h[:, 0], state))
        state = rest
    path = [h for h, _ in found]
    return torch.cat(path[::-1] if reverse else path), found[-1][1]


def same_with_gradients(ours: tuple[Tensor, ...], true: tuple[Tensor, ...], leaves: list[Tensor]) -> None:
    """Results, and the gradients of a random functional of them."""
    g = torch.Generator().manual_seed(1)
    weigh = [torch.randn(t.shape, generator=g, dtype=t.dtype) for t in true]
    gradients = []
    for results in (ours, true):
        loss = [(r * w).sum() for r, w in zip(results, weigh, strict=True)]
        gradients.append(torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True))
    for mine, reference in zip((*ours, *gradients[0]), (*true, *gradients[1]), strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-11, atol=1e-11)


@cells
@settings(deadline=None, max_examples=25)
@given(data=st.data(), reverse=st.booleans())
def test_a_padded_row_is_its_pieces(cell: str, data: st.DataObject, reverse: bool) -> None:
    T, B = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 4))
    marks = torch.tensor(data.draw(st.lists(st.lists(st.booleans(), min_size=B, max_size=B), min_size=T, max_size=T)))
    lengths = data.draw(st.none() | st.lists(st.integers(0, T), min_size=B, max_size=B))
    x, state, weights = given_to(cell, T, B, rows=B)
    places = Places(None if lengths is None else torch.tensor(lengths), reverse=reverse)
    h, last = unroll(cell, x, state, weights, places, resets=marks)
    rows, ends = [], []
    for b, n in enumerate(lengths or [T] * B):
        row = tuple(s[b : b + 1] for s in state)
        path, end = apart(cell, x[:n, b], row, weights, marks[:n, b].tolist(), reverse)
        rows.append(torch.nn.functional.pad(path, (0, 0, 0, T - n)))
        ends.append(end)
    true = torch.stack(rows, dim=1), *(torch.cat(part) for part in zip(*ends, strict=True))
    leaves = [x, *state, *(w for w in weights if w is not None)]
    same_with_gradients((h, *last), true, leaves)


@cells
@settings(deadline=None, max_examples=25)
@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=6), reverse=st.booleans(), data=st.data())
def test_a_ragged_row_is_its_pieces(cell: str, lengths: list[int], reverse: bool, data: st.DataObject) -> None:
    N, B = sum(lengths), len(lengths)
    marks = data.draw(st.lists(st.booleans(), min_size=N, max_size=N))
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    x, state, weights = given_to(cell, N, rows=B)
    places = Places.ragged(offsets, reverse=reverse)
    h, last = unroll(cell, x, state, weights, places, resets=torch.tensor(marks, dtype=torch.bool))
    rows, ends = [], []
    for b in range(B):
        a, z = offsets[b : b + 2].tolist()
        path, end = apart(cell, x[a:z], tuple(s[b : b + 1] for s in state), weights, marks[a:z], reverse)
        rows.append(path)
        ends.append(end)
    true = torch.cat(rows), *(torch.cat(part) for part in zip(*ends, strict=True))
    leaves = [x, *state, *(w for w in weights if w is not None)]
    same_with_gradients((h, *last), true, leaves)


def test_steps_before_a_reset_have_no_effect() -> None:
    """NaN before a reset has no effect either."""
    x, state, weights = given_to("gru", 5, 2, rows=2)
    marks = torch.zeros(5, 2, dtype=torch.bool)
    marks[3, 0] = marks[0, 1] = True
    with torch.no_grad():
        x[2, 0], state[0][1] = torch.nan, torch.nan
        h, (last,) = unroll("gru", x, state, weights, resets=marks)
    assert h[2, 0].isnan().all()
    assert not h[3:, 0].isnan().any()
    assert not h[:, 1].isnan().any()
    assert not last.isnan().any()


def test_invalid_resets_are_refused() -> None:
    x, state, weights = given_to("gru", 5, 2, rows=2)
    for wrong in (torch.zeros(5, 2), torch.zeros(5, 3, dtype=torch.bool), torch.zeros(5, dtype=torch.bool)):
        with pytest.raises(ConfigError):
            unroll("gru", x, state, weights, resets=wrong)
    packed = Places.packed(torch.tensor([2, 2, 1]))
    with pytest.raises(ConfigError, match="packed"):
        unroll("gru", x.flatten(0, 1)[:5], state, weights, packed, resets=torch.zeros(5, dtype=torch.bool))
