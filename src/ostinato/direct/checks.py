"""Checks of the data that a direct model is asked to forecast."""

from __future__ import annotations

import numpy as np

from ostinato.choices import unknown
from ostinato.data.ahead import times_ahead
from ostinato.data.calendar import Days, Every, Steps
from ostinato.data.covariates import Columns
from ostinato.data.frequency import named
from ostinato.data.sequences import SequenceSet
from ostinato.data.time_form import TimeForm
from ostinato.description import Description
from ostinato.direct.effects import Effects
from ostinato.errors import DataError, ModelFileError
from ostinato.forecasting.table import some_of
from ostinato.numbers import counted, plain
from ostinato.shapes import Array
from ostinato.wording import option


def usable(y: Array, *, log: bool) -> bool:
    """Return whether a series y (T,) has a value, and only values above 0 if the model takes logarithms."""
    seen = y[np.isfinite(y)]
    return bool(len(seen)) and not (log and seen.min() <= 0)


def check_values(series: dict[str, Array], source: str, *, log: bool) -> None:
    """Check that every series can be continued.

    Args:
        series: The observed values of each series, (T,).
        source: Where the series come from, for the error.
        log: Whether the model takes logarithms.

    Raises:
        DataError: A series has no value, or a value that has no logarithm.
    """
    for key, y in series.items():
        if usable(y, log=log):
            continue
        seen, where = y[np.isfinite(y)], f"{source}, {key!r}"
        if not len(seen):
            raise DataError(
                "the series has no observed value, expected at least one", where=where, fix="remove the series"
            )
        raise DataError(
            f"the series has the value {plain(seen.min())}, expected values above 0 because the model uses logarithms",
            where=where,
            fix="correct the value, or fit a model to these data",
        )


def check_frequency(data: SequenceSet, description: Description, effects: Effects | None) -> None:
    """Check that data have the frequency of the model, and times if its effects depend on the clock.

    Raises:
        ModelFileError: The frequency differs, or the data have no times.
    """
    frequencies = [description.source.get("frequency"), data.frequency]
    # the steps of other calendars differ in length, so only these frequencies can be compared by their names
    fixed = all(isinstance(named(f or ""), Every | Days | Steps) for f in frequencies)
    timed = effects is not None and (effects.form.clock or effects.form.by_hour)
    if (frequencies[0] != frequencies[1] and fixed) or (timed and data.times is None):
        given = f"steps of {data.frequency}" if data.times is not None else "no times"
        raise ModelFileError(
            f"the data have {given}, expected steps of {frequencies[0]} as in the training data",
            where=data.meta.get("source"),
            fix="convert the data to the frequency of the model, or fit another model",
        )


def check_columns(data: SequenceSet, description: Description) -> None:
    """Check that data have the covariates of the model, and no static category that is new to it.

    Raises:
        ModelFileError: The columns differ.
        DataError: A category was not in the training data.
    """
    expected = Columns(**{name: tuple(description.source.get(name, ())) for name in ("known", "past", "static")})
    expected = expected.expanded(description.source.get("categories") or {})
    given = data.covariates.columns if data.covariates else Columns()
    if expected.all and expected != given:
        columns = f"the covariates {', '.join(given.all)}" if given.all else "no covariates"
        raise ModelFileError(
            f"the data have {columns}, expected {', '.join(expected.all)} as in the training data",
            where=data.meta.get("source"),
            fix="name the same columns as known, past and static when the data are read",
        )
    if not data.covariates or not expected.static:
        return
    categories = description.config.get("static", [])
    for key, words in zip(data.ids, data.covariates.static, strict=True):
        for name, word, known in zip(expected.static, words, categories, strict=True):
            if word not in known:
                raise unknown(
                    "category",
                    word,
                    known,
                    f"use one of {some_of(known)}, or fit a model to data that have this category",
                    place=f"in the static column {name!r}",
                    where=f"{data.meta.get('source', 'the data')}, series {key!r}, from its first row on",
                    error=DataError,
                )


def check_future(data: SequenceSet, effects: Effects | None, horizon: int) -> None:
    """Check that the future covariates reach the horizon, if the model has effects of them.

    Raises:
        DataError: The future covariates end before the horizon.
    """
    if not data.covariates or not data.covariates.columns.known or not effects or not effects.form.known:
        return
    for b, (key, rows) in enumerate(zip(data.ids, data.covariates.ahead, strict=True)):
        if len(rows) < horizon:
            times = data.times_of(b)
            end = f"step {int(data.lengths[b]) + len(rows)}"
            if times is not None and len(times):
                after = np.concatenate([times[-1:], times_ahead(data, b, len(rows))])
                end = (data.time_form or TimeForm()).words(after[-1:])[0]
            raise DataError(
                f"the future covariates end after {len(rows)} of {counted(horizon, 'step')}, at {end}",
                where=f"{data.meta.get('source', 'the data')}, series {key!r}",
                fix=f"give a row for every step ahead with {option('--future', 'rows.csv')}, or use a shorter horizon",
            )
