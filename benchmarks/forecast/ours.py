"""The forecasts of ostinato on the same windows: one fit with default settings to the data before the first window."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl

from forecast.cases import Case
from forecast.files import Said
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.dispatch.fit import fit
from ostinato.fits.budget import Budget
from ostinato.inference.forecast import forecast


def ostinato(case: Case, *, steps: int | None = None, networks: int = 3) -> Said:
    """Fit a direct model with the shortest season of the case; ``steps`` limits the steps of the networks."""
    begun, used = time.perf_counter(), time.process_time()
    made = fit(
        _history(case, case.backs[0]),
        model="direct",
        horizon=case.horizon,
        season=case.seasons[0],
        networks=networks,
        budget=Budget(None, steps),
    )
    seconds, points, quantiles, spent = time.perf_counter() - begun, [], [], []
    for back in case.backs:
        begun = time.perf_counter()
        future = _frame(case, back, back - case.horizon).drop("y") if case.known else None
        said = forecast(made.model, _history(case, back), case.horizon, (), future=future)
        spent.append(time.perf_counter() - begun)
        points.append(said.frame["ostinato"].to_numpy().reshape(-1, case.horizon))
        assert said.quantiles is not None
        quantiles.append(said.quantiles)
    notes = (*made.notes, f"networks: {networks}", f"steps: {steps or 'the usual'}")
    used = time.process_time() - used
    return Said(np.stack(points), np.stack(quantiles), seconds, float(np.mean(spent)), used, notes=notes)


def _history(case: Case, back: int) -> SequenceSet:
    """Return the history up to the cutoff, with the clock and the covariates if the times are real."""
    if case.freq != "30min":
        return read(case.before(back))
    return read(_frame(case, None, back), future_covariates=tuple(case.known))


def _frame(case: Case, first: int | None, back: int) -> pl.DataFrame:
    """Return the rows of the single series from ``first`` (or the beginning) to ``back`` steps before its end."""
    ((key, y),) = case.series.items()
    start = pl.Series([case.start]).str.to_datetime(time_unit="us")[0]
    ds = pl.datetime_range(start, start + (len(y) - 1) * pl.duration(minutes=30), "30m", eager=True)
    part = slice(None if first is None else len(y) - first, len(y) - back)
    columns: dict[str, Any] = {"ds": ds, "y": y, **case.known}
    return pl.DataFrame({name: values[part] for name, values in columns.items()}).insert_column(
        0, pl.lit(key).alias("unique_id")
    )
