"""The likeliest parameters of one form for many series at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ostinato.local.panel import Array
from ostinato.local.quasi_newton import minimise
from ostinato.local.smoothing.coordinates import Coordinates
from ostinato.local.smoothing.scaled import Indices, Scaled
from ostinato.local.smoothing.start import line, seasons
from ostinato.ops.ets.choice import unroll_in_use
from ostinato.ops.ets.form import Batch, Form

#: Values of alpha, beta / alpha, gamma / (1 - alpha), and the share of slope and season to start from. The likeliest is
#: taken. Without a slope and a season, the mean of positive values stays positive.
_STARTS = (
    (0.05, 0.1, 0.05, 1.0),
    (0.3, 0.1, 0.05, 1.0),
    (0.3, 0.5, 0.05, 1.0),
    (0.7, 0.05, 0.1, 1.0),
    (0.95, 0.02, 0.1, 1.0),
    (0.1, 0.1, 0.5, 1.0),
    (0.2, 0.05, 0.9, 1.0),
    (0.5, 0.02, 0.9, 1.0),
    (0.5, 0.02, 0.02, 0.5),
    (0.9, 0.02, 0.02, 0.0),
    (0.5, 0.02, 0.02, 0.0),
)

#: The damping to start from.
_DAMPING = 0.97

#: How many rows are fitted together: so many that their matrices stay in the cache.
_ROWS = 1024


class Fits(NamedTuple):
    """One form, fitted to some series.

    Attributes:
        form: The form.
        rows: The series, (R,).
        theta: The parameters in units of the scaled series, (R, 6 + m).
        log_likelihood: The log-likelihood of the scaled series, in nats, (R,).
    """

    form: Form
    rows: Indices
    theta: Array
    log_likelihood: Array


def fit_form(values: Scaled, form: Form, period: int, rows: Indices) -> Fits:
    """Fit one form to these series, those of similar length together.

    Args:
        values: The series.
        form: The form.
        period: The length m of the season in steps; it counts only if the form has a season.
        rows: The series to fit, (R,).
    """
    m = period * form.seasonal
    order = rows[np.argsort(values.lengths[rows], kind="stable")]
    parts = [_fit(values, form, m, order[i : i + _ROWS]) for i in range(0, len(order), _ROWS)]
    thetas, likelihoods = [np.empty((0, 6 + m))], [np.empty(0)]
    thetas += [theta for theta, _ in parts]
    likelihoods += [value for _, value in parts]
    return Fits(form, order, np.concatenate(thetas), np.concatenate(likelihoods))


def _fit(values: Scaled, form: Form, m: int, rows: Indices) -> tuple[Array, Array]:
    """Return the parameters, (B, 6 + m), and the log-likelihood, (B,), of one form for these series."""
    lengths, floor = values.lengths[rows], floors(values, form, rows)
    y = np.ascontiguousarray(values.y[rows, : int(lengths.max())])
    unroll = unroll_in_use()
    everything = np.arange(len(rows))
    starts = _starts(form, y, m)
    at_start = np.stack([unroll(Batch(y, everything, lengths, floor), form, s).log_likelihood for s in starts])
    start = np.stack(starts)[at_start.argmax(0), everything]
    units = _units(form, start, at_start.max(0), values.observed[rows])
    coordinates = Coordinates(form, m, start, units)

    def objective(chosen: Indices, x: Array) -> tuple[Array, Array]:
        theta = coordinates.theta(chosen, x)
        found = unroll(Batch(y, chosen, lengths[chosen], floor[chosen]), form, theta, gradient=True)
        assert found.gradient is not None
        return -found.log_likelihood, -coordinates.pull_back(chosen, x, found.gradient)

    lowest = minimise(objective, coordinates.point())
    return coordinates.theta(everything, lowest.x), -lowest.value


def floors(values: Scaled, form: Form, rows: Indices) -> Array:
    """Return what is added to the mean squared error of these series, (R,), relative where the error is."""
    if form.error == "A":
        return values.floor[rows]
    mean = np.nansum(values.y[rows], axis=1) / values.observed[rows]
    return np.asarray(values.floor[rows] / mean**2)


def _units(form: Form, start: Array, log_likelihood: Array, observed: Indices) -> Array:
    """Return how far a state moves by one coordinate, (B, 2 + m): about as far as the innovations."""
    # the variance at the start, from its likelihood: for a relative error it is that at the geometric mean
    nats = np.clip(-log_likelihood / np.maximum(observed, 1), -700, 700)
    size = np.exp(nats) / np.sqrt(2 * np.pi * np.e)
    units = np.repeat(size[:, None], start.shape[1] - 4, 1)
    units[:, 1] /= np.sqrt(np.clip(observed, 1, 10))
    if form.season == "M":
        units[:, 2:] /= (np.abs(start[:, 4]) + size)[:, None]
    return units


def _starts(form: Form, y: Array, m: int) -> list[Array]:
    """Return the parameters to start from, (B, 6 + m) each."""
    relative = form.season == "M"
    season = seasons(y, m, multiplicative=relative) if m else np.empty((len(y), 0))
    adjusted = y
    if m:
        repeated = np.tile(season, -(-y.shape[1] // m))[:, : y.shape[1]]
        adjusted = y / repeated if relative else y - repeated
    level, slope, mean = line(adjusted, max(10, 2 * m))
    rises = np.full(len(y), form.trend != "N")
    if form.positive:
        rises &= (level > 0) & (level + slope > 0)
    starts = []
    for alpha, beta, gamma, share in _STARTS:
        theta = np.zeros((len(y), 6 + m))
        theta[:, 0], theta[:, 3] = alpha, _DAMPING if form.trend == "Ad" else 1
        theta[:, 1], theta[:, 2] = (form.trend != "N") * alpha * beta, (m > 0) * (1 - alpha) * gamma
        theta[:, 4], theta[:, 5] = np.where(rises & (share > 0), level, mean), np.where(rises, share * slope, 0)
        theta[:, 6:] = relative + share * (season - relative)
        starts.append(theta)
    return starts
