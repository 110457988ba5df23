"""The likeliest parameters of one form for many series at once, in a rough search that can go on to an exact one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from ostinato.fits.quasi_newton import minimise
from ostinato.local.smoothing.coordinates import Coordinates
from ostinato.local.smoothing.scaled import Indices, Scaled
from ostinato.ops.ets.choice import unroll_in_use
from ostinato.ops.ets.form import Batch, Form
from ostinato.shapes import Array

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

#: By how many nats a search may fall short of the maximum, about: a rough one tells which forms are worth an exact one.
#: A near one takes 0.6 of the time of an exact one, and half of the forecasts of M1's monthly series move by < .03 %.
ROUGH, NEAR, EXACT = 0.2, 1e-2, 1e-4

#: The greatest number of evaluations of a series in an exact search, in a near one and in a rough one. The last few
#: series of a panel would else take as long as all others. No forecast of the six groups of M1 and of the tourism
#: competition is worse for it.
STEPS, NEAR_STEPS, ROUGH_STEPS = 150, 50, 20


#: The greatest number of series and forms in one minimisation: their matrices stay in the cache.
_TOGETHER = 2048


@final
class Search:
    """One form on its way to its likeliest parameters, for series of similar length.

    Attributes:
        form: The form.
        rows: The series, (R,).
        values: The series of the panel.
        floor: What is added to the mean squared error of each series, (R,); see ``floors``.
        coordinates: The coordinates of the form.
        log_likelihood: The log-likelihood of the scaled series so far, in nats, (R,).
        x: The coordinates so far, (R, p).
        inverse: What is known of the inverse Hessians there, (R, p, p); see ``Minimum``.

    Args:
        values: The series.
        form: The form.
        period: The length m of the season in steps; it counts only if the form has a season.
        rows: The series to fit, (R,).
    """

    def __init__(self, values: Scaled, form: Form, period: int, rows: Indices) -> None:
        m = period * form.seasonal
        self.form, self.rows, self.values = form, rows, values
        self.floor = floors(values, form, rows)
        batch = Batch(values.y, rows, values.lengths[rows], self.floor)
        starts, unroll = _starts(form, values, rows, m), unroll_in_use()
        at_start = np.stack([unroll(batch, form, start).log_likelihood for start in starts])
        start = np.stack(starts)[at_start.argmax(0), np.arange(len(rows))]
        units = _units(form, start, at_start.max(0), values.observed[rows])
        self.coordinates = Coordinates([form], [len(rows)], start, units)
        self.x, self.log_likelihood = self.coordinates.point(), at_start.max(0)
        self.inverse = np.zeros((len(rows), *self.x.shape[1:] * 2))

    def theta(self, some: Indices) -> Array:
        """Return the parameters of some series in units of the scaled series, (b, 6 + m)."""
        return self.coordinates.theta_and_shares(some, self.x[some])[0]


def go_on(searches: Sequence[Search], some: Sequence[Indices], tolerance: float, steps: int = STEPS) -> None:
    """Search on for some of the series of each search until a step promises and brings less than the tolerance.

    The searches are one minimisation, because most of its time is that of its calls and not of its arithmetic. A form
    with fewer coordinates has others that change nothing.

    Args:
        searches: The searches.
        some: The places of these series in the ``rows`` of each search, (b,) each.
        tolerance: The tolerance in nats, such as ROUGH or EXACT.
        steps: The greatest number of evaluations of a series.
    """
    for part in _grouped(searches, some):
        _go_on([searches[i] for i in part], [some[i] for i in part], tolerance, steps)


def _grouped(searches: Sequence[Search], some: Sequence[Indices]) -> list[list[int]]:
    """Return which searches are one minimisation: with a season, or without, and as many as fit into the cache."""
    out: list[list[int]] = []
    left = {True: 0, False: 0}
    last: dict[bool, list[int]] = {}
    for i, search in enumerate(searches):
        seasonal, count = search.form.seasonal, len(some[i])
        if not count:
            continue
        if seasonal not in last or count > left[seasonal]:
            last[seasonal], left[seasonal] = [], _TOGETHER
            out.append(last[seasonal])
        last[seasonal].append(i)
        left[seasonal] -= count
    return out


def _go_on(searches: list[Search], some: list[Indices], tolerance: float, steps: int) -> None:
    """Search on in one minimisation; see ``go_on``."""
    pairs = sorted(zip(searches, some, strict=True), key=lambda pair: _recurrence(pair[0].form))
    searches, some = [search for search, _ in pairs], [rows for _, rows in pairs]
    ends = np.cumsum([len(rows) for rows in some])
    parts = [slice(int(end) - len(rows), int(end)) for end, rows in zip(ends, some, strict=True)]
    width = max(search.x.shape[1] for search in searches)
    x, inverse = np.zeros((int(ends[-1]), width)), np.zeros((int(ends[-1]), width, width))
    for search, rows, part in zip(searches, some, parts, strict=True):
        p = search.x.shape[1]
        x[part, :p], inverse[part, :p, :p] = search.x[rows], search.inverse[rows]

    values = searches[0].values
    series = np.concatenate([search.rows[rows] for search, rows in zip(searches, some, strict=True)])
    lengths = values.lengths[series]
    floor = np.concatenate([search.floor[rows] for search, rows in zip(searches, some, strict=True)])
    start, units = (
        np.concatenate([getattr(search.coordinates, name)[rows] for search, rows in zip(searches, some, strict=True)])
        for name in ("start", "units")
    )
    coordinates = Coordinates([search.form for search in searches], [len(rows) for rows in some], start, units)
    alike = {_recurrence(search.form): (search.form, int(end)) for search, end in zip(searches, ends, strict=True)}
    unroll = unroll_in_use()

    def objective(chosen: Indices, at: Array) -> tuple[Array, Array]:
        theta, shares = coordinates.theta_and_shares(chosen, at)
        value, gradient, first = np.empty(len(chosen)), np.empty_like(theta), 0
        for form, end in alike.values():
            last = int(np.searchsorted(chosen, end))
            if last > first:
                now, rows = slice(first, last), chosen[first:last]
                batch = Batch(values.y, series[rows], lengths[rows], floor[rows])
                value[now], gradient[now], *_ = unroll(batch, form, theta[now], gradient=True)
            first = last
        return -value, -coordinates.pull_back(chosen, shares, gradient, at.shape[1])

    found = minimise(objective, x, inverse, tolerance=tolerance, steps=steps)
    for search, rows, part in zip(searches, some, parts, strict=True):
        p = search.x.shape[1]
        search.x[rows], search.inverse[rows] = found.x[part, :p], found.inverse[part, :p, :p]
        search.log_likelihood[rows] = -found.value[part]


def _recurrence(form: Form) -> tuple[str, str]:
    """Return what tells the recurrence of a form; one without a trend has a trend of 0, and one undamped damps by 1."""
    return form.error, form.season


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


def _starts(form: Form, values: Scaled, rows: Indices, m: int) -> list[Array]:
    """Return the parameters to start from, (R, 6 + m) each."""
    relative = form.season == "M"
    season, level, slope, mean = (each[rows] for each in values.first_states(m, relative))
    rises = np.full(len(rows), form.trend != "N")
    if form.positive:
        rises &= (level > 0) & (level + slope > 0)
    starts = []
    for alpha, beta, gamma, share in _STARTS:
        theta = np.zeros((len(rows), 6 + m))
        theta[:, 0], theta[:, 3] = alpha, _DAMPING if form.trend == "Ad" else 1
        theta[:, 1], theta[:, 2] = (form.trend != "N") * alpha * beta, (m > 0) * (1 - alpha) * gamma
        theta[:, 4], theta[:, 5] = np.where(rises & (share > 0), level, mean), np.where(rises, share * slope, 0)
        theta[:, 6:] = relative + share * (season - relative)
        starts.append(theta)
    return starts
