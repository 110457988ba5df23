"""The autoregression of symbols: a Markov chain of order K that backs off to shorter contexts, fitted by counting."""

from __future__ import annotations

from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ostinato.errors import ConfigError, DataError
from ostinato.layers.contexts import NOTHING, START, Ints, Order, before, orders, set_aside
from ostinato.layers.kneser_ney import Discounted, Floats, best_orders, deeper, mix, smooth
from ostinato.layers.recurrence import Recurrence
from ostinato.shapes import State


class Markov(Recurrence):
    """P(next | last K symbols), interpolated over all orders 0 .. K, and over the uniform distribution below them.

    h (.., V) is the log-probability (nats) of each NEXT symbol, given the input and all before it. An input is a symbol
    id (.., 1), float or int64; negative or NaN is missing, and what came before a missing symbol is then not used. The
    place before the first symbol is context too, so that first symbols have statistics of their own.

    The contexts of all orders are one tree, numbered order by order, the empty one 0; C in all, E pairs seen:
    edges    (C - 1,) int64, sorted: of context i + 1, parent * (V + 1) + (its oldest symbol + 1)
    pairs    (E,) int64, sorted: context * V + symbol
    weights  (E,), backoff (C,): P(w | c) = weights[c, w] + backoff[c] P(w | parent of c)

    State: the last K symbols (B, K) int64, newest first, -1 before the start, -2 where missing.
    """

    edges: Tensor
    pairs: Tensor
    weights: Tensor
    backoff: Tensor

    def __init__(self, vocabulary: int, contexts: tuple[int, ...], pairs: int) -> None:
        """All zeros, to be loaded into. contexts: how many of each order 0 .. K; pairs: E."""
        super().__init__()
        self.input_size, self.output_size = 1, vocabulary
        self.contexts, self.order = contexts, len(contexts) - 1
        self.register_buffer("edges", torch.zeros(sum(contexts) - 1, dtype=torch.int64))
        self.register_buffer("pairs", torch.zeros(pairs, dtype=torch.int64))
        self.register_buffer("weights", torch.zeros(pairs))
        self.register_buffer("backoff", torch.ones(sum(contexts)))

    def config(self) -> dict[str, Any]:
        """The sizes that fix the buffers' shapes, as JSON."""
        return {"vocabulary": self.output_size, "contexts": list(self.contexts), "pairs": len(self.pairs)}

    @classmethod
    def empty(cls, config: dict[str, Any]) -> Markov:
        """A chain with the sizes of ``config()``, whose state_dict is still to be loaded."""
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
        """Count symbols (N,), cut into sequences by offsets (B + 1,), and smooth by modified Kneser-Ney.

        "held-out" chooses the order up to max_order whose log-probability of held_out (symbols, offsets) is greatest,
        and stops where a few orders in a row bring nothing; without held_out a tenth of the symbols is set aside for
        the choice, and counted again after it. "given" takes max_order.

        Raises ConfigError for an order or a vocabulary that cannot be, DataError for symbols outside the vocabulary.
        """
        if max_order < 0 or vocabulary < 1:
            raise ConfigError(
                f"a Markov chain of order {max_order} over {vocabulary} symbols cannot be",
                fix="give an order of at least 0 and at least 1 symbol",
            )
        symbols, offsets = _checked(symbols, offsets, vocabulary)
        if criterion == "given":
            kept = list(islice(orders(symbols, offsets, vocabulary), max_order + 1))
        elif held_out is None or not len(held_out[0]):
            some, rest = set_aside(symbols, offsets)
            best = len(best_orders(some, rest, vocabulary, max_order))
            kept = list(islice(orders(symbols, offsets, vocabulary), best))
        else:
            kept = best_orders((symbols, offsets), _checked(*held_out, vocabulary), vocabulary, max_order)
        return cls._from_orders(kept, vocabulary)

    @classmethod
    def _from_orders(cls, kept: list[Order], vocabulary: int) -> Markov:
        sizes = tuple(len(order.edges) for order in kept)
        chain = cls(vocabulary, sizes, sum(len(order.pairs) for order in kept))
        first = np.concatenate([[0], np.cumsum(sizes)])  # number of each order's first context
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

    def first(self) -> Tensor:
        """(V,): log-probabilities of a sequence's first symbol."""
        return self._ahead(self.initial_state(1)[0])[0]

    def log_prob_of(self, symbols: Ints, offsets: Ints) -> Floats:
        """Nats (N,) of each of symbols (N,), given those before it in its sequence; 0 where it is missing.

        Memory is O(N): no (N, V) is built.
        """
        V = self.output_size
        symbols, offsets = _checked(symbols, offsets, V)
        edges, pairs = self.edges.cpu().numpy(), self.pairs.cpu().numpy()
        parts = Discounted(self.weights.double().cpu().numpy(), self.backoff.double().cpu().numpy())
        context = np.zeros(len(symbols), dtype=np.int64)
        p = mix(np.full(len(symbols), 1 / V), context, symbols, pairs, parts, V)
        for k in range(self.order):
            at = deeper(edges, context, before(symbols, offsets, k), V)
            context = np.where(at < 0, -1, at + 1)  # context i + 1 has edge i
            p = mix(p, context, symbols, pairs, parts, V)
        return np.where(symbols < 0, 0.0, np.log(p))

    def initial_state(self, batch: int) -> State:
        """Before the start: (B, K) of -1."""
        return (torch.full((batch, self.order), START, dtype=torch.int64, device=self.edges.device),)

    def step(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """One step: symbol ids x (B, 1) -> the next state and the next symbol's log-probabilities h (B, V)."""
        last = torch.cat([self._symbols(x), state[0]], dim=1)[:, : self.order]
        return (last,), self._ahead(last)

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """All steps: symbol ids x (T, B, 1) -> the next symbols' log-probabilities h (T, B, V) and the last state."""
        (T, B, _), K = x.shape, self.order
        (last,) = self.initial_state(B) if state is None else state
        if lengths is not None:
            inside = torch.arange(T, device=x.device)[:, None] < lengths
            x = torch.where(inside[:, :, None], x, torch.full_like(x, NOTHING))
        path = torch.cat([last.flip(1).t(), self._symbols(x)[:, :, 0]])  # (K + T, B), oldest first
        windows = torch.stack([path[K - k : K - k + T] for k in range(K)], -1) if K else x.new_zeros(T, B, 0).long()
        h = self._ahead(windows.reshape(T * B, K)).reshape(T, B, self.output_size)
        if lengths is None:
            return h, (path[T:].flip(0).t(),)
        back = lengths[:, None] + torch.arange(K - 1, -1, -1, device=x.device)  # (B, K)
        return h, (path[back, torch.arange(B, device=x.device)[:, None]],)

    def _symbols(self, x: Tensor) -> Tensor:
        """x, float or int64 -> symbol ids, NOTHING where missing."""
        missing = x < 0 if not x.is_floating_point() else ~(x >= 0)
        ids = torch.where(missing, torch.full_like(x, NOTHING), x).long()
        if ids.numel() and int(ids.max()) >= self.output_size:
            raise ValueError(f"symbol {int(ids.max())} is not one of {self.output_size}")
        return ids

    def _ahead(self, last: Tensor) -> Tensor:
        """The last symbols (R, K), newest first -> log-probabilities (R, V) of the next."""
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
        """Distinct sorted contexts (U,) -> the next symbol's log-probabilities after each (U, V).

        Each is its parent's, backed off, and what was seen after it: so a batch pays once for a context, however often
        it occurs, and for as few symbols as followed it.
        """
        V, line, asked = self.output_size, needed, needed
        for _ in range(self.order):
            line = torch.where(line > 0, self.edges[(line - 1).clamp(min=0)] // (V + 1), 0)
            needed = torch.unique(torch.cat([needed, line]))
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
        return p[torch.searchsorted(needed, asked)].log()


def _checked(symbols: Ints, offsets: Ints, vocabulary: int) -> tuple[Ints, Ints]:
    symbols, offsets = np.asarray(symbols, dtype=np.int64), np.asarray(offsets, dtype=np.int64)
    if len(symbols) and int(symbols.max()) >= vocabulary:
        where = int(symbols.argmax())
        raise DataError(
            f"symbol {int(symbols[where])} is outside a vocabulary of {vocabulary}",
            where=f"step {where} of all sequences joined",
            fix="number the symbols from 0, or give the size of the whole vocabulary",
        )
    return symbols, offsets
