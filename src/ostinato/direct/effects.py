"""What known covariates and the clock do to a series, in closed form.

With x_t the series in model space (its logarithm, or its value over its spread) and m its season, the effect e_t is a
linear map of features of the covariates at t, and its weights are those of least squares on seasonal differences,

  x_t - x_{t-m} = (f_t - f_{t-m}) w + error,

so that neither the level of a series nor its daily round, which may go along with a covariate, are mistaken for its
effect. A window then holds x - e, and the effect of the steps ahead is added to what is forecast of it.
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

Array = NDArray[np.float64]

#: Penalty of the panel's weights, and what a series' own are drawn to them by: as direct least squares.
PENALTY, STRENGTH = 1e-4, 300.0
#: Hinges stand at these quantiles of a covariate.
HINGES = (0.1, 0.3, 0.5, 0.7, 0.9)
#: Rows whose features are held at a time.
_ROWS = 16_384


@dataclass(frozen=True)
class Form:
    """Which features there are.

    known    "linear": the covariates; "curved": also their squares, hinges, and means over a season; "": none
    by_hour  a set of weights an hour of the day;  clock  a level for every hour of the week
    """

    known: Literal["", "linear", "curved"] = ""
    by_hour: bool = False
    clock: bool = False


@dataclass(frozen=True)
class Effects:
    """A fitted map from covariates to effects. centre, spread (C), hinges (C, R); weights (E); own: by series, (E)."""

    form: Form
    season: int
    log: bool
    centre: Array
    spread: Array
    hinges: Array
    weights: Array
    own: dict[str, Array]

    def of(self, key: str, y: Array, beside: SeriesInputs) -> Array:
        """(T + F): the effect at every step that beside knows, in model space; y is what its size is taken from."""
        base, w = self._base(beside), self.own.get(key, self.weights)
        blocks = [self._features(base, beside.clock, rows) @ w for rows in _blocks(np.arange(len(base)))]
        return np.concatenate(blocks) * unit(y, self.season, self.log)

    def to_json(self) -> dict[str, Any]:
        """What is not an array, as JSON."""
        return {"form": asdict(self.form), "season": self.season, "log": self.log, "own": list(self.own)}

    def _base(self, beside: SeriesInputs) -> Array:
        """(T + F, C'): the features of one hour."""
        if not self.form.known:
            return np.zeros((len(beside.known), 0))
        z = (beside.known - self.centre) / self.spread
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
        """(n, E): those of these rows."""
        parts = [base[rows]]
        if self.form.by_hour or self.form.clock:
            hour, day = np.eye(24)[clock[rows, 0]], np.eye(7)[clock[rows, 1]]
            if self.form.by_hour:
                parts.append((parts[0][:, :, None] * hour[:, None]).reshape(len(rows), -1))
            if self.form.clock:
                parts.append((day[:, :, None] * hour[:, None]).reshape(len(rows), -1))
        return np.concatenate(parts, axis=1)

    def _moments(self, y: Array, beside: SeriesInputs) -> Moments:
        """Of the seasonal differences of y (T,)."""
        lag = self.season if len(y) > self.season else 1
        with np.errstate(invalid="ignore", divide="ignore"):
            x = np.log(y) if self.log else y / unit(y, self.season, self.log)
        base, change = self._base(beside), x[lag:] - x[:-lag]
        rows = np.flatnonzero(np.isfinite(change))
        parts = [
            moments(
                self._features(base, beside.clock, some + lag) - self._features(base, beside.clock, some),
                change[some, None],
            )
            for some in _blocks(rows)
        ]
        return reduce(add, parts)


def fit_effects(form: Form, season: int, log: bool, series: dict[str, tuple[Array, SeriesInputs]]) -> Effects:
    """The effects in series: key -> y (T,), and what is known beside its steps."""
    known = np.concatenate([beside.known[: len(y)] for y, beside in series.values()])
    centre, spread = known.mean(axis=0), known.std(axis=0)
    spread = np.where(spread > 1e-12, spread, 1.0)
    hinges = (np.quantile(known, HINGES, axis=0).T - centre[:, None]) / spread[:, None]
    # what has two values has no curve
    hinges[[len(np.unique(column)) <= 2 for column in known.T]] = np.nan
    empty = Effects(form, season, log, centre, spread, hinges, np.zeros(0), {})
    sums = {k: empty._moments(y, beside) for k, (y, beside) in series.items() if np.isfinite(y).sum() > 1}
    W = pooled(reduce(add, (m.capped() for m in sums.values())), PENALTY)
    mine = {k: own(m, W, STRENGTH)[:-1, 0] for k, m in sums.items()} if len(sums) > 1 else {}
    return Effects(form, season, log, centre, spread, hinges, W[:-1, 0], mine)


def unit(y: Array, season: int, log: bool) -> float:
    """What effects on y (T,) are measured in: nothing for logarithms, else its mean absolute seasonal difference."""
    if log:
        return 1.0
    change = mean_change(y, season)
    return max(change, 1e-300) if change > 0 else 1.0


def forms(beside: Iterable[SeriesInputs]) -> Iterator[Form]:
    """The forms that could be, the simplest first."""
    first = next(iter(beside))
    clocks = (False, True) if first.clock.shape[1] else (False,)
    for clock in clocks:
        if clock:
            yield Form(clock=True)
        if first.known.shape[1]:
            yield Form("linear", False, clock)
            yield from (Form("curved", by_hour, clock) for by_hour in clocks)


def _blocks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.array_split(rows, max(1, -(-len(rows) // _ROWS)))
