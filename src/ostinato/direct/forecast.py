"""The forecast of a direct model: its quantiles of the steps ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ostinato.arguments import levels
from ostinato.data.ahead import with_calendars
from ostinato.data.future import with_future
from ostinato.data.sequences import SequenceSet
from ostinato.data.upper_bound import upper_bound
from ostinato.direct.checks import check_future
from ostinato.direct.inputs import series_inputs
from ostinato.direct.model import DirectModel
from ostinato.direct.windows import channels
from ostinato.emissions.quantiles import at
from ostinato.forecasting.inputs import as_sequences, horizon_of
from ostinato.forecasting.table import Forecast, ends_apart, note_on_upper_bounds, some_of, table


def ahead(
    model: DirectModel, data: SequenceSet | Any, horizon: int | None, level: float | Sequence[float], future: Any = None
) -> Forecast:
    """Forecast the steps after every sequence of data. The arguments are those of ``ostinato.forecast``."""
    level = levels(level)
    horizon = horizon_of(model, horizon)
    data = as_sequences(model, data)
    data = with_calendars(data, model.description.source)
    series = channels(data)
    model.check_values(data)
    model.check_covariates(data)
    if future is not None:
        data = with_future(data, future)
    check_future(data, model.base.effects, horizon)
    new = [key for key in series if key not in model.ids]
    notes = list(data.notes)
    if new:
        notes.append(f"{len(new)} series new to the model, forecast with the weights of the panel: {some_of(new)}")
    point, quantiles = model.predict(series, series_inputs(data, model.horizon))
    point, quantiles = point[:, :horizon], quantiles[:, :horizon]
    # a quantile of exactly 0 was cut off, or repeats a 0 of the series
    floored = [key for key, q in zip(series, quantiles, strict=True) if np.nanmin(series[key]) >= 0 and not q.all()]
    if floored:
        notes.append(
            f"{len(floored)} series never went below 0, and their forecasts are cut off at 0: {some_of(floored)}"
        )
    full = [key for key, q in zip(series, quantiles, strict=True) if (q == upper_bound(series[key])).any()]
    notes += [*note_on_upper_bounds(full), *ends_apart(data)]
    D = len(data.channels)
    frame = table(
        data,
        horizon,
        level,
        lambda b, d: point[b * D + d],
        lambda b, d, p: at(quantiles[b * D + d], p).T,
    )
    return Forecast(data, frame, horizon, level, quantiles=quantiles, notes=tuple(notes))
