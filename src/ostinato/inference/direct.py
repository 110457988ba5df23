"""forecast_direct: quantiles of the steps ahead from a direct model, in Nixtla's columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.calendar import future_times
from ostinato.data.read import read_like
from ostinato.data.sequences import SequenceSet
from ostinato.data.windows import channels
from ostinato.direct import DirectModel
from ostinato.emissions.quantiles import at
from ostinato.errors import ConfigError, DataError
from ostinato.inference.forecast import check_levels, some_of


@dataclass(frozen=True)
class DirectForecast:
    """What is said of the steps ahead of every channel of every sequence.

    quantiles  (B * D, T, Q) at emissions.quantiles.LEVELS, in the data's units
    frame      unique_id, ds, (channel,) ostinato, ostinato-lo-95 ... ostinato-hi-95. The column ostinato is the median,
               or where no network is used the least-squares forecast
    """

    history: SequenceSet
    quantiles: NDArray[np.float64]
    frame: pl.DataFrame
    level: tuple[float, ...]
    notes: tuple[str, ...] = ()


def forecast_direct(
    model: DirectModel, data: SequenceSet | Any, horizon: int | None = None, level: Sequence[float] = (80, 95)
) -> DirectForecast:
    """Forecast ``horizon`` steps (those of the fit if left out) on from the end of every sequence, without refitting.

    Histories may be longer than those fitted, and series new: those are forecast by the weights of all. A value that
    is missing is taken from a season before.

    Raises ConfigError for a horizon that the model has not, or a level outside (0, 100); DataError for a series without
    a value, and for values that are not above 0 where the model was fitted to logarithms.
    """
    horizon = model.horizon if horizon is None else horizon
    if not 1 <= horizon <= model.horizon:
        raise ConfigError(
            f"a horizon of {horizon} steps: this model forecasts 1 to {model.horizon}",
            fix="fit it with a longer horizon; all steps ahead are forecast at once, and none beyond",
        )
    check_levels(level)
    if not isinstance(data, SequenceSet):
        data = read_like(data, model.source)
    series = channels(data)
    _check(model, series, data)
    new = [key for key in series if key not in model.ids]
    notes = list(data.notes)
    if new:
        notes.append(f"{len(new)} series new to the model, forecast by the weights of all: {some_of(new)}")
    point, quantiles = model.predict(series)
    point, quantiles = point[:, :horizon], quantiles[:, :horizon]
    frames = []
    for i, _ in enumerate(series):
        b, d = divmod(i, len(data.channels))
        columns: dict[str, Any] = {"unique_id": [data.ids[b]] * horizon, "ds": _future(data, b, horizon, model)}
        if len(data.channels) > 1:
            columns["channel"] = [data.channels[d]] * horizon
        columns["ostinato"] = point[i]
        for one in sorted(level, reverse=True):
            columns[f"ostinato-lo-{one:g}"] = at(quantiles[i], np.array([0.5 - one / 200]))[:, 0]
        for one in sorted(level):
            columns[f"ostinato-hi-{one:g}"] = at(quantiles[i], np.array([0.5 + one / 200]))[:, 0]
        frames.append(pl.DataFrame(columns))
    return DirectForecast(data, quantiles, pl.concat(frames), tuple(level), tuple(notes))


def _check(model: DirectModel, series: dict[str, NDArray[np.float64]], data: SequenceSet) -> None:
    for key, y in series.items():
        where = f"{data.meta.get('source', 'the data')}, {key!r}"
        seen = y[np.isfinite(y)]
        if not len(seen):
            raise DataError("a series without a value has nothing to forecast from", where=where, fix="leave it out")
        if model.base.window.log and seen.min() <= 0:
            raise DataError(
                f"a value of {seen.min():g}: the model is of logarithms, as all that it was fitted to was above 0",
                where=where,
                fix="fit a model to these data",
            )


def _future(data: SequenceSet, b: int, horizon: int, model: DirectModel) -> NDArray[Any]:
    times = data.times_of(b)
    if times is None or not len(times):
        return np.arange(1, horizon + 1) + int(data.lengths[b])
    return future_times(times[-1], data.frequency or model.source.get("frequency"), horizon, times)
