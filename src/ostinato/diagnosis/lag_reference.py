"""How much the past improves a prediction of the data, measured by a closed form that is fitted to samples."""

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

#: The number of steps of each part that are sampled. Symbols are cheaper than values, and need more steps.
VALUES: dict[Part, int] = {"known": 20_000, "held-out": 10_000}
SYMBOLS: dict[Part, int] = {"train": 100_000, "validation": 20_000, "held-out": 20_000}
#: The greatest order of a chain of symbols.
ORDER = 8


def reference(source: Source, cuts: list[int], rng: np.random.Generator) -> tuple[str, LagRewards]:
    """Return the name of the closed form, and the gain that the past up to each lag brings.

    Args:
        source: The model, whose encoding decides the closed form, and its data.
        cuts: The lags to measure, ascending.
        rng: The random generator that samples the data.
    """
    vocabulary, far = source.model.encoding.vocabulary_size, cuts[-1]
    if vocabulary is not None:
        samples = {part: _sample(source, part, far, limit, rng) for part, limit in SYMBOLS.items()}
        train, validation, held_out = (
            SymbolLags(v[:, 0], offsets, counted) for v, offsets, counted, _ in samples.values()
        )
        rewards = skip_chain(train, validation, held_out, vocabulary, ORDER, cuts)
        rewards = replace(rewards, score=rewards.score + samples["held-out"][3])
        return f"a Markov chain of order up to {ORDER} and a few selected symbols up to lag {far}", rewards
    (known, known_offsets, fitted, _), (rest, rest_offsets, held, measure) = (
        _sample(source, part, far, limit, rng) for part, limit in VALUES.items()
    )
    values = np.concatenate([known, rest])
    offsets = np.concatenate([known_offsets, known_offsets[-1] + rest_offsets[1:]])
    fitted, held = np.append(fitted, np.zeros_like(held)), np.append(np.zeros_like(fitted), held)
    each = [sparse_autoregression(channel, offsets, held, fitted, cuts) for channel in values.T]
    rewards = together(each)
    rewards = replace(rewards, score=rewards.score + measure)
    return f"an autoregression on a few selected lags up to {far}", rewards


def _sample(
    source: Source, part: Part, far: int, limit: int, rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.bool_], float]:
    """Return about ``limit`` steps of a part, each with up to ``far`` steps before it.

    Returns:
        The values in model space, (N, D); the offsets of the sequences; which steps are counted and not only seen as a
        past, (N,); and the nats to add to the mean log density of a step in model space to get its log-probability in
        the units of the data.
    """
    cut = pieces(source.spans(part), max(limit // 8, 2 * far), far)
    sampled, total = [], 0
    for i in rng.permutation(len(cut)):
        if total >= limit:
            break
        sampled.append(cut[i])
        total += cut[i].stop - cut[i].counted
    parts = [source.encode((p.row, p.first, p.stop)) for p in sampled]
    counted = np.concatenate([np.arange(p.first, p.stop) >= p.counted for p in sampled])
    values, measure = torch.cat([p.values[:] for p in parts]), torch.cat([_measure(p) for p in parts])
    measure = measure[torch.from_numpy(counted) & ~measure.isnan()]
    offsets = np.cumsum([0, *(len(p.values) for p in parts)], dtype=np.int64)
    return values.numpy(), offsets, counted, float(measure.mean()) if len(measure) else 0.0


def _measure(part: Encoded) -> torch.Tensor:
    """Return the nats to add to the log density of each step, (N,), NaN if a channel of the step is missing.

    For a lattice they include the log of its spacing, because a density times the spacing is a probability.
    """
    real = part.values.dtype != torch.int64
    cell = torch.where(part.unit > 0, part.unit, 1.0).log() if real else torch.zeros(())
    return torch.where(part.observed[:].all(-1), (part.log_measure[:] + cell).sum(-1).double(), torch.nan)
