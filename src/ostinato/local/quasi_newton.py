"""Many small minimisations at once by BFGS, one in each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

#: A function of rows: it takes the indices of the rows, (b,), and a point of each, (b, p), and returns the values, (b,),
#: infinite where a point is not allowed, and the gradients, (b, p).
Objective = Callable[[Indices, Array], tuple[Array, Array]]


class Minimum(NamedTuple):
    """The lowest point that was found in each row.

    Attributes:
        x: The points, (B, p).
        value: The values there, (B,).
        evaluations: How often each row was evaluated, (B,).
    """

    x: Array
    value: Array
    evaluations: Indices


class _Rows:
    """The rows that are still descending. Each has its own step length, so that no row waits for another's search."""

    def __init__(self, rows: Indices, x: Array, value: Array, gradient: Array) -> None:
        B, p = x.shape
        self.rows, self.x, self.value, self.gradient = rows, x, value, gradient
        self.inverse = np.zeros((B, p, p))
        self.fresh = np.ones(B, dtype=bool)
        self.length = np.ones(B)
        self.small = np.zeros(B, dtype=np.int64)
        self.direction = np.zeros_like(x)
        self.slope = np.zeros(B)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Leave out the rows that are not kept."""
        for name, held in vars(self).items():
            setattr(self, name, held[kept])


def minimise(f: Objective, x: Array, *, longest: float = 2.0, tolerance: float = 1e-4, steps: int = 300) -> Minimum:
    """Minimise a function in every row by BFGS with backtracking.

    Args:
        f: The function.
        x: The first points, (B, p).
        longest: The largest change of a coordinate in one step.
        tolerance: A row ends when two steps in a row promised and brought less than this.
        steps: The largest number of evaluations of a row.
    """
    B = len(x)
    value, gradient = f(np.arange(B), x)
    best, lowest = x.copy(), value.copy()
    evaluations = np.ones(B, dtype=np.int64)
    live = np.flatnonzero(np.isfinite(value))
    state = _Rows(live, x[live], value[live], gradient[live])
    _aim(state, np.ones(len(live), dtype=bool), longest)
    for _ in range(steps):
        if not len(state.rows):
            break
        new = state.x + state.length[:, None] * state.direction
        evaluations[state.rows] += 1
        value, gradient = f(state.rows, new)
        promised = state.length * state.slope
        fine = value <= state.value + 1e-4 * promised
        fine &= np.isfinite(gradient).all(1)
        gain = np.where(fine, state.value - np.where(fine, value, 0), 0)
        _learn(state, new, gradient, fine)
        failed = ~fine
        if failed.any():
            # the parabola through the value and the slope here and the value there
            bend = np.where(np.isfinite(value), value, np.inf)[failed] - state.value[failed] - promised[failed]
            share = np.clip(-promised[failed] / (2 * np.maximum(bend, 1e-300)), 0.1, 0.5)
            state.length[failed] *= share
        state.x[fine], state.value[fine], state.gradient[fine] = new[fine], value[fine], gradient[fine]
        best[state.rows[fine]], lowest[state.rows[fine]] = new[fine], value[fine]
        still = (gain < tolerance) & (-promised < 2 * tolerance)
        state.small = np.where(still, state.small + 1, 0)
        _aim(state, fine, longest)
        done = (state.small >= 2) | (state.length < 1e-10)
        if done.any():
            state.keep(~done)
    return Minimum(best, lowest, evaluations)


def _learn(state: _Rows, new: Array, gradient: Array, fine: NDArray[np.bool_]) -> None:
    """Update the inverse Hessians of the rows whose step was taken, where the curvature along it is positive."""
    s, y = new - state.x, gradient - state.gradient
    with np.errstate(all="ignore"):
        sy, yy = np.einsum("bi,bi->b", s, y), np.einsum("bi,bi->b", y, y)
        curved = fine & (sy > 1e-10 * np.sqrt(yy * np.einsum("bi,bi->b", s, s)))
    if not curved.any():
        return
    first = np.flatnonzero(curved & state.fresh)
    if len(first):
        p = state.x.shape[1]
        state.inverse[first] = (sy[first] / yy[first])[:, None, None] * np.eye(p)
        state.fresh[first] = False
    rows = np.flatnonzero(curved)
    s, y, rho = s[rows], y[rows], 1 / sy[rows]
    inverse = state.inverse if len(rows) == len(state.rows) else state.inverse[rows]
    hy = (inverse @ y[:, :, None])[:, :, 0]
    w = -rho[:, None] * hy + (0.5 * (rho**2 * np.einsum("bi,bi->b", y, hy) + rho))[:, None] * s
    pair = np.stack([s, w], 2)
    inverse += pair @ np.stack([w, s], 1)
    if inverse is not state.inverse:
        state.inverse[rows] = inverse


def _aim(state: _Rows, moved: NDArray[np.bool_], longest: float) -> None:
    """Set the direction, its slope and a step length of 1 for the rows that moved."""
    if not moved.any():
        return
    rows = np.flatnonzero(moved)
    g = state.gradient[rows]
    direction = np.where(state.fresh[rows, None], -g, -(state.inverse[rows] @ g[:, :, None])[:, :, 0])
    slope = np.einsum("bi,bi->b", direction, g)
    uphill = ~(slope < 0)
    direction[uphill], slope[uphill] = -g[uphill], -np.einsum("bi,bi->b", g[uphill], g[uphill])
    largest = np.abs(direction).max(1, initial=0)
    cap = np.where(state.fresh[rows], 0.5, longest)
    shrink = np.minimum(1, cap / np.maximum(largest, 1e-300))
    state.direction[rows], state.slope[rows] = direction * shrink[:, None], slope * shrink
    state.length[rows] = 1
