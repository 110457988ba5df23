"""Fronts: the layers between the values and the backbone, which shift by one step so that no step sees its own target.

The state of a front holds the inputs of step t before x_t is known. So chunks of a sequence join exactly, and a stream
can predict first and observe afterwards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ostinato.layers.ar import AR
from ostinato.layers.markov import Markov
from ostinato.shapes import State


class Front(nn.Module, ABC):
    """The inputs of the backbone, and the closed-form prediction that the emission is centred on.

    Attributes:
        features: The width of the backbone's input, F.
    """

    features: int

    @property
    @abstractmethod
    def reach(self) -> int:
        """The number of steps before a step that its closed-form prediction needs; 0 without a closed form."""

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """Return the state before the first step, tensors (B, ...): for that step, then for the closed form."""

    @abstractmethod
    def pending(self, state: State) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return, for the next step, the backbone's input (B, F) and the location and scale of the prediction."""

    @abstractmethod
    def unroll(
        self, x: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, Tensor | None, State]:
        """Return the backbone's input, the location and the scale of every step, and the last state.

        Args:
            x: The values in model space, (T, B, D).
            state: The state before the first step.
            lengths: The number of steps of each row, (B,); None means T for all rows.

        Returns:
            Inputs (T, B, F), locations and scales (T, B, ...), each from the values before its step; and the last
            state. A location or a scale is None if the front gives none.
        """


class InnovationFront(Front):
    """The front of numbers: an autoregression predicts, and the backbone reads its predictions and its errors.

    The backbone reads four numbers per channel: the previous value (0 if it is missing), whether it was observed, the
    prediction for this step, and the last innovation over its everyday scale. The innovation is compressed by asinh, so
    that one outlier does not dominate the input.

    If the variance changes over time, the scale of the emission is the everyday scale times the root of the variance.

    Args:
        ar: The autoregression.
    """

    def __init__(self, ar: AR) -> None:
        super().__init__()
        self.ar = ar
        self.features = 4 * ar.output_size

    @property
    def reach(self) -> int:
        """The order of the autoregression."""
        return self.ar.order

    def initial_state(self, batch: int) -> State:
        """Return the input (B, 4D), the location and scale (B, D) of the first step, and the autoregression's state."""
        state = self.ar.initial_state(batch)
        loc = self.ar.first().expand(batch, -1)
        zero = torch.zeros_like(loc)
        return torch.cat([zero, zero, loc, zero], -1), loc, self.ar.sigma(state[1]), *state

    def pending(self, state: State) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return the backbone's input (B, 4D) and the location and scale (B, D) of the next step."""
        return state[0], state[1], state[2]

    def unroll(
        self, x: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, Tensor | None, State]:
        """Return inputs (T, B, 4D), locations and scales (T, B, D), and the last state (see ``Front.unroll``)."""
        ahead, after = self.ar.unroll(x, state[3:], lengths)
        loc = torch.cat([state[1][None], ahead])
        everyday = self.ar.sigma(state[4] + torch.arange(len(x) + 1, device=x.device)[:, None])
        innovation, scale = (x - loc[:-1]) / everyday[:-1], everyday
        if self.ar.volatility is not None:
            # the scale of the first step, which is in the state, still holds the variance it came from
            scale = everyday * self.ar.volatility.unroll(innovation, (state[2] / everyday[0]).square()).sqrt()
        seen = ~torch.isnan(x)
        value, error = (torch.where(seen, t, torch.zeros_like(t)) for t in (x, torch.asinh(innovation)))
        later = torch.cat([value, seen.to(x.dtype), loc[1:], error], -1)
        inputs = torch.cat([state[0][None], later])
        last = _last(inputs, lengths), _last(loc, lengths), _last(scale, lengths)
        return inputs[:-1], loc[:-1], scale[:-1], (*last, *after)


class SymbolFront(Front):
    """The front of symbols: an embedding of the previous symbol, and the log probabilities of a Markov chain.

    Args:
        vocabulary: The number of symbols, V.
        width: The width of the embedding, F; 0 for none.
        markov: The Markov chain whose log probabilities are the prediction, or None.
        plain: Whether the number of the previous symbol itself follows the embedding, for a memory that counts it.
    """

    place: Tensor

    def __init__(self, vocabulary: int, width: int, markov: Markov | None, *, plain: bool = False) -> None:
        super().__init__()
        self.vocabulary, self.plain = vocabulary, plain
        self.features = width + plain
        # the last row stands for the place before a sequence
        self.embedding = nn.Embedding(vocabulary + 1, width) if width else None
        self.markov = markov
        # without an embedding and a chain a front has no weights, and a buffer alone says on which device it is
        self.register_buffer("place", torch.zeros(()), persistent=False)

    @property
    def reach(self) -> int:
        """The order of the Markov chain."""
        return 0 if self.markov is None else self.markov.order

    def initial_state(self, batch: int) -> State:
        """Return the previous symbol (B, 1) and, with a Markov chain, its log probabilities (B, V) and state."""
        start = torch.full((batch, 1), self.vocabulary, dtype=torch.int64, device=self.place.device)
        if self.markov is None:
            return (start,)
        return start, self.markov.first().expand(batch, -1), *self.markov.initial_state(batch)

    def pending(self, state: State) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return the backbone's input (B, F) and the log probabilities (B, 1, V), or None without a Markov chain."""
        return self._embed(state[0]), (state[1][:, None] if self.markov else None), None

    def unroll(
        self, x: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, Tensor | None, State]:
        """Return inputs (T, B, F), log probabilities (T, B, 1, V) and the last state (see ``Front.unroll``)."""
        # a missing symbol is embedded as the place before a sequence
        symbols = torch.cat([state[0][None], torch.where(x < 0, self.vocabulary, x)])
        inputs, before = self._embed(symbols[:-1]), _last(symbols, lengths)
        if self.markov is None:
            return inputs, None, None, (before,)
        ahead, after = self.markov.unroll(x, state[2:], lengths)
        table = torch.cat([state[1][None], ahead])
        return inputs, table[:-1, :, None], None, (before, _last(table, lengths), *after)

    def _embed(self, symbols: Tensor) -> Tensor:
        """Return the embedding of symbols (..., 1), and their numbers if these are plain, (..., F)."""
        embedded: Tensor = torch.zeros(*symbols.shape[:-1], 0, device=symbols.device)
        if self.embedding is not None:
            embedded = self.embedding(symbols[..., 0])
        return torch.cat([embedded, symbols.to(embedded.dtype)], -1) if self.plain else embedded


def _last(steps: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the entry (B, ...) of steps (T + 1, B, ...) after lengths (B,) steps, or after all of them."""
    if lengths is None:
        return steps[-1]
    return steps[lengths, torch.arange(steps.shape[1], device=steps.device)]
