"""How a model answers to a level that moves: the errors that follow, as shares of the move.

A model that follows the level of its past makes one error when the level moves, and then fewer, or errors of the other
sign. A sum of errors of one sign misses that. The errors times their own usual pattern, a matched filter (North 1943;
for changes in innovations Willsky and Jones 1976), finds it with the most evidence that a sum of errors can have.
"""

from __future__ import annotations

import numpy as np

from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.inference.stream import Stream
from ostinato.model import SequenceModel
from ostinato.shapes import Array

#: The most errors that count, the share of their squares that must be in those that do, and the places that are tried.
_LONGEST, _SHARE, _PLACES = 8, 0.95, 5
#: The move of the level in standard deviations of an error.
_MOVE = 3.0


def level_response(model: SequenceModel, data: SequenceSet, spread: Array) -> Array:
    """Return the errors after a move of the level as shares of the move, (K,); empty if one error says it all.

    Args:
        model: The model.
        data: Sequences of its kind, of which the longest is used.
        spread: The standard deviation of an error of each channel, (D,).
    """
    row = int(np.argmax(data.lengths))
    values = np.asarray(data[row], dtype=np.float64)
    move = _MOVE * spread
    if model.description.source.get("count"):
        move = np.maximum(np.rint(move), 1.0)
    found: list[Array] = []
    stream, done = Stream(model, data.ids[row]), 0
    for at in np.linspace(len(values) // 4, len(values) - _LONGEST, _PLACES, dtype=np.int64).tolist():
        part = values[at : at + _LONGEST]
        if at <= done or not np.isfinite(part).all():
            continue
        stream.update(values[done:at])
        done = at
        try:
            as_is, moved = stream.copy().update(part), stream.copy().update(part + move)
        except DataError:
            continue  # the model gives no probability to the moved values
        found.append(((moved.prediction - as_is.prediction) / move).mean(1))
    return _kept(1 - np.median(found, axis=0)) if found else np.zeros(0)


def _kept(response: Array) -> Array:
    """Return the errors that matter, the first ones; empty if that is the first one alone."""
    power = np.cumsum(response**2)
    count = int(np.searchsorted(power, _SHARE * power[-1])) + 1
    return response[:count] if count > 1 else np.zeros(0)


def filters_of(response: Array) -> Array:
    """Return the matched filters of a response (K,), (K, K): column a is that of a move that came a steps ago."""
    g, K = response, len(response)
    filters = np.zeros((K, K))
    for a in range(K):
        filters[K - 1 - a :, a] = g[: a + 1] / np.sqrt((g[: a + 1] ** 2).sum())
    return filters


def matched(errors: Array, filters: Array) -> Array:
    """Return how well the last errors fit the response to a move at any of their steps, (B,), in standard deviations.

    Args:
        errors: The last standardised errors of B sequences, (B, K), the newest last.
        filters: The filters, as ``filters_of`` gives them, (K, K).
    """
    return np.asarray(np.abs(errors @ filters).max(1))
