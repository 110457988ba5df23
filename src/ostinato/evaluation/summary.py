"""The measures of every model over all windows, as running sums, so that no window has to be kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.arguments import level_name
from ostinato.emissions.quantiles import pinball
from ostinato.evaluation import metrics
from ostinato.evaluation.forecasters import Predicted

Array = NDArray[np.float64]

#: The probabilities over which wQL is averaged, as in the evaluator of GluonTS.
DECILES = tuple(round(0.1 * k, 1) for k in range(1, 10))


def probabilities(level: Sequence[float]) -> Array:
    """Return the deciles and both ends of every interval, in ascending order, (Q,).

    Args:
        level: The coverage of each interval in percent.
    """
    ends = [end for one in level for end in edges(one)]
    return np.array(sorted({*DECILES, *ends}))


def edges(level: float) -> tuple[float, float]:
    """Return the probabilities at the two ends of an interval.

    Args:
        level: The coverage of the interval in percent.
    """
    return round(0.5 - level / 200, 12), round(0.5 + level / 200, 12)


def at(quantiles: Array, level: Sequence[float], wanted: Sequence[float]) -> Array:
    """Return the quantiles at some probabilities, (..., W, H).

    Args:
        quantiles: The quantiles at ``probabilities(level)``, (..., Q, H).
        level: The coverage of each interval in percent.
        wanted: The W probabilities to return.
    """
    grid = probabilities(level)
    return np.asarray(quantiles[..., [int(np.abs(grid - p).argmin()) for p in wanted], :])


class Tally:
    """The measures of one model as running sums.

    MASE, sMAPE and MSIS are means over series (times channels) and windows.

    Attributes:
        level: The coverage of each interval in percent.
        seconds: The time that the model took.
    """

    def __init__(self, level: Sequence[float]) -> None:
        self.level = tuple(level)
        self.seconds = 0.0
        self._means: dict[str, tuple[float, int]] = {}
        self._loss, self._size = np.zeros(len(DECILES)), 0.0

    def add(self, y: Array, predicted: Predicted, scale: Array, nats: Array) -> None:
        """Add the forecasts of a window.

        Args:
            y: The values, (B, D, H).
            predicted: The point forecasts and the quantiles.
            scale: The seasonal error of each history, (B, D).
            nats: The log-likelihood of each step, (B, H).
        """
        self._mean("mase", metrics.mase(y, predicted.point, scale))
        self._mean("smape", metrics.smape(y, predicted.point))
        self._mean("log_prob", nats)
        deciles = np.moveaxis(at(predicted.quantiles, self.level, DECILES), -2, -1)
        self._loss += np.nansum(pinball(y, deciles, np.array(DECILES)), axis=(0, 1, 2))
        self._size += float(np.nansum(np.abs(y)))
        for one in self.level:
            low, high = np.moveaxis(at(predicted.quantiles, self.level, edges(one)), -2, 0)
            # each step on its own, so that every observed step has the same weight
            self._mean(f"coverage-{level_name(one)}", metrics.coverage(y[..., None], low[..., None], high[..., None]))
            if one == msis_level(self.level):
                self._mean("msis", metrics.msis(y, low, high, one, scale))

    def sums(self) -> dict[str, Any]:
        """Return the sums as JSON. The sums of two tallies, added number by number, are those of both together."""
        means = {name: list(pair) for name, pair in self._means.items()}
        return {"seconds": self.seconds, "means": means, "loss": self._loss.tolist(), "size": self._size}

    @staticmethod
    def of(level: Sequence[float], sums: dict[str, Any]) -> Tally:
        """Return the tally with given sums: the inverse of ``sums``.

        Args:
            level: The coverage of each interval in percent.
            sums: The sums as JSON.
        """
        tally = Tally(level)
        tally.seconds, tally._size = sums["seconds"], sums["size"]
        tally._means = {name: (total, int(count)) for name, (total, count) in sums["means"].items()}
        tally._loss = np.array(sums["loss"])
        return tally

    def _mean(self, name: str, values: Array) -> None:
        """Add the values of a measure to its sum and its count; NaN does not count."""
        seen = values[np.isfinite(values)]
        total, count = self._means.get(name, (0.0, 0))
        self._means[name] = total + float(seen.sum()), count + len(seen)

    def mean(self, name: str) -> float:
        """Return the mean of a measure; NaN without any value.

        Args:
            name: The name of the measure.
        """
        total, count = self._means.get(name, (0.0, 0))
        return total / count if count else float("nan")

    @property
    def wql(self) -> float:
        """The weighted quantile loss, averaged over the deciles."""
        return metrics.weighted_quantile_loss(self._loss, self._size)


def msis_level(level: Sequence[float]) -> float | None:
    """Return the level whose intervals are scored: 95, as in M4, or the highest level without 95.

    Args:
        level: The coverage of each interval in percent.
    """
    return 95.0 if 95 in level else max(level, default=None)


def summary(tallies: dict[str, Tally]) -> pl.DataFrame:
    """Return a table with one row a model.

    The columns are mase, smape (in %), owa, wql, msis, a coverage for each level (coverage-95), log_prob (in nats a
    step) and seconds.

    Args:
        tallies: The tally of each model by name. The tally of naive2 must be among them, because owa needs it.
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
                **{
                    f"coverage-{level_name(one)}": tally.mean(f"coverage-{level_name(one)}")
                    for one in sorted(tally.level)
                },
                "log_prob": tally.mean("log_prob"),
                "seconds": tally.seconds,
            }
        )
    return pl.DataFrame(rows)
