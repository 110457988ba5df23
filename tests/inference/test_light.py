"""Texts drawn by recurrent weights of 8 bits: the rounding is bounded, and the step is that of the rounded network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.errors import ConfigError
from ostinato.inference.live import logits
from ostinato.inference.sample import _in_precision, sample
from ostinato.layers.cell import Cell
from ostinato.layers.gru import GRU
from ostinato.layers.lstm import LSTM
from ostinato.layers.rnn import RNN
from ostinato.model import SequenceModel
from ostinato.ops.engine import extension, light
from zoo import fitted

pytestmark = pytest.mark.skipif(bool(extension.ABSENT), reason=str(extension.ABSENT))


@given(st.integers(1, 3), st.integers(1, 11), st.integers(0, 2**32 - 1), st.sampled_from([1e-20, 1.0, 1e20]))
@settings(max_examples=60, deadline=None)
def test_no_weight_moves_by_more_than_half_a_place(rows: int, hidden: int, seed: int, size: float) -> None:
    weight = torch.randn(rows, hidden, generator=torch.Generator().manual_seed(seed)) * size
    weight[0, seed % hidden] = 0.0
    moved = (light.Rounded(weight).weight - weight).abs()
    assert bool((moved <= weight.abs().amax(-1, keepdim=True) / 254 * (1 + 1e-5)).all())


@pytest.mark.parametrize("hidden", [1, 7, 33, 64])
@pytest.mark.parametrize("cell", [RNN, GRU, LSTM])
def test_a_step_is_that_of_the_rounded_weights(cell: type[RNN | GRU | LSTM], hidden: int) -> None:
    torch.manual_seed(hidden)
    layer: Cell = cell(5, hidden)
    layer.round_()
    assert layer.rounded is not None
    table, x = torch.randn(9, 5), torch.randint(0, 9, (6, 3))
    with torch.no_grad():
        expected, last = layer.unroll(table[x])
    symbols = np.zeros(3, dtype=np.int64)
    states = [np.zeros((3, hidden), dtype=np.float32) for _ in last]
    inputs = table, layer.weight_ih_l0, layer.bias_ih_l0, layer.bias_hh_l0
    step = light.bound(layer.engine, layer.rounded, inputs, symbols, *states)
    for t, h in enumerate(expected):
        symbols[:] = x[t]
        step()
        np.testing.assert_allclose(states[0], h, rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(states, last, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("kind", ["text", "lines"])
def test_few_texts_are_the_first_of_many_by_the_same_weights(kind: str, name: str) -> None:
    model = fitted(kind, name)
    few, many = (sample(model, 30, n_samples=n, prompt="a", precision="int8") for n in (2, light.ROWS + 3))
    assert few == many[:2]


def test_the_step_of_eight_bits_is_used_and_close_to_float32() -> None:
    model = fitted("text", "lstm")
    light_model = _in_precision(model, "int8")
    assert light_model is not model
    own = [logits.logits_of(m, m.initial_state(1)) for m in (model, light_model)]
    assert [getattr(one, "_looks_up", None) for one in own] == [False, True]
    for symbol in (1, 2, 1, 3):
        exact, near = (torch.from_numpy(one.pending()).double().log_softmax(-1) for one in own)
        assert float((exact.exp() * (exact - near)).sum()) < 1e-3
        for one in own:
            one.observe(np.array([symbol]))


@pytest.mark.parametrize(("kind", "name"), [("series", "lstm"), ("text", "ar"), ("text", "conv")])
def test_what_has_no_such_weights_is_refused(kind: str, name: str) -> None:
    model = fitted(kind, name)
    assert isinstance(model, SequenceModel)
    with pytest.raises(ConfigError, match="precision int8 is for text"):
        sample(model, 3, precision="int8")


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown precision 'int4'"):
        sample(fitted("text", "lstm"), 3, precision="int4")
