"""The measures of every method over one group of series, by the formulas of ostinato's own backtests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from local.groups import Group
from local.peers import PROBABILITIES
from ostinato.emissions.quantiles import pinball
from ostinato.evaluation import metrics
from ostinato.local.naive import naive2
from ostinato.shapes import Array

#: Where the deciles are in PROBABILITIES; wQL averages over all of PROBABILITIES but the ends of the 90 % interval.
SCORED = np.array([i for i, p in enumerate(PROBABILITIES) if p not in {0.05, 0.95}])


@dataclass(frozen=True)
class Said:
    """The forecasts of a group.

    Attributes:
        point: The point forecasts, (S, H); NaN where a method did not finish.
        quantiles: The quantiles at PROBABILITIES, (S, H, Q).
        seconds: The processor time in seconds.
    """

    point: Array
    quantiles: Array
    seconds: float


def reference(group: Group) -> Array:
    """Return the forecasts of Naive2, (S, H)."""
    return np.stack([naive2(y, group.season).ahead(y, group.horizon)[0] for y in group.history])


def table(group: Group, everyone: dict[str, Said], rows: NDArray[np.bool_]) -> pl.DataFrame:
    """Return one row a method, over the series of a group where ``rows`` (S,) is true and the method has a forecast.

    ``sql`` is the quantile loss of each series over its seasonal error, averaged over the series: unlike wQL, it is
    not decided by the few largest series of a group.
    """
    scale = np.array([metrics.seasonal_error(y, group.season) for y in group.history])
    naive = reference(group)
    out = []
    for name, said in everyone.items():
        use = rows & np.isfinite(said.point).all(axis=1)
        y, point, q, unit = group.after[use], said.point[use], said.quantiles[use], scale[use]
        loss = pinball(y, q[..., SCORED], PROBABILITIES[SCORED])
        mase, smape = _mean(metrics.mase(y, point, unit)), _mean(metrics.smape(y, point))
        base = naive[use]
        owa = metrics.owa(mase, smape, _mean(metrics.mase(y, base, unit)), _mean(metrics.smape(y, base)))
        out.append(
            {
                "method": name,
                "smape": smape,
                "mase": mase,
                "owa": owa,
                "wql": metrics.weighted_quantile_loss(loss, float(np.abs(y).sum())),
                "sql": float(np.nanmean(loss.mean(axis=(1, 2)) / unit)),
                "msis": float(np.nanmean(metrics.msis(y, q[..., 0], q[..., -1], 95, unit))),
                "cov80": float(metrics.coverage(y, q[..., 2], q[..., -3]).mean()),
                "cov95": float(metrics.coverage(y, q[..., 0], q[..., -1]).mean()),
                "seconds": said.seconds,
                "series": int(use.sum()),
            }
        )
    return pl.DataFrame(out)


def gap(group: Group, ours: Said, theirs: Said, rows: NDArray[np.bool_]) -> tuple[float, float]:
    """Return by what share the wQL of one method is above that of another, and the standard error of this share.

    The standard error is that of a bootstrap over the series. The wQL of a group is decided by its few largest series,
    so with few groups of few series a gap says little.
    """
    use = rows & np.isfinite(ours.point).all(axis=1) & np.isfinite(theirs.point).all(axis=1)
    y = group.after[use]
    mine, other = (
        pinball(y, said.quantiles[use][..., SCORED], PROBABILITIES[SCORED]).sum(axis=(1, 2)) for said in (ours, theirs)
    )
    drawn = np.random.default_rng(0).integers(0, len(y), (2000, len(y)))
    return float(mine.sum() / other.sum() - 1), float((mine[drawn].sum(axis=1) / other[drawn].sum(axis=1)).std())


def _mean(x: Array) -> float:
    return float(np.nanmean(x))
