"""Fronts: the layers between the values and the backbone, which shift by one step so that no step sees its own target.

The state of a front holds the inputs of step t before x_t is known. So chunks of a sequence join exactly, and a stream
can predict first and observe afterwards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ostinato.layers.ar import AR
from ostinato.layers.filter import AdaptiveFilter
from ostinato.layers.markov import Markov
from ostinato.layers.smoothing import Smoothing
from ostinato.shapes import State

#: The seasons, and at least the steps, of the past that exponential smoothing needs before a part that is judged.
_SEASONS, _STEPS = 50, 1000


class Ahead(NamedTuple):
    """What a front gives to some steps, from the values before each of them.

    Attributes:
        inputs: The input of the backbone, (..., F).
        loc: The location of the prediction, (..., D), or for symbols log probabilities (..., 1, V); None without one.
        scale: The scale of the prediction, (..., D); None without one.
        params: What is added to the parameters of the emission, (..., D, P); None for nothing.
        coupling: The coefficients of the innovations of earlier channels, (..., D, D); None if the front gives none.
    """

    inputs: Tensor
    loc: Tensor | None = None
    scale: Tensor | None = None
    params: Tensor | None = None
    coupling: Tensor | None = None

    def last(self) -> Ahead:
        """Return what is given to the last of the steps."""
        return Ahead(self.inputs[-1], *(None if part is None else part[-1] for part in self[1:]))


class Front(nn.Module, ABC):
    """The inputs of the backbone, and the closed-form prediction that the emission is centred on.

    Attributes:
        features: The width of the backbone's input, F.
        adaptive: Whether its closed form goes on learning from every step.
        on_processor: Whether its closed form computes on the processor alone, step by step in float64.
    """

    features: int
    adaptive: bool = False
    on_processor: bool = False

    @property
    @abstractmethod
    def closed_form(self) -> AR | AdaptiveFilter | Smoothing | Markov | None:
        """The recurrence that gives the closed-form prediction; None if there is none."""

    @property
    @abstractmethod
    def reach(self) -> int:
        """The number of steps before a step that its closed-form prediction needs; 0 without a closed form."""

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """Return the state before the first step, tensors (B, ...): for that step, then for the closed form."""

    @abstractmethod
    def pending(self, state: State) -> Ahead:
        """Return what the front gives to the next step, (B, ...)."""

    @abstractmethod
    def unroll(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Ahead, State]:
        """Return what the front gives to every step, and the last state.

        Args:
            x: The values in model space, (T, B, D).
            state: The state before the first step.
            lengths: The number of steps of each row, (B,); None means T for all rows.

        Returns:
            What is given to each step (T, B, ...), from the values before it; and the last state.
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
    def closed_form(self) -> AR:
        """The autoregression."""
        return self.ar

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

    def pending(self, state: State) -> Ahead:
        """Return the backbone's input (B, 4D) and the location and scale (B, D) of the next step."""
        return Ahead(state[0], state[1], state[2])

    def unroll(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Ahead, State]:
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
        return Ahead(inputs[:-1], loc[:-1], scale[:-1]), (*last, *after)


class FilterFront(Front):
    """The front of numbers whose closed form goes on learning: adaptive filters predict a mixture of logistics.

    The backbone reads five numbers per channel. They are the previous value (0 if it is missing), whether it was
    observed, the prediction for this step, the last innovation over its scale after asinh, and the logarithm of the
    scale.

    Args:
        filters: The adaptive filters.
    """

    adaptive = True
    on_processor = True

    def __init__(self, filters: AdaptiveFilter) -> None:
        super().__init__()
        self.filters = filters
        self.features = 5 * filters.form.channels
        self.zero: Tensor
        self.register_buffer("zero", torch.zeros(()), persistent=False)  # its dtype is that of the model

    @property
    def closed_form(self) -> AdaptiveFilter:
        """The adaptive filters."""
        return self.filters

    @property
    def reach(self) -> int:
        """The number of steps after which little is left of the state that a filter had."""
        return 4 * max(*self.filters.form.taps, *self.filters.form.orders)

    def initial_state(self, batch: int) -> State:
        """Return the last value, whether it was seen, the last innovation (B, 3D), and the state of the filters."""
        return self.zero.new_zeros(batch, 3 * self.filters.form.channels), *self.filters.initial_state(batch)

    def pending(self, state: State) -> Ahead:
        """Return what the filters predict of the next step."""
        return self._ahead(state[0][None], self.filters.pending(state[1:])[None]).last()

    def unroll(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Ahead, State]:
        """Return what the filters predict of every step, and the last state (see ``Front.unroll``)."""
        path, after = self.filters.path(x, state[1:], lengths)
        seen = ~torch.isnan(x)
        W = self.filters.form.width_out
        at = path[:-1].reshape(*x.shape, W)
        error = torch.asinh((x - at[..., 0]) / at[..., 1]).to(x.dtype)
        value, error = (torch.where(seen, t, torch.zeros_like(t)) for t in (x, error))
        before = torch.cat([state[0][None], torch.cat([value, seen.to(x.dtype), error], -1)])
        return self._ahead(before[:-1], path[:-1]), (_last(before, lengths), *after)

    def _ahead(self, before: Tensor, predicted: Tensor) -> Ahead:
        """Return what is given to steps: before (T, B, 3D), predicted (T, B, D W)."""
        form = self.filters.form
        D, M = form.channels, form.mixed
        parts = predicted.to(before.dtype).reshape(*predicted.shape[:-1], D, form.width_out)
        loc, scale = parts[..., 0], parts[..., 1]
        mixture = parts[..., 2 : 2 + 3 * M]
        params = torch.cat([torch.zeros_like(mixture[..., :1]), mixture], -1)
        inputs = torch.cat([before, loc, scale.log() / 2], -1)
        return Ahead(inputs, loc, scale, params, parts[..., 2 + 3 * M :] if D > 1 else None)


class SmoothingFront(Front):
    """The front of numbers whose closed form is exponential smoothing, without a backbone.

    Args:
        smoothing: The recurrence.
    """

    features = 0
    on_processor = True

    def __init__(self, smoothing: Smoothing) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.zero: Tensor
        self.register_buffer("zero", torch.zeros(()), persistent=False)  # its dtype is that of the model

    @property
    def closed_form(self) -> Smoothing:
        """The recurrence of exponential smoothing."""
        return self.smoothing

    @property
    def reach(self) -> int:
        """The steps of a history that is judged: a state forgets slowly, and a season is seen once in m steps."""
        return max(_SEASONS * self.smoothing.season, _STEPS)

    def initial_state(self, batch: int) -> State:
        """Return what is known of level, trend and season before the first step; see ``Smoothing``."""
        return self.smoothing.initial_state(batch)

    def pending(self, state: State) -> Ahead:
        """Return the location and the scale (B, D) of the next step."""
        mu, deviation = (part.to(self.zero.dtype) for part in self.smoothing.pending(state))
        return Ahead(mu[..., :0], mu, deviation)

    def unroll(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Ahead, State]:
        """Return locations and scales (T, B, D), and the last state (see ``Front.unroll``)."""
        mu, deviation, last = self.smoothing.path(x, state, lengths)
        return Ahead(mu[..., :0], mu, deviation), last


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
    def closed_form(self) -> Markov | None:
        """The Markov chain, or None."""
        return self.markov

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

    def pending(self, state: State) -> Ahead:
        """Return the backbone's input (B, F) and the log probabilities (B, 1, V), or None without a Markov chain."""
        return Ahead(self._embed(state[0]), state[1][:, None] if self.markov else None)

    def unroll(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Ahead, State]:
        """Return inputs (T, B, F), log probabilities (T, B, 1, V) and the last state (see ``Front.unroll``)."""
        # a missing symbol is embedded as the place before a sequence
        symbols = torch.cat([state[0][None], torch.where(x < 0, self.vocabulary, x)])
        inputs, before = self._embed(symbols[:-1]), _last(symbols, lengths)
        if self.markov is None:
            return Ahead(inputs), (before,)
        ahead, after = self.markov.unroll(x, state[2:], lengths)
        table = torch.cat([state[1][None], ahead])
        return Ahead(inputs, table[:-1, :, None]), (before, _last(table, lengths), *after)

    def log_prob(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the log probabilities that the Markov chain gives to symbols x (T, B, 1), and the last state."""
        assert self.markov is not None
        nats, after = self.markov.log_prob(x, state[2:])
        before = torch.where(x[-1] < 0, self.vocabulary, x[-1])
        return nats, (before, self.markov.ahead(after[0]), *after)

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
