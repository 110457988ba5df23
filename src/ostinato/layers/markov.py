"""The autoregression of symbols: a Markov chain of order K that backs off to shorter contexts, fitted by counting."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ostinato.errors import ConfigError, DataError
from ostinato.layers.contexts import NOTHING, START, Ints, Order, before, orders, set_aside
from ostinato.layers.kneser_ney import Floats, best_orders, smooth
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.tree_lookup import Tree, probabilities
from ostinato.shapes import State


class Markov(Recurrence):
    """A Markov chain P(next | last K symbols), interpolated over the orders 0 .. K and the uniform distribution.

    The output h (..., V) is the log probability, in nats, of each NEXT symbol, given the input and all symbols before
    it. An input is the number of a symbol (..., 1), float or int64. A negative number or NaN is a missing symbol, and
    symbols before a missing one are then not used. The place before the first symbol counts as context, so that first
    symbols have statistics of their own.

    The contexts of all orders are one tree with C contexts, numbered order by order from the empty context, 0. E pairs
    of a context and the symbol after it were seen. P(w | c) = weights[c, w] + backoff[c] P(w | parent of c).

    The state is the last K symbols (B, K), int64, newest first; -1 before the start, -2 where missing.

    Args:
        vocabulary: The number of symbols, V.
        contexts: The number of contexts of each order 0 .. K.
        pairs: The number of pairs, E.

    Attributes:
        edges: parent * (V + 1) + (oldest symbol + 1) of each context but the empty one, (C - 1,), int64, sorted.
        pairs: context * V + symbol of each pair, (E,), int64, sorted.
        weights: The discounted probability of each pair, (E,).
        backoff: The probability that each context leaves to its parent, (C,).
    """

    edges: Tensor
    pairs: Tensor
    weights: Tensor
    backoff: Tensor

    def __init__(self, vocabulary: int, contexts: tuple[int, ...], pairs: int) -> None:
        super().__init__()
        self.input_size, self.output_size = 1, vocabulary
        self.contexts, self.order = contexts, len(contexts) - 1
        self.register_buffer("edges", torch.zeros(sum(contexts) - 1, dtype=torch.int64))
        self.register_buffer("pairs", torch.zeros(pairs, dtype=torch.int64))
        self.register_buffer("weights", torch.zeros(pairs))
        self.register_buffer("backoff", torch.ones(sum(contexts)))

    def config(self) -> dict[str, Any]:
        """Return the sizes that fix the shapes of the buffers, as JSON."""
        return {"vocabulary": self.output_size, "contexts": list(self.contexts), "pairs": len(self.pairs)}

    @classmethod
    def empty(cls, config: dict[str, Any]) -> Markov:
        """Return a chain with the sizes of ``config()``, whose state_dict is still to be loaded."""
        return cls(config["vocabulary"], tuple(config["contexts"]), config["pairs"])

    @classmethod
    def fit(
        cls,
        symbols: Ints,
        offsets: Ints,
        vocabulary: int,
        max_order: int,
        held_out: tuple[Ints, Ints] | None = None,
        criterion: Literal["held-out", "given"] = "held-out",
    ) -> Markov:
        """Return the chain fitted by counting symbols and smoothing the counts by modified Kneser-Ney.

        Args:
            symbols: The symbols of all sequences joined, (N,). Negative where a symbol is missing.
            offsets: Where the sequences begin and end in symbols, (B + 1,).
            vocabulary: The number of symbols in the vocabulary, V.
            max_order: The highest order to consider, or with criterion "given" the order.
            held_out: Symbols and offsets to choose the order on. None sets aside a tenth of the symbols for the choice,
                and counts them too after it.
            criterion: "held-out" takes the order with the greatest log probability of the held-out symbols, and stops
                after a few orders in a row without an improvement; "given" takes max_order.

        Raises:
            ConfigError: max_order is negative, or the vocabulary is empty.
            DataError: A symbol is outside the vocabulary.
        """
        if max_order < 0:
            raise ConfigError(f"the order of a Markov chain must be at least 0, got {max_order}", fix="use 0 or more")
        if vocabulary < 1:
            raise ConfigError(f"the vocabulary must have at least 1 symbol, got {vocabulary}", fix="use 1 or more")
        symbols, offsets = _checked(symbols, offsets, vocabulary)
        if criterion == "given":
            kept = list(islice(orders(symbols, offsets, vocabulary), max_order + 1))
        elif held_out is None or not len(held_out[0]):
            counted, scored = set_aside(symbols, offsets)
            best = len(best_orders(counted, scored, vocabulary, max_order))
            kept = list(islice(orders(symbols, offsets, vocabulary), best))
        else:
            kept = best_orders((symbols, offsets), _checked(*held_out, vocabulary), vocabulary, max_order)
        return cls._from_orders(kept, vocabulary)

    @classmethod
    def _from_orders(cls, kept: list[Order], vocabulary: int) -> Markov:
        """Return the chain of the counted orders 0 .. K."""
        sizes = tuple(len(order.edges) for order in kept)
        chain = cls(vocabulary, sizes, sum(len(order.pairs) for order in kept))
        first = np.concatenate([[0], np.cumsum(sizes)])  # the number of each order's first context
        smoothed = [smooth(order, vocabulary, top=order is kept[-1]) for order in kept]
        parts = {
            "edges": [o.edges + first[k] * (vocabulary + 1) for k, o in enumerate(kept[1:])],
            "pairs": [o.pairs + first[k] * vocabulary for k, o in enumerate(kept)],
            "weights": [s.weights for s in smoothed],
            "backoff": [s.backoff for s in smoothed],
        }
        for name, arrays in parts.items():
            if arrays:
                getattr(chain, name).copy_(torch.from_numpy(np.concatenate(arrays)))
        return chain

    def describe(self) -> str:
        """Return what the closed form is, in words."""
        return f"a Markov chain of order {self.order}"

    def first(self) -> Tensor:
        """Return the log probabilities of the first symbol of a sequence, (V,)."""
        return self.ahead(self.initial_state(1)[0])[0]

    def log_prob_of(self, symbols: Ints, offsets: Ints) -> Floats:
        """Return the log probability of each symbol given those before it in its sequence, in O(N) space.

        Args:
            symbols: The symbols of all sequences joined, (N,). Negative where a symbol is missing.
            offsets: Where the sequences begin and end in symbols, (B + 1,).

        Returns:
            Nats, (N,); 0 where a symbol is missing.
        """
        symbols, offsets = _checked(symbols, offsets, self.output_size)
        return self._looked_up(symbols, (before(symbols, offsets, k) for k in range(self.order)))

    def log_prob(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the log probabilities of the symbols x (T, B, 1) alone, (T, B, 1), and the last state.

        ``unroll`` computes those of all V symbols. Here time and memory do not depend on V.

        Args:
            x: The symbols. The log probability of a missing one is 0.
            state: The state before the first of them.
        """
        path, (T, B, _), K = self._path(x, state), x.shape, self.order
        steps = path.cpu().numpy()
        older = (steps[K - 1 - k : K - 1 - k + T].reshape(-1) for k in range(K))
        nats = torch.from_numpy(self._looked_up(steps[K:].reshape(-1), older)).reshape(T, B, 1)
        return nats.to(self.weights), (path[T:].flip(0).t(),)

    def _looked_up(self, symbols: Ints, older: Iterable[Ints]) -> Floats:
        """Return the log probabilities of symbols (N,), in nats, 0 where one is missing.

        Args:
            symbols: The symbols. Negative where one is missing.
            older: The symbols 1, 2, ..., K steps before each of them, (N,) each.
        """
        edges, pairs, weights, backoff = (b.cpu().numpy() for b in (self.edges, self.pairs, self.weights, self.backoff))
        p = probabilities(Tree(edges, pairs, weights, backoff, self.output_size), symbols, older)
        return np.where(symbols < 0, 0.0, np.log(p))

    def initial_state(self, batch: int) -> State:
        """Return the state before the first symbol: -1, (B, K)."""
        return (torch.full((batch, self.order), START, dtype=torch.int64, device=self.edges.device),)

    def step(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """Return the next state and the log probabilities of the next symbol, (B, V), after the symbols x (B, 1)."""
        last = torch.cat([self._symbols(x), state[0]], dim=1)[:, : self.order]
        return (last,), self.ahead(last)

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return the log probabilities of the next symbols, (T, B, V), and the last state (see ``Recurrence.unroll``).

        Args:
            x: The symbols, (T, B, 1).
            state: The state before the first step; None is the state of a new sequence.
            lengths: The number of steps of each row, (B,); None means T for all rows.
        """
        (T, B, _), K = x.shape, self.order
        (last,) = self.initial_state(B) if state is None else state
        if lengths is not None:
            inside = torch.arange(T, device=x.device)[:, None] < lengths
            x = torch.where(inside[:, :, None], x, torch.full_like(x, NOTHING))
        path = self._path(x, (last,))
        windows = torch.stack([path[K - k : K - k + T] for k in range(K)], -1) if K else x.new_zeros(T, B, 0).long()
        h = self.ahead(windows.reshape(T * B, K)).reshape(T, B, self.output_size)
        if lengths is None:
            return h, (path[T:].flip(0).t(),)
        back = lengths[:, None] + torch.arange(K - 1, -1, -1, device=x.device)  # (B, K)
        return h, (path[back, torch.arange(B, device=x.device)[:, None]],)

    def _symbols(self, x: Tensor) -> Tensor:
        """Return the numbers of the symbols x, float or int64, with NOTHING where one is missing."""
        missing = x < 0 if not x.is_floating_point() else ~(x >= 0)
        ids = torch.where(missing, torch.full_like(x, NOTHING), x).long()
        if ids.numel() and int(ids.max()) >= self.output_size:
            raise ValueError(f"symbol {int(ids.max())} is outside the vocabulary 0 .. {self.output_size - 1}")
        return ids

    def _path(self, x: Tensor, state: State) -> Tensor:
        """Return the last symbols of a state and the symbols x (T, B, 1) after them, (K + T, B), oldest first."""
        return torch.cat([state[0].flip(1).t(), self._symbols(x)[:, :, 0]])

    def ahead(self, last: Tensor) -> Tensor:
        """Return the log probabilities of the next symbol, (R, V), after the last symbols (R, K), newest first."""
        context = torch.zeros(len(last), dtype=torch.int64, device=last.device)
        alive = torch.ones_like(context, dtype=torch.bool)
        for k in range(self.order):
            key = context * (self.output_size + 1) + last[:, k] + 1
            at = torch.searchsorted(self.edges, key).clamp(max=len(self.edges) - 1)
            alive = alive & (self.edges[at] == key) & (last[:, k] > NOTHING)
            context = torch.where(alive, at + 1, context)
        needed, row = torch.unique(context, return_inverse=True)
        return self._table(needed)[row]

    def _table(self, needed: Tensor) -> Tensor:
        """Return the log probabilities of the next symbol, (U, V), after distinct sorted contexts (U,).

        Each row is the backed-off row of its parent plus the symbols seen after the context itself. So a batch computes
        each context once, and the cost grows with the number of symbols that followed it.
        """
        V, ancestors, contexts = self.output_size, needed, needed
        for _ in range(self.order):
            ancestors = torch.where(ancestors > 0, self.edges[(ancestors - 1).clamp(min=0)] // (V + 1), 0)
            needed = torch.unique(torch.cat([needed, ancestors]))
        start = torch.searchsorted(self.pairs, needed * V)
        count = torch.searchsorted(self.pairs, (needed + 1) * V) - start
        row = torch.repeat_interleave(torch.arange(len(needed), device=needed.device), count)
        at = torch.arange(len(row), device=row.device) + (start - count.cumsum(0) + count)[row]
        p = self.weights.new_zeros(len(needed), V)
        p[row, self.pairs[at] % V] = self.weights[at]
        ends = torch.searchsorted(needed, torch.tensor(self.contexts, device=needed.device).cumsum(0)).tolist()
        for k, (a, z) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            below: Tensor | float = 1 / V
            if k:
                below = p[torch.searchsorted(needed, self.edges[needed[a:z] - 1] // (V + 1))]
            p[a:z] += self.backoff[needed[a:z], None] * below
        return p[torch.searchsorted(needed, contexts)].log()


def _checked(symbols: Ints, offsets: Ints, vocabulary: int) -> tuple[Ints, Ints]:
    """Return symbols and offsets as int64; raise DataError for a symbol outside the vocabulary."""
    symbols, offsets = np.asarray(symbols, dtype=np.int64), np.asarray(offsets, dtype=np.int64)
    if len(symbols) and int(symbols.max()) >= vocabulary:
        where = int(symbols.argmax())
        raise DataError(
            f"symbol {int(symbols[where])} is outside the vocabulary 0 .. {vocabulary - 1}",
            where=f"step {where} of all sequences joined",
            fix="number the symbols from 0, or give the size of the whole vocabulary",
        )
    return symbols, offsets
