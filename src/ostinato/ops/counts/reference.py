"""Adaptive counts, written out: the specification of csrc/counts.cpp, one decision at a time.

The method is context mixing by logistic regression (Mahoney 2005, "Adaptive weighing of context models for lossless
data compression"), over a binary tree of decisions in the place of the bits of a byte. For one symbol:

1. *Learn* the symbol before, along its path. Every context c remembers of every decision a word: a probability p_c, how
   often it was met, how often each answer came of late, and the last two answers. The latter two are its history s, and
   a map per context learns how probable an assent is after it. The inputs of the mixers are log odds of that map and 3
   (p_c - 1/2). There are four weight vectors, chosen by the decision, by the symbol before, by the length of the word
   so far and by how certain the orders 1 to 6 are. Each gives a dot product d_k; their own mixture sum_k v_k d_k is the
   log odds. Two corrections interpolate what became of such odds after one and two symbols. P(assent) = half the
   mixture, a quarter each.
2. *Push* the symbol onto the contexts.
3. *Assert* the product of the answers on the path of each symbol.

As long as one symbol alone came after a context, all that it remembers follows from that symbol and how often it came.
A directory holds these two; the context is given slots for its decisions when another symbol comes (``directory``).

Two matches say which symbol followed when the last 5 or 12 symbols came before (``matches``). Each gives the log odds
of its being right and 3 (p - 1/2) as inputs, for the decisions on the path of that symbol. A fifth weight vector is
chosen by how certain the orders 8 and 11, the words and the characters further back are.

The second form, that of older models, has no matches. In the first form, that of still older ones, each context has
slots, a long one only from when a shorter one was met. The contexts are others. The weight vectors are chosen by the
decision, by the longest known context, by the symbol before and by recent answers.
"""

from __future__ import annotations

import math
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.ops.counts.directory import Directory
from ostinato.ops.counts.form import (
    BINS,
    CERTAIN,
    DEPTHS,
    INPUTS,
    LEARNED,
    MIXERS,
    ROWS,
    WORDS,
    CountsState,
    form_of,
    vocabulary_of,
)
from ostinato.ops.counts.matches import Matches
from ostinato.ops.counts.past import ASSERTED, LENGTH, contexts, push
from ostinato.ops.counts.words import F, G, after, met, scattered
from ostinato.shapes import Array

#: The greatest log odds, and the least probability of an answer.
_FARTHEST, _LEAST = 12.0, 1e-6
#: The rate of the mixers at first and later, and the symbols until it is halved.
_FIRST, _LATER, _COOLING = 0.02, 0.002, 20_000.0
#: The rates of the mixture of mixers and of the corrections, and the most observations that a history counts.
_LAST_RATE, _CORRECTED, _SEEN = 0.002, 0.02, 255.0
#: The context that must have been met before a longer one is remembered; -1 for none.
_SHORTER = (-1, -1, -1, 2, 3, 4, 5, 6, -1, 8, -1, 9)
#: The contexts beyond the orders 1 to 6 whose certainty chooses a weight vector.
_LONG = (7, 8, 10, 11, 13)


def unroll_(
    tree: tuple[Tensor, ...],
    x: Tensor,
    network: Tensor | None,
    state: CountsState,
    lengths: Tensor | None = None,
    *,
    quiet: bool = False,
    nats: Tensor | None = None,
) -> Tensor | None:
    """Unroll adaptive counts; the state moves on in place.

    Args:
        tree: The arrays of ``form.Tree``, the letter of each symbol, (V,), of the second and the third form also what
            begins one, (V,), and of the third form the symbols that each match begins with, (2,).
        x: The symbol before each step; V at the start of a sequence, (T, B), int64.
        network: The log probabilities of a network for the symbol of each step, (T, B, V), or None.
        state: The state.
        lengths: The number of steps of each row, (B,); None means T for all rows.
        quiet: Whether the log probabilities of the next symbols are left out.
        nats: Where the log probabilities go that the symbols x had been predicted with, (T, B), float64; 0 at a start.

    Returns:
        The log probabilities (T, B, V) of each step, in nats; None if quiet.
    """
    T, B = x.shape
    arrays = [t.numpy() for t in tree]
    out = None if quiet else torch.zeros(T, B, vocabulary_of(tree))
    for b in range(B):
        row = _Row(arrays, CountsState(*(s[b : b + 1] for s in state)))
        for t in range(T if lengths is None else int(lengths[b])):
            given = None if network is None else network[t, b].double().numpy()
            settled = row.take(int(x[t, b]), given, predicted=nats is not None)
            if nats is not None:
                nats[t, b] = settled
            if out is not None:
                out[t, b] = torch.from_numpy(row.ahead())
    return out


def _squash(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _check(h: int) -> int:
    return ((h >> 40) | 1) & 0xFFFFFFFF


def _certainty(memory: list[int]) -> int:
    """Return how certain contexts are of a decision as one number, four values for each of them."""
    found = 0
    for word in memory:
        both = (word >> 22) & 15 and (word >> 26) & 15
        found = found * 4 + (0 if not met(word) else 1 if both else 3 if met(word) > 2 else 2)
    return found


class _Seen:
    """One decision as the mixers see it, and what they make of it."""

    def __init__(self, memory: list[int], form: int) -> None:
        self.input, self.memory = np.zeros(INPUTS[form]), memory
        self.history = [word >> 22 for word in memory]
        self.sets: list[int] = []
        self.dot = np.zeros(MIXERS[form])
        self.odds = self.p = self.final = self.fraction = 0.0
        self.bins: list[tuple[int, int, int]] = []
        self.matched: list[tuple[tuple[int, int, int], int]] = []  # where the trust in a match is, what it expects


class _Row:
    """One row: its state as NumPy arrays, which share memory with the tensors."""

    def __init__(self, tree: list[NDArray[np.int32]], state: CountsState) -> None:
        self.child, self.group, self.place, self.depth, self.start, self.path, self.letter = tree[:7]
        self.begins, self.form = tree[7] if len(tree) > 7 else None, form_of(tree)
        self.V = len(self.letter)
        self.rate, self.past, self.given = (s[0].numpy() for s in state[:3])
        self.slots = state.slots[0].numpy().view(np.uint32)
        self.maps, self.weights, self.last, self.corrections = (s[0].numpy() for s in state[4:8])
        self.directory: Directory | None = None
        if self.begins is not None:
            self.directory = Directory(state.entries[0].numpy().view(np.uint32), float(self.rate[1]))
        self.matches: Matches | None = None
        if self.form > 2:
            found, trust = (s[0].numpy() for s in state[9:])
            self.matches = Matches(tree[8], self.past, found, trust, self.V)
        self._place()

    def take(self, symbol: int, network: Array | None, *, predicted: bool) -> float:
        """Learn and push a symbol, and take the log probabilities of a network for the next one.

        Returns:
            The log probability that the symbol had been predicted with; 0 if predicted is False.
        """
        real = 0 <= symbol < self.V
        known = real and bool(self.past[ASSERTED])
        nats = float(self.ahead()[symbol]) if known and predicted else 0.0
        if known and self.rate[0]:
            self._learn(symbol)
        push(self.past, symbol, self.letter, self.begins)
        if self.matches is not None:
            if real:
                self.matches.follow(symbol, learns=bool(self.rate[0]))
            self.matches.expect()
        self._place()
        self.given[:] = 0 if network is None or not len(self.given) else self._odds(network)
        self.past[ASSERTED] = 1
        return nats

    def ahead(self) -> Array:
        """Return the log probabilities of the next symbol, (V,)."""
        out, reached, group = np.zeros(self.V), np.zeros(self.V), -1
        memory: list[list[int]] = []
        for n in range(self.V - 1):
            if self.group[n] != group:
                group = int(self.group[n])
                memory = self._open(self._hashes(group))
            final = self._look(n, memory).final
            for answer, nats in enumerate((math.log(1 - final), math.log(final))):
                c = int(self.child[n, answer])
                (reached if c >= 0 else out)[c if c >= 0 else ~c] = reached[n] + nats
        return out

    def _learn(self, symbol: int) -> None:
        """Learn a symbol, one decision after the other: each is seen with what the ones before it have taught."""
        rate = max(_LATER, _FIRST / (1 + int(self.past[LEARNED]) / _COOLING))
        path = self._path_of(symbol)
        if self.directory is not None:
            for c, (only, word) in self.directory.widened(symbol).items():
                self._give_slots(c, only, word)
        for group, decisions in groupby(path, lambda step: int(self.group[step >> 1])):
            hashes = self._hashes(group)
            memory = self._open(hashes)
            for step in decisions:
                self._answer(step >> 1, step & 1, memory, rate)
            self._close(hashes, memory)
        if self.directory is not None:
            self.directory.learn(symbol)
        if self.matches is not None:
            self.matches.learn(symbol)
        self.past[LEARNED] += 1

    def _place(self) -> None:
        self.contexts = contexts(self.past, second=self.begins is not None)
        if self.directory is not None:
            self.directory.place(self.contexts)

    def _path_of(self, symbol: int) -> list[int]:
        path: list[int] = self.path[self.start[symbol] : self.start[symbol + 1]].tolist()
        return path

    def _give_slots(self, c: int, only: int, words: tuple[int, int]) -> None:
        """Write what a context remembers that one symbol alone had followed: a word for each answer on its path."""
        for group, decisions in groupby(self._path_of(only), lambda step: int(self.group[step >> 1])):
            h = scattered(self.contexts[c] + group * G)
            slot = self._slot(h)
            if self.slots[slot, 0] != _check(h):
                self.slots[slot] = [_check(h), *[0] * 7]
            for step in decisions:
                self.slots[slot, 1 + int(self.place[step >> 1])] = words[step & 1]

    def _answer(self, n: int, y: int, memory: list[list[int]], rate: float) -> None:
        """Learn the answer y of decision n; what the contexts remember changes in place."""
        seen = self._look(n, memory)
        for k, s in enumerate(seen.sets):
            self.weights[s] += (y - _squash(seen.dot[k])) * rate * seen.input
        self.last[n] += (y - seen.p) * _LAST_RATE * seen.dot
        for which, row, low in seen.bins:
            at = low + int(seen.fraction > 0.5)
            self.corrections[which, row, at] += (y - self.corrections[which, row, at]) * _CORRECTED
        if self.matches is not None:
            for place, expected in seen.matched:
                self.matches.judge(place, right=y == expected)
        at = int(self.place[n])
        for c, word in enumerate(seen.memory):
            if met(word):
                entry = self.maps[c, seen.history[c]]
                entry[1] = min(max(entry[1] + (y - entry[1]) / (entry[2] + 1.5), 1e-5), 1 - 1e-5)
                entry[2] += entry[2] < _SEEN
                entry[0] = math.log(entry[1] / (1 - entry[1]))
            memory[c][at] = after(word, y, float(self.rate[1]))

    def _open(self, hashes: list[int]) -> list[list[int]]:
        """Return what each context remembers of the seven decisions of a group: 0 for what it never met."""
        slots = [self._find(h) if self._has_slots(c) else None for c, h in enumerate(hashes)]
        return [[0] * 7 if i is None else self.slots[i, 1:].tolist() for i in slots]

    def _close(self, hashes: list[int], memory: list[list[int]]) -> None:
        """Write what the contexts remember.

        Most long contexts never return: the first form remembers one from when the next shorter one was met before.
        """
        known = [self._find(h) is not None for h in hashes]
        for c, (h, words) in enumerate(zip(hashes, memory, strict=True)):
            late = self.directory is None and not known[c] and _SHORTER[c] >= 0 and not known[_SHORTER[c]]
            if self._has_slots(c) and not late:
                self.slots[self._slot(h)] = [_check(h), *words]

    def _has_slots(self, c: int) -> bool:
        return self.directory is None or (self.directory.entry[c] is not None and self.directory.only[c] < 0)

    def _slot(self, h: int) -> int:
        """Return the slot of a hash; for a new one that of four is dropped whose first decision was met least."""
        slot = self._find(h)
        if slot is not None:
            return slot
        near = [((h & 0x7FFFFFFF) ^ k) & (len(self.slots) - 1) for k in range(4)]
        return near[int(np.argmin([met(int(self.slots[i, 1])) if self.slots[i, 0] else -1 for i in near]))]

    def _find(self, h: int) -> int | None:
        for k in range(4):
            i = ((h & 0x7FFFFFFF) ^ k) & (len(self.slots) - 1)
            if self.slots[i, 0] == _check(h):
                return i
        return None

    def _remembered(self, n: int, c: int, words: list[int]) -> int:
        """Return what a context remembers of decision n, given the words of its slot."""
        if self._has_slots(c):
            return words[int(self.place[n])]
        assert self.directory is not None
        only = self.directory.only[c]
        if only < 0:
            return 0
        answer = self._towards(only, n)
        return 0 if answer is None else self.directory.repeated(c)[answer]

    def _towards(self, symbol: int, n: int) -> int | None:
        """Return the answer of decision n on the path of a symbol; None if it is not on that path."""
        i = int(self.start[symbol]) + int(self.depth[n])
        return int(self.path[i] & 1) if i < self.start[symbol + 1] and self.path[i] >> 1 == n else None

    def _look(self, n: int, memories: list[list[int]]) -> _Seen:
        seen = _Seen([self._remembered(n, c, words) for c, words in enumerate(memories)], self.form)
        constant = 2 * len(seen.memory)
        for c, word in enumerate(seen.memory):
            if met(word):
                seen.input[2 * c] = self.maps[c, word >> 22, 0]
                seen.input[2 * c + 1] = (((word & 0xFFFF) + 0.5) / 65536 - 0.5) * 3
        seen.input[constant] = 0.3
        if len(self.given):
            seen.input[constant + 1] = self.given[n]
        if self.matches is not None:
            self._look_at_matches(n, seen, constant + 2)
        seen.sets = self._first_sets(n, seen.memory) if self.directory is None else self._second_sets(n, seen.memory)
        seen.dot = np.clip(self.weights[seen.sets].astype(float) @ seen.input, -_FARTHEST, _FARTHEST)
        seen.odds = float(np.clip(self.last[n].astype(float) @ seen.dot, -_FARTHEST, _FARTHEST))
        seen.p = _squash(seen.odds)
        place = min(max((seen.odds + 8) * 2, 0), BINS - 1 - 0.001)
        low = int(place)
        seen.fraction = place - low
        one = scattered(self._before(1) * (self.V + 1) + n + 1)
        two = scattered((self._before(2) * 0x10001 + self._before(1)) * F + n + 1)
        seen.bins = [(0, one % ROWS, low), (1, two % ROWS, low)]
        final = seen.p / 2
        for which, row, _ in seen.bins:
            a, z = self.corrections[which, row, low : low + 2].tolist()
            final += (a * (1 - seen.fraction) + z * seen.fraction) / 4
        seen.final = min(max(final, _LEAST), 1 - _LEAST)
        return seen

    def _before(self, k: int) -> int:
        return int(self.past[k - 1])

    def _hashes(self, group: int) -> list[int]:
        return [scattered(c + group * G) for c in self.contexts]

    def _first_sets(self, n: int, memory: list[int]) -> list[int]:
        """Return the places of the four weight vectors of decision n in the first form."""
        depth, at = min(int(self.depth[n]), DEPTHS - 1), max(self.V - 1, 0)
        longest = max((c + 1 for c in range(8) if met(memory[c])), default=0)
        sets = [n, at + longest * DEPTHS + depth]
        at += (len(memory) + 1) * DEPTHS
        sets += [at + self._before(1)]
        at += self.V + 1
        return [*sets, at + ((memory[1] >> 22) & 255) * 8 + min(met(memory[3]), 3) * 2 + (met(memory[5]) > 0)]

    def _second_sets(self, n: int, memory: list[int]) -> list[int]:
        """Return the places of the weight vectors of decision n in the second and the third form."""
        depth, at = min(int(self.depth[n]), DEPTHS - 1), max(self.V - 1, 0)
        length = min(max(int(self.past[LENGTH]), 0), WORDS - 1)
        sets = [n, at + self._before(1), at + self.V + 1 + length * DEPTHS + depth]
        at += self.V + 1 + WORDS * DEPTHS
        sets.append(at + _certainty(memory[1:7]))
        if self.matches is not None:
            sets.append(at + CERTAIN + _certainty([memory[c] for c in _LONG]))
        return sets

    def _expects(self, k: int, n: int) -> int | None:
        """Return the answer that match k expects of decision n."""
        symbol = -1 if self.matches is None else self.matches.expected[k]
        return None if symbol < 0 else self._towards(symbol, n)

    def _look_at_matches(self, n: int, seen: _Seen, at: int) -> None:
        """Write what the matches say of decision n into the inputs from a place on."""
        assert self.matches is not None
        for k in range(len(self.matches.expected)):
            answer = self._expects(k, n)
            if answer is not None:
                place = self.matches.place(k, int(self.depth[n]))
                seen.input[at + 2 * k : at + 2 * k + 2] = self.matches.odds(place) * (1 if answer else -1)
                seen.matched.append((place, answer))

    def _odds(self, network: Array) -> Array:
        """Return the log odds of every decision, (V - 1,), by the log probabilities of the symbols, (V,)."""
        p, mass, out = np.exp(np.clip(network, -87, 87)), np.zeros(self.V), np.zeros(self.V - 1)
        for n in reversed(range(self.V - 1)):
            no, yes = ((mass[c] if c >= 0 else p[~c]) + 1e-12 for c in self.child[n].tolist())
            mass[n] = no + yes
            out[n] = min(max(math.log(yes / no), -8), 8)
        return out
