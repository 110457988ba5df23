"""The free coordinates of exponential smoothing, in which every point is allowed.

The bounds are those of the R package forecast: 0 < beta < alpha < 1, 0 < gamma < 1 - alpha, .8 <= phi <= .98. A
parameter is the logistic function of its coordinate between its bounds. A state is measured in innovations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from ostinato.ops.ets.form import GREATEST, LEAST, PHI, Form
from ostinato.shapes import Array


class Coordinates:
    """The coordinates of the rows of one form, or of several that all have a season or all have none.

    The rows of several forms are one array, because most of the time is that of the calls and not of the arithmetic.

    Args:
        forms: The forms.
        counts: The number of rows of each form, which follow each other.
        start: The parameters where every state has the coordinate 0, (B, 6 + m).
        units: The change of a state by one coordinate, (B, 2 + m).
    """

    def __init__(self, forms: Sequence[Form], counts: Sequence[int], start: Array, units: Array) -> None:
        self.start, self.units = start, units
        self._seasonal, self._ends = forms[0].seasonal, np.cumsum(counts)
        self._trend, self._damped = (
            np.repeat([form.trend in kinds for form in forms], counts) for kinds in (("A", "Ad"), ("Ad",))
        )
        #: The columns of theta that are free, in the order of the coordinates, of each form.
        self.free = [_free(form, start.shape[1] - 6) for form in forms]

    def point(self) -> Array:
        """Return the coordinates of the start of the first form, (B, p)."""
        alpha, beta, gamma, phi = self.start[:, :4].T
        shares = (
            (alpha - LEAST) / (GREATEST - LEAST),
            (beta - LEAST) / np.maximum(alpha - LEAST, LEAST),
            (gamma - LEAST) / np.maximum(1 - alpha - LEAST, LEAST),
            (phi - PHI[0]) / (PHI[1] - PHI[0]),
        )
        x = np.zeros_like(self.start)
        for i, share in enumerate(shares):
            x[:, i] = logit(np.clip(share, 0.01, 0.99))
        return x[:, self.free[0]]

    def theta_and_shares(self, rows: NDArray[np.int64], x: Array) -> tuple[Array, Array]:
        """Return the parameters of points, (b, 6 + m), and where the first four lie between their bounds, (b, 4).

        Args:
            rows: The rows of the points, (b,), increasing if there are several forms.
            x: The points, (b, p). A form with fewer coordinates than another has the first of these.
        """
        full = np.zeros((len(x), self.start.shape[1]))
        for part, free in self._parts(rows):
            full[part, free] = x[part, : len(free)]
        share = expit(full[:, :4])
        theta = self.start[rows]
        theta[:, 4:] += self.units[rows] * full[:, 4:]
        theta[:, 0] = alpha = LEAST + (GREATEST - LEAST) * share[:, 0]
        np.copyto(theta[:, 1], LEAST + (alpha - LEAST) * share[:, 1], where=self._trend[rows])
        if self._seasonal:
            theta[:, 2] = LEAST + (1 - alpha - LEAST) * share[:, 2]
        np.copyto(theta[:, 3], PHI[0] + (PHI[1] - PHI[0]) * share[:, 3], where=self._damped[rows])
        return theta, share

    def pull_back(self, rows: NDArray[np.int64], share: Array, gradient: Array, width: int) -> Array:
        """Return the gradient with respect to the coordinates, (b, p): 0 for those that a form does not have.

        Args:
            rows: The rows of the points, (b,); see ``theta_and_shares``.
            share: Where the first four parameters lie between their bounds, (b, 4); see ``theta_and_shares``.
            gradient: The gradient with respect to the parameters, (b, 6 + m).
            width: The number of coordinates p.
        """
        slope = share * (1 - share)
        alpha = LEAST + (GREATEST - LEAST) * share[:, 0]
        full = np.empty_like(gradient)
        by_alpha = gradient[:, 0] + np.where(self._trend[rows], gradient[:, 1] * share[:, 1], 0.0)
        if self._seasonal:
            by_alpha -= gradient[:, 2] * share[:, 2]
        full[:, 0] = by_alpha * (GREATEST - LEAST) * slope[:, 0]
        full[:, 1] = gradient[:, 1] * (alpha - LEAST) * slope[:, 1]
        full[:, 2] = gradient[:, 2] * (1 - alpha - LEAST) * slope[:, 2]
        full[:, 3] = gradient[:, 3] * (PHI[1] - PHI[0]) * slope[:, 3]
        full[:, 4:] = gradient[:, 4:] * self.units[rows]
        result = np.zeros((len(full), width))
        for part, free in self._parts(rows):
            result[part, : len(free)] = full[part, free]
        return result

    def _parts(self, rows: NDArray[np.int64]) -> list[tuple[slice, NDArray[np.int64]]]:
        """Return which of the rows are of each form, and the free columns of the form."""
        last = np.searchsorted(rows, self._ends).tolist() if len(self.free) > 1 else [len(rows)]
        return [
            (slice(first, end), free)
            for first, end, free in zip([0, *last], last, self.free, strict=False)
            if end > first
        ]


def _free(form: Form, m: int) -> NDArray[np.int64]:
    """Return the columns of theta (B, 6 + m) that a form leaves free, (p,)."""
    trend, damped = form.trend != "N", form.trend == "Ad"
    return np.flatnonzero([True, trend, form.seasonal, damped, True, trend, *[True] * m])
