"""Texts that the engine draws: its steps are those of the layers, and its symbols those that the options choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.data.readable import Readable
from ostinato.emissions.choice import Choice
from ostinato.layers.cell import Cell
from ostinato.layers.gru import GRU
from ostinato.layers.lstm import LSTM
from ostinato.layers.rnn import RNN
from ostinato.layers.stack import Stack
from ostinato.ops.engine import extension, writer
from ostinato.threads import computing

pytestmark = pytest.mark.skipif(bool(extension.ABSENT), reason=str(extension.ABSENT))

SYMBOLS, WIDTH = 9, 5
CELLS = [RNN, GRU, LSTM]
Kind = type[RNN | GRU | LSTM]


@dataclass
class Network:
    """A stack with an embedding, a head and a constant, all random."""

    stack: Stack
    embedding: torch.Tensor
    head: torch.Tensor
    constant: torch.Tensor

    @staticmethod
    def of(cell: Kind, *hidden: int, rounded: bool = False, residual: bool = True, relu: bool = False) -> Network:
        torch.manual_seed(sum(hidden))
        how: Any = {"nonlinearity": "relu"} if relu else {}
        layers: list[Any] = [cell(d, h, **how) for d, h in zip((WIDTH, *hidden), hidden, strict=False)]
        for layer in layers:
            assert isinstance(layer, Cell)
            if rounded:
                layer.round_()
        sizes = (SYMBOLS + 1, WIDTH), (SYMBOLS, hidden[-1]), (SYMBOLS,)
        return Network(Stack(layers, residual=residual), *(torch.randn(s) for s in sizes))

    def packed(self, draws: int = 1000) -> writer.Writer:
        layers = [writer.Layer(c.engine, c.weights, c.rounded) for c in self.stack.each() if isinstance(c, Cell)]
        residual = self.stack.residual
        return writer.Writer(layers, self.embedding, self.head, self.constant, residual=residual, draws=draws)

    def texts(self, rows: int) -> writer.Texts:
        states = tuple(tuple(s.numpy().copy() for s in layer.initial_state(rows)) for layer in self.stack.each())
        place, ended = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=bool)
        return writer.Texts(np.full(rows, SYMBOLS), place, ended, states)

    @torch.no_grad()
    def reference(self, drawn: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the logits (T, B, V) and the last states by the layers themselves, after symbols (T, B)."""
        before = torch.cat([torch.full((1, drawn.shape[1]), SYMBOLS), torch.from_numpy(drawn[:-1])])
        h, last = self.stack.unroll(self.embedding[before])
        return (h @ self.head.T + self.constant).double().numpy(), [s.numpy() for s in last]


def free(readable: Readable | None = None, end: int = -1, **how: Any) -> writer.Rules:
    """Return rules under which every symbol may follow, unless they are given."""
    every = np.ones((1, SYMBOLS), dtype=bool), np.zeros((1, SYMBOLS), dtype=np.int64), np.zeros(1, dtype=np.int64)
    given = readable or Readable(*every)
    choice: Any = {"temperature": 1.0, "top_p": 1.0, "min_p": 0.0, "top_k": 0, **how}
    return writer.Rules(**choice, allowed=given.allowed, after=given.after, needed=given.needed, end=end)


def numbers(rows: int, steps: int) -> np.ndarray:
    """Return uniform numbers (T, B), those of a row the same for any number of rows."""
    return np.stack([np.random.default_rng(b).random(steps) for b in range(rows)], axis=1)


def held(texts: writer.Texts) -> list[np.ndarray]:
    return [s for layer in texts.states for s in layer]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("hidden", [(1,), (7,), (33,), (64,), (520,), (16, 16), (17, 17, 17), (40, 24, 24)])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("rows", [1, 2, 7, 13])
def test_steps_are_those_of_the_layers(cell: Kind, hidden: tuple[int, ...], rows: int, *, relu: bool) -> None:
    if relu and cell is not RNN:
        return
    for residual in (True, False):
        network = Network.of(cell, *hidden, residual=residual, relu=relu)
        texts = network.texts(rows)
        drawn = network.packed().write(texts, free(), numbers(rows, 6), 6)
        _, last = network.reference(drawn)
        for mine, theirs in zip(held(texts), last, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hidden", [(1,), (7,), (33,), (64,), (520,), (17, 17)])
@pytest.mark.parametrize("cell", CELLS)
def test_steps_by_eight_bits_are_those_of_the_rounded_weights(cell: Kind, hidden: tuple[int, ...]) -> None:
    network = Network.of(cell, *hidden, rounded=True)
    texts = network.texts(7)
    drawn = network.packed().write(texts, free(), numbers(7, 6), 6)
    for mine, theirs in zip(held(texts), network.reference(drawn)[1], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=2e-4)  # h is rounded to 16 bits in each step


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize(
    "how",
    [
        {"temperature": 0.0},
        {"temperature": 0.5},
        {"top_k": 3},
        {"top_p": 0.6},
        {"min_p": 0.3},
        {"temperature": 1.5, "top_k": 5, "top_p": 0.8, "min_p": 0.1},
    ],
)
def test_symbols_are_those_that_the_options_choose(how: dict[str, Any], *, rounded: bool) -> None:
    """The engine draws as ``Choice`` does by the same numbers, but where one is nearer to a bound than the rounding."""
    network, u = Network.of(LSTM, 24, 24, rounded=rounded), numbers(9, 200)
    drawn = network.packed().write(network.texts(9), free(**how), u, len(u))
    logits, choice = network.reference(drawn)[0], Choice.of(**{"temperature": 1.0, **how}, symbols=True)
    expected = np.stack([choice.pick(own, numbers) for own, numbers in zip(logits, u, strict=True)])
    assert (expected == drawn).mean() > (0.99 if rounded else 0.9995)
    assert len(np.unique(drawn)) > 1 or how == {"temperature": 0.0}


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("cell", CELLS)
@given(
    hidden=st.sampled_from([(5,), (16,), (48,), (100,), (20, 20), (33, 33, 33)]),
    rows=st.integers(1, 70),
    cut=st.integers(1, 8),
    threads=st.integers(1, 4),
)
@settings(max_examples=25, deadline=None)
def test_a_row_is_the_same_to_the_bit_alone_and_among_others(
    cell: Kind, hidden: tuple[int, ...], rows: int, cut: int, threads: int, *, rounded: bool
) -> None:
    """For any number of rows, of threads and of steps a call, and whether the products of inputs are looked up."""
    network, u = Network.of(cell, *hidden, rounded=rounded), numbers(rows, 9)
    alone, among = network.texts(1), network.texts(rows)
    first = network.packed().write(alone, free(), np.ascontiguousarray(u[:, :1]), len(u))
    with computing(threads):
        own = network.packed(draws=0)
        parts = [own.write(among, free(), part, len(u)) for part in (u[:cut], u[cut:])]
    assert (np.concatenate(parts)[:, :1] == first).all()
    for one, many in zip(held(alone), held(among), strict=True):
        assert (one == many[:1]).all()


def test_texts_end_and_keep_to_what_may_follow() -> None:
    """Symbols 5 to 8 begin a pair, which 1 to 4 end; 0 ends a text between pairs. The last step ends a pair."""
    allowed, after = np.zeros((2, SYMBOLS), dtype=bool), np.zeros((2, SYMBOLS), dtype=np.int64)
    allowed[0, [0, 5, 6, 7, 8]] = allowed[1, 1:5] = True
    after[0, 5:] = 1
    readable = Readable(allowed, after, np.array([0, 1]))
    network, u = Network.of(GRU, 16), numbers(40, 21)
    texts = network.texts(40)
    drawn = network.packed().write(texts, free(readable, end=0), u, len(u))
    assert texts.ended.any()
    for row in drawn.T:
        own = row[: np.argmax(row == 0)] if (row == 0).any() else row[row >= 0]
        assert (row[len(own) + 1 :] == -1).all()
        assert (own[::2] >= 5).all()
        assert ((own[1::2] >= 1) & (own[1::2] < 5)).all()
        assert len(own) % 2 == 0


def test_what_is_packed_is_not_changed_by_later_weights() -> None:
    network = Network.of(LSTM, 24)
    own, u = network.packed(), numbers(3, 20)
    first = own.write(network.texts(3), free(), u, len(u))
    with torch.no_grad():
        for parameter in network.stack.parameters():
            parameter.zero_()
    assert (own.write(network.texts(3), free(), u, len(u)) == first).all()


def test_the_engine_draws_by_these_cells() -> None:
    assert all(writer.runs(name) for name in ("rnn_tanh", "rnn_relu", "gru", "lstm"))
    assert not writer.runs("lstm_projected")
