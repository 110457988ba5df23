"""The forecasters of a backtest: their interface, and the baselines that are fitted to each series."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ostinato.data.sequences import SequenceSet
from ostinato.evaluation.baselines import BASELINES, Rule
from ostinato.local.series import modelled
from ostinato.shapes import Array


@dataclass(frozen=True)
class Predicted:
    """The forecast of the steps ahead.

    Attributes:
        point: The point forecast, (B, D, H): the mean, or for prices the median.
        quantiles: The quantiles, (B, D, Q, H).
        set_aside: How many values of each history were taken as missing, because they are far from all others, (B, D).
            None if no value can be.
    """

    point: Array
    quantiles: Array
    set_aside: NDArray[np.int64] | None = None


class Forecaster(Protocol):
    """A model or a baseline in a backtest."""

    @property
    def name(self) -> str:
        """The name of the forecaster in the table."""
        ...

    def scored(self, data: SequenceSet) -> Self:
        """Return this forecaster, with what it can compute once for all windows of the data."""
        ...

    def predict(self, history: SequenceSet, horizon: int, probabilities: Array) -> Predicted:
        """Forecast from the end of every sequence of a history.

        Args:
            history: The B sequences.
            horizon: The number of steps H to forecast.
            probabilities: The probabilities of the quantiles, (Q,).
        """
        ...

    def log_prob(self, whole: SequenceSet, horizon: int) -> Array:
        """Return the log-likelihood in nats of each of the last steps, given all steps before it, (B, H).

        It is NaN if no channel of a step was observed. Densities are those of ``score``: for prices, that of the log
        return.

        Args:
            whole: The B sequences up to the end of the horizon.
            horizon: The number of steps H at the end of every sequence.
        """
        ...


@dataclass(frozen=True)
class Baseline:
    """A baseline, fitted to each channel of each series separately; for prices, to their logarithms.

    Attributes:
        name: The name in the table.
        rule: The name of the baseline in BASELINES.
        season: The season in steps.
        keep: Whether to fit to the first history of a series only, and not to every history.
        fits: The fits that are kept, by the unique_id and the index of the channel.
    """

    name: str
    rule: str
    season: int
    keep: bool = False
    fits: dict[tuple[str, int], Rule] = field(default_factory=dict)

    def scored(self, data: SequenceSet) -> Self:
        """Return this forecaster: nothing can be computed for all windows at once."""
        return self

    def _fit(self, key: tuple[str, int], y: Array) -> Rule:
        """Return the fit to a channel of a series, (T,); with ``keep``, the first one is returned again."""
        if not self.keep:
            return BASELINES[self.rule](y, self.season)
        if key not in self.fits:
            self.fits[key] = BASELINES[self.rule](y, self.season)
        return self.fits[key]

    def predict(self, history: SequenceSet, horizon: int, probabilities: Array) -> Predicted:
        """Forecast from the end of every sequence of a history.

        Missing steps at the end of a history are forecast too, and left out of the result.

        Args:
            history: The B sequences.
            horizon: The number of steps H to forecast.
            probabilities: The probabilities of the quantiles, (Q,).
        """
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
        """Return the log-likelihood in nats of each of the last steps, given all steps before it, (B, H).

        For counts, the density is used as the probability of a whole number.

        Args:
            whole: The B sequences up to the end of the horizon.
            horizon: The number of steps H at the end of every sequence.
        """
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


def baselines(season: int, *, refit: bool) -> list[Baseline]:
    """Return all baselines.

    Only the autoregression has coefficients. Like a model, it is fitted once unless models are refitted. The other
    baselines are fitted to every history.

    Args:
        season: The season in steps.
        refit: Whether models are fitted at every cutoff.
    """
    return [Baseline(name, name, season, keep=name == "local_ar" and not refit) for name in BASELINES]


def observed(y: Array) -> Array:
    """Return a series up to its last observed step.

    Args:
        y: The series, (T,). NaN where a value is missing.
    """
    return y[: int(np.flatnonzero(np.isfinite(y))[-1]) + 1]


def beyond(rule: Rule, known: Array, gap: int, horizon: int) -> tuple[Array, Array]:
    """Return the means and the standard deviations of the steps after a gap, (H,) each.

    Args:
        rule: A fitted baseline.
        known: The history up to its last observed step, (T,).
        gap: The number of missing steps after it. They are forecast too, and left out of the result.
        horizon: The number of steps H to forecast.
    """
    mean, deviation = rule.ahead(known, gap + horizon)
    return mean[gap:], deviation[gap:]
