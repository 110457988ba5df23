"""diagnose: how far back a model's gradient reaches, how far back it gains, and how far back its data reward it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.diagnosis.ablation import geometric, horizon
from ostinato.diagnosis.gradient import (
    backbone_window,
    effective_memory,
    exponent,
    flows,
    norms,
    order_of_closed_form,
)
from ostinato.diagnosis.lag_reference import reference
from ostinato.diagnosis.result import WORTH, Diagnosis
from ostinato.diagnosis.stretches import Source
from ostinato.errors import ConfigError, DataError
from ostinato.forecasting.inputs import as_sequences
from ostinato.model_file import Model

#: As far back as is looked where nothing is said.
FARTHEST = 512


def diagnose(
    model: Model,
    data: SequenceSet | Any,
    *,
    max_lag: int = FARTHEST,
    positions: int = 512,
    held_out: float | str = 0.1,
    seed: int = 0,
) -> Diagnosis:
    """Measure, on the held-out part of data, how far back the gradient, the model's gain and the data's reward go.

    Only sampled stretches of at most 2 max_lag steps are encoded and unrolled, so sequences may be longer than memory
    holds (``values`` may be a np.memmap); the samples follow from seed.

    max_lag    as far back as is looked, in steps; less where no sequence is so long
    positions  sampled stretches for the likelihood; an eighth as many steps for the gradient
    held_out   as it was given to ``fit``: the same data are then cut in the same place

    Raises ConfigError for numbers that cannot be, DataError where no held-out step has a past, and what
    ``as_sequences`` and ``split`` raise.
    """
    model = model.likelihood("be diagnosed")
    for name, value in (("max_lag", max_lag), ("positions", positions)):
        if value < 1:
            raise ConfigError(f"{name} = {value} cannot be", fix="use 1 or more")
    data = as_sequences(model, data)
    source = Source(model, data, split(data, held_out))
    spans = source.spans("held-out")
    farthest = min(max_lag, max(stop for *_, stop in spans) - 1)
    if farthest < 1:
        raise DataError("no held-out step has another before it", where=data.meta.get("source"), fix="hold out more")
    cuts, rng = geometric(farthest), np.random.default_rng(seed)
    measured = horizon(source, cuts, positions, rng)
    if not measured.steps:
        raise DataError("nothing is observed in what is held out", where=data.meta.get("source"), fix="hold out more")
    reward_words, rewards = reference(source, cuts, rng)
    found = (
        norms(source, cuts, max(8, positions // 8), rng) if model.backbone is not None else np.zeros((0, farthest, 0))
    )
    growth = exponent(source, rng, seed)
    unit = {"text": "symbol", "sound": "sample"}.get(data.kind, "step")
    return Diagnosis(
        kind=data.kind,
        backbone=model.description.name,
        lags=tuple(range(1, farthest + 1)),
        flows=flows(source, found),
        lyapunov=growth and growth[0],
        lyapunov_error=growth and growth[1],
        effective_memory=effective_memory(found) if len(found) else None,
        window=backbone_window(model),
        order=order_of_closed_form(model),
        cuts=tuple(cuts),
        score=measured.score,
        scores=tuple((measured.score - measured.lost).tolist()),
        errors=tuple(measured.errors.tolist()),
        model_reach=measured.reach(cuts),
        reference=reward_words,
        reference_score=rewards.score,
        rewards=tuple(rewards.at(cut)[0] for cut in cuts),
        picked=rewards.picked,
        data_reach=rewards.reach(WORTH),
        sampled=(
            f"{positions:,} stretches of what is held out ({measured.steps:,} {unit}s) for the likelihood, "
            f"{found.shape[2]:,} {unit}s for the gradient, {rewards.steps:,} for the reference; seed {seed}"
        ),
        seed=seed,
    )
