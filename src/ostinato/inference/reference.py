"""What data reward, whatever a model can reach: a closed form that sees far, fitted to samples of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.alphabet import Alphabet
from ostinato.data.batching import pieces
from ostinato.data.split import Part
from ostinato.inference.samples import Source
from ostinato.layers.reach import Rewards, sparse_autoregression, together
from ostinato.layers.skip import Symbols, skip_chain

#: Steps of each part that are looked at: values, and symbols, which are cheaper and need more.
VALUES: dict[Part, int] = {"known": 20_000, "held-out": 10_000}
SYMBOLS: dict[Part, int] = {"train": 100_000, "validation": 20_000, "held-out": 20_000}
#: The greatest order of a chain of symbols.
ORDER = 8


def reference(source: Source, cuts: list[int], rng: np.random.Generator) -> tuple[str, Rewards]:
    """Which closed form it is, and what the past up to each lag brings it."""
    encoding, far = source.model.encoding, cuts[-1]
    if isinstance(encoding, Alphabet):
        drawn = {part: _sample(source, part, far, limit, rng) for part, limit in SYMBOLS.items()}
        train, validation, held_out = (Symbols(v[:, 0], offsets, counted) for v, offsets, counted in drawn.values())
        found = skip_chain(train, validation, held_out, encoding.size, ORDER, cuts)
        return f"a Markov chain of order up to {ORDER} and single symbols up to lag {far}", found
    (known, known_offsets, fitted), (rest, rest_offsets, held) = (
        _sample(source, part, far, limit, rng) for part, limit in VALUES.items()
    )
    values = np.concatenate([known, rest])
    offsets = np.concatenate([known_offsets, known_offsets[-1] + rest_offsets[1:]])
    fitted, held = np.append(fitted, np.zeros_like(held)), np.append(np.zeros_like(fitted), held)
    each = [sparse_autoregression(channel, offsets, held, fitted, cuts) for channel in values.T]
    return f"an autoregression on the few lags up to {far} that earn their parameter", together(each)


def _sample(
    source: Source, part: Part, far: int, limit: int, rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.bool_]]:
    """About ``limit`` steps of a part with the ``far`` before them: values (N, D), offsets, and which are counted."""
    cut = pieces(source.spans(part), max(limit // 8, 2 * far), far)
    drawn, total = [], 0
    for i in rng.permutation(len(cut)):
        if total >= limit:
            break
        drawn.append(cut[i])
        total += cut[i].stop - cut[i].counted
    parts = [source.encode((p.row, p.first, p.stop)).values.numpy() for p in drawn]
    counted = np.concatenate([np.arange(p.first, p.stop) >= p.counted for p in drawn])
    return np.concatenate(parts), np.cumsum([0, *map(len, parts)], dtype=np.int64), counted
