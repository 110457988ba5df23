"""The verb forecast: the steps that follow each sequence, in the columns of Nixtla."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import numpy as np

from ostinato.arguments import levels, whole
from ostinato.arguments import seed as checked_seed
from ostinato.data.ahead import check_reach, with_calendars
from ostinato.data.sequences import SequenceSet
from ostinato.device import Device, on_device
from ostinato.direct.forecast import ahead
from ostinato.direct.model import DirectModel
from ostinato.errors import ConfigError
from ostinato.forecasting.inputs import as_sequences, horizon_of
from ostinato.forecasting.table import Forecast, ends, ends_apart, note_on_upper_bounds, some_of, table
from ostinato.inference.ahead import level_notes, steps_ahead
from ostinato.inference.parameter_uncertainty import note_of, small_sample
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.settings import undisturbed
from ostinato.threads import Threads, in_threads


@dataclass(frozen=True)
class _ForecastOptions:
    """The arguments of ``forecast`` other than the model and the data."""

    horizon: int | None
    level: tuple[float, ...]
    future: Any
    n_paths: int
    seed: int


@undisturbed
@in_threads
@on_device
def forecast(
    model: Model,
    data: SequenceSet | Any,
    horizon: int | None = None,
    level: float | Sequence[float] = (80, 95),
    *,
    future: Any = None,
    n_paths: int = 500,
    seed: int = 0,
    threads: Threads = "auto",
    device: Device = "auto",
) -> Forecast:
    """Forecast the ``horizon`` steps after the end of every sequence of data, without refitting.

    Histories may be longer than the fitted ones, and series may be new. A SequenceModel draws sample paths; steps that
    are missing at the end of a history are drawn too, so that the intervals include their uncertainty. A DirectModel
    returns its quantiles; it fills a missing value with the value a season before, and cuts off the forecast at 0 for
    a series that never goes below 0.

    Args:
        model: A fitted model.
        data: A SequenceSet, or anything that ``read`` takes.
        horizon: The number of steps. The default is the horizon of a direct model, and 12 for a SequenceModel.
        level: The coverage of the intervals, in percent: 95, or several levels such as (80, 95). One step ahead the
            intervals are those of the model's own distribution. Farther ahead they come from the sample paths, and
            where fewer than ten paths are in a tail, from the mean of the distributions that the paths lead to. An
            autoregression of few values also allows for other coefficients, and a note says so.
        future: The rows of the future covariates, a file or a frame, if the model was fitted with any.
        n_paths: The number S of sample paths of each sequence; a direct model draws none.
        seed: The seed of the sample paths.
        threads: The number of threads that compute, or "auto" for the decision by the machine.
        device: Where the model computes: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a GPU if a timed step
            is faster there.

    Raises:
        ConfigError: horizon, level or n_paths is out of range, future is given to a model without covariates, or the
            data are text.
        ModelFileError: The data do not suit the model, as in ``as_sequences``.
        DataError: A value has no probability; for a direct model, a series has no value, or a value that is not above
            0 if the model takes logarithms.
    """
    return _forecast(model, data, _ForecastOptions(horizon, levels(level), future, n_paths, checked_seed(seed)))


@singledispatch
def _forecast(model: Model, data: SequenceSet | Any, options: _ForecastOptions) -> Forecast:
    """Forecast with a model of any type; each type has its own implementation below."""
    raise TypeError(f"model must be a SequenceModel or a DirectModel, got {type(model).__name__}")


@_forecast.register(DirectModel)
def _forecast_quantiles(model: DirectModel, data: SequenceSet | Any, options: _ForecastOptions) -> Forecast:
    """Forecast with the quantiles of a direct model."""
    return ahead(model, data, options.horizon, options.level, options.future)


@_forecast.register(SequenceModel)
def _forecast_paths(model: SequenceModel, data: SequenceSet | Any, options: _ForecastOptions) -> Forecast:
    """Forecast with sample paths."""
    if options.future is not None:
        raise ConfigError(
            "the model takes no covariates, got rows of future steps",
            fix="remove the future rows, or fit a direct model",
        )
    horizon, level, n_paths = check_forecast(model, options.horizon, options.level, options.n_paths)
    data = as_sequences(model, data)
    check_reach(data, horizon)
    return _rolled_out(model, data, horizon, replace(options, level=level, n_paths=n_paths))


def _rolled_out(model: SequenceModel, data: SequenceSet, horizon: int, options: _ForecastOptions) -> Forecast:
    """Return the mean (or median) and the quantiles of the steps ahead."""
    level, intervals = tuple(options.level), ends("ostinato", options.level)
    notes, new = list(data.notes), model.encoding.new_ids(data)
    if new:
        notes.append(f"{len(new)} series new to the model, scaled by their own history: {some_of(new)}")
    p = np.array(list(intervals.values()))
    made = steps_ahead(model, data, horizon, p, n_paths=options.n_paths, seed=options.seed)
    notes += [*level_notes(level, made, horizon, options.n_paths), *ends_apart(data)]
    if (count := small_sample(model)) is not None:
        notes.append(note_of(count))
    most = model.encoding.greatest()
    full = [str(key) for key, one in zip(data.ids, made, strict=True) if (one.quantiles == most).any()]
    notes += note_on_upper_bounds(full)
    empty = [key for key, x in zip(data.ids, data, strict=True) if data.traits.log_returns and np.isnan(x).all()]
    if empty:
        notes.append(f"{len(empty)} series without a price to continue from: {some_of(empty)}")
    data = with_calendars(data, model.description.source)
    frame = table(
        data,
        horizon,
        level,
        lambda b, d: made[b].point[:, d],
        lambda b, d, _: made[b].quantiles[:, :, d],
    )
    return Forecast(data, frame, horizon, level, tuple(one.paths for one in made), notes=tuple(notes))


def check_forecast(
    model: SequenceModel, horizon: int | None, level: float | Sequence[float], n_paths: int
) -> tuple[int, tuple[float, ...], int]:
    """Check the arguments of a forecast by sample paths, and return its number of steps, its levels and its paths.

    Raises:
        ConfigError: An argument is out of range, or the model is one of text.
    """
    level = levels(level)
    if not model.description.traits.numeric:
        raise ConfigError("text has no mean to forecast", fix="use sample, which continues a prompt")
    n_paths = whole("n_paths", n_paths, 2, 1_000_000, fix="use 2 or more; 500 is a good number")
    return horizon_of(model, horizon), level, n_paths
