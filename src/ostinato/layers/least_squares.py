"""Nested least squares: every leading set of columns solved from one orthogonal factorisation.

For the triangle R of the QR factorisation of [X | y], the residual sum of squares of y on the first m columns of X is
the sum of squares below row m of R's last column, and its coefficients solve the leading m x m triangle (Golub and Van
Loan, Matrix Computations, 5.3). The rows of X come in blocks that stay in cache, so X is never held whole; unlike the
normal equations, nothing is squared, so the error grows with the condition number and not with its square.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular

Array = NDArray[np.float64]


def triangle(blocks: Iterable[Array], columns: int) -> Array:
    """Blocks (rows, P + 1) of [X | y] -> the triangle R (P + 1, P + 1) of all their rows; columns is P + 1."""
    R = np.zeros((columns, columns))
    for block in blocks:
        stacked = np.empty((columns + len(block), columns), order="F")
        stacked[:columns], stacked[columns:] = R, block
        R = _triangle(stacked)
    return R


def _triangle(a: Array) -> Array:
    (R,) = qr(a, mode="r", overwrite_a=True, check_finite=False)
    return np.asarray(R[: a.shape[1]], dtype=np.float64)


@dataclass(frozen=True)
class Nested:
    """All solutions of y on the first m columns of X, m = base .. P.

    coefficients  (P - base + 1, P): row i on the first base + i columns, zero beyond them and at dropped columns
    rss           (P - base + 1): residual sums of squares
    rank          (P - base + 1): columns that count, without those that depend on earlier ones
    dropped       columns that depend on earlier ones
    """

    coefficients: Array
    rss: Array
    rank: NDArray[np.int64]
    dropped: tuple[int, ...]


def solve_nested(R: Array, rows: int, base: int) -> Nested:
    """The triangle R (P + 1, P + 1) of ``rows`` rows -> the solutions on the first base, base + 1, ..., P columns."""
    P = R.shape[1] - 1
    tolerance = np.finfo(np.float64).eps * max(rows, P + 1, 1000)
    kept, j, A = list(range(P)), 0, R.copy()
    while j < len(kept):
        # The column's own norm is that of its column in R: rotations keep lengths.
        if abs(A[j, j]) <= tolerance * np.linalg.norm(A[: j + 1, j]):
            del kept[j]
            A = _triangle(np.asfortranarray(np.delete(A, j, axis=1)))
        else:
            j += 1
    # tail[m] is the residual sum of squares on the first m kept columns.
    tail = np.append(np.cumsum(A[::-1, -1] ** 2)[::-1], 0.0)
    rank = np.searchsorted(np.asarray(kept), np.arange(base, P + 1), side="left")
    coefficients = np.zeros((P - base + 1, P))
    for i, m in enumerate(rank):
        if m:
            coefficients[i, kept[:m]] = solve_triangular(A[:m, :m], A[:m, -1], check_finite=False)
    dropped = tuple(sorted(set(range(P)) - set(kept)))
    return Nested(coefficients, tail[rank], rank.astype(np.int64), dropped)
