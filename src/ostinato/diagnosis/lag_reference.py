"""What data reward, whatever a model can reach: a closed form that sees far, fitted to samples of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.batching import pieces
from ostinato.data.encoded import Encoded
from ostinato.data.split import Part
from ostinato.diagnosis.skip_chain import SymbolLags, skip_chain
from ostinato.diagnosis.sparse_ar import LagRewards, sparse_autoregression, together
from ostinato.diagnosis.stretches import Source

#: Steps of each part that are looked at: values, and symbols, which are cheaper and need more.
VALUES: dict[Part, int] = {"known": 20_000, "held-out": 10_000}
SYMBOLS: dict[Part, int] = {"train": 100_000, "validation": 20_000, "held-out": 20_000}
#: The greatest order of a chain of symbols.
ORDER = 8


def reference(source: Source, cuts: list[int], rng: np.random.Generator) -> tuple[str, LagRewards]:
    """Which closed form it is, and what the past up to each lag brings it."""
    vocabulary, far = source.model.encoding.vocabulary_size, cuts[-1]
    if vocabulary is not None:
        drawn = {part: _sample(source, part, far, limit, rng) for part, limit in SYMBOLS.items()}
        train, validation, held_out = (
            SymbolLags(v[:, 0], offsets, counted) for v, offsets, counted, _ in drawn.values()
        )
        found = skip_chain(train, validation, held_out, vocabulary, ORDER, cuts)
        found = replace(found, score=found.score + drawn["held-out"][3])
        return f"a Markov chain of order up to {ORDER} and single symbols up to lag {far}", found
    (known, known_offsets, fitted, _), (rest, rest_offsets, held, measure) = (
        _sample(source, part, far, limit, rng) for part, limit in VALUES.items()
    )
    values = np.concatenate([known, rest])
    offsets = np.concatenate([known_offsets, known_offsets[-1] + rest_offsets[1:]])
    fitted, held = np.append(fitted, np.zeros_like(held)), np.append(np.zeros_like(fitted), held)
    each = [sparse_autoregression(channel, offsets, held, fitted, cuts) for channel in values.T]
    found = together(each)
    found = replace(found, score=found.score + measure)
    return f"an autoregression on the few lags up to {far} that earn their parameter", found


def _sample(
    source: Source, part: Part, far: int, limit: int, rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.bool_], float]:
    """About ``limit`` steps of a part with the ``far`` before them: values (N, D), offsets, and which are counted.

    And nats to add to a log density of a step in model space to have the log-probability in the data's own units.
    """
    cut = pieces(source.spans(part), max(limit // 8, 2 * far), far)
    drawn, total = [], 0
    for i in rng.permutation(len(cut)):
        if total >= limit:
            break
        drawn.append(cut[i])
        total += cut[i].stop - cut[i].counted
    parts = [source.encode((p.row, p.first, p.stop)) for p in drawn]
    counted = np.concatenate([np.arange(p.first, p.stop) >= p.counted for p in drawn])
    values, measure = torch.cat([p.values for p in parts]), torch.cat([_measure(p) for p in parts])
    measure = measure[torch.from_numpy(counted) & ~measure.isnan()]
    offsets = np.cumsum([0, *(len(p.values) for p in parts)], dtype=np.int64)
    return values.numpy(), offsets, counted, float(measure.mean()) if len(measure) else 0.0


def _measure(part: Encoded) -> torch.Tensor:
    """(N,): of each step that is observed whole; a density times a lattice's spacing is a probability."""
    real = part.values.dtype != torch.int64
    cell = torch.where(part.unit > 0, part.unit, 1.0).log() if real else torch.zeros(())
    return torch.where(part.observed.all(-1), (part.log_measure + cell).sum(-1).double(), torch.nan)
