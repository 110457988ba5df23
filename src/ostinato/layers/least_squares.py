"""Nested least squares: every leading set of columns solved from one orthogonal factorisation.

For the triangle R of the QR factorisation of [X | y], the residual sum of squares of y on the first m columns of X is
the sum of squares below row m of R's last column, and its coefficients solve the leading m x m triangle (Golub and Van
Loan, Matrix Computations, 5.3). The rows of X come in blocks that stay in cache, so X is never held whole; unlike the
normal equations, nothing is squared, so the error grows with the condition number and not with its square.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtrs

Array = NDArray[np.float64]


def triangle(blocks: Iterable[Array], start: Array) -> Array:
    """Blocks (rows, P + 1) of [X | y] -> the triangle R (P + 1, P + 1) of the rows of start and all of theirs."""
    R = start
    for block in blocks:
        R = _triangle(np.concatenate([R, block]) if len(R) else block)
    return _triangle(start) if R is start else R


def _triangle(a: Array) -> Array:
    """(N, M) -> (M, M)."""
    N, M = a.shape
    if N < M:
        a = np.concatenate([a, np.zeros((M - N, M))])
    # numpy's QR and not scipy's, here: each brings its own BLAS, and the threads of two of them fight for the cores.
    # Raw, for what numpy does to hide what lies below the triangle takes as long as the QR of a short series.
    h: Array = np.linalg.qr(a, mode="raw")[0]
    return np.where(_upper(M), h.T[:M], 0.0)


@cache
def _upper(M: int) -> NDArray[np.bool_]:
    return np.triu(np.ones((M, M), dtype=bool))


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
        for i, m in enumerate(self.rank.tolist()):
            if m:
                # No pivot is 0, for such a column is not kept: the solve cannot fail.
                x = dtrtrs(A[:m, :m], A[:m, -1])[0]
                solved[i, slice(m) if kept[m - 1] == m - 1 else kept[:m]] = x
        return solved


def solve_nested(R: Array, rows: int, base: int) -> Nested:
    """The triangle R (P + 1, P + 1) of ``rows`` rows -> the solutions on the first base, base + 1, ..., P columns."""
    P = R.shape[1] - 1
    tolerance = np.finfo(np.float64).eps * max(rows, P + 1, 1000)
    # A column's own norm is that of its column in R: rotations keep lengths.
    small = np.abs(np.diagonal(R)[:P]) <= tolerance * np.sqrt((R[:, :P] ** 2).sum(axis=0))
    kept, j, A = list(range(P)), int(small.argmax()) if small.any() else P, R
    while j < len(kept):
        if abs(A[j, j]) <= tolerance * np.linalg.norm(A[: j + 1, j]):
            del kept[j]
            A = _triangle(np.delete(A, j, axis=1))
        else:
            j += 1
    # tail[m] is the residual sum of squares on the first m kept columns.
    tail = np.zeros(len(A) + 1)
    tail[:-1] = (A[::-1, -1] ** 2).cumsum()[::-1]
    rank = np.arange(base, P + 1)
    if len(kept) < P:
        rank = np.searchsorted(np.asarray(kept), rank, side="left")
    return Nested(tail[rank], rank, tuple(kept), P, A)
