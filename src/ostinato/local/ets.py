"""Exponential smoothing for a whole panel: every form is fitted to every series at once, and AICc chooses for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.local.ets_ahead import moments, quantiles
from ostinato.local.ets_coordinates import Coordinates
from ostinato.local.ets_start import line, seasons
from ostinato.local.panel import Ahead, Panel
from ostinato.local.quasi_newton import minimise
from ostinato.ops.ets.form import FORMS, Batch, Form
from ostinato.ops.selection import pick

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

#: The forms to choose from: those that the R package forecast allows.
STABLE = tuple(form for form in FORMS if form.stable)

#: The longest season that a form has. A longer one has more initial states than a series can tell.
LONGEST = 24

#: Values of alpha, beta / alpha and gamma / (1 - alpha) to start from. The likeliest is taken.
_STARTS = ((0.1, 0.1, 0.05), (0.5, 0.1, 0.1), (0.9, 0.05, 0.1))

#: How many rows are fitted together: so many that their matrices stay in the cache.
_ROWS = 1024


class _Values(NamedTuple):
    """The panel as one array.

    Attributes:
        y: The values divided by their scale, (S, T), NaN where missing or after the end.
        lengths: The number of steps, (S,).
        observed: The number of observed values, (S,).
        scale: The power of two that the values were divided by, (S,).
        floor: The mean square below which errors are rounding, (S,).
    """

    y: Array
    lengths: Indices
    observed: Indices
    scale: Array
    floor: Array


class _Try(NamedTuple):
    """One form, fitted to the series that allow it."""

    form: Form
    rows: Indices
    theta: Array
    log_likelihood: Array


@final
@dataclass(frozen=True)
class FittedETS:
    """Exponential smoothing, fitted to a panel.

    A point forecast is the mean of the model.

    Attributes:
        forms: The chosen form of each series, S.
        theta: The parameters of each series, (6 + m_s,): alpha, beta, gamma, phi, and the states before the first step: level,
            trend, and the seasons, that of the first step first.
        last: The states after the last step of each series, (2 + m_s,), the season of the next step first.
        log_likelihood: The log-likelihood of each series, in nats, (S,).
        aicc: The corrected criterion of Akaike, (S,); infinite for a series that is too short for it.
        variance: The variance of the errors, corrected for the number of parameters, (S,).
        residuals: The one-step errors of each series, (T_s,), NaN where missing; relative to the prediction where the error is
            multiplicative.
    """

    forms: tuple[Form, ...]
    theta: tuple[Array, ...]
    last: tuple[Array, ...]
    log_likelihood: Array
    aicc: Array
    variance: Array
    residuals: tuple[Array, ...]

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series: see the class and ``Fitted``."""
        S = len(self.forms)
        point, spread = np.empty((S, horizon)), np.empty((S, horizon, len(probabilities)))
        kinds = [(form, len(theta)) for form, theta in zip(self.forms, self.theta, strict=True)]
        for kind in dict.fromkeys(kinds):
            rows = [s for s in range(S) if kinds[s] == kind]
            theta, last = (np.stack([held[s] for s in rows]) for held in (self.theta, self.last))
            mean, variance = moments(kind[0], theta, last, self.variance[rows], horizon)
            point[rows], spread[rows] = mean, quantiles(kind[0], mean, variance, probabilities)
        return Ahead(point, spread)

    def said(self, s: int) -> str:
        """Return the form of series ``s``, such as ``ETS(A,Ad,M)``."""
        return str(self.forms[s])


def fit_ets(panel: Panel, forms: Sequence[Form] = STABLE) -> FittedETS:
    """Fit exponential smoothing to every series of a panel, and choose a form for each by AICc.

    A form is tried where the data allow it: multiplicative forms need positive values, seasons need two of their periods, and
    AICc needs more values than parameters. A series that is too short for every form gets simple exponential smoothing. Of
    several seasons the shortest counts, if it has at most 24 steps.

    Args:
        panel: The series.
        forms: The forms to choose from, for example those of ``STABLE`` without a season. A multiplicative season with an additive
            error divides by a state that can pass zero, so it should not be among them.

    Returns:
        The fit. A perfect fit has a likelihood with the variance of rounding errors.
    """
    values = _values(panel)
    m = panel.seasons[0] if panel.seasons and panel.seasons[0] <= LONGEST else 0
    S, T = values.y.shape
    best = np.full(S, np.inf)
    chosen: list[tuple[_Try, int] | None] = [None] * S
    for form in forms:
        found = _fit_form(values, form, m)
        criterion = _aicc(found.log_likelihood, form.count(m), values.observed[found.rows])
        # a form with more parameters must be better by more than rounding
        for i in np.flatnonzero(criterion < best[found.rows] - 1e-6):
            best[found.rows[i]], chosen[found.rows[i]] = criterion[i], (found, int(i))
    left = np.flatnonzero([one is None for one in chosen])
    if len(left):
        simple = _fit_rows(values, Form("A", "N", "N"), 0, left)
        for i, s in enumerate(left):
            chosen[s] = simple, i
    return _collect(values, m, [one for one in chosen if one is not None], best)


def _values(panel: Panel) -> _Values:
    """Return the panel as one array in units of each series."""
    S, lengths = len(panel), np.array([len(v) for v in panel.values], dtype=np.int64)
    y = np.full((S, int(lengths.max(initial=1))), np.nan)
    for s, v in enumerate(panel.values):
        y[s, : len(v)] = v
    observed = (~np.isnan(y)).sum(1)
    size = np.nan_to_num(np.abs(y)).max(1)
    scale = np.exp2(np.round(np.log2(np.where(size > 0, size, 1))))
    y /= scale[:, None]
    steps = np.nan_to_num(np.diff(y, axis=1))
    ripple = 1e-6 * np.sqrt((steps**2).sum(1) / np.maximum(observed - 1, 1))
    return _Values(y, lengths, observed, scale, np.maximum(ripple, 4 * np.finfo(float).eps) ** 2)


def _aicc(log_likelihood: Array, parameters: int, observed: Indices) -> Array:
    """Return the corrected criterion of Akaike, infinite without more values than parameters."""
    spare = observed - parameters - 1
    penalty = 2 * parameters + 2 * parameters * (parameters + 1) / np.maximum(spare, 1)
    return np.where(spare > 0, penalty - 2 * log_likelihood, np.inf)


def _fit_form(values: _Values, form: Form, m: int) -> _Try:
    """Fit one form to the series that allow it."""
    allowed = values.observed > form.count(m) + 1
    if form.positive:
        allowed &= np.nanmin(values.y, axis=1, initial=np.inf) > 0
    if form.seasonal:
        allowed &= (m > 0) & (values.lengths >= 2 * m)
    return _fit_rows(values, form, m * form.seasonal, np.flatnonzero(allowed))


def _fit_rows(values: _Values, form: Form, m: int, rows: Indices) -> _Try:
    """Fit one form to these series, some hundred at a time: those of similar length together."""
    order = rows[np.argsort(values.lengths[rows], kind="stable")]
    parts = [_fit_part(values, form, m, order[i : i + _ROWS]) for i in range(0, len(order), _ROWS)]
    if not parts:
        return _Try(form, order, np.empty((0, 6 + m)), np.empty(0))
    return _Try(form, order, *(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _fit_part(values: _Values, form: Form, m: int, rows: Indices) -> tuple[Array, Array]:
    """Return the parameters, (B, 6 + m), and the log-likelihood, (B,), of one form for these series."""
    lengths, floor = values.lengths[rows], values.floor[rows]
    y = np.ascontiguousarray(values.y[rows, : int(lengths.max())])
    if form.error == "M":
        floor = floor / np.nanmean(y, axis=1) ** 2
    unroll = pick("ets", dtype=torch.float64)
    everything = np.arange(len(rows))
    whole = Batch(y, everything, lengths, floor)
    starts = _starts(form, y, m)
    values_there = np.stack([unroll(whole, form, start).log_likelihood for start in starts])
    start = np.stack(starts)[values_there.argmax(0), everything]
    likelihood = values_there.max(0)
    count = np.maximum((~np.isnan(y)).sum(1), 1)
    with np.errstate(over="ignore"):
        unit = np.exp(np.clip(-likelihood / count, -700, 700)) / np.sqrt(2 * np.pi * np.e)
    units = np.repeat(unit[:, None], 2 + m, 1)
    if form.season == "M":
        units[:, 2:] /= np.abs(start[:, 4:5]) + unit[:, None]
    units[:, 1] /= np.sqrt(np.minimum(count, 10))
    coordinates = Coordinates(form, m, start, units)

    def objective(chosen: Indices, x: Array) -> tuple[Array, Array]:
        theta = coordinates.theta(chosen, x)
        found = unroll(Batch(y, chosen, lengths[chosen], floor[chosen]), form, theta, gradient=True)
        return -found.log_likelihood, -coordinates.pull_back(chosen, x, found.gradient)

    lowest = minimise(objective, coordinates.point())
    return coordinates.theta(everything, lowest.x), -lowest.value


def _starts(form: Form, y: Array, m: int) -> list[Array]:
    """Return the parameters to start from, (B, 6 + m) each."""
    season = seasons(y, m, multiplicative=form.season == "M") if m else np.empty((len(y), 0))
    adjusted = y
    if m:
        repeated = np.tile(season, -(-y.shape[1] // m))[:, : y.shape[1]]
        adjusted = y / repeated if form.season == "M" else y - repeated
    level, slope, mean = line(adjusted, max(10, 2 * m))
    trend = form.trend != "N"
    flat = not trend
    starts = []
    for alpha, beta, gamma in _STARTS:
        theta = np.zeros((len(y), 6 + m))
        theta[:, 0], theta[:, 3] = alpha, 0.97 if form.trend == "Ad" else 1
        theta[:, 1], theta[:, 2] = trend * alpha * beta, (m > 0) * (1 - alpha) * gamma
        usable = (level > 0) & (level + slope > 0) if form.positive else np.ones(len(y), dtype=bool)
        theta[:, 4] = mean if flat else np.where(usable, level, mean)
        theta[:, 5] = 0 if flat else np.where(usable, slope, 0)
        theta[:, 6:] = season
        starts.append(theta)
    return starts


def _collect(values: _Values, m: int, chosen: list[tuple[_Try, int]], aicc: Array) -> FittedETS:
    """Return the fit of the chosen forms in the units of the data."""
    S = len(chosen)
    empty = np.empty(0)
    theta, last, residuals = [empty] * S, [empty] * S, [empty] * S
    log_likelihood, variance = np.empty(S), np.empty(S)
    unroll = pick("ets", dtype=torch.float64)
    for form in dict.fromkeys(found.form for found, _ in chosen):
        rows = np.array([s for s in range(S) if chosen[s][0].form == form])
        free = np.stack([chosen[s][0].theta[chosen[s][1]] for s in rows])
        y, lengths, scale = values.y[rows], values.lengths[rows], values.scale[rows]
        batch = Batch(y, np.arange(len(rows)), lengths, values.floor[rows])
        found = unroll(batch, form, free, path=True)
        relative = form.error == "M"
        with np.errstate(invalid="ignore", divide="ignore"):
            errors = (y - found.mean) / (found.mean if relative else 1)
        spare = np.maximum(values.observed[rows] - (form.count(m) - 1), 1)
        variance[rows] = np.nansum(errors**2, axis=1) / spare * (1 if relative else scale**2)
        stretch = np.where(np.arange(free.shape[1] - 4) < (6 if form.season == "A" else 2), scale[:, None], 1)
        if form.season == "A":
            stretch[:] = scale[:, None]
        for i, s in enumerate(rows):
            theta[s] = np.concatenate([free[i, :4], free[i, 4:] * stretch[i]])
            last[s] = found.last[i] * stretch[i]
            residuals[s] = errors[i, : lengths[i]] * (1 if relative else scale[i])
            attempt, at = chosen[s]
            log_likelihood[s] = attempt.log_likelihood[at] - values.observed[s] * np.log(scale[i])
    return FittedETS(
        tuple(found.form for found, _ in chosen),
        tuple(theta),
        tuple(last),
        log_likelihood,
        aicc + 2 * values.observed * np.log(values.scale),
        variance,
        tuple(residuals),
    )
