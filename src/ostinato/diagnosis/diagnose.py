"""The diagnosis: how far back the gradient of a model, its gain from the past and the dependence in its data reach."""

from __future__ import annotations

from typing import Any

import numpy as np

from ostinato.arguments import seed as checked_seed
from ostinato.arguments import whole
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.device import Device, on_device, placed
from ostinato.diagnosis.ablation import ablate, geometric
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
from ostinato.errors import DataError
from ostinato.forecasting.inputs import as_sequences
from ostinato.forecasting.protocol import fitted
from ostinato.layers.lag_search import FARTHEST
from ostinato.model_file import Model
from ostinato.settings import undisturbed
from ostinato.threads import Threads, in_threads


@undisturbed
@in_threads
@on_device
def diagnose(
    model: Model,
    data: SequenceSet | Any,
    *,
    max_lag: int = FARTHEST,
    positions: int = 512,
    held_out: float | str = 0.1,
    seed: int = 0,
    threads: Threads = "auto",
    device: Device = "auto",
) -> Diagnosis:
    """Measure on the held-out part how far back the gradient, the model and the dependence in the data reach.

    Only sampled stretches of at most 2 max_lag steps are encoded and unrolled, so the sequences may be larger than RAM
    (``values`` may be a np.memmap).

    Args:
        model: A fitted model with a likelihood.
        data: A SequenceSet, or anything that ``read`` takes.
        max_lag: The farthest lag, in steps. It is less if no sequence is that long.
        positions: The number of stretches that are sampled for the likelihood. The gradient takes an eighth as many
            steps.
        held_out: The value that was given to ``fit``, so that the data are cut in the same place.
        seed: The seed of the samples.
        threads: The number of threads that compute, or "auto" for the decision by the machine.
        device: Where the model computes: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a GPU if a timed step
            is faster there.

    Returns:
        The measured lags, with a verdict in words.

    Raises:
        ConfigError: ``max_lag`` or ``positions`` is below 1, or the model has no likelihood.
        DataError: No held-out step has a past, or the data do not fit the model.
    """
    model = fitted(model).likelihood("be diagnosed")
    max_lag, positions, seed = whole("max_lag", max_lag), whole("positions", positions), checked_seed(seed)
    data = as_sequences(model, data)
    model = model.before_refit(data)
    source = Source(placed(model), data, split(data, held_out))
    farthest = _farthest(source, max_lag)
    cuts, rng = geometric(farthest), np.random.default_rng(seed)
    measured = ablate(source, cuts, positions, rng)
    if not measured.steps:
        raise DataError(
            "the held-out part has no observed value", where=data.meta.get("source"), fix="hold out more steps"
        )
    reference_words, rewards = reference(source, cuts, rng)
    data_reach = rewards.reach(WORTH)
    if model.backbone is not None and not model.adaptive:
        gradient = norms(source, cuts, max(8, positions // 8), rng)
    else:
        gradient = np.zeros((0, farthest, 0))  # counts and closed forms are not trained by a gradient
    growth = exponent(source, rng, seed)
    unit = data.traits.unit
    return Diagnosis(
        kind=data.kind,
        backbone=model.description.name,
        lags=tuple(range(1, farthest + 1)),
        flows=flows(source, gradient),
        lyapunov=growth and growth[0],
        lyapunov_error=growth and growth[1],
        effective_memory=effective_memory(gradient) if len(gradient) else None,
        window=backbone_window(model),
        order=order_of_closed_form(model),
        cuts=tuple(cuts),
        score=measured.score,
        scores=tuple((measured.score - measured.lost).tolist()),
        errors=tuple(measured.errors.tolist()),
        model_reach=measured.reach(cuts),
        reference=reference_words,
        reference_score=rewards.score,
        rewards=tuple(rewards.at(cut)[0] for cut in cuts),
        reward_errors=tuple(rewards.at(cut)[1] for cut in cuts),
        picked=rewards.picked,
        data_reach=data_reach,
        data_beyond=rewards.beyond(data_reach),
        sampled=(
            f"the held-out part: the likelihood on {positions:,} stretches ({measured.steps:,} {unit}s, repeats "
            f"included), the gradient on {gradient.shape[2]:,} {unit}s, the reference on {rewards.steps:,}; seed {seed}"
        ),
        seed=seed,
        improved=model.description.ladder_record.improved(model.description.name),
    )


def _farthest(source: Source, max_lag: int) -> int:
    """Return the farthest lag that the held-out steps have, at most ``max_lag``."""
    farthest = min(max_lag, max(stop for *_, stop in source.spans("held-out")) - 1)
    if farthest < 1:
        raise DataError(
            "no held-out step has a step before it", where=source.data.meta.get("source"), fix="hold out more steps"
        )
    return farthest
