"""The forecaster of a backtest that fits a local method to every history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from ostinato.data.sequences import SequenceSet
from ostinato.evaluation.forecasters import Predicted
from ostinato.local.forecast import method_of
from ostinato.local.series import local_forecast
from ostinato.shapes import Array


@dataclass(frozen=True)
class Local:
    """A local method, which is fitted to the history before each cutoff, as the baselines are.

    Attributes:
        name: The name in the table.
        method: The name of the method.
        season: The number of steps of the season; by the calendar of each series if None.
    """

    name: str
    method: str
    season: int | None = None

    def scored(self, data: SequenceSet) -> Self:
        """Return this forecaster: nothing can be computed for all windows at once."""
        return self

    def predict(self, history: SequenceSet, horizon: int, probabilities: Array) -> Predicted:
        """Forecast from the end of every sequence of a history.

        Args:
            history: The B sequences.
            horizon: The number of steps H to forecast.
            probabilities: The probabilities of the quantiles, (Q,).
        """
        made = local_forecast(history, method_of(self.method), horizon, probabilities, self.season)
        shape = len(history), len(history.channels), horizon
        quantiles = made.quantiles.reshape(*shape, -1).swapaxes(-1, -2)
        return Predicted(made.point.reshape(shape), quantiles, made.outliers.reshape(shape[:2]))

    def log_prob(self, whole: SequenceSet, horizon: int) -> Array:
        """Return NaN for each of the last steps, (B, H): a combination of methods has no likelihood.

        Args:
            whole: The B sequences up to the end of the horizon.
            horizon: The number of steps H at the end of every sequence.
        """
        return np.full((len(whole), horizon), np.nan)
