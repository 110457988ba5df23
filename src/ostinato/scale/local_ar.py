"""The verb that fits an autoregression to each series of a part, in closed form with the order by BIC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ostinato.data.ids import restored
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.evaluation.baselines import Lags, local_ar
from ostinato.evaluation.windows import LEAST
from ostinato.local.series import modelled
from ostinato.scale.series import SERIES_ERRORS, Failure, message
from ostinato.scale.work import PartResult
from ostinato.shapes import Array

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

    def __call__(self, data: SequenceSet, number: int) -> PartResult:
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
        return PartResult(made.with_columns(restored(made["unique_id"], data.meta)), bad)


def _values(data: SequenceSet, b: int) -> Array:
    """Return the values that are fitted of series b, (T,)."""
    return np.asarray(modelled(data, b)[0])


def _fitted(y: Array, season: int) -> Lags:
    seen = int(np.isfinite(y).sum())
    if seen < LEAST:
        raise DataError(f"an autoregression needs at least {LEAST} observed values, got {seen}")
    return local_ar(y, season)
