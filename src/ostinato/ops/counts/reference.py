"""Adaptive counts, written out: the specification of csrc/counts.cpp, one decision at a time.

The method is context mixing by logistic regression (Mahoney 2005, "Adaptive weighing of context models for lossless
data compression"), over a binary tree of decisions in the place of the bits of a byte. For one symbol:

1. *Learn* the symbol before, along its path. Every context c remembers of every decision a word: a probability p_c, how
   often it was met, how often each answer came of late, and the last two answers. The latter two are its history s, and
   a map per context learns how probable an assent is after it. The inputs of the mixers are log odds of that map and
   3 (p_c - 1/2). Each of four weight vectors, chosen by the decision, by the longest known context, by the symbol
   before and by recent answers, gives dot products d_k; their own mixture sum_k v_k d_k is the log odds. Two
   corrections interpolate what became of such odds after one and two symbols. P(assent) = half the mixture, a quarter
   each.
2. *Push* the symbol onto the contexts.
3. *Assert* the product of the answers on the path of each symbol.
"""

from __future__ import annotations

import math
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.ops.counts.form import BINS, CONTEXTS, INPUTS, LEARNED, MIXERS, NETWORK, ROWS, CountsState

_MASK = (1 << 64) - 1
_A, _B, _C, _D = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB
_E, _F, _G = 0x8EBC6AF09C88C6E3, 0x2127599BF4325C37, 0x632BE59BD9B4E019
#: The greatest log odds, and the least probability of an answer.
_FARTHEST, _LEAST = 12.0, 1e-6
#: The rate of the mixers at first and later, and the symbols until it is halved.
_FIRST, _LATER, _COOLING = 0.02, 0.002, 20_000.0
#: The rates of the mixture of mixers and of the corrections, and the most observations that a history counts.
_LAST_RATE, _CORRECTED, _SEEN = 0.002, 0.02, 255.0
#: The context that must have been met before a longer one is remembered; -1 for none.
_SHORTER = (-1, -1, -1, 2, 3, 4, 5, 6, -1, 8, -1, 9)
#: The place of the last symbols, the words and the flag in the path.
_WORD, _ASSERTED = 8, 11


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
        tree: The arrays of ``form.Tree``, and the letter of each symbol, (V,).
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
    out = None if quiet else torch.zeros(T, B, len(arrays[-1]))
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


def _scattered(h: int) -> int:
    h = (h * _A) & _MASK
    h = ((h ^ (h >> 32)) * _B) & _MASK
    return h ^ (h >> 29)


def _squash(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _signed(h: int) -> int:
    return h - (1 << 64) if h >> 63 else h


class _Seen:
    """One decision as the mixers see it, and what they make of it."""

    def __init__(self) -> None:
        self.input = np.zeros(INPUTS)
        self.history = [0] * CONTEXTS
        self.sets: list[int] = []
        self.dot = np.zeros(MIXERS)
        self.odds = self.p = self.final = self.fraction = 0.0
        self.bins: list[tuple[int, int, int]] = []


class _Row:
    """One row: its state as NumPy arrays, which share memory with the tensors."""

    def __init__(self, tree: list[NDArray[np.int32]], state: CountsState) -> None:
        self.child, self.group, self.place, self.depth, self.start, self.path, self.letter = tree
        self.V = len(self.letter)
        self.rate, self.past, self.given = (s[0].numpy() for s in state[:3])
        self.slots = state.slots[0].numpy().view(np.uint32)
        self.maps, self.weights, self.last, self.corrections = (s[0].numpy() for s in state[4:])

    def take(self, symbol: int, network: NDArray[np.float64] | None, *, predicted: bool) -> float:
        """Learn and push a symbol, and take the log probabilities of a network for the next one.

        Returns:
            The log probability that the symbol had been predicted with; 0 if predicted is False.
        """
        real = 0 <= symbol < self.V
        known = real and bool(self.past[_ASSERTED])
        nats = float(self.ahead()[symbol]) if known and predicted else 0.0
        if known and self.rate[0]:
            self._learn(symbol)
        self._push(symbol, real)
        self.given[:] = 0 if network is None or not len(self.given) else self._odds(network)
        self.past[_ASSERTED] = 1
        return nats

    def ahead(self) -> NDArray[np.float64]:
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
        path = self.path[self.start[symbol] : self.start[symbol + 1]].tolist()
        for group, decisions in groupby(path, lambda step: int(self.group[step >> 1])):
            hashes = self._hashes(group)
            memory = self._open(hashes)
            for step in decisions:
                self._answer(step >> 1, step & 1, memory, rate)
            self._close(hashes, memory)
        self.past[LEARNED] += 1

    def _answer(self, n: int, y: int, memory: list[list[int]], rate: float) -> None:
        """Learn the answer y of decision n; what the contexts remember changes in place."""
        seen = self._look(n, memory)
        for k, s in enumerate(seen.sets):
            self.weights[s] += (y - _squash(seen.dot[k])) * rate * seen.input
        self.last[n] += (y - seen.p) * _LAST_RATE * seen.dot
        for which, row, low in seen.bins:
            at = low + int(seen.fraction > 0.5)
            self.corrections[which, row, at] += (y - self.corrections[which, row, at]) * _CORRECTED
        at = int(self.place[n])
        for c, words in enumerate(memory):
            if (words[at] >> 16) & 63:
                entry = self.maps[c, seen.history[c]]
                entry[1] = min(max(entry[1] + (y - entry[1]) / (entry[2] + 1.5), 1e-5), 1 - 1e-5)
                entry[2] += entry[2] < _SEEN
                entry[0] = math.log(entry[1] / (1 - entry[1]))
            words[at] = self._after(words[at], y)

    def _open(self, hashes: list[int]) -> list[list[int]]:
        """Return what each context remembers of the seven decisions of a group: 0 for what it never met."""
        slots = [self._find(h) for h in hashes]
        return [[0] * 7 if i is None else self.slots[i, 1:].tolist() for i in slots]

    def _close(self, hashes: list[int], memory: list[list[int]]) -> None:
        """Write what the contexts remember; for a new one, that of four slots is dropped whose first was met least.

        Most long contexts never return: one is remembered from when the next shorter one was met before.
        """
        known = [self._find(h) is not None for h in hashes]
        for c, (h, words) in enumerate(zip(hashes, memory, strict=True)):
            if not known[c] and _SHORTER[c] >= 0 and not known[_SHORTER[c]]:
                continue
            slot = self._find(h)
            if slot is None:
                near = [((h & 0x7FFFFFFF) ^ k) & (len(self.slots) - 1) for k in range(4)]
                met = [int(self.slots[i, 1] >> 16) & 63 if self.slots[i, 0] else -1 for i in near]
                slot = near[int(np.argmin(met))]
            self.slots[slot] = [((h >> 40) | 1) & 0xFFFFFFFF, *words]

    def _find(self, h: int) -> int | None:
        for k in range(4):
            i = ((h & 0x7FFFFFFF) ^ k) & (len(self.slots) - 1)
            if self.slots[i, 0] == ((h >> 40) | 1) & 0xFFFFFFFF:
                return i
        return None

    def _after(self, word: int, y: int) -> int:
        """Return what is remembered of a decision after the answer y."""
        met, counts, last = (word >> 16) & 63, [(word >> 22) & 15, (word >> 26) & 15], word >> 30
        p = (word & 0xFFFF) / 65536 if met else 0.5
        p += (y - p) * max(1 / (met + 1.5), float(self.rate[1]))
        counts[y] = min(counts[y] + 1, 15)
        if counts[1 - y] > 2:
            counts[1 - y] = counts[1 - y] // 2 + 1
        stored = int(min(max(p * 65536, 0), 65535))
        return stored | min(met + 1, 63) << 16 | counts[0] << 22 | counts[1] << 26 | ((last << 1 | y) & 3) << 30

    def _look(self, n: int, memories: list[list[int]]) -> _Seen:
        seen, longest = _Seen(), 0
        memory = [words[int(self.place[n])] for words in memories]
        for c, word in enumerate(memory):
            seen.history[c] = word >> 22
            if (word >> 16) & 63:
                seen.input[2 * c] = self.maps[c, word >> 22, 0]
                seen.input[2 * c + 1] = (((word & 0xFFFF) + 0.5) / 65536 - 0.5) * 3
                longest = c + 1 if c < 8 else longest
        seen.input[2 * CONTEXTS] = 0.3
        if len(self.given):
            seen.input[NETWORK] = self.given[n]
        met = [(word >> 16) & 63 for word in memory]
        at = max(self.V - 1, 0)
        seen.sets = [n, at + longest * 8 + min(int(self.depth[n]), 7)]
        at += (CONTEXTS + 1) * 8
        seen.sets += [at + self._before(1)]
        at += self.V + 1
        seen.sets += [at + ((memory[1] >> 22) & 255) * 8 + min(met[3], 3) * 2 + (met[5] > 0)]
        seen.dot = np.clip(self.weights[seen.sets].astype(float) @ seen.input, -_FARTHEST, _FARTHEST)
        seen.odds = float(np.clip(self.last[n].astype(float) @ seen.dot, -_FARTHEST, _FARTHEST))
        seen.p = _squash(seen.odds)
        place = min(max((seen.odds + 8) * 2, 0), BINS - 1 - 0.001)
        low = int(place)
        seen.fraction = place - low
        one = _scattered((self._before(1) * (self.V + 1) + n + 1) & _MASK)
        two = _scattered(((self._before(2) * 0x10001 + self._before(1)) * _F + n + 1) & _MASK)
        seen.bins = [(0, one % ROWS, low), (1, two % ROWS, low)]
        final = seen.p / 2
        for which, row, _ in seen.bins:
            a, z = self.corrections[which, row, low : low + 2].tolist()
            final += (a * (1 - seen.fraction) + z * seen.fraction) / 4
        seen.final = min(max(final, _LEAST), 1 - _LEAST)
        return seen

    def _before(self, k: int) -> int:
        return int(self.past[k - 1])

    def _contexts(self) -> list[int]:
        h, out = 0, []
        for k in range(9):
            if k:
                h = ((h + self._before(k)) * _A) & _MASK
                h ^= h >> 29
            if k != 7:
                out.append((h * 31 + k + 1) & _MASK)
        word, one, two = (int(w) & _MASK for w in self.past[_WORD : _WORD + 3])
        now = ((word + 77) * _B) & _MASK
        pair = ((now + one + 3) * _C) & _MASK
        skip = (((self._before(2) * 0x10001 + self._before(3)) * 977 + 5) * _D) & _MASK
        return [*out, now, pair, skip, ((pair + two) * _E) & _MASK]

    def _hashes(self, group: int) -> list[int]:
        return [_scattered((c + group * _G) & _MASK) for c in self._contexts()]

    def _push(self, symbol: int, real: bool) -> None:
        if not real:
            self.past[: _WORD + 3] = 0
            return
        self.past[1:_WORD] = self.past[: _WORD - 1].copy()
        self.past[0] = symbol + 1
        letter = int(self.letter[symbol])
        if letter:
            word = (((int(self.past[_WORD]) & _MASK) + letter) * _F) & _MASK
            self.past[_WORD] = _signed(word ^ (word >> 31))
        elif self.past[_WORD]:
            self.past[_WORD + 1 : _WORD + 3] = self.past[_WORD : _WORD + 2].copy()
            self.past[_WORD] = 0

    def _odds(self, network: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log odds of every decision, (V - 1,), by the log probabilities of the symbols, (V,)."""
        p, mass, out = np.exp(np.clip(network, -87, 87)), np.zeros(self.V), np.zeros(self.V - 1)
        for n in reversed(range(self.V - 1)):
            no, yes = ((mass[c] if c >= 0 else p[~c]) + 1e-12 for c in self.child[n].tolist())
            mass[n] = no + yes
            out[n] = min(max(math.log(yes / no), -8), 8)
        return out
