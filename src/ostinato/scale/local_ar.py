"""Verbs that fit an autoregression to each series of a part, in closed form with the order by BIC, and forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtri

from ostinato.arguments import horizon_count, levels
from ostinato.data.ahead import times_ahead
from ostinato.data.ids import META, dtype_of, id_column, restored
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.evaluation.baselines import Array, Lags, local_ar
from ostinato.evaluation.forecasters import beyond, modelled, observed
from ostinato.evaluation.windows import LEAST
from ostinato.forecasting.table import ds_column, ends
from ostinato.scale.series import SERIES_ERRORS, Failure, message
from ostinato.scale.work import Out

_REAL = pl.Float64()
_FIT: dict[str, Any] = {
    "unique_id": pl.String(),
    **dict.fromkeys(("steps", "n", "order"), pl.Int64()),
    "intercept": _REAL,
    "coefficients": pl.List(_REAL),
    **dict.fromkeys(("sigma", "log_likelihood", "bic"), _REAL),
}


@dataclass(frozen=True)
class FitLocalAR:
    """A verb: the autoregression of every series, one row each; prices are fitted as logarithms.

    The columns are unique_id, steps, n (the number of fitted rows), order, intercept, coefficients (phi_1 ..
    phi_order), sigma (the standard deviation of the innovations), log_likelihood (in nats, of the n rows given their
    lags) and bic.

    Attributes:
        season: The number of steps of a season.
    """

    season: int

    def __call__(self, data: SequenceSet, number: int) -> Out:
        """Return the result for the series of part ``number``; see ``Verb``."""
        rows, bad = [], []
        for b, key in enumerate(data.ids):
            try:
                fit = _fitted(_values(data, b), self.season).fit
            except SERIES_ERRORS as error:
                bad.append(Failure(key, message(error)))
                continue
            phi, sigma = fit.coefficients[: fit.order].tolist(), float(np.sqrt(fit.sigma2))
            size = (len(data[b]), fit.n, fit.order)
            rows.append((key, *size, fit.intercept, phi, sigma, fit.log_likelihood, float(fit.bic[fit.order])))
        made = pl.DataFrame(rows, _FIT, orient="row")
        return Out(made.with_columns(restored(made["unique_id"], data.meta)), bad)


@dataclass(frozen=True)
class ForecastLocalAR:
    """A verb: the normal forecast of every series by its own autoregression, in the columns of ``ostinato.forecast``.

    Prices are forecast as logarithms, and the column ostinato is the median.

    Attributes:
        season: The number of steps of a season.
        horizon: The number of steps to forecast.
        level: The levels of the intervals in percent.
    """

    season: int
    horizon: int
    level: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "horizon", horizon_count(self.horizon))
        object.__setattr__(self, "level", levels(self.level))

    def __call__(self, data: SequenceSet, number: int) -> Out:
        """Return the result for the series of part ``number``; see ``Verb``."""
        keys, stamps, means, spreads, bad = [], [], [], [], []
        for b, key in enumerate(data.ids):
            y = _values(data, b)
            try:
                known = observed(y)
                mean, deviation = beyond(_fitted(known, self.season), known, len(y) - len(known), self.horizon)
                _check_finite(mean, deviation)
            except SERIES_ERRORS as error:
                bad.append(Failure(key, message(error)))
                continue
            keys.append(key)
            stamps.append(times_ahead(data, b, self.horizon))
            means.append(mean)
            spreads.append(deviation)
        schema = forecast_schema(data, self.level)
        if not keys:
            return Out(pl.DataFrame(schema=schema), bad)
        loc, scale = np.concatenate(means), np.concatenate(spreads)
        drawn = {name: loc + ndtri(p) * scale for name, p in forecast_columns(self.level).items()}
        if data.traits.log_returns:
            drawn = {name: np.exp(x) for name, x in drawn.items()}
        names, ds = id_column(keys, self.horizon, data.meta), ds_column(data, np.concatenate(stamps))
        return Out(pl.DataFrame({"unique_id": names, "ds": ds, **drawn}, schema), bad)


def forecast_columns(level: tuple[float, ...]) -> dict[str, float]:
    """Return the columns of a forecast, in order, with the probability of each quantile."""
    return {"ostinato": 0.5, **ends("ostinato", level)}


def forecast_schema(data: SequenceSet, level: tuple[float, ...]) -> dict[str, Any]:
    """Return the types of the columns of a forecast."""
    channel = {"channel": pl.String()} if len(data.channels) > 1 else {}
    names = {"unique_id": dtype_of(data.meta.get(META)), "ds": time_type(data), **channel}
    return {**names, **dict.fromkeys(forecast_columns(level), _REAL)}


def time_type(data: SequenceSet) -> pl.DataType:
    """Return the type of the column of times: whole numbers if the series have no times."""
    nothing = np.zeros(0, dtype=np.int64) if data.times is None else data.times[:0]
    return ds_column(data, nothing).dtype


def _values(data: SequenceSet, b: int) -> Array:
    """Return the values that are fitted of series b, (T,)."""
    return np.asarray(modelled(data, b)[0])


def _fitted(y: Array, season: int) -> Lags:
    seen = int(np.isfinite(y).sum())
    if seen < LEAST:
        raise DataError(f"an autoregression needs at least {LEAST} observed values, got {seen}")
    return local_ar(y, season)


def _check_finite(mean: Array, deviation: Array) -> None:
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
        raise DataError("the forecast is not finite: the autoregression diverges within the horizon")
