"""Adaptive counts of symbols: the memory of text that goes on learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.layers.adaptive import AdaptiveMemory
from ostinato.layers.contexts import Ints
from ostinato.ops.counts import native
from ostinato.ops.counts.form import (
    BINS,
    CONTEXTS,
    DEPTHS,
    FORM,
    HISTORIES,
    INPUTS,
    LEARNED,
    LENGTHS,
    MATCHES,
    MIXERS,
    PATH,
    ROWS,
    SLOT,
    CountsState,
    Tree,
    balanced,
    check_matches,
    check_tree,
    entries,
    network_input,
    weight_sets,
)
from ostinato.ops.selection import pick, prefers_native
from ostinato.shapes import State

#: The fewest and the most slots of a memory, as powers of 2. A slot has 32 bytes.
FEWEST, MOST = 10, 21
#: The least rate at which the memory of a decision moves towards the latest answer.
FORGET = 1 / 64
#: The symbols that are learned together.
BLOCK = 1 << 20
#: The sum of the mixing weights of the contexts at the start.
_SHARES = 3.6
#: What learning changes for good.
_LEARNED = ("slots", "maps", "weights", "last", "corrections", "entries", "history", "trust")
#: How many of these each form has.
_HELD = {1: 5, 2: 6, 3: 8}


@final
class Counts(AdaptiveMemory):
    """Counts of symbols in fifteen contexts, mixed by logistic regressions that learn on line (Mahoney 2005).

    A symbol is a path of decisions down a binary tree over the vocabulary. Contexts remember what was decided: the last
    0 .. 6, 8, 11 and 16 symbols, the word so far, the word before it, and characters further back. Regressions mix
    them, with weights by decision, by the last symbol, by the place in the word and by how certain the contexts are.
    Two corrections learn what became of such a mixture. Two matches add the symbol that followed when the last 5 and 12
    symbols came before. So the probabilities of the output (..., V), log P(x_t = v) in nats, sum to one exactly.

    The input is the number of the previous symbol (..., 1), as a float; V, the number of symbols, at the start. With a
    network its log probabilities of x_t (V) follow it, and are mixed like a context.

    The memory is bounded. Most contexts are always followed by the same symbol: a directory holds this symbol and how
    often it came. The other contexts have slots, which hold three levels of decisions each. A context has four possible
    places; if all are taken, the context there that was met least is dropped.

    Models that were made before there were matches have the second form. Those that were made before there was a
    directory have the first form: twelve contexts, and slots for each of them.

    Args:
        vocabulary: The number of symbols, V.
        slots: The number of slots, S; a power of 2.
        decisions: The length of the paths of all symbols together.
        network: Whether the log probabilities of a network are mixed in.
        forget: The least rate at which a decision moves towards its latest answer, above 0 and at most 1.
        form: The form of the memory, 1 to 3.
        implementation: The name of the implementation in ops.selection; None leaves the choice open.
    """

    child: Tensor
    group: Tensor
    place: Tensor
    depth: Tensor
    start: Tensor
    path: Tensor
    letter: Tensor
    begins: Tensor
    learned: Tensor
    slots: Tensor
    maps: Tensor
    weights: Tensor
    last: Tensor
    corrections: Tensor
    entries: Tensor
    matches: Tensor
    history: Tensor
    trust: Tensor

    def __init__(
        self,
        vocabulary: int,
        slots: int,
        decisions: int,
        *,
        network: bool = False,
        forget: float = FORGET,
        form: int = FORM,
        implementation: str | None = None,
    ) -> None:
        super().__init__()
        if not 0 < forget <= 1:
            raise ConfigError(f"forget must be above 0 and at most 1, got {forget}", fix="use a number such as 0.016")
        if form not in CONTEXTS:
            raise ConfigError(f"form must be 1, 2 or 3, got {form}", fix="leave form out")
        V = vocabulary
        self.form = form
        self.input_size, self.output_size = 1 + (V if network else 0), V
        self.network, self.forget, self.implementation = network, forget, implementation
        shapes = {"child": (V - 1, 2), "group": (V - 1,), "place": (V - 1,), "depth": (V - 1,), "start": (V + 1,)}
        for name, shape in {**shapes, "path": (decisions,), "letter": (V,)}.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.int32))
        if form > 1:
            self.register_buffer("begins", torch.ones(V, dtype=torch.int32))
            self.register_buffer("entries", torch.zeros(entries(slots, form), 2, dtype=torch.int32))
        if form > 2:
            self.register_buffer("matches", torch.tensor(MATCHES, dtype=torch.int32))
            self.register_buffer("history", torch.zeros(1 + len(MATCHES), slots, dtype=torch.int32))
            self.register_buffer("trust", _first_trust())
        self.register_buffer("learned", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("slots", torch.zeros(slots, SLOT, dtype=torch.int32))
        self.register_buffer("maps", _first_maps(form))
        weights = torch.zeros(weight_sets(V, form), INPUTS[form])
        weights[:, : network_input(form) - (form > 1)] = _SHARES / (2 * CONTEXTS[form])
        self.register_buffer("weights", weights)
        self.register_buffer("last", torch.full((max(V - 1, 1), MIXERS[form]), 1 / MIXERS[form]))
        bins = torch.sigmoid((torch.arange(BINS) - BINS // 2) / 2)
        self.register_buffer("corrections", bins.expand(2, ROWS, BINS).contiguous())

    def config(self) -> dict[str, Any]:
        """Return the sizes that fix the shapes of the buffers, as JSON."""
        config = {
            "vocabulary": self.output_size,
            "slots": len(self.slots),
            "decisions": len(self.path),
            "network": self.network,
            "forget": self.forget,
        }
        return config if self.form == 1 else {**config, "form": self.form}

    @classmethod
    def empty(cls, config: dict[str, Any]) -> Counts:
        """Return counts with the sizes of ``config()``, whose state_dict is still to be loaded."""
        return cls(config["vocabulary"], config["slots"], config["decisions"], network=config["network"],
                   forget=config["forget"], form=config.get("form", 1))  # fmt: skip

    @classmethod
    def fit(
        cls,
        symbols: Ints,
        offsets: Ints,
        letters: Sequence[int],
        *,
        begins: Sequence[bool] | None = None,
        network: bool = False,
        slots: int | None = None,
        form: int = FORM,
        implementation: str | None = None,
    ) -> Counts:
        """Return counts that have learned sequences of symbols, in their order.

        Args:
            symbols: The symbols of all sequences joined, (N,). Negative where a symbol is missing.
            offsets: Where the sequences begin and end in symbols, (B + 1,).
            letters: The number of the letter that each symbol of the vocabulary is, equal for both of its cases; 0 for
                what does not belong to a word, (V,).
            begins: Whether a character begins with each symbol, (V,); None means that each is a character.
            network: Whether the log probabilities of a network will be mixed in.
            slots: The number of slots; None chooses by N.
            form: The form of the memory, 1 to 3.
            implementation: The name of the implementation in ops.selection; None leaves the choice open.
        """
        V = len(letters)
        seen = np.bincount(symbols[symbols >= 0], minlength=V).astype(np.float64) + 0.5
        tree = balanced(seen)
        if slots is None:
            slots = 1 << min(max(FEWEST, int(np.ceil(np.log2(max(1.5 * len(symbols), 1))))), MOST)
        counts = cls(V, slots, len(tree.path), network=network, form=form, implementation=implementation)
        for name, array in tree._asdict().items():
            getattr(counts, name).copy_(torch.from_numpy(array))
        counts.letter.copy_(torch.tensor(letters, dtype=torch.int32))
        if begins is not None and form > 1:
            counts.begins.copy_(torch.tensor(begins, dtype=torch.int32))
        counts.learn(symbols, offsets)
        return counts

    def learn(self, symbols: Ints, offsets: Ints) -> None:
        """Learn sequences of symbols for good: ``initial_state`` then holds them.

        Args:
            symbols: The symbols of all sequences joined, (N,). Negative where a symbol is missing.
            offsets: Where the sequences begin and end in symbols, (B + 1,).
        """
        V = self.output_size
        state = CountsState(*self._state(1))
        state.rate[:, 0] = 1.0
        edges = np.asarray(offsets)
        # Blocks learn what one pass would. A start comes before each sequence, and its last symbol is learned too.
        for at in range(0, max(len(symbols), 1), BLOCK):
            stop, last = at + BLOCK, at + BLOCK >= len(symbols)
            starts = edges[:-1][(edges[:-1] >= at) & ((edges[:-1] < stop) | last)] - at
            block = symbols[at:stop]
            x = torch.from_numpy(np.insert(np.where(block < 0, V, block), starts, V)).long()[:, None]
            self._run(x, None, state, None, quiet=True)
        self.learned.copy_(state.path[0, LEARNED])

    def absorb(self, state: State) -> None:
        """Keep what one row has learned for good: ``initial_state`` then holds it.

        Args:
            state: The state of one row, (1, ...) each.
        """
        own = CountsState(*state)
        for name in _LEARNED[: _HELD[self.form]]:
            getattr(self, name).copy_(getattr(own, name)[0])
        self.learned.copy_(own.path[0, LEARNED])

    def initial_state(self, batch: int) -> State:
        """Return the state that training learned, which learns nothing (see ``CountsState``)."""
        return tuple(s.expand(batch, *s.shape[1:]) for s in self._state(1))

    def unroll_(self, x: Tensor, state: State, lengths: Tensor | None = None) -> Tensor:
        """Return the log probabilities (T, B, V) of the next symbols, and move the state on in place.

        Args:
            x: The symbol before each step, or V, (T, B, 1); then the log probabilities of the network, (T, B, V).
            state: The state, from ``owned``.
            lengths: The number of steps of each row, (B,), int64; None means T for all rows.
        """
        network = x[..., 1:] if self.network else None
        symbols = x[..., 0].nan_to_num(-1.0) if x.is_floating_point() else x[..., 0]
        out = self._run(symbols.long(), network, CountsState(*state), lengths)
        assert out is not None
        return out

    def settle_(self, x: Tensor, state: State, network: Tensor | None = None) -> Tensor:
        """Return the log probabilities (T, B), float64, that symbols had been predicted with, and move the state on.

        Only the decisions on the path of each symbol are computed, and not those of the whole vocabulary.

        Args:
            x: The symbols, (T, B), int64; V at a start, which has log probability 0.
            state: The state, from ``owned``.
            network: The log probabilities of the network for the symbols AFTER x, (T, B, V).
        """
        nats = torch.zeros(x.shape, dtype=torch.float64)
        self._run(x, network, CountsState(*state), None, quiet=True, nats=nats)
        return nats

    @property
    def steps_live(self) -> bool:
        """Whether the engine makes single steps of these counts."""
        return self.implementation in (None, "native") and prefers_native("counts")

    def bound(self, x: Tensor, network: Tensor | None, state: State, out: Tensor | None) -> Callable[[], None]:
        """Return the engine's single step on tensors that keep their place, if ``steps_live``.

        Args:
            x: The symbol before the step, or V at a start, (B,), int64 and contiguous.
            network: The log probabilities of the network, (B, V), float32 and contiguous, or None.
            state: The state, which moves on in place.
            out: Where the log probabilities (B, V), float32 and contiguous, of the next symbols go, or None.
        """
        return native.bound(self.tree(), x, network, CountsState(*state), out)

    def restarted(self, state: State, rows: Tensor) -> State:
        """Return the state with some rows at the start of a sequence; they keep what they have learned."""
        own = CountsState(*state)
        path = own.path.clone()
        path[rows] = torch.where(torch.arange(path.shape[1]) == LEARNED, path[rows], 0)
        return (own.rate, path, *state[2:])

    def small(self, state: State) -> int:
        """Return the number of tensors of the state that change in a row that does not learn: rate, path, given."""
        return 3

    def tree(self) -> tuple[Tensor, ...]:
        """Return the arrays of the tree and of the symbols that implementations take (see ``reference.unroll_``)."""
        arrays = self.child, self.group, self.place, self.depth, self.start, self.path, self.letter
        if self.form == 1:
            return arrays
        return (*arrays, self.begins, self.matches) if self.form > 2 else (*arrays, self.begins)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Counts:
        """Move the memory, and keep its types: the engine counts in words and floats of 32 bits."""
        moved = super()._apply(lambda tensor: tensor.to(fn(tensor).device), recurse)  # type: ignore[no-untyped-call]
        assert isinstance(moved, Counts)
        return moved

    def _load_from_state_dict(self, *args: Any, **named: Any) -> None:
        """Load the memory and check that its tree leads nowhere else."""
        super()._load_from_state_dict(*args, **named)
        *_, errors = args
        if not errors:
            check_tree(Tree(*(t.numpy() for t in self.tree()[: len(Tree._fields)])))
            if self.form > 2:
                check_matches(self.matches.numpy())

    def _state(self, batch: int) -> State:
        """Return the state of one row, which shares the buffers of this memory."""
        rate = torch.tensor([[0.0, self.forget]]).repeat(batch, 1)
        path = torch.zeros(batch, PATH[self.form], dtype=torch.int64)
        path[:, LEARNED] = self.learned
        given = torch.zeros(batch, self.output_size - 1 if self.network else 0)
        directory = self.entries if self.form > 1 else self.slots.new_zeros(0, 2)
        kept = (self.slots, self.maps, self.weights, self.last, self.corrections, directory)
        matches = (self.history, self.trust) if self.form > 2 else ()
        return (rate, path, given, *(s[None] for s in (*kept, *matches)))

    def _run(
        self,
        x: Tensor,
        network: Tensor | None,
        state: CountsState,
        lengths: Tensor | None,
        *,
        quiet: bool = False,
        nats: Tensor | None = None,
    ) -> Tensor | None:
        """Unroll in place by the implementation that was chosen."""
        run = pick("counts", self.implementation)
        out: Tensor | None = run(self.tree(), x, network, state, lengths, quiet=quiet, nats=nats)
        return out


def _first_trust() -> Tensor:
    """Return the trust in matches before anything is learned, (2, lengths, depths, 2): 1 of n + 2 is wrong."""
    p = 1 - 1 / (2 + torch.arange(LENGTHS, dtype=torch.float32))
    first = torch.stack([p, torch.zeros_like(p)], -1)[:, None]
    return first.expand(len(MATCHES), -1, DEPTHS, -1).contiguous()


def _first_maps(form: int) -> Tensor:
    """Return log odds, probability and number of each history before anything is learned, (contexts, histories, 4).

    A history of a refusals and b assents begins at (b + 0.4) / (a + b + 0.8).
    """
    history = torch.arange(HISTORIES)
    no, yes = history & 15, (history >> 4) & 15
    p = (yes + 0.4) / (no + yes + 0.8)
    first = torch.stack([torch.logit(p), p, torch.zeros_like(p), torch.zeros_like(p)], -1)
    return first.expand(CONTEXTS[form], -1, -1).contiguous()
