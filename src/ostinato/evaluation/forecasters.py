"""What a backtest asks: a fitted model, or a baseline fitted to each series, in one form."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ostinato.data.sequences import SequenceSet
from ostinato.direct.model import DirectModel
from ostinato.emissions.quantiles import at
from ostinato.evaluation.baselines import BASELINES, Rule
from ostinato.inference.forecast import forecast
from ostinato.inference.score import score
from ostinato.model import SequenceModel
from ostinato.model_file import Model

Array = NDArray[np.float64]

#: Values of sample paths that are held at a time: bounds memory, whatever the size of a panel.
_PATHS = 4_000_000


@dataclass(frozen=True)
class Predicted:
    """What is said of the steps ahead: the point forecast (B, D, H), and quantiles (B, D, Q, H).

    The point is the mean; of prices it is the median.
    """

    point: Array
    quantiles: Array


class Forecaster(Protocol):
    """Something that forecasts."""

    @property
    def name(self) -> str:
        """The name of its column."""
        ...

    def predict(self, history: SequenceSet, horizon: int, probabilities: Array) -> Predicted:
        """Forecast from the end of every sequence of history, with quantiles at probabilities (Q)."""
        ...

    def log_prob(self, whole: SequenceSet, horizon: int) -> Array:
        """(B, H): nats of the last ``horizon`` steps of every sequence, each given all steps before it.

        NaN where nothing was observed. Densities as in ``score``: of prices that of the log return.
        """
        ...


@dataclass(frozen=True)
class Fitted:
    """A fitted model. Its weights and scales stay as they are; its state takes in each history.

    known  unique_id -> log_prob (T,) of all steps of a series, where ``scored`` has found it
    """

    name: str
    model: SequenceModel
    n_paths: int = 500
    seed: int = 0
    known: dict[str, Array] | None = None

    def scored(self, data: SequenceSet) -> Fitted:
        """The same, with the log_prob of every step of data at hand: one pass does for all windows on it."""
        scores = score(self.model, data)
        return replace(
            self,
            known={
                key: -scores.surprisal[a:z]
                for key, a, z in zip(data.ids, scores.offsets[:-1], scores.offsets[1:], strict=True)
            },
        )

    def predict(self, history: SequenceSet, horizon: int, probabilities: Array) -> Predicted:
        """See Forecaster."""
        points, quantiles = [], []
        group = max(1, _PATHS // (self.n_paths * horizon * len(history.channels)))
        middle = np.median if history.traits.log_returns else np.mean
        for first in range(0, len(history), group):
            some = history.take(range(first, min(first + group, len(history))))
            for paths in forecast(self.model, some, horizon, (), n_paths=self.n_paths, seed=self.seed).paths:
                points.append(middle(paths, axis=0).T)
                quantiles.append(np.quantile(paths, probabilities, axis=0).transpose(2, 0, 1))
        return Predicted(np.stack(points), np.stack(quantiles))

    def log_prob(self, whole: SequenceSet, horizon: int) -> Array:
        """See Forecaster."""
        known = self.known if self.known is not None else self.scored(whole).known or {}
        return np.stack([known[key][stop - horizon : stop] for key, stop in zip(whole.ids, whole.lengths, strict=True)])


@dataclass(frozen=True)
class Quantiles:
    """A direct model: it has quantiles of the steps ahead, and no log_prob."""

    name: str
    model: DirectModel

    def predict(self, history: SequenceSet, horizon: int, probabilities: Array) -> Predicted:
        """See Forecaster. The point is the median, or where there is no network the least-squares forecast."""
        shape = len(history), len(history.channels)
        said = forecast(self.model, history, horizon, ())
        assert said.quantiles is not None
        quantiles = at(said.quantiles, probabilities).reshape(*shape, horizon, -1)
        return Predicted(said.frame["ostinato"].to_numpy().reshape(*shape, horizon), quantiles.swapaxes(-1, -2))

    def log_prob(self, whole: SequenceSet, horizon: int) -> Array:
        """See Forecaster."""
        return np.full((len(whole), horizon), np.nan)


@dataclass(frozen=True)
class Baseline:
    """A rule of BASELINES on every channel of every series by itself; on prices, on their logarithm.

    It is fitted to each history that it is given; with ``keep``, to the first one of a series, and stays.
    """

    name: str
    rule: str
    season: int
    keep: bool = False
    fits: dict[tuple[str, int], Rule] = field(default_factory=dict)

    def _fit(self, key: tuple[str, int], y: Array) -> Rule:
        if not self.keep:
            return BASELINES[self.rule](y, self.season)
        if key not in self.fits:
            self.fits[key] = BASELINES[self.rule](y, self.season)
        return self.fits[key]

    def predict(self, history: SequenceSet, horizon: int, probabilities: Array) -> Predicted:
        """See Forecaster. Steps that are missing at the end of a history are forecast too, and left out."""
        B, D, prices = len(history), len(history.channels), history.traits.log_returns
        point, quantiles = np.empty((B, D, horizon)), np.empty((B, D, len(probabilities), horizon))
        z = ndtri(probabilities)[:, None]
        for b, key in enumerate(history.ids):
            for d, y in enumerate(modelled(history, b)):
                known = observed(y)
                mean, deviation = beyond(self._fit((key, d), known), known, len(y) - len(known), horizon)
                point[b, d], quantiles[b, d] = mean, mean + z * deviation
        return Predicted(np.exp(point), np.exp(quantiles)) if prices else Predicted(point, quantiles)

    def log_prob(self, whole: SequenceSet, horizon: int) -> Array:
        """See Forecaster. Of counts it is the density too, which stands for the probability of a whole number."""
        out = np.zeros((len(whole), horizon))
        for b, key in enumerate(whole.ids):
            seen = np.zeros(horizon, dtype=bool)
            for d, y in enumerate(modelled(whole, b)):
                history, later = y[:-horizon], y[-horizon:]
                mean, deviation = self._fit((key, d), history).one_step(history, later)
                nats = -0.5 * ((later - mean) / deviation) ** 2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)
                seen |= np.isfinite(nats)
                out[b] += np.nan_to_num(nats)
            out[b][~seen] = np.nan
        return out


def fitted(name: str, model: Model, *, n_paths: int, seed: int) -> Quantiles | Fitted:
    """Return the forecaster of a fitted model, whatever its type."""
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


def baselines(season: int, *, refit: bool) -> list[Baseline]:
    """All of them. What has more than a scale to estimate, the autoregression, is refitted only where models are."""
    return [Baseline(name, name, season, keep=name == "local_ar" and not refit) for name in BASELINES]


def observed(y: Array) -> Array:
    """Y (T,) up to its last observed step."""
    return y[: int(np.flatnonzero(np.isfinite(y))[-1]) + 1]


def beyond(rule: Rule, known: Array, gap: int, horizon: int) -> tuple[Array, Array]:
    """Means and standard deviations (H,) of what follows ``gap`` missing steps, which are forecast too and left out."""
    mean, deviation = rule.ahead(known, gap + horizon)
    return mean[gap:], deviation[gap:]


def modelled(data: SequenceSet, b: int) -> Array:
    """(D, T): the values of series b, or the logarithms of prices."""
    y = data[b].T.astype(np.float64)
    return np.log(y) if data.traits.log_returns else y
