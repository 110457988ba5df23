"""The forecast of a direct model: its quantiles of the steps ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.data.windows import channels
from ostinato.direct import DirectModel
from ostinato.emissions.quantiles import at
from ostinato.errors import ConfigError, DataError
from ostinato.inference.frame import Forecast, some_of, table
from ostinato.inference.inputs import as_sequences


def ahead(model: DirectModel, data: SequenceSet | Any, horizon: int | None, level: Sequence[float]) -> Forecast:
    """See ``forecast``."""
    horizon = model.horizon if horizon is None else horizon
    if not 1 <= horizon <= model.horizon:
        raise ConfigError(
            f"a horizon of {horizon} steps: this model forecasts 1 to {model.horizon}",
            fix="fit it with a longer horizon; all steps ahead are forecast at once, and none beyond",
        )
    data = as_sequences(model, data)
    series = channels(data)
    _check(model, series, data)
    new = [key for key in series if key not in model.ids]
    notes = list(data.notes)
    if new:
        notes.append(f"{len(new)} series new to the model, forecast by the weights of all: {some_of(new)}")
    data = replace(data, frequency=data.frequency or model.description.source.get("frequency"))
    point, quantiles = model.predict(series)
    point, quantiles = point[:, :horizon], quantiles[:, :horizon]
    D = len(data.channels)
    frame = table(
        data,
        horizon,
        level,
        lambda b, d: point[b * D + d],
        lambda b, d, p: at(quantiles[b * D + d], np.array([p]))[:, 0],
    )
    return Forecast(data, frame, horizon, tuple(level), quantiles=quantiles, notes=tuple(notes))


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
