"""Nested least squares: every leading set of columns solved from one orthogonal factorisation.

Let R be the triangle of the QR factorisation of [X | y]. The residual sum of squares of y on the first m columns of X
is the sum of squares below row m of R's last column. The coefficients solve the leading m x m triangle (Golub and Van
Loan, Matrix Computations, 5.3). The rows of X come in blocks that stay in cache, so X is never held as a whole. Unlike
the normal equations this squares nothing, so the error grows with the condition number and not with its square.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtrs

from ostinato.shapes import Array


def triangle(blocks: Iterable[Array], start: Array) -> Array:
    """Return the triangle R of [X | y], (P + 1, P + 1).

    Args:
        blocks: Blocks of rows of [X | y], (rows, P + 1) each.
        start: The triangle of earlier rows, (P + 1, P + 1), or no rows, (0, P + 1).
    """
    R = start
    for block in blocks:
        R = _triangle(np.concatenate([R, block]) if len(R) else block)
    return _triangle(start) if R is start else R


def _triangle(a: Array) -> Array:
    """Return the triangle (M, M) of the QR factorisation of a (N, M)."""
    N, M = a.shape
    if N < M:
        a = np.concatenate([a, np.zeros((M - N, M))])
    # numpy's QR and not scipy's: each brings its own BLAS, and the threads of both would compete for the cores. Mode
    # "raw", because numpy's other modes take as long to clear the lower part as the QR of a short series takes.
    h: Array = np.linalg.qr(a, mode="raw")[0]
    return np.where(_upper(M), h.T[:M], 0.0)


@cache
def _upper(M: int) -> NDArray[np.bool_]:
    """Return the mask of the upper triangle, (M, M)."""
    return np.triu(np.ones((M, M), dtype=bool))


@dataclass(frozen=True)
class Nested:
    """The solutions of y on the first m columns of X, for each m = base .. P.

    Attributes:
        rss: The residual sums of squares, (P - base + 1,).
        rank: The number of independent columns among the first m, (P - base + 1,).
        kept: The independent columns; a column that depends on earlier ones gets no weight.
        columns: The number of columns, P.
        triangle: The triangle R of [the kept columns | y].
    """

    rss: Array
    rank: NDArray[np.int64]
    kept: tuple[int, ...]
    columns: int
    triangle: Array

    @cached_property
    def coefficients(self) -> Array:
        """The coefficients, (P - base + 1, P): row i on the first base + i columns, 0 elsewhere."""
        solved, A, kept = np.zeros((len(self.rank), self.columns)), np.asfortranarray(self.triangle), list(self.kept)
        for i, m in enumerate(self.rank.tolist()):
            if m:
                # a column with a zero pivot is not kept, so the solve cannot fail
                x = dtrtrs(A[:m, :m], A[:m, -1])[0]
                solved[i, slice(m) if kept[m - 1] == m - 1 else kept[:m]] = x
        return solved


def solve_nested(R: Array, rows: int, base: int) -> Nested:
    """Return the solutions on the first base, base + 1, ..., P columns.

    Args:
        R: The triangle of [X | y], (P + 1, P + 1).
        rows: The number of rows of X.
        base: The least number of columns.
    """
    P = R.shape[1] - 1
    tolerance = np.finfo(np.float64).eps * max(rows, P + 1, 1000)
    # the norm of a column of X is that of its column in R, since rotations keep lengths
    small = np.abs(np.diagonal(R)[:P]) <= tolerance * np.sqrt((R[:, :P] ** 2).sum(axis=0))
    kept, j, A = list(range(P)), int(small.argmax()) if small.any() else P, R
    while j < len(kept):
        if abs(A[j, j]) <= tolerance * np.linalg.norm(A[: j + 1, j]):
            del kept[j]
            A = _triangle(np.delete(A, j, axis=1))
        else:
            j += 1
    # tail[m] is the residual sum of squares on the first m kept columns
    tail = np.zeros(len(A) + 1)
    tail[:-1] = (A[::-1, -1] ** 2).cumsum()[::-1]
    rank = np.arange(base, P + 1)
    if len(kept) < P:
        rank = np.searchsorted(np.asarray(kept), rank, side="left")
    return Nested(tail[rank], rank, tuple(kept), P, A)
