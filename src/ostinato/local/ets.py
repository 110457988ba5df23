"""Exponential smoothing for a whole panel: every form is fitted to every series at once, and AICc chooses for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ostinato.local.panel import Ahead, Panel
from ostinato.local.smoothing.ahead import moments, quantiles
from ostinato.local.smoothing.scaled import Indices, Scaled
from ostinato.local.smoothing.search import EXACT, NEAR, NEAR_STEPS, ROUGH, ROUGH_STEPS, STEPS, Search, floors, go_on
from ostinato.ops.ets.choice import unroll_in_use
from ostinato.ops.ets.form import FORMS, Batch, Form
from ostinato.shapes import Array

#: The forms to choose from: those that the R package forecast allows.
STABLE = tuple(form for form in FORMS if form.stable)

#: The longest season that a form has. A longer one has more initial states than a series can tell.
LONGEST = 24

#: The form of a series that is too short for every other.
_SIMPLE = Form("A", "N", "N")

#: The number of series fitted together, such that the matrices of one form stay in the cache, and those of all forms
#: in memory.
_ROWS = 1024

#: By how much a form with more parameters must be better: by more than rounding.
_TIE = 1e-6

#: How far behind the best a form may be after the rough search and still be searched exactly. On the monthly series of
#: M1 the choice from the forms with additive errors is that of exact searches alone in 614 of 617 series.
_BEHIND = 8.0


@final
@dataclass(frozen=True)
class FittedETS:
    """Exponential smoothing, fitted to a panel.

    A point forecast is the mean of the model.

    Attributes:
        forms: The chosen form of each series, S.
        theta: The parameters of each series, (6 + m_s,): alpha, beta, gamma, phi, and the states before the first
            step: level, trend, and the seasons, that of the first step first.
        last: The states after the last step of each series, (2 + m_s,), the season of the next step first.
        log_likelihood: The log-likelihood of each series, in nats, (S,).
        aicc: The corrected criterion of Akaike, (S,); infinite for a series that is too short for it.
        variance: The variance of the errors, corrected for the number of parameters, (S,).
        residuals: The one-step errors of each series, (T_s,), NaN where missing; relative to the prediction where the
            error is multiplicative.
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
        for form in dict.fromkeys(self.forms):
            rows = [s for s in range(S) if self.forms[s] == form]
            theta, last = (np.stack([held[s] for s in rows]) for held in (self.theta, self.last))
            mean, variance = moments(form, theta, last, self.variance[rows], horizon)
            point[rows], spread[rows] = mean, quantiles(form, mean, variance, probabilities)
        return Ahead(point, spread)

    def description(self, s: int) -> str:
        """Return the form of series ``s``, such as ``ETS(A,Ad,M)``."""
        return str(self.forms[s])


def fit_ets(panel: Panel, forms: Sequence[Form] = STABLE, tolerance: float = EXACT) -> FittedETS:
    """Fit exponential smoothing to every series of a panel, and choose a form for each by AICc.

    Every form is searched roughly, and those that are then close to the best are searched exactly.

    A form is tried where the data allow it: multiplicative forms need positive values, seasons need two of their
    periods, and AICc needs more values than parameters. A series that is too short for every form gets simple
    exponential smoothing. Of several seasons the shortest counts, if it has at most 24 steps.

    Args:
        panel: The series.
        forms: The forms to choose from, for example those of ``STABLE`` without a season. A multiplicative season with
            an additive error divides by a state that can pass zero, so it should not be among them.
        tolerance: By how many nats the searches may fall short of the maximum, about.

    Returns:
        The fit. A perfect fit has the likelihood of rounding errors.
    """
    if len(panel) <= _ROWS:
        return _fit(panel, forms, tolerance)
    order = np.argsort([len(y) for y in panel.values], kind="stable")
    blocks = [order[i : i + _ROWS] for i in range(0, len(order), _ROWS)]
    parts = [_fit(Panel(tuple(panel.values[s] for s in rows), panel.seasons), forms, tolerance) for rows in blocks]
    return _joined(parts, np.argsort(order, kind="stable"))


def _joined(parts: Sequence[FittedETS], order: Indices) -> FittedETS:
    """Return the fits of several panels as that of one, whose series ``s`` is number ``order[s]`` of them all."""
    forms, theta, last, residuals = (
        [held for part in parts for held in getattr(part, name)] for name in ("forms", "theta", "last", "residuals")
    )
    log_likelihood, aicc, variance = (
        np.concatenate([getattr(part, name) for part in parts])[order]
        for name in ("log_likelihood", "aicc", "variance")
    )
    return FittedETS(
        tuple(forms[s] for s in order),
        tuple(theta[s] for s in order),
        tuple(last[s] for s in order),
        log_likelihood,
        aicc,
        variance,
        tuple(residuals[s] for s in order),
    )


def _fit(panel: Panel, forms: Sequence[Form], tolerance: float) -> FittedETS:
    """Fit every form to every series of a panel, and choose; see ``fit_ets``."""
    values, quick = Scaled.of(panel), tolerance >= NEAR
    m = panel.seasons[0] if panel.seasons and panel.seasons[0] <= LONGEST else 0
    each = [(form, _allowed(values, form, m)) for form in forms if m or not form.seasonal]
    tried = [Search(values, form, m, rows) for form, rows in each if len(rows)]
    best = np.full(len(panel), np.inf)
    go_on(tried, [np.arange(len(search.rows)) for search in tried], ROUGH, ROUGH_STEPS if quick else STEPS)
    for search in tried:
        best[search.rows] = np.fmin(best[search.rows], _aicc(search, values, m))
    chosen, least, bound = np.full((len(panel), 2), -1), np.full(len(panel), np.inf), best + _BEHIND
    near = [np.flatnonzero(_aicc(search, values, m) <= bound[search.rows]) for search in tried]
    go_on(tried, near, tolerance, NEAR_STEPS if quick else STEPS)
    for i, (search, some) in enumerate(zip(tried, near, strict=True)):
        rows, criterion = search.rows[some], _aicc(search, values, m)[some]
        better = criterion < least[rows] - _TIE
        least[rows[better]] = criterion[better]
        chosen[rows[better], 0], chosen[rows[better], 1] = i, some[better]
    left = np.flatnonzero(chosen[:, 0] < 0)
    if len(left):
        search = Search(values, _SIMPLE, 0, left)
        go_on([search], [np.arange(len(search.rows))], tolerance)
        chosen[search.rows, 0], chosen[search.rows, 1] = len(tried), np.arange(len(search.rows))
        tried.append(search)
    return _collect(values, m, tried, chosen, least)


def _allowed(values: Scaled, form: Form, m: int) -> Indices:
    """Return the series that allow a form, the shortest first, (R,): rows that are unrolled together end together."""
    allowed = values.observed > form.count(m) + 1
    if form.positive:
        allowed &= values.positive
    if form.seasonal:
        allowed &= values.lengths >= 2 * m
    rows = np.flatnonzero(allowed)
    return rows[np.argsort(values.lengths[rows], kind="stable")]


def _aicc(search: Search, values: Scaled, m: int) -> Array:
    """Return the corrected criterion of Akaike, (R,), for more values than parameters."""
    parameters, observed = search.form.count(m), values.observed[search.rows]
    return np.asarray(2 * parameters * observed / (observed - parameters - 1) - 2 * search.log_likelihood)


def _collect(values: Scaled, m: int, tried: list[Search], chosen: Indices, aicc: Array) -> FittedETS:
    """Return the chosen fits in the units of the data.

    Args:
        values: The series.
        m: The length of the season.
        tried: The searches.
        chosen: For each series, the search and the row in it, (S, 2).
        aicc: The criterion of the scaled series, (S,).
    """
    S, unroll = len(chosen), unroll_in_use()
    forms = [_SIMPLE] * S
    theta, last, residuals = ([np.empty(0)] * S for _ in range(3))
    log_likelihood, variance = np.empty(S), np.empty(S)
    for i in np.unique(chosen[:, 0]):
        search, rows = tried[i], np.flatnonzero(chosen[:, 0] == i)
        form, at = search.form, chosen[rows, 1]
        fitted = search.theta(at)
        batch = Batch(values.y[rows], np.arange(len(rows)), values.lengths[rows], floors(values, form, rows))
        found = unroll(batch, form, fitted, path=True)
        assert found.mean is not None
        assert found.last is not None
        errors, units = values.y[rows] - found.mean, _data_units(form, values.scale[rows], found.last.shape[1])
        errors *= values.scale[rows, None] if form.error == "A" else 1 / np.where(batch.y == batch.y, found.mean, 1)
        spare = np.maximum(values.observed[rows] - form.count(m) + 1, 1)
        log_likelihood[rows] = search.log_likelihood[at]
        variance[rows] = np.nansum(errors**2, axis=1) / spare
        for k, s in enumerate(rows):
            forms[s], residuals[s] = form, errors[k, : values.lengths[s]]
            theta[s] = np.concatenate([fitted[k, :4], fitted[k, 4:] * units[k]])
            last[s] = found.last[k] * units[k]
    log_scale = values.observed * np.log(values.scale)
    return FittedETS(
        tuple(forms),
        tuple(theta),
        tuple(last),
        log_likelihood - log_scale,
        aicc + 2 * log_scale,
        variance,
        tuple(residuals),
    )


def _data_units(form: Form, scale: Array, states: int) -> Array:
    """Return what the states of scaled series are multiplied by, (R, 2 + m): a ratio has no unit."""
    units = np.repeat(scale[:, None], states, 1)
    if form.season == "M":
        units[:, 2:] = 1
    return units
