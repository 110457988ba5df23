"""The verb forecast: the steps that follow each sequence, in the columns of Nixtla."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.ahead import with_calendars
from ostinato.data.encoded import Encoding
from ostinato.data.sequences import SequenceSet
from ostinato.direct.forecast import ahead
from ostinato.direct.model import DirectModel
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError
from ostinato.forecasting.inputs import as_sequences, horizon_of
from ostinato.forecasting.table import Forecast, check_levels, some_of, table
from ostinato.inference.rollout import paths, repeat, state_after
from ostinato.model import SequenceModel
from ostinato.model_file import Model

#: Rows that are rolled out together: this bounds memory, whatever the size of a panel.
ROWS = 8192
#: Missing steps at the end of a history that are drawn too; the rest of a longer gap is filled by predictions.
GAP = 512


@dataclass(frozen=True)
class _ForecastOptions:
    """The arguments of ``forecast`` other than the model and the data."""

    horizon: int | None
    level: Sequence[float]
    future: Any
    n_paths: int
    seed: int


def forecast(
    model: Model,
    data: SequenceSet | Any,
    horizon: int | None = None,
    level: Sequence[float] = (80, 95),
    *,
    future: Any = None,
    n_paths: int = 500,
    seed: int = 0,
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
        level: The coverage of the intervals, in percent.
        future: The rows of the future covariates, a file or a frame, if the model was fitted with any.
        n_paths: The number S of sample paths of each sequence; a direct model draws none.
        seed: The seed of the sample paths.

    Raises:
        ConfigError: horizon, level or n_paths is out of range, future is given to a model without covariates, or the
            data are text.
        ModelFileError: The data do not suit the model, as in ``as_sequences``.
        DataError: A value has no probability; for a direct model, a series has no value, or a value that is not above
            0 if the model takes logarithms.
    """
    return _forecast(model, data, _ForecastOptions(horizon, level, future, n_paths, seed))


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
    horizon = check_forecast(model, options.horizon, options.level, options.n_paths)
    return _rolled_out(model, as_sequences(model, data), horizon, options)


@torch.inference_mode()
def _rolled_out(model: SequenceModel, data: SequenceSet, horizon: int, options: _ForecastOptions) -> Forecast:
    """Return the mean (or median) and the quantiles of sample paths."""
    level = options.level
    notes, new = list(data.notes), model.encoding.new_ids(data)
    if new:
        notes.append(f"{len(new)} series new to the model, scaled by their own history: {some_of(new)}")
    encoding = model.encoding.with_own(data)
    gaps = _missing_at_the_end(data)
    history = data.cut(np.zeros_like(gaps), data.lengths - gaps)
    empty = [key for key, x in zip(data.ids, history, strict=True) if data.traits.log_returns and not len(x)]
    if empty:
        notes.append(f"{len(empty)} series without a price to continue from: {some_of(empty)}")
    drawn = _draw(model, encoding, history, gaps, horizon, options)
    data = with_calendars(data, model.description.source)
    middle = np.median if data.traits.log_returns else np.mean
    frame = table(
        data,
        horizon,
        level,
        lambda b, d: middle(drawn[b][:, :, d], axis=0),
        lambda b, d, p: np.quantile(drawn[b][:, :, d], p, axis=0),
    )
    return Forecast(data, frame, horizon, tuple(level), tuple(drawn), notes=tuple(notes))


def _draw(
    model: SequenceModel,
    encoding: Encoding,
    history: SequenceSet,
    gaps: NDArray[np.int64],
    horizon: int,
    options: _ForecastOptions,
) -> list[NDArray[np.float64]]:
    """Return the sample paths (S, T, D) of each sequence in the units of the data, from after its gap (B,)."""
    generator = torch.Generator().manual_seed(options.seed)
    encoded, n_paths = encoding.encode(history), options.n_paths
    drawn: list[NDArray[np.float64]] = []
    group = max(1, ROWS // n_paths)
    for first in range(0, len(history), group):
        rows = list(range(first, min(first + group, len(history))))
        state = repeat(state_after(model, encoded, rows), n_paths)
        support = Support(*(s[rows].repeat_interleave(n_paths, 0) for s in (encoded.unit, encoded.low, encoded.high)))
        steps = horizon + int(gaps[rows].max())
        z = paths(model, state, support, steps, generator).double().numpy()
        z = z.reshape(steps, len(rows), n_paths, -1).transpose(1, 2, 0, 3)
        for i, row in enumerate(rows):
            raw = np.asarray(encoding.decode(z[i], history, row), dtype=np.float64)
            drawn.append(raw[:, gaps[row] : gaps[row] + horizon])
    return drawn


def check_forecast(model: SequenceModel, horizon: int | None, level: Sequence[float], n_paths: int) -> int:
    """Check the arguments of a forecast by sample paths, and return its number of steps.

    Raises:
        ConfigError: An argument is out of range, or the model is one of text.
    """
    check_levels(level)
    if not model.description.traits.numeric:
        raise ConfigError("text has no mean to forecast", fix="use sample, which continues a prompt")
    horizon = horizon_of(model, horizon)
    if n_paths < 2:
        raise ConfigError(f"n_paths must be at least 2, got {n_paths}", fix="use 2 or more; 500 is a good number")
    return horizon


def _missing_at_the_end(data: SequenceSet) -> NDArray[np.int64]:
    """Return the number of steps at the end of each sequence that have no value, at most GAP, (B,)."""
    seen = np.asarray((~np.isnan(data.values.astype(np.float64))).any(axis=1))
    last = [np.flatnonzero(seen[a:z]) for a, z in zip(data.offsets[:-1], data.offsets[1:], strict=True)]
    gaps = [int(n) - (int(at[-1]) + 1 if len(at) else 0) for n, at in zip(data.lengths, last, strict=True)]
    return np.minimum(np.array(gaps, dtype=np.int64), GAP)
