"""The measures of every model over all windows, as running sums, so that no window need be kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.emissions.quantiles import pinball
from ostinato.evaluation import metrics
from ostinato.evaluation.forecasters import Predicted

Array = NDArray[np.float64]

#: The probabilities that wQL is a mean over, as in GluonTS' evaluator.
DECILES = tuple(round(0.1 * k, 1) for k in range(1, 10))


def probabilities(level: Sequence[float]) -> Array:
    """(Q): the deciles and both ends of every interval, in order."""
    ends = [end for one in level for end in edges(one)]
    return np.array(sorted({*DECILES, *ends}))


def edges(level: float) -> tuple[float, float]:
    """The probabilities at the ends of an interval of ``level`` percent."""
    return round(0.5 - level / 200, 6), round(0.5 + level / 200, 6)


def at(quantiles: Array, level: Sequence[float], wanted: Sequence[float]) -> Array:
    """Of quantiles (..., Q, H) at ``probabilities(level)``, those at the wanted probabilities (..., W, H)."""
    grid = probabilities(level)
    return np.asarray(quantiles[..., [int(np.abs(grid - p).argmin()) for p in wanted], :])


class Tally:
    """The measures of one model. MASE, sMAPE and MSIS are means over series (times channels) and windows."""

    def __init__(self, level: Sequence[float]) -> None:
        self.level = tuple(level)
        self.seconds = 0.0
        self._means: dict[str, tuple[float, int]] = {}
        self._loss, self._size = np.zeros(len(DECILES)), 0.0

    def add(self, y: Array, predicted: Predicted, scale: Array, nats: Array) -> None:
        """A window: y and the point (B, D, H), quantiles (B, D, Q, H), the seasonal errors (B, D), log_prob (B, H)."""
        self._mean("mase", metrics.mase(y, predicted.point, scale))
        self._mean("smape", metrics.smape(y, predicted.point))
        self._mean("log_prob", nats)
        deciles = np.moveaxis(at(predicted.quantiles, self.level, DECILES), -2, -1)
        self._loss += np.nansum(pinball(y, deciles, np.array(DECILES)), axis=(0, 1, 2))
        self._size += float(np.nansum(np.abs(y)))
        for one in self.level:
            low, high = np.moveaxis(at(predicted.quantiles, self.level, edges(one)), -2, 0)
            # a step at a time: every observed step weighs the same
            self._mean(f"coverage-{one:g}", metrics.coverage(y[..., None], low[..., None], high[..., None]))
            if one == msis_level(self.level):
                self._mean("msis", metrics.msis(y, low, high, one, scale))

    def sums(self) -> dict[str, Any]:
        """The sums as JSON: those of two tallies, added number by number, are the tally of both."""
        means = {name: list(pair) for name, pair in self._means.items()}
        return {"seconds": self.seconds, "means": means, "loss": self._loss.tolist(), "size": self._size}

    @staticmethod
    def of(level: Sequence[float], sums: dict[str, Any]) -> Tally:
        """The inverse of ``sums``."""
        tally = Tally(level)
        tally.seconds, tally._size = sums["seconds"], sums["size"]
        tally._means = {name: (total, int(count)) for name, (total, count) in sums["means"].items()}
        tally._loss = np.array(sums["loss"])
        return tally

    def _mean(self, name: str, values: Array) -> None:
        seen = values[np.isfinite(values)]
        total, count = self._means.get(name, (0.0, 0))
        self._means[name] = total + float(seen.sum()), count + len(seen)

    def mean(self, name: str) -> float:
        """The mean of a measure; NaN where there was none."""
        total, count = self._means.get(name, (0.0, 0))
        return total / count if count else float("nan")

    @property
    def wql(self) -> float:
        """Mean weighted quantile loss, over the deciles."""
        return metrics.weighted_quantile_loss(self._loss, self._size)


def msis_level(level: Sequence[float]) -> float | None:
    """The level whose intervals are scored: 95, as in M4, or else the highest."""
    return 95.0 if 95 in level else max(level, default=None)


def summary(tallies: dict[str, Tally]) -> pl.DataFrame:
    """A row a model, in this order: mase, smape (%), owa, wql, msis, coverage-95 .., log_prob (nats a step), seconds.

    owa needs the tally of naive2.
    """
    reference = tallies["naive2"]
    rows = []
    for name, tally in tallies.items():
        mase, smape = tally.mean("mase"), tally.mean("smape")
        rows.append(
            {
                "model": name,
                "mase": mase,
                "smape": smape,
                "owa": metrics.owa(mase, smape, reference.mean("mase"), reference.mean("smape")),
                "wql": tally.wql,
                "msis": tally.mean("msis"),
                **{f"coverage-{one:g}": tally.mean(f"coverage-{one:g}") for one in sorted(tally.level)},
                "log_prob": tally.mean("log_prob"),
                "seconds": tally.seconds,
            }
        )
    return pl.DataFrame(rows)
