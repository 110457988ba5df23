"""Nested least squares: every leading set of columns solved from one orthogonal factorisation.

For the triangle R of the QR factorisation of [X | y], the residual sum of squares of y on the first m columns of X is
the sum of squares below row m of R's last column, and its coefficients solve the leading m x m triangle (Golub and Van
Loan, Matrix Computations, 5.3). The rows of X come in blocks that stay in cache, so X is never held whole; unlike the
normal equations, nothing is squared, so the error grows with the condition number and not with its square.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtrs

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
    # numpy's QR and not scipy's, here: each brings its own BLAS, and the threads of two of them fight for the cores.
    return np.asarray(np.linalg.qr(a, mode="r"), dtype=np.float64)


@dataclass(frozen=True)
class Nested:
    """All solutions of y on the first m columns of X, m = base .. P.

    rss       (P - base + 1): residual sums of squares
    rank      (P - base + 1): columns that count, without those that depend on earlier ones
    kept      the columns that count; the others are given no weight
    columns   P
    triangle  R of [the kept columns | y]
    """

    rss: Array
    rank: NDArray[np.int64]
    kept: tuple[int, ...]
    columns: int
    triangle: Array

    @cached_property
    def coefficients(self) -> Array:
        """(P - base + 1, P): row i on the first base + i columns, zero beyond them and at columns not kept."""
        solved, A, kept = np.zeros((len(self.rank), self.columns)), np.asfortranarray(self.triangle), list(self.kept)
        for i, m in enumerate(self.rank):
            if m:
                # No pivot is 0, for such a column is not kept: the solve cannot fail.
                solved[i, kept[:m]] = dtrtrs(A[:m, :m], A[:m, -1])[0]
        return solved


def solve_nested(R: Array, rows: int, base: int) -> Nested:
    """The triangle R (P + 1, P + 1) of ``rows`` rows -> the solutions on the first base, base + 1, ..., P columns."""
    P = R.shape[1] - 1
    tolerance = np.finfo(np.float64).eps * max(rows, P + 1, 1000)
    kept, j, A = list(range(P)), 0, R.copy()
    while j < len(kept):
        # The column's own norm is that of its column in R: rotations keep lengths.
        if abs(A[j, j]) <= tolerance * np.linalg.norm(A[: j + 1, j]):
            del kept[j]
            A = _triangle(np.delete(A, j, axis=1))
        else:
            j += 1
    # tail[m] is the residual sum of squares on the first m kept columns.
    tail = np.append(np.cumsum(A[::-1, -1] ** 2)[::-1], 0.0)
    rank = np.searchsorted(np.asarray(kept), np.arange(base, P + 1), side="left")
    return Nested(tail[rank], rank.astype(np.int64), tuple(kept), P, A)
