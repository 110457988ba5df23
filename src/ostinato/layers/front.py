"""Fronts: what stands between the values and the memory. They shift by one step, so that nothing sees its own target.

A front's state is pending: it holds what step t is given before x_t is known. Hence chunks join without a seam, and a
stream can predict first and observe afterwards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ostinato.layers.ar import AR
from ostinato.layers.markov import Markov
from ostinato.shapes import State


class Front(nn.Module, ABC):
    """The inputs of the memory and the closed-form prediction that the emission stands on."""

    #: width of the memory's input
    features: int

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """Pending tensors of the first step, then the autoregression's state; (B, ...) each."""

    @abstractmethod
    def pending(self, state: State) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """For the next step: the memory's input (B, F), and the prediction's loc and scale."""

    @abstractmethod
    def unroll(
        self, x: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, Tensor | None, State]:
        """X (T, B, D) -> for each step, from those before it: inputs (T, B, F), loc, scale; and the next state."""


class InnovationFront(Front):
    """For real values: an autoregression predicts, and the memory is shown how it did.

    Inputs, four a channel: the value before (0 where missing), whether it was observed, the prediction for this step,
    and the last innovation over its everyday scale, squashed by asinh so that one outlier does not drown the rest.

    Where the autoregression has a volatility, the scale that the emission stands on is the everyday one times its root.
    """

    def __init__(self, ar: AR) -> None:
        super().__init__()
        self.ar = ar
        self.features = 4 * ar.output_size

    def initial_state(self, batch: int) -> State:
        """See Front: (input (B, 4D), loc (B, D), scale (B, D), *AR's)."""
        state = self.ar.initial_state(batch)
        loc = self.ar.first().expand(batch, -1)
        nothing = torch.zeros_like(loc)
        return torch.cat([nothing, nothing, loc, nothing], -1), loc, self.ar.sigma(state[1]), *state

    def pending(self, state: State) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """See Front."""
        return state[0], state[1], state[2]

    def unroll(
        self, x: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, Tensor | None, State]:
        """See Front: inputs (T, B, 4D), loc and scale (T, B, D)."""
        ahead, after = self.ar.unroll(x, state[3:], lengths)
        loc = torch.cat([state[1][None], ahead])
        everyday = self.ar.sigma(state[4] + torch.arange(len(x) + 1)[:, None])
        innovation, scale = (x - loc[:-1]) / everyday[:-1], everyday
        if self.ar.volatility is not None:
            # the pending scale holds the variance that it came from
            scale = everyday * self.ar.volatility.unroll(innovation, (state[2] / everyday[0]).square()).sqrt()
        seen = ~torch.isnan(x)
        value, told = (torch.where(seen, t, torch.zeros_like(t)) for t in (x, torch.asinh(innovation)))
        fed = torch.cat([value, seen.to(x.dtype), loc[1:], told], -1)
        inputs = torch.cat([state[0][None], fed])
        last = _last(inputs, lengths), _last(loc, lengths), _last(scale, lengths)
        return inputs[:-1], loc[:-1], scale[:-1], (*last, *after)


class SymbolFront(Front):
    """For symbols: an embedding of the one before; the prediction is a Markov chain's, as log-probabilities."""

    def __init__(self, vocabulary: int, width: int, markov: Markov | None) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.features = width
        #: one row more than symbols: what precedes a sequence
        self.embedding = nn.Embedding(vocabulary + 1, width) if width else None
        self.markov = markov

    def initial_state(self, batch: int) -> State:
        """See Front: (symbol before (B, 1), and with a Markov chain its log-probabilities (B, V) and state)."""
        start = torch.full((batch, 1), self.vocabulary, dtype=torch.int64)
        if self.markov is None:
            return (start,)
        return start, self.markov.first().expand(batch, -1), *self.markov.initial_state(batch)

    def pending(self, state: State) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """See Front: input (B, F), loc (B, 1, V)."""
        return self._embed(state[0]), (state[1][:, None] if self.markov else None), None

    def unroll(
        self, x: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, Tensor | None, State]:
        """See Front: inputs (T, B, F), loc (T, B, 1, V)."""
        # a missing symbol says as much as the place before the start
        symbols = torch.cat([state[0][None], torch.where(x < 0, self.vocabulary, x)])
        inputs, before = self._embed(symbols[:-1]), _last(symbols, lengths)
        if self.markov is None:
            return inputs, None, None, (before,)
        ahead, after = self.markov.unroll(x, state[2:], lengths)
        table = torch.cat([state[1][None], ahead])
        return inputs, table[:-1, :, None], None, (before, _last(table, lengths), *after)

    def _embed(self, symbols: Tensor) -> Tensor:
        if self.embedding is None:
            return torch.zeros(*symbols.shape[:-1], 0)
        embedded: Tensor = self.embedding(symbols[..., 0])
        return embedded


def _last(steps: Tensor, lengths: Tensor | None) -> Tensor:
    """(T + 1, B, ...) -> (B, ...): what is pending after lengths (B,) steps, or after all of them."""
    if lengths is None:
        return steps[-1]
    return steps[lengths, torch.arange(steps.shape[1])]
