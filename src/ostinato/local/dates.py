"""How many independent windows the windows of a few dates are worth.

If the series of a panel end together, their windows before the end cover the same dates, and a year that no method saw
coming moves all of them to the same side. Then a thousand windows of two dates say hardly more than two about the side
on which errors are large. The figures are those of cluster samples: the intraclass correlation says how much windows of
one date resemble each other (its estimate from the analysis of variance; Donner 1986), and the design effect how much
less they tell for it (Kish 1965). Series that end at dates of their own have windows that do not resemble each other,
and these count in full.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Array


def independent(x: Array, date: NDArray[np.int64]) -> float:
    """Return the number of independent windows that tell as much about the mean of x as these do, at most N.

    Args:
        x: What was measured in each of N windows, (N,).
        date: The index of the date of each window, (N,).
    """
    N, count = len(x), np.bincount(date)
    count, D = count[count > 0], int((count > 0).sum())
    if D < 2 or N == D:
        return float(N)  # nothing says what two dates, or two windows of one date, have in common
    sums = np.bincount(date, x)[np.bincount(date) > 0]
    between = float((sums**2 / count).sum() - x.sum() ** 2 / N) / (D - 1)
    within = float((x**2).sum() - (sums**2 / count).sum()) / (N - D)
    shared = max(between - within, 0.0) * (D - 1) / (N - float((count**2).sum()) / N)
    alike = shared / (shared + within) if shared > 0 else 0.0
    return N / (1 + (float((count**2).sum()) / N - 1) * alike)
