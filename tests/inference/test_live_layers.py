"""The live step of a layer is the layer's own step, for one sequence and for many, and its state too."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ostinato.inference.live.layers import bind, layers_of
from ostinato.layers.conv import CausalConv
from ostinato.layers.gru import GRU
from ostinato.layers.linear import LinearRNN
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.stack import Stack
from ostinato.ops.engine import extension
from ostinato.ops.variables import IMPLEMENTATION

LAYERS: dict[str, Callable[[], list[Recurrence]]] = {
    "linear": lambda: [LinearRNN(3, 5)],
    "linear, one input": lambda: [LinearRNN(1, 4)],
    "linear, residual": lambda: [LinearRNN(3, 5), LinearRNN(5, 5), LinearRNN(5, 2)],
    "conv": lambda: [CausalConv(3, 5)],
    "conv of one tap": lambda: [CausalConv(3, 5, 1, 4)],
    "conv of three taps": lambda: [CausalConv(3, 5, 3, 4)],
    "conv of five taps": lambda: [CausalConv(2, 5, 5, 3)],
    "conv that reaches beyond the steps": lambda: [CausalConv(2, 3, 2, 5000)],
    "conv, dilated": lambda: [CausalConv(3 if not i else 5, 5, 2, 2**i) for i in range(4)],
    "both": lambda: [CausalConv(3, 5, 2, 2), LinearRNN(5, 5)],
}
CELLS = pytest.param(
    "with a cell", marks=pytest.mark.skipif(bool(extension.ABSENT), reason=str(extension.ABSENT)), id="with a cell"
)


def stack(name: str) -> Stack:
    torch.manual_seed(3)
    return Stack(LAYERS[name]() if name in LAYERS else [GRU(3, 5), LinearRNN(5, 5), CausalConv(5, 5, 2, 2)]).eval()


@pytest.mark.parametrize("size", [1.0, 1e4], ids=["usual", "gates at their ends"])
@pytest.mark.parametrize("settles", [False, True])
@pytest.mark.parametrize("rows", [None, 1, 4])
@pytest.mark.parametrize("name", [*LAYERS, CELLS])
@torch.no_grad()
def test_steps_are_an_unroll(name: str, rows: int | None, settles: bool, size: float) -> None:
    model = stack(name)
    layers, x = layers_of(model), size * torch.randn(30, rows or 1, model.input_size)
    assert layers is not None
    some = 0 if rows is None else slice(None)
    start = tuple(torch.randn_like(s) for s in model.initial_state(rows or 1))
    expected, last = model.unroll(x, start)
    held = [s.numpy().copy() for s in start]
    below = np.zeros_like(x[0, some].numpy())
    bound = bind(layers, [s[some] for s in held], below)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for t in range(30):
            below[...] = x[t, some].numpy()
            for run in bound.runs:
                run()
            if settles and t % 7 == 3:  # a state may be read at any time, and the steps go on
                for settle in bound.settles:
                    settle()
            np.testing.assert_allclose(bound.h, expected[t, some].numpy(), rtol=2e-5, atol=2e-5 * size)
    for settle in bound.settles:
        settle()
    for one, wanted in zip(held, last, strict=True):
        np.testing.assert_allclose(one, wanted.numpy(), rtol=2e-5, atol=2e-5 * size)


def test_another_way_to_compute_a_layer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that was told how to compute itself has no step of its own here."""
    made: list[Recurrence] = [LinearRNN(3, 5, "scan"), CausalConv(3, 5, implementation="reference")]
    assert [layers_of(Stack([one])) for one in made] == [None, None]
    monkeypatch.setenv(IMPLEMENTATION, "reference")
    assert [layers_of(stack(name)) for name in LAYERS] == [None] * len(LAYERS)
