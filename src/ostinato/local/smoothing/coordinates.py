"""The free coordinates of exponential smoothing, in which every point is allowed.

The bounds are those of the R package forecast: 0 < beta < alpha < 1, 0 < gamma < 1 - alpha, .8 <= phi <= .98. A
parameter is the logistic function of its coordinate between its bounds. A state is measured in innovations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from ostinato.ops.ets.form import Form
from ostinato.shapes import Array

#: The least and the greatest parameter of smoothing, and the bounds of the damping.
LEAST, GREATEST, PHI = 1e-4, 0.9999, (0.8, 0.98)


class Coordinates:
    """The coordinates of one form.

    Args:
        form: The form.
        period: The length m of the season; it counts only if the form has one.
        start: The parameters where every state has the coordinate 0, (B, 6 + m).
        units: The change of a state by one coordinate, (B, 2 + m).
    """

    def __init__(self, form: Form, period: int, start: Array, units: Array) -> None:
        self.form, self.start, self.units = form, start, units
        trend, damped, m = form.trend != "N", form.trend == "Ad", period * form.seasonal
        #: The columns of theta that are free, in the order of the coordinates.
        self.free = np.flatnonzero([True, trend, form.seasonal, damped, True, trend, *[True] * m])
        self.states = self.free[self.free >= 4]
        self.width = 6 + m

    def point(self) -> Array:
        """Return the coordinates of the start, (B, p)."""
        alpha, beta, gamma, phi = self.start[:, :4].T
        shares = (
            (alpha - LEAST) / (GREATEST - LEAST),
            (beta - LEAST) / np.maximum(alpha - LEAST, LEAST),
            (gamma - LEAST) / np.maximum(1 - alpha - LEAST, LEAST),
            (phi - PHI[0]) / (PHI[1] - PHI[0]),
        )
        x = np.zeros((len(self.start), self.width))
        for i, share in enumerate(shares):
            x[:, i] = logit(np.clip(share, 0.01, 0.99))
        return x[:, self.free]

    def theta(self, rows: NDArray[np.int64], x: Array) -> Array:
        """Return the parameters of points, (b, 6 + m).

        Args:
            rows: The rows of the points, (b,).
            x: The points, (b, p).
        """
        return self.theta_and_shares(rows, x)[0]

    def theta_and_shares(self, rows: NDArray[np.int64], x: Array) -> tuple[Array, Array]:
        """Return the parameters of points, (b, 6 + m), and where the first four lie between their bounds, (b, 4).

        Args:
            rows: The rows of the points, (b,).
            x: The points, (b, p).
        """
        full = np.zeros((len(x), self.width))
        full[:, self.free] = x
        part = expit(full[:, :4])
        theta = self.start[rows]
        theta[:, 4:] += self.units[rows] * full[:, 4:]
        theta[:, 0] = alpha = LEAST + (GREATEST - LEAST) * part[:, 0]
        if self.form.trend != "N":
            theta[:, 1] = LEAST + (alpha - LEAST) * part[:, 1]
        if self.form.seasonal:
            theta[:, 2] = LEAST + (1 - alpha - LEAST) * part[:, 2]
        if self.form.trend == "Ad":
            theta[:, 3] = PHI[0] + (PHI[1] - PHI[0]) * part[:, 3]
        return theta, part

    def pull_back(self, rows: NDArray[np.int64], part: Array, gradient: Array) -> Array:
        """Return the gradient with respect to the coordinates, (b, p).

        Args:
            rows: The rows of the points, (b,).
            part: Where the first four parameters lie between their bounds, (b, 4); see ``theta_and_shares``.
            gradient: The gradient with respect to the parameters, (b, 6 + m).
        """
        slope = part * (1 - part)
        alpha = LEAST + (GREATEST - LEAST) * part[:, 0]
        result = np.empty_like(gradient)
        by_alpha = gradient[:, 0].copy()
        if self.form.trend != "N":
            by_alpha += gradient[:, 1] * part[:, 1]
        if self.form.seasonal:
            by_alpha -= gradient[:, 2] * part[:, 2]
        result[:, 0] = by_alpha * (GREATEST - LEAST) * slope[:, 0]
        result[:, 1] = gradient[:, 1] * (alpha - LEAST) * slope[:, 1]
        result[:, 2] = gradient[:, 2] * (1 - alpha - LEAST) * slope[:, 2]
        result[:, 3] = gradient[:, 3] * (PHI[1] - PHI[0]) * slope[:, 3]
        result[:, 4:] = gradient[:, 4:] * self.units[rows]
        return np.ascontiguousarray(result[:, self.free])
