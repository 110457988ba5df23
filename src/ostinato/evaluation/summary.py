"""The measures of every model over all windows, as running sums, so that no window has to be kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ostinato.data.sequences import SequenceSet
from ostinato.emissions.quantiles import containing, pinball
from ostinato.evaluation import metrics
from ostinato.evaluation.forecasters import Predicted
from ostinato.look import Shown
from ostinato.numbers import plain
from ostinato.shapes import Array
from ostinato.spread import spread

#: The probabilities over which wQL is averaged, as in the evaluator of GluonTS.
DECILES = tuple(round(0.1 * k, 1) for k in range(1, 10))


#: The share of the spread of a series up to which an error counts as 0.
EXACT = 1e-6


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


def resolution(whole: SequenceSet) -> Array:
    """Return the error up to which a forecast of each channel counts as exact, (B, D).

    It is a millionth of the spread of the values, which is what 32-bit networks and the least standard deviation of a
    perfect fit can tell apart. Without it, one exact forecast would be better than another by rounding errors.

    Args:
        whole: The B sequences up to the end of the horizon.
    """
    return EXACT * np.array([[spread(channel) for channel in x.T.astype(np.float64)] for x in whole])


def interval(predicted: Predicted, level: Sequence[float], one: float) -> tuple[Array, Array]:
    """Return the two ends of an interval, which contains the point forecast, (..., H) each.

    Args:
        predicted: The point forecasts and the quantiles at ``probabilities(level)``.
        level: The coverage of each interval in percent.
        one: The coverage of the interval in percent.
    """
    ends = np.moveaxis(at(predicted.quantiles, level, edges(one)), -2, -1)
    low, high = np.moveaxis(containing(predicted.point, ends, np.array(edges(one))), -1, 0)
    return low, high


class Tally(Shown):
    """The measures of one model as running sums.

    MASE, sMAPE and MSIS are means over series (times channels) and windows.

    Attributes:
        level: The coverage of each interval in percent.
        seconds: The time that the model took.
        set_aside: The ids of the series of which values were taken as missing, and in how many windows each.
    """

    def __init__(self, level: Sequence[float]) -> None:
        self.level = tuple(level)
        self.seconds = 0.0
        self.set_aside: Counter[str] = Counter()
        self._means: dict[str, tuple[float, int]] = {}
        self._loss, self._size = np.zeros(len(DECILES)), 0.0

    def look(self) -> tuple[list[str], None]:
        """Return the measures and the time."""
        return [", ".join([*(f"{name} {self.mean(name):.4g}" for name in self._means), f"{self.seconds:.3g} s"])], None

    def add(self, y: Array, predicted: Predicted, scale: Array, nats: Array, exact: Array | float = 0.0) -> None:
        """Add the forecasts of a window.

        Args:
            y: The values, (B, D, H).
            predicted: The point forecasts and the quantiles.
            scale: The seasonal error of each history, (B, D).
            nats: The log-likelihood of each step, (B, H).
            exact: The error up to which a forecast counts as exact, (B, D): see ``resolution``.
        """
        resolution = np.asarray(exact)[..., None]
        point = np.where(np.abs(y - predicted.point) <= resolution, y, predicted.point)
        self._mean("mase", metrics.mase(y, point, scale))
        self._mean("smape", metrics.smape(y, point))
        self._mean("log_prob", nats)
        deciles = np.moveaxis(at(predicted.quantiles, self.level, DECILES), -2, -1)
        loss = pinball(y, deciles, np.array(DECILES))
        self._loss += np.nansum(np.where(loss <= resolution[..., None], 0.0, loss), axis=(0, 1, 2))
        self._size += float(np.nansum(np.abs(y)))
        for one in self.level:
            low, high = interval(predicted, self.level, one)
            # each step on its own, so that every observed step has the same weight
            self._mean(f"coverage-{plain(one)}", metrics.coverage(y[..., None], low[..., None], high[..., None]))
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
                **{f"coverage-{plain(one)}": tally.mean(f"coverage-{plain(one)}") for one in sorted(tally.level)},
                "log_prob": tally.mean("log_prob"),
                "seconds": tally.seconds,
            }
        )
    return pl.DataFrame(rows)
