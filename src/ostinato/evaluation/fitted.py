"""The forecasters of a backtest that are fitted models, with torch behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Self

import numpy as np

from ostinato.data.sequences import SequenceSet
from ostinato.direct.model import DirectModel
from ostinato.emissions.quantiles import at
from ostinato.evaluation.forecasters import Predicted
from ostinato.forecasting.inputs import as_sequences
from ostinato.inference.ahead import steps_ahead
from ostinato.inference.forecast import forecast
from ostinato.inference.score import score
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.shapes import Array

#: The number of values of sample paths that are held at one time. It bounds RAM for a panel of any size.
_PATHS = 4_000_000


@dataclass(frozen=True)
class Fitted:
    """A fitted model with a likelihood. Its weights and scales do not change; its hidden state follows each history.

    Attributes:
        name: The name in the table.
        model: The model.
        n_paths: The number of sample paths of a forecast.
        seed: The seed of the sample paths.
        known: The log-likelihood of every step of each series by its unique_id, (T,) each; None before ``scored``.
    """

    name: str
    model: SequenceModel
    n_paths: int = 500
    seed: int = 0
    known: dict[str, Array] | None = None

    def scored(self, data: SequenceSet) -> Self:
        """Return this forecaster with the log-likelihood of every step of data, computed once for all windows.

        Args:
            data: The whole series.
        """
        scores = score(self.model, data)
        return replace(
            self,
            known={
                key: -scores.surprisal[a:z]
                for key, a, z in zip(data.ids, scores.offsets[:-1], scores.offsets[1:], strict=True)
            },
        )

    def predict(self, history: SequenceSet, horizon: int, probabilities: Array) -> Predicted:
        """Forecast from the end of every sequence of a history.

        Args:
            history: The B sequences.
            horizon: The number of steps H to forecast.
            probabilities: The probabilities of the quantiles, (Q,).
        """
        points, quantiles = [], []
        group = max(1, _PATHS // (self.n_paths * horizon * len(history.channels)))
        for first in range(0, len(history), group):
            rows = history.take(range(first, min(first + group, len(history))))
            rows = as_sequences(self.model, rows)
            for one in steps_ahead(self.model, rows, horizon, probabilities, n_paths=self.n_paths, seed=self.seed):
                points.append(one.point.T)
                quantiles.append(one.quantiles.transpose(2, 0, 1))
        return Predicted(np.stack(points), np.stack(quantiles))

    def log_prob(self, whole: SequenceSet, horizon: int) -> Array:
        """Return the log-likelihood in nats of each of the last steps, given all steps before it, (B, H).

        Args:
            whole: The B sequences up to the end of the horizon.
            horizon: The number of steps H at the end of every sequence.
        """
        known = self.known if self.known is not None else self.scored(whole).known or {}
        return np.stack([known[key][stop - horizon : stop] for key, stop in zip(whole.ids, whole.lengths, strict=True)])


@dataclass(frozen=True)
class Quantiles:
    """A direct model, which has quantiles of the steps ahead and no likelihood.

    Attributes:
        name: The name in the table.
        model: The model.
    """

    name: str
    model: DirectModel

    def scored(self, data: SequenceSet) -> Self:
        """Return this forecaster: nothing can be computed for all windows at once."""
        return self

    def predict(self, history: SequenceSet, horizon: int, probabilities: Array) -> Predicted:
        """Forecast from the end of every sequence of a history.

        The point forecast is the median of the network, or the least-squares forecast of a model without a network.

        Args:
            history: The B sequences.
            horizon: The number of steps H to forecast.
            probabilities: The probabilities of the quantiles, (Q,).
        """
        shape = len(history), len(history.channels)
        # a forecast must have a level, although only the points and the quantiles of the model are needed
        result = forecast(self.model, history, horizon, 80)
        assert result.quantiles is not None
        quantiles = at(result.quantiles, probabilities).reshape(*shape, horizon, -1)
        return Predicted(result.frame["ostinato"].to_numpy().reshape(*shape, horizon), quantiles.swapaxes(-1, -2))

    def log_prob(self, whole: SequenceSet, horizon: int) -> Array:
        """Return NaN for each of the last steps, (B, H), because a direct model has no likelihood.

        Args:
            whole: The B sequences up to the end of the horizon.
            horizon: The number of steps H at the end of every sequence.
        """
        return np.full((len(whole), horizon), np.nan)


def fitted(name: str, model: Model, *, n_paths: int, seed: int) -> Quantiles | Fitted:
    """Return the forecaster of a fitted model.

    Args:
        name: The name in the table.
        model: A fitted model.
        n_paths: The number of sample paths of a forecast.
        seed: The seed of the sample paths.
    """
    return _forecaster(model, name, n_paths, seed)


@singledispatch
def _forecaster(model: Model, name: str, n_paths: int, seed: int) -> Quantiles | Fitted:
    """Return the forecaster of a fitted model; each type of model has its own below."""
    raise TypeError(f"model must be a SequenceModel or a DirectModel, got {type(model).__name__}")


@_forecaster.register(DirectModel)
def _(model: DirectModel, name: str, n_paths: int, seed: int) -> Quantiles:
    return Quantiles(name, model)


@_forecaster.register(SequenceModel)
def _(model: SequenceModel, name: str, n_paths: int, seed: int) -> Fitted:
    return Fitted(name, model, n_paths, seed)
