"""Many small minimisations at once by BFGS, one in each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Array

Indices = NDArray[np.int64]

#: A function of rows: it takes the indices of the rows, (b,), and a point of each, (b, p), and returns the values,
#: (b,), infinite where a point is not allowed, and the gradients, (b, p).
Objective = Callable[[Indices, Array], tuple[Array, Array]]


#: The largest change of a coordinate in the first step, when nothing is known of the curvature.
_FIRST = 0.5
#: The largest change of a coordinate in any later step.
_LONGEST = 2.0

#: The share of a step at which a search along it is given up.
_SHORTEST = 1e-10


class Minimum(NamedTuple):
    """The lowest point that was found in each row.

    Attributes:
        x: The points, (B, p).
        value: The values there, (B,).
        inverse: The inverse Hessians that the steps have told, (B, p, p): 0 where they told nothing. With them a search
            goes on from here as if it had not ended.
    """

    x: Array
    value: Array
    inverse: Array


class _Rows:
    """The rows that are still descending. Each has its own step length, so that no row waits for another's search."""

    def __init__(self, rows: Indices, x: Array, value: Array, gradient: Array, inverse: Array) -> None:
        B = len(x)
        self.rows, self.x, self.value, self.gradient, self.inverse = rows, x, value, gradient, inverse
        self.fresh: NDArray[np.bool_] = np.asarray(~inverse.any(axis=(1, 2)))
        self.length = np.ones(B)
        self.small = np.zeros(B, dtype=np.int64)
        self.direction = np.zeros_like(x)
        self.slope = np.zeros(B)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Leave out the rows that are not kept."""
        for name, held in vars(self).items():
            setattr(self, name, held[kept])


def minimise(
    f: Objective,
    x: Array,
    inverse: Array | None = None,
    *,
    tolerance: float = 1e-4,
    steps: int = 150,
) -> Minimum:
    """Minimise a function in every row by BFGS with backtracking.

    Args:
        f: The function.
        x: The first points, (B, p).
        inverse: What is known of the inverse Hessians there, (B, p, p); see ``Minimum``.
        tolerance: A row ends when two steps in a row promised and brought less than this.
        steps: The largest number of evaluations of a row.
    """
    B, p = x.shape
    value, gradient = f(np.arange(B), x)
    best, lowest = x.copy(), value.copy()
    told = np.zeros((B, p, p)) if inverse is None else inverse.copy()
    live = np.flatnonzero(np.isfinite(value))
    state = _Rows(live, x[live], value[live], gradient[live], told[live])
    _aim(state, np.ones(len(live), dtype=bool))
    for _ in range(steps):
        if not len(state.rows):
            break
        new = state.x + state.length[:, None] * state.direction
        value, gradient = f(state.rows, new)
        promised = state.length * state.slope
        fine = value <= state.value + 1e-4 * promised
        fine &= np.isfinite(gradient).all(1)
        arrived = state.small >= 2  # so that a row does not depend on those that it is searched with
        fine &= ~arrived
        gain = np.where(fine, state.value - np.where(fine, value, 0), 0)
        _learn(state, new, gradient, fine)
        failed = ~fine
        if failed.any():
            # the parabola through the value and the slope here and the value there
            bend = np.where(np.isfinite(value), value, np.inf)[failed] - state.value[failed] - promised[failed]
            share = np.clip(-promised[failed] / (2 * np.maximum(bend, 1e-300)), 0.1, 0.5)
            state.length[failed] *= share
        np.copyto(state.x, new, where=fine[:, None])
        np.copyto(state.value, value, where=fine)
        np.copyto(state.gradient, gradient, where=fine[:, None])
        still = (gain < tolerance) & (-promised < 2 * tolerance)
        state.small = np.where(still | arrived, state.small + 1, 0)
        _aim(state, fine)
        done = (state.small >= 2) | (state.length < _SHORTEST)
        # copying the matrices costs more than some steps of rows that have arrived
        if done.sum() * 10 >= len(done) or done.all():
            ended = state.rows[done]
            best[ended], lowest[ended], told[ended] = state.x[done], state.value[done], state.inverse[done]
            state.keep(~done)
    best[state.rows], lowest[state.rows], told[state.rows] = state.x, state.value, state.inverse
    return Minimum(best, lowest, told)


def _learn(state: _Rows, new: Array, gradient: Array, fine: NDArray[np.bool_]) -> None:
    """Update the inverse Hessians of the rows whose step was taken, where the curvature along it is positive."""
    s, y = np.where(fine[:, None], new - state.x, 0), np.where(fine[:, None], gradient - state.gradient, 0)
    sy, yy = _dot(s, y), _dot(y, y)
    curved = sy > 1e-10 * np.sqrt(yy * _dot(s, s))
    if not curved.any():
        return
    first = np.flatnonzero(curved & state.fresh)
    if len(first):
        state.inverse[first] = (sy[first] / yy[first])[:, None, None] * np.eye(s.shape[1])
        state.fresh[first] = False
    # a row without curvature gets an update of 0: that is faster than to pick the others
    rho = np.where(curved, 1 / np.where(curved, sy, 1), 0)[:, None]
    s = np.where(curved[:, None], s, 0)
    hy = _times(state.inverse, y)
    w = (0.5 * (rho**2 * _dot(y, hy)[:, None] + rho)) * s - rho * hy
    left, right = np.empty((*s.shape, 2)), np.empty((len(s), 2, s.shape[1]))
    left[..., 0], left[..., 1], right[:, 0], right[:, 1] = s, w, w, s
    state.inverse += left @ right


def _aim(state: _Rows, moved: NDArray[np.bool_]) -> None:
    """Set the direction, its slope and a step length of 1 for the rows that moved."""
    if not moved.any():
        return
    g, fresh = state.gradient, state.fresh
    direction = np.where(fresh[:, None], -g, -_times(state.inverse, g))
    slope = _dot(direction, g)
    uphill = ~(slope < 0)
    direction[uphill], slope[uphill] = -g[uphill], -_dot(g[uphill], g[uphill])
    largest = np.abs(direction).max(1, initial=0)
    shrink = np.minimum(1, np.where(fresh, _FIRST, _LONGEST) / np.maximum(largest, 1e-300))
    np.copyto(state.direction, direction * shrink[:, None], where=moved[:, None])
    np.copyto(state.slope, slope * shrink, where=moved)
    state.length[moved] = 1


def _dot(a: Array, b: Array) -> Array:
    """Return the product of each pair of rows, (B,)."""
    return np.asarray(np.vecdot(a, b))


def _times(matrix: Array, x: Array) -> Array:
    """Return the product of each matrix with its row, (B, p)."""
    return np.asarray((matrix @ x[:, :, None])[:, :, 0])
