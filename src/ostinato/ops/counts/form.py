"""The sizes and the tree of adaptive counts: what every implementation shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.errors import ConfigError, ModelFileError
from ostinato.shapes import Array

Ints = NDArray[np.int32]

#: The histories of a decision, the bins and the rows of a correction, the words of a slot, and the entries of a bucket
#: of the directory; those of csrc/counts.h.
HISTORIES, BINS, ROWS, SLOT, BUCKET = 1024, 33, 1 << 13, 8, 4
#: The place of the number of learned steps in the path.
LEARNED = 12
#: The form of new counts. Older models have the first one.
FORM = 3
#: The contexts of a symbol and the numbers of the path, by form.
CONTEXTS, PATH = {1: 12, 2: 15, 3: 15}, {1: 16, 2: 26, 3: 30}
#: The inputs of a mixer and the sets of mixing weights, by form.
INPUTS, MIXERS = {1: 32, 2: 32, 3: 40}, {1: 4, 2: 4, 3: 5}
#: The symbols that the matches of the third form begin with, and the classes of their lengths.
MATCHES, LENGTHS = (5, 12), 32
#: The most symbols that a match may begin with: as many as the path holds.
FARTHEST = 16
#: The mixing weights are by the length of a word and the depth of a decision, and by how certain six contexts are: the
#: numbers of these values, and in the third form by that of five longer contexts.
WORDS, DEPTHS, CERTAIN, FURTHER = 16, 8, 1 << 12, 1 << 10
#: The levels of the tree that share a slot.
LEVELS = 3


def network_input(form: int) -> int:
    """Return the place of the network's log odds among the inputs of a mixer."""
    return 2 * CONTEXTS[form] + 1


def weight_sets(vocabulary: int, form: int) -> int:
    """Return the number of vectors of mixing weights for a vocabulary of V symbols."""
    shared = max(vocabulary - 1, 1) + vocabulary + 1
    if form == 1:
        return shared + (CONTEXTS[1] + 1) * DEPTHS + 2048
    return shared + WORDS * DEPTHS + CERTAIN + (FURTHER if form > 2 else 0)


def entries(slots: int, form: int) -> int:
    """Return the number of entries of the directory that goes with some slots; the first form has none."""
    return 4 * slots if form > 1 else 0


def form_of(tree: Sequence[object]) -> int:
    """Return the form of counts by the number of arrays that implementations take; each form has one more."""
    return len(tree) - len(Tree._fields)


def vocabulary_of(tree: Sequence[Tensor]) -> int:
    """Return the number of symbols, V, by the arrays that implementations take."""
    return len(tree[len(Tree._fields)])


class Tree(NamedTuple):
    """A binary tree over the V symbols. A parent is numbered before its children.

    Attributes:
        child: The decision after each answer of a decision, or ~symbol, (V - 1, 2), int32.
        group: The slot that a decision is in, (V - 1,), int32: three levels of the tree share a slot.
        place: The place of the decision in its slot, 0 .. 6, (V - 1,), int32.
        depth: The number of decisions above it, (V - 1,), int32.
        start: Where the path of a symbol begins in ``path``, (V + 1,), int32.
        path: decision * 2 + answer of every symbol from the root on, int32.
    """

    child: Ints
    group: Ints
    place: Ints
    depth: Ints
    start: Ints
    path: Ints


def balanced(counts: Array) -> Tree:
    """Return the tree that splits the symbols, in their order, into halves of nearly equal frequency.

    Symbols that are neighbours in the alphabet, such as the capitals, share decisions.

    Args:
        counts: How often each symbol was seen, (V,), above 0.
    """
    V, total = len(counts), np.concatenate([[0.0], np.cumsum(counts)])
    child, path = np.zeros((max(V - 1, 0), 2), dtype=np.int32), list[list[int]]([[] for _ in range(V)])
    group, place, depth = (np.zeros(max(V - 1, 0), dtype=np.int32) for _ in range(3))
    waiting: list[tuple[int, int, list[int], int, int, int]] = [(0, V, [], -1, 0, LEVELS)]
    made = groups = 0
    while waiting:
        a, z, above, own, at, level = waiting.pop()
        if above:
            child[above[-1] >> 1, above[-1] & 1] = ~a if z - a == 1 else made
        if z - a == 1:
            path[a] = above
            continue
        if level == LEVELS:
            own, at, level, groups = groups, 0, 0, groups + 1
        group[made], place[made], depth[made] = own, at, len(above)
        middle = (total[a] + total[z]) / 2
        cut = a + 1 + int(np.argmin(np.abs(total[a + 1 : z] - middle)))
        for answer, (low, high) in reversed([*enumerate(((a, cut), (cut, z)))]):
            waiting.append((low, high, [*above, 2 * made + answer], own, 2 * at + 1 + answer, level + 1))
        made += 1
    start = np.cumsum([0, *map(len, path)], dtype=np.int32)
    return Tree(child, group, place, depth, start, np.array([d for one in path for d in one], dtype=np.int32))


class CountsState(NamedTuple):
    """The state of adaptive counts, (B, ...) each. The first three alone change in a row that does not learn.

    Attributes:
        rate: Whether the row learns (1 or 0), and the least rate at which a decision forgets, (B, 2), float32.
        path: The last 8 symbols + 1, the word so far and the two before it, whether the next symbol was predicted, and
            the number of learned symbols, (B, 16), int64. In the second form, (B, 26), then 8 more symbols + 1, the
            character so far and the three before it, and the number of symbols of the word so far. In the third form,
            (B, 30), then for each match the place of the symbol that it expects in the history, and its length.
        given: The log odds of the network for the next symbol, (B, V - 1) or (B, 0), float32.
        slots: What the contexts remember, (B, S, 8), int32.
        maps: Log odds, probability and number of every history, (B, contexts, histories, 4), float32.
        weights: The weights of the mixers, (B, sets, 32), or (B, sets, 40) in the third form, float32.
        last: The weights of the mixers' own mixture, (B, V - 1, mixers), float32.
        corrections: The probability that became of a predicted one, (B, 2, rows, bins), float32.
        entries: The directory of contexts, (B, 4 S, 2), int32: a check, and how often the context was met; the symbol
            + 1 above it while it was always the same. (B, 0, 2) in the first form.
        history: The learned symbols + 1, as a ring, and for each match where symbols with the same hash came last, + 1;
            (B, 3, S), int32. Absent before the third form, whose states are as long as they were then.
        trust: How often the expected symbol is right, as a probability, and how often this was seen, by match, its
            length and the depth of the decision, (B, 2, 32, 8, 2), float32. Absent before the third form.
    """

    rate: Tensor
    path: Tensor
    given: Tensor
    slots: Tensor
    maps: Tensor
    weights: Tensor
    last: Tensor
    corrections: Tensor
    entries: Tensor
    history: Tensor = torch.zeros(0)
    trust: Tensor = torch.zeros(0)


def shapes_of(state: CountsState, vocabulary: int, form: int) -> tuple[tuple[int, ...], ...]:
    """Return the shapes that the parts of a state have in each row.

    Args:
        state: The state, whose slots and log odds of a network may be absent or of any number.
        vocabulary: The number of symbols, V.
        form: The form of the counts.

    Raises:
        ConfigError: The number of slots is not a power of 2.
    """
    V, slots = vocabulary, state.slots.shape[1] if state.slots.dim() > 1 else 0
    if slots < 1 or slots & (slots - 1):
        raise ConfigError(f"the state has {slots} slots, expected a power of 2", fix="use a state of initial_state")
    given = 0 if state.given.dim() > 1 and not state.given.shape[1] else V - 1
    decisions, maps = max(V - 1, 1), (CONTEXTS[form], HISTORIES, 4)
    learned = (slots, SLOT), maps, (weight_sets(V, form), INPUTS[form]), (decisions, MIXERS[form]), (2, ROWS, BINS)
    matches = (1 + len(MATCHES), slots), (len(MATCHES), LENGTHS, DEPTHS, 2)
    return (2,), (PATH[form],), (given,), *learned, (entries(slots, form), 2), *(matches if form > 2 else ())


def check_matches(least: Ints) -> None:
    """Check the numbers of symbols, (2,), that matches begin with.

    Raises:
        ModelFileError: A number is not one that the path holds.
    """
    if not bool(((least >= 1) & (least <= FARTHEST)).all()):
        raise ModelFileError(
            f"the least lengths of matches are {least.tolist()}, expected lengths from 1 to {FARTHEST}",
            fix="use another copy of the model",
        )


def check_tree(tree: Tree) -> None:
    """Check that every number of a tree is a place in the arrays that it leads into.

    Raises:
        ModelFileError: A number is not.
    """
    V, path = len(tree.start) - 1, len(tree.path)
    lengths, decisions = np.diff(tree.start), np.arange(V - 1)
    sound = (
        tree.start[0] == 0
        and tree.start[-1] == path
        and bool((lengths >= 0).all())
        and bool(((tree.path >= 0) & (tree.path < 2 * (V - 1))).all())
        and bool(((tree.child >= -V) & (tree.child < V - 1)).all())
        and bool(((tree.child < 0) | (tree.child > decisions[:, None])).all())
        and bool(((tree.place >= 0) & (tree.place < SLOT - 1)).all())
        and bool((tree.depth >= 0).all())
    )
    if not sound:
        raise ModelFileError("the tree of the counts leads outside of itself", fix="use another copy of the model")
