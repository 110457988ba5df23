"""The effects of future covariates and the clock on a series, in closed form.

Let x_t be the series in model space (its logarithm, or its value over its mean seasonal difference) and m its season.
The effect e_t is a linear map of features f_t of the covariates at t. Its weights w are fitted by least squares to
seasonal differences,

  x_t - x_{t-m} = (f_t - f_{t-m}) w + error,

so that a level or a seasonal pattern that coincides with a covariate is not mistaken for its effect. A window then
holds x - e, and the effect of the steps ahead is added to the forecast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ostinato.data.seasons import mean_change
from ostinato.direct.inputs import SeriesInputs
from ostinato.direct.ridge import Moments, moments, own, pooled
from ostinato.shapes import Array
from ostinato.spread import ROUNDING
from ostinato.spread import spread as size_of

#: The penalty of the panel's weights, and the strength that draws the weights of a series to them (see ridge.py).
PENALTY, STRENGTH = 1e-4, 300.0
#: The quantiles of a covariate at which its hinges max(x - a, 0) begin.
HINGES = (0.1, 0.3, 0.5, 0.7, 0.9)
#: The most rows whose features are in memory at a time.
_ROWS = 16_384


@dataclass(frozen=True)
class EffectsForm:
    """The choice of features.

    Attributes:
        known: "linear" for the covariates; "curved" also for their squares, hinges, and means over a season; "" for no
            covariates.
        by_hour: Whether each hour of the day has weights of its own.
        clock: Whether each hour of the week has a level of its own.
    """

    known: Literal["", "linear", "curved"] = ""
    by_hour: bool = False
    clock: bool = False


@dataclass(frozen=True)
class Effects:
    """A fitted map from covariates to effects.

    Attributes:
        form: The choice of features.
        season: The number m of steps of a season.
        log: Whether model space is that of logarithms.
        centre: The mean of each covariate, (C,).
        spread: The standard deviation of each covariate, (C,).
        hinges: The places of the hinges of each standardised covariate, (C, R); NaN for a covariate without a curve.
        weights: The weights of the panel, (E,).
        own: The weights of each series, (E,).
    """

    form: EffectsForm
    season: int
    log: bool
    centre: Array
    spread: Array
    hinges: Array
    weights: Array
    own: dict[str, Array]

    def of(self, key: str, y: Array, inputs: SeriesInputs) -> Array:
        """Return the effect at every step of a series and after it in model space, (T + F,).

        Args:
            key: The name of the series.
            y: The values of the series, (T,), from which the size of the effects is computed.
            inputs: The covariates of the series.
        """
        base, w = self._base(inputs), self.own.get(key, self.weights)
        blocks = [self._features(base, inputs.clock, rows) @ w for rows in _blocks(np.arange(len(base)))]
        return np.concatenate(blocks) * unit(y, self.season, self.log)

    def to_json(self) -> dict[str, Any]:
        """Return everything that is not an array, as JSON."""
        return {"form": asdict(self.form), "season": self.season, "log": self.log, "own": list(self.own)}

    def _base(self, inputs: SeriesInputs) -> Array:
        """Return the features of the covariates without the clock, (T + F, C')."""
        if not self.form.known:
            return np.zeros((len(inputs.known), 0))
        z = (inputs.known - self.centre) / self.spread
        if self.form.known == "linear":
            return z
        columns = [z]
        for c in np.flatnonzero(np.isfinite(self.hinges).all(axis=1)):
            x = z[:, c]
            mean = np.convolve(
                np.pad(x, (self.season - 1, 0), mode="edge"), np.ones(self.season) / self.season, "valid"
            )
            hinged = [np.maximum(x - at, 0.0) for at in self.hinges[c]]
            columns.append(np.stack([x**2, *hinged, mean, np.maximum(mean - np.median(self.hinges[c]), 0.0)], axis=1))
        return np.concatenate(columns, axis=1)

    def _features(self, base: Array, clock: NDArray[np.int64], rows: NDArray[np.int64]) -> Array:
        """Return all features of n rows, (n, E)."""
        parts = [base[rows]]
        if self.form.by_hour or self.form.clock:
            hour, day = np.eye(24)[clock[rows, 0]], np.eye(7)[clock[rows, 1]]
            if self.form.by_hour:
                parts.append((parts[0][:, :, None] * hour[:, None]).reshape(len(rows), -1))
            if self.form.clock:
                parts.append((day[:, :, None] * hour[:, None]).reshape(len(rows), -1))
        return np.concatenate(parts, axis=1)

    def _moments(self, y: Array, inputs: SeriesInputs) -> Moments:
        """Return the sums over the seasonal differences of y (T,)."""
        lag = self.season if len(y) > self.season else 1
        with np.errstate(invalid="ignore", divide="ignore"):
            x = np.log(y) if self.log else y / unit(y, self.season, self.log)
        base, change = self._base(inputs), x[lag:] - x[:-lag]
        rows = np.flatnonzero(np.isfinite(change))
        parts = [
            moments(
                self._features(base, inputs.clock, block + lag) - self._features(base, inputs.clock, block),
                change[block, None],
            )
            for block in _blocks(rows)
        ]
        return reduce(add, parts)


def fit_effects(form: EffectsForm, season: int, log: bool, series: dict[str, tuple[Array, SeriesInputs]]) -> Effects:
    """Fit effects to a panel.

    Args:
        form: The choice of features.
        season: The number m of steps of a season.
        log: Whether model space is that of logarithms.
        series: The values (T,) and the inputs of each series.
    """
    known = np.concatenate([inputs.known[: len(y)] for y, inputs in series.values()])
    centre, spread = known.mean(axis=0), known.std(axis=0)
    # a covariate that never changes has the deviation of its rounding errors
    spread = np.where(spread > ROUNDING * np.abs(known).max(axis=0, initial=0.0), spread, 1.0)
    hinges = (np.quantile(known, HINGES, axis=0).T - centre[:, None]) / spread[:, None]
    # a covariate with two values has no curve
    hinges[[len(np.unique(column)) <= 2 for column in known.T]] = np.nan
    empty = Effects(form, season, log, centre, spread, hinges, np.zeros(0), {})
    sums = {k: empty._moments(y, inputs) for k, (y, inputs) in series.items() if np.isfinite(y).sum() > 1}
    W = pooled(reduce(add, (m.capped() for m in sums.values())), PENALTY)
    each = {k: own(m, W, STRENGTH)[:-1, 0] for k, m in sums.items()} if len(sums) > 1 else {}
    return Effects(form, season, log, centre, spread, hinges, W[:-1, 0], each)


def unit(y: Array, season: int, log: bool) -> float:
    """Return the unit of effects on y (T,): 1 for logarithms, otherwise the mean absolute seasonal difference.

    A series without such a difference has the standard deviation of its values as its unit.
    """
    if log:
        return 1.0
    change = mean_change(y, season)
    return change if change > 0 else size_of(y)


def forms(inputs: Iterable[SeriesInputs]) -> Iterator[EffectsForm]:
    """Return the forms that are possible with these inputs, the simplest first."""
    first = next(iter(inputs))
    clocks = (False, True) if first.clock.shape[1] else (False,)
    for clock in clocks:
        if clock:
            yield EffectsForm(clock=True)
        if first.known.shape[1]:
            yield EffectsForm("linear", by_hour=False, clock=clock)
            yield from (EffectsForm("curved", by_hour, clock) for by_hour in clocks)


def _blocks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return rows cut into blocks of at most _ROWS."""
    return np.array_split(rows, max(1, -(-len(rows) // _ROWS)))
