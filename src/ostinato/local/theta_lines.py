"""The recursion of the Theta models: the series, the lines that they are drawn to, and the steps after their ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.local.panel import Panel
from ostinato.shapes import Array


@dataclass(frozen=True)
class Series:
    """The adjusted, shifted and scaled series of a panel, with the lines that they are drawn to.

    Attributes:
        y: The values, (S, T), of mean size 1; 0 after the end of a series.
        scored: The weights of the squared errors, (S, T): 1 for an observed step that is scored, else 0.
        steps: The number of steps of each series, (S,).
        line: A_{t-1} and B_{t-1} of each step t, (2, S, T).
        dynamic: Whether the line goes on with each value.
    """

    y: Array
    scored: Array
    steps: NDArray[np.int64]
    line: Array
    dynamic: bool


class State(NamedTuple):
    """What a recursion remembers: level, line and mean, (S, K) each, and the number of steps so far, (S, 1)."""

    level: Array
    A: Array
    B: Array
    mean: Array
    n: Array


def lined(panel: Panel, scaled: list[Array], *, dynamic: bool) -> Series:
    """Return the panel with its lines; the errors of a dynamic line are scored once it has a slope, from step 3."""
    steps = np.array([len(y) for y in scaled])
    T = int(steps.max(initial=1))
    y, scored, line = np.zeros((len(scaled), T)), np.zeros((len(scaled), T)), np.zeros((2, len(scaled), T))
    for s, z in enumerate(scaled):
        y[s, : len(z)] = z
        scored[s, : len(z)] = np.isfinite(panel.values[s])
    if dynamic:
        scored[:, :2] = 0.0
        mean, B = np.zeros((2, len(y), 1))
        for t in range(1, T):
            mean, A, B = extended(y[:, t - 1 : t], t, mean, B)
            line[0, :, t], line[1, :, t] = A[:, 0], B[:, 0]
    else:
        for s, z in enumerate(scaled):
            centred = np.arange(1, len(z) + 1) - (len(z) + 1) / 2
            slope = float(centred @ z / (centred @ centred)) if len(z) > 1 else 0.0
            line[0, s], line[1, s] = z.mean() - slope * (len(z) + 1) / 2, slope
    return Series(y, scored, steps, line, dynamic)


def extended(y: Array, t: int | Array, mean: Array, B: Array) -> tuple[Array, Array, Array]:
    """Return the mean of the values and the line A_t, B_t after the value of step t, from those before it."""
    slope = np.where(t > 1, ((t - 2) * B + 6.0 / t * (y - mean)) / (t + 1), 0.0)
    mean = ((t - 1) * mean + y) / t
    return mean, mean - (t + 1) / 2 * slope, slope


def run(series: Series, alpha: Array, start: Array, weight: Array) -> tuple[Array, State]:
    """Return the errors (S, K, T) of K variants of the parameters, (S, K) each, and the states at the ends."""
    level, p = start + np.zeros_like(alpha), np.ones_like(alpha)
    errors, ends = np.empty((*alpha.shape, series.y.shape[1])), level
    for t in range(series.y.shape[1]):
        q = p * (1 - alpha)
        D = p * series.line[0, :, t, None] + (1 - q) / alpha * series.line[1, :, t, None]
        error = series.y[:, t, None] - (level + weight * D)
        errors[:, :, t] = error
        level, p = alpha * series.y[:, t, None] + (1 - alpha) * level, q
        ends = np.where((series.steps == t + 1)[:, None], level, ends)
    return errors, State(ends, *_end_lines(series, alpha.shape[1]), series.steps[:, None].astype(np.float64))


def _end_lines(series: Series, variants: int) -> tuple[Array, Array, Array]:
    """Return A, B and the mean after the last value of each series, (S, K) each."""
    S = len(series.steps)
    last, y = series.line[:, np.arange(S), series.steps - 1], series.y[np.arange(S), series.steps - 1]
    n = series.steps.astype(np.float64)
    mean = (series.y.sum(axis=1) - y) / np.maximum(n - 1, 1)
    if series.dynamic:
        mean, A, B = extended(y, n, mean, last[1])
    else:
        A, B = last
    return tuple(np.repeat(x[:, None], variants, axis=1) for x in (A, B, mean))  # type: ignore[return-value]


def go_on(state: State, alpha: Array, weight: Array, horizon: int, dynamic: bool) -> Array:
    """Return the means mu of the steps after the end if no more errors come, (S, K, H).

    Args:
        state: The state at the end.
        alpha: The smoothing parameter of each variant, (S, K).
        weight: The weight of the line, (S, K).
        horizon: The number of steps H.
        dynamic: Whether the line goes on with each value.
    """
    level, A, B, mean, n = state
    out = np.empty((*level.shape, horizon))
    for h in range(horizon):
        t = n + h + 1
        p = (1 - alpha) ** (t - 1)
        mu = level + weight * (p * A + (1 - p * (1 - alpha)) / alpha * B)
        out[:, :, h] = mu
        level = alpha * mu + (1 - alpha) * level
        if dynamic:
            mean, A, B = extended(mu, t, mean, B)
    return out


def squared_answers(alpha: Array, weight: Array, steps: NDArray[np.int64], horizon: int, dynamic: bool) -> Array:
    """Return the sums over the steps before each of the squares of its answer psi to an error of 1 there, (S, H).

    They are the variance of mu if the errors have variance 1, so they follow from the covariance matrix of the state,
    which is carried from step to step. So the work is linear in the horizon, though the answers of a dynamic line
    depend on when the error comes. A line that stays answers with alpha at every later step.

    Args:
        alpha: The smoothing parameters, (S,).
        weight: The weights of the line, (S,).
        steps: The number of steps before the end of each series, (S,).
        horizon: The number of steps H.
        dynamic: Whether the line goes on with each value.
    """
    if not dynamic:
        return np.arange(horizon) * alpha[:, None] ** 2
    out, covariance = np.empty((len(alpha), horizon)), np.zeros((len(alpha), 3, 3))  # of level, mean and slope
    forward = np.zeros_like(covariance)
    gain = np.empty((len(alpha), 3, 1))
    for h in range(horizon):
        t = steps + h + 1.0
        p = (1 - alpha) ** (t - 1)
        # mu of step t is linear in the state after step t - 1, where A = mean - t / 2 slope
        by_state = np.stack([np.ones_like(t), weight * p, weight * ((1 - p * (1 - alpha)) / alpha - p * t / 2)], axis=1)
        out[:, h] = np.einsum("si,sij,sj->s", by_state, covariance, by_state)
        new = np.where(t > 1, 6.0 / (t * (t + 1)), 0.0)  # what a value adds to the slope, as in ``extended``
        gain[:, 0, 0], gain[:, 1, 0], gain[:, 2, 0] = alpha, 1 / t, new
        forward[...] = gain * by_state[:, None, :]
        forward[:, 0, 0] += 1 - alpha
        forward[:, 1, 1] += 1 - 1 / t
        forward[:, 2, 1] -= new
        forward[:, 2, 2] += np.where(t > 1, (t - 2) / (t + 1), 0.0)
        covariance = forward @ covariance @ forward.swapaxes(1, 2) + gain @ gain.swapaxes(1, 2)
    return out
