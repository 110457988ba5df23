"""Exponential smoothing by numpy, with its exact gradient by hand: for machines without the compiled engine.

The symbols and the adjoint are those of csrc/smoothing.h: with d = y - mu, the updates of additive and multiplicative
errors are the same. Same signature and result as the reference, and about eight times as fast.
"""

from __future__ import annotations

import numpy as np

from ostinato.ops.ets.form import Batch, Form, Indices, Unrolled
from ostinato.shapes import Array


class _Path:
    """What the forward pass leaves for the backward pass, (T, B) each."""

    def __init__(self, T: int, B: int) -> None:
        self.d, self.q, self.b, self.s, self.mu = (np.zeros((T, B)) for _ in range(5))


def unroll(batch: Batch, form: Form, theta: Array, *, gradient: bool = False, path: bool = False) -> Unrolled:
    """Unroll models of one form by numpy; arguments are those of the reference."""
    steps = int(batch.lengths.max(initial=0))
    y = np.ascontiguousarray(batch.y[batch.series, :steps].T)
    y[np.arange(steps)[:, None] >= batch.lengths] = np.nan
    seen = ~np.isnan(y)
    with np.errstate(all="ignore"):
        walked, last = _forward(y, seen, form, theta, batch.lengths)
        observed, errors, log_mean = seen.sum(0), walked.d, np.zeros(len(theta))
        if form.error == "M":
            impossible = (seen & (walked.mu <= 0)).any(0)
            errors = walked.d / walked.mu
            log_mean = np.where(seen, np.log(walked.mu), 0).sum(0)
            log_mean[impossible] = np.inf
        variance = (errors**2).sum(0) / np.maximum(observed, 1) + batch.floor
        value = np.where(observed > 0, -observed / 2 * (np.log(2 * np.pi * variance) + 1) - log_mean, 0)
        value[np.isnan(value)] = -np.inf
        slope = None
        if gradient:
            weight = np.where(observed > 0, -1 / variance, 0)
            slope = _backward(seen, form, theta, walked, weight)
    if not path:
        return Unrolled(value, slope, None, None)
    mean = np.zeros((len(theta), batch.y.shape[1]))
    mean[:, :steps] = walked.mu.T
    return Unrolled(value, slope, mean, last)


def _forward(y: Array, seen: Array, form: Form, theta: Array, lengths: Indices) -> tuple[_Path, Array]:
    """Return the path, and the state of each row after its last step, (B, 2 + m)."""
    alpha, beta, gamma, phi, l, b, *season = np.ascontiguousarray(theta.T)  # noqa: E741
    walked, last = _Path(len(y), len(theta)), theta[:, 4:].copy()
    zero = np.zeros(len(theta))
    for t in range(len(y)):
        q, s = l + phi * b, season[0] if season else zero
        mu = q if form.season == "N" else q + s if form.season == "A" else q * s
        d = np.where(seen[t], y[t] - mu, 0.0)
        walked.d[t], walked.q[t], walked.b[t], walked.s[t], walked.mu[t] = d, q, b, s, mu
        u, w = (d / s, d / q) if form.season == "M" else (d, d)
        l, b = q + alpha * u, phi * b + beta * u  # noqa: E741
        if season:
            season = [*season[1:], s + gamma * w]
        ends = np.flatnonzero(lengths == t + 1)
        if len(ends):
            last[ends] = np.stack([v[ends] for v in (l, b, *season)], 1)
    return walked, last


def _backward(seen: Array, form: Form, theta: Array, walked: _Path, weight: Array) -> Array:
    """Return the gradient of the log-likelihood with respect to theta, (B, 6 + m)."""
    alpha, beta, gamma, phi = np.ascontiguousarray(theta[:, :4].T)
    m = theta.shape[1] - 6
    by, (dl, db) = np.zeros((4, len(theta))), np.zeros((2, len(theta)))
    ring = list(np.zeros((m, len(theta))))
    for t in range(len(seen) - 1, -1, -1):
        d, q, b, s = walked.d[t], walked.q[t], walked.b[t], walked.s[t]
        # of what the step was given: the season and q
        ds, dq = ring[t % m] if m else 0.0, dl
        u, w = (d / s, d / q) if form.season == "M" else (d, d)
        by[0] += u * dl
        by[1] += u * db
        by[2] += w * ds
        by[3] += b * db
        du, dw = alpha * dl + beta * db, gamma * ds
        if form.season == "M":
            ds, dq, du, dw = ds - du * u / s, dq - dw * w / q, du / s, dw / q
        dmu = _by_mean(form, walked.mu[t], d, weight, du + dw)
        dmu[~seen[t]] = 0
        if form.season == "M":
            ds, dq = ds + dmu * q, dq + dmu * s
        else:
            ds, dq = ds + dmu, dq + dmu
        dl, db = dq, phi * (db + dq)
        by[3] += b * dq
        if m:
            ring[t % m] = ds
    return np.stack([*by, dl, db, *ring], 1)


def _by_mean(form: Form, mu: Array, d: Array, weight: Array, by_update: Array) -> Array:
    """Return the gradient with respect to mu, (B,): through the updates and through the likelihood."""
    if form.error == "A":
        return np.asarray(-(by_update + weight * d))
    e = d / mu
    return np.asarray(-(weight * e * e + 1) / mu - (by_update + weight * e / mu))
