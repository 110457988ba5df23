"""The likelihoods of sequences under the model of each class, and the features of the head that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.inference.score import score
from ostinato.inference.scores import Scores
from ostinato.model import SequenceModel
from ostinato.shapes import Array
from ostinato.threads import Threads

#: The parts of a sequence whose means the head sees.
PARTS = 3
#: The least log-likelihood of a sequence in nats that the head sees: a class may give it no probability at all.
_LEAST = -1e9


class Evidence(NamedTuple):
    """The likelihoods of B sequences under the models of K classes.

    Attributes:
        nats: log P(sequence | class), (B, K), in float64.
        thirds: The mean log-likelihood of a step in each third of the sequence, (B, 3, K).
        values: The mean of the values in model space in each third, (B, 3 D); (B, 0) for text and sound.
        lengths: The number of steps, (B,).
    """

    nats: Array
    thirds: Array
    values: Array
    lengths: NDArray[np.int64]

    def blocks(self) -> list[Array]:
        """Return the blocks of features of the head, (B, F) each: ratios in all and in each third, and the values."""
        nats = np.maximum(self.nats, _LEAST)
        length = np.maximum(self.lengths, 1)[:, None]
        ratio, thirds = _ratio(nats), _ratio(np.maximum(self.thirds, _LEAST))
        said = np.concatenate([ratio / length, ratio / np.sqrt(length)], axis=1)
        found = [said, thirds.reshape(len(nats), -1), self.values]
        return [block for block in found if block.shape[1]]

    def joined(self, other: Evidence) -> Evidence:
        """Return the evidence of these and of other sequences."""
        return Evidence(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


def evidence(models: Sequence[SequenceModel], data: SequenceSet, threads: Threads = "auto") -> Evidence:
    """Return the likelihoods of sequences under models of the same encoding.

    Adaptive counts stay as they were learned, so that the order of the sequences does not matter.

    Args:
        models: The model of each class.
        data: The sequences.
        threads: The number of threads that compute.
    """
    scores = [score(m, data, adapt=False if m.adaptive else None, threads=threads) for m in models]
    nats = np.stack([one.log_prob for one in scores], axis=1)
    thirds = np.stack([_means(-one.surprisal, one.offsets) for one in scores], axis=-1)
    return Evidence(nats, thirds, _values(models[0], scores[0]), scores[0].steps)


def _values(model: SequenceModel, scores: Scores) -> Array:
    data = scores.data
    if not data.traits.tabular:
        return np.zeros((len(data), 0))
    z = model.encoding.encode(data).values[:].double().numpy()
    return np.concatenate([_means(column, data.offsets) for column in z.T], axis=1)


def _means(x: Array, offsets: NDArray[np.int64]) -> Array:
    """Return the mean of x (N,) in each part of each sequence, (B, PARTS), without NaN; 0 in an empty part."""
    lengths = np.diff(offsets)
    row = np.repeat(np.arange(len(lengths)), lengths)
    step = np.arange(len(x)) - offsets[:-1][row]
    cell = row * PARTS + PARTS * step // np.maximum(lengths[row], 1)
    seen = ~np.isnan(x)
    count = len(lengths) * PARTS
    total = np.bincount(cell[seen], x[seen], minlength=count)
    return np.asarray(total / np.maximum(np.bincount(cell[seen], minlength=count), 1)).reshape(-1, PARTS)


def _ratio(nats: Array) -> Array:
    return np.asarray(nats - nats.mean(-1, keepdims=True))
