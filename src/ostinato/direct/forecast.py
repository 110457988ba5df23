"""The forecast of a direct model: its quantiles of the steps ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ostinato.data.calendar import FIXED, future_times
from ostinato.data.checks import stamp
from ostinato.data.covariates import Columns
from ostinato.data.future import with_future
from ostinato.data.sequences import SequenceSet
from ostinato.direct.inputs import series_inputs
from ostinato.direct.model import DirectModel
from ostinato.direct.windows import channels
from ostinato.emissions.quantiles import at
from ostinato.errors import ConfigError, DataError, ModelFileError
from ostinato.inference.frame import Forecast, some_of, table
from ostinato.inference.inputs import as_sequences


def ahead(
    model: DirectModel, data: SequenceSet | Any, horizon: int | None, level: Sequence[float], future: Any = None
) -> Forecast:
    """See ``forecast``."""
    horizon = horizon_of(model, horizon)
    data = as_sequences(model, data)
    data = replace(data, frequency=data.frequency or model.description.source.get("frequency"))
    series = channels(data)
    check_values(model, data)
    check_covariates(model, data)
    if future is not None:
        data = with_future(data, future)
    _check_ahead(model, data, horizon)
    new = [key for key in series if key not in model.ids]
    notes = list(data.notes)
    if new:
        notes.append(f"{len(new)} series new to the model, forecast by the weights of all: {some_of(new)}")
    point, quantiles = model.predict(series, series_inputs(data, model.horizon))
    point, quantiles = point[:, :horizon], quantiles[:, :horizon]
    floored = [key for key, q in zip(series, quantiles, strict=True) if model.floored(series[key]) and not q.all()]
    if floored:
        notes.append(
            f"{len(floored)} series never went below 0, and their forecasts are kept from it: {some_of(floored)}"
        )
    D = len(data.channels)
    frame = table(
        data,
        horizon,
        level,
        lambda b, d: point[b * D + d],
        lambda b, d, p: at(quantiles[b * D + d], p).T,
    )
    return Forecast(data, frame, horizon, tuple(level), quantiles=quantiles, notes=tuple(notes))


def horizon_of(model: DirectModel, asked: int | None) -> int:
    """The steps ahead that are asked for, or all that the model has. Raises ConfigError for more than these."""
    horizon = model.horizon if asked is None else asked
    if not 1 <= horizon <= model.horizon:
        raise ConfigError(
            f"a horizon of {horizon} steps: this model forecasts 1 to {model.horizon}",
            fix="fit it with a longer horizon; all steps ahead are forecast at once, and none beyond",
        )
    return horizon


def check_values(model: DirectModel, data: SequenceSet) -> None:
    """Raises DataError for a series without a value, or with one that has no logarithm where the model takes it."""
    for key, y in channels(data).items():
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


def check_covariates(model: DirectModel, data: SequenceSet) -> None:
    """Raises ModelFileError for other covariates or another frequency, DataError for a category it has not seen."""
    source, effects = model.description.source, model.base.effects
    frequencies = [source.get("frequency"), data.frequency]
    timed = effects is not None and (effects.form.clock or effects.form.by_hour)
    if (frequencies[0] != frequencies[1] and set(frequencies) <= set(FIXED)) or (timed and data.times is None):
        found = f"steps of {data.frequency}" if data.times is not None else "no times"
        raise ModelFileError(
            f"the model is of steps of {frequencies[0]}, and the data have {found}",
            where=data.meta.get("source"),
            fix="bring the data to the frequency of the model, or fit another",
        )
    mine = Columns(**{name: tuple(source.get(name, ())) for name in ("known", "past", "static")})
    given = data.covariates.columns if data.covariates else Columns()
    if mine.all and mine != given:
        raise ModelFileError(
            f"the model has the covariates {', '.join(mine.all)}, and the data {', '.join(given.all) or 'none'}",
            where=data.meta.get("source"),
            fix="name the same columns as known, past and static when the data are read",
        )
    categories = model.description.config.get("static", [])
    if not data.covariates or not mine.static:
        return
    for key, words in zip(data.ids, data.covariates.static, strict=True):
        for name, word, seen in zip(mine.static, words, categories, strict=True):
            if word not in seen:
                raise DataError(
                    f"an unknown category {word!r} in the static column {name!r}",
                    where=f"{data.meta.get('source', 'the data')}, series {key!r}, from its first row on",
                    fix=f"the model knows {some_of(seen)}; fit it anew to data that have this one",
                )


def _check_ahead(model: DirectModel, data: SequenceSet, horizon: int) -> None:
    """Raises DataError where the known covariates end before the horizon."""
    if not data.covariates or not data.covariates.columns.known or not model.base.effects:
        return
    if not model.base.effects.form.known:
        return
    for b, (key, known) in enumerate(zip(data.ids, data.covariates.ahead, strict=True)):
        if len(known) < horizon:
            times = data.times_of(b)
            ends = f"step {int(data.lengths[b]) + len(known)}"
            if times is not None and len(times):
                after = future_times(times[-1], data.frequency, len(known), times)
                ends = stamp([*times[-1:], *after][-1])
            raise DataError(
                f"a horizon of {horizon} steps, and the known covariates end after {len(known)}, at {ends}",
                where=f"{data.meta.get('source', 'the data')}, series {key!r}",
                fix="give rows of them for every step ahead: --future rows.csv, or a shorter horizon",
            )
