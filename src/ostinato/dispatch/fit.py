"""``fit``: the ladder of models, or a direct model. This is the one place that chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields as fields_of
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack, cast

from ostinato.arguments import seconds
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.device import Device, on_device
from ostinato.direct_fit.fit import fit_direct
from ostinato.direct_fit.options import ALIASES, DirectOptions
from ostinato.errors import ConfigError
from ostinato.fits.budget import CHECKPOINT_EVERY, Budget
from ostinato.fits.fields import DirectFields, DirectOnlyFields, LadderFields, LadderOnlyFields, SharedFields
from ostinato.fits.progress import TrainingProgress
from ostinato.fits.result import Fit
from ostinato.gradients.methods import Method
from ostinato.kinds import TRAITS, Kind
from ostinato.layers.build import BACKBONES, BARE
from ostinato.local.forecast import names_of_methods
from ostinato.randomness import own_draws
from ostinato.record import DirectRung, Rung
from ostinato.settings import undisturbed
from ostinato.threads import Threads, in_threads
from ostinato.training.config import LadderOptions
from ostinato.training.ladder import fit_ladder
from ostinato.wording import either, option

#: Arguments of ``fit`` that both ways of fitting take.
_SHARED = frozenset({"budget", "held_out", "threads", "device", "precision", "on_progress", "on_rung"})
_DIRECT_NAMES = frozenset({f.name for f in fields_of(DirectOptions)} | set(ALIASES))
_LADDER_NAMES = frozenset(f.name for f in fields_of(LadderOptions))


class FitFields(SharedFields, LadderOnlyFields, DirectOnlyFields, total=False):
    """The fields of LadderOptions and DirectOptions as keywords. ``config`` is the earlier name of ``options``."""

    config: LadderOptions | None


@own_draws
@undisturbed
@in_threads
@on_device
def fit(  # noqa: PLR0913 - each argument is a choice of its own, given by name
    data: SequenceSet | Any,
    *,
    model: str = "auto",
    horizon: int | None = None,
    budget: Budget | float | str | None = None,
    held_out: float | str = 0.1,
    options: LadderOptions | DirectOptions | None = None,
    method: Method | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: float = CHECKPOINT_EVERY,
    threads: Threads = "auto",
    device: Device = "auto",
    precision: str = "float32",
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_rung: Callable[[Rung | DirectRung], None] | None = None,
    **fields: Unpack[FitFields],
) -> Fit:
    """Fit a model to data and judge it on the held-out part.

    Args:
        data: A SequenceSet, or anything that ``read`` takes.
        model: "auto" fits the whole ladder (AR, for short or seasonal series exponential smoothing, linear, RNN, GRU,
            LSTM, convolution) and keeps the likeliest model. The name of a backbone fits that model and the AR; "ets"
            and "theta" are exponential smoothing. "direct", or "auto" with a horizon, fits a direct model.
        horizon: The number of steps that a direct model forecasts. The models of the ladder forecast any number.
        budget: The seconds of the whole fit, a time such as "2m", or a Budget. A direct model needs none.
        held_out: The share of the data that is held out, or a pattern of ids.
        options: LadderOptions, or DirectOptions for a direct model. None chooses them by the data.
        method: How the error is sent back: FullBPTT(), CheckpointedBPTT(segments or memory_limit),
            TruncatedBPTT(window) or AdaptiveBPTT(bias). None chooses by the length of the sequences. For the ladder
            only.
        checkpoint: A folder that a stopped fit continues from. Remove it yourself when the fit is done. With a budget
            in steps, the weights are bitwise those of a fit that was never stopped. For the ladder only.
        checkpoint_every: The seconds from a checkpoint to the next. For the ladder only.
        threads: The number of threads of the engine, of torch and of BLAS. "auto" gives every core to the engine,
            which takes as many as a call is worth, and one to torch and BLAS. Afterwards, the earlier numbers hold.
        device: Where networks are trained: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a GPU if a timed
            first step of the training is faster there. Closed forms are solved on the CPU in float64. The model that
            is returned is on the CPU.
        precision: "float32", or "bf16" for the products of a training on a CUDA GPU. Weights, states and the loss
            stay in float32, and all likelihoods are those of float32.
        on_progress: Called after every optimiser step of a network.
        on_rung: Called with the row of each model when it is fitted: a Rung, or a DirectRung for a direct model.
        **fields: Single fields of ``options``: hidden, depth, dropout, learning_rate, seed, ...; for series season;
            for a direct model lookback, backbone, networks, ...

    Returns:
        The model that was kept, the held-out table and the notes.

    Raises:
        ConfigError: An option is unknown or out of its range, or the checkpoint belongs to another fit.
        DataError: The data cannot be fitted.
        NonFiniteLossError: The training diverges.
    """
    checkpoint_every = seconds("checkpoint_every", checkpoint_every, zero=True)
    limits = None if budget is None else Budget.of(budget, None)
    data = data if isinstance(data, SequenceSet) else read(data)
    _check_makes_a_model(model, data)
    given: dict[str, Any] = dict(fields)
    options = _options(options, given)
    shared: dict[str, Any] = {"budget": limits, "held_out": held_out, "threads": threads, "on_progress": on_progress}
    shared["precision"] = precision
    if is_direct(model, horizon, data.kind):
        every = None if checkpoint_every == CHECKPOINT_EVERY else checkpoint_every
        _refuse({"method": method, "checkpoint": checkpoint, "checkpoint_every": every})
        if isinstance(options, LadderOptions):
            raise ConfigError(
                "a direct fit takes DirectOptions, got LadderOptions", fix="use options=DirectOptions(...)"
            )
        found = fit_direct(data, horizon, options, on_rung=on_rung, **shared, **cast(DirectFields, given))
        if model == "direct":
            return found
        said = "model auto fits a direct model if a horizon is given, and otherwise the ladder of models"
        return replace(found, notes=(said, *found.notes))
    if horizon is not None:
        raise ConfigError(
            f"a fit of {model} takes no horizon, got {horizon}",
            fix="remove the horizon: the model forecasts any number of steps; or use model direct",
        )
    if isinstance(options, DirectOptions):
        raise ConfigError(
            f"a fit of {model} takes LadderOptions, got DirectOptions", fix=f"use {option('--model', 'direct')}"
        )
    return fit_ladder(
        data,
        options,
        model=model,
        method=method,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        on_rung=on_rung,
        **shared,
        **cast(LadderFields, given),
    )


def _check_makes_a_model(model: str, data: SequenceSet) -> None:
    """Raise ConfigError for a method that is fitted to each series when it forecasts, such as "dot"."""
    if model in names_of_methods() and model not in ("auto", *BARE, *BACKBONES):
        raise ConfigError(
            f"{model} is fitted to each series when it forecasts, and makes no model file",
            fix=either(
                f"run ostinato forecast {data.meta.get('source', 'DATA')} --model {model}",
                f'use ostinato.forecast(data, model="{model}")',
            ),
        )


def is_direct(model: str, horizon: int | None, kind: Kind) -> bool:
    """Return whether ``fit`` fits a direct model: by name, or with "auto" and a horizon for series and prices."""
    return model == "direct" or (model == "auto" and horizon is not None and TRAITS[kind].tabular)


def fields_for(way: Literal["ladder", "direct"], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the ladder or the direct fit takes, without those that only the other one takes."""
    if way == "direct":
        return {name: value for name, value in options.items() if name in _DIRECT_NAMES | _SHARED}
    # the ladder has a season for series alone, so a caller hands it on by itself
    only_direct = (_DIRECT_NAMES - _LADDER_NAMES) | {"season"}
    return {name: value for name, value in options.items() if name not in only_direct}


def _options(
    options: LadderOptions | DirectOptions | None, given: dict[str, Any]
) -> LadderOptions | DirectOptions | None:
    """Return the options, or those given by their earlier name ``config``, which is removed from ``given``."""
    config: LadderOptions | None = given.pop("config", None)
    if config is not None and options is not None:
        raise ConfigError("options is given under two names: options and config", fix="give options alone")
    return options if config is None else config


def _refuse(given: Mapping[str, object]) -> None:
    """Raise ConfigError if a direct fit is given what only the ladder uses."""
    names = [name for name, value in given.items() if value is not None]
    if names:
        raise ConfigError(
            f"a direct fit does not use {', '.join(names)}",
            fix=f"remove {', '.join(names)}, or fit a model of the ladder",
        )
