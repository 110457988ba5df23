"""The filter of Kalman for the state of exponential smoothing, in NumPy, with the seasons as a ring.

``layers/smoothing.py`` is the specification, and this is the same arithmetic in the same order. There the seasons move
up by one at every step, which copies a state of 2 + m numbers and a matrix of them. Here the place of the next season
moves instead, so that a step changes three rows and columns and takes away one product of two vectors.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Array


@final
class Ring:
    """What is known of level, trend and seasons of R series, one step after the other.

    The series are the last axis of every array. A single series has none: its numbers are plain, which takes a third of
    the time.

    Args:
        smoothing: alpha, beta, gamma and phi of each series, (R, 4).
        mean: The mean of each state, the season of the next step first, (R, 2 + m).
        covariance: Its covariance, (R, 2 + m, 2 + m), in units of the variance of an innovation.
        known: A state is known when no variance of it is above this; its covariance is then 0.

    Attributes:
        mu: The mean of the next value, (R,), or a number for a single series.
        v: The variance of the next value, in units of the variance of an innovation, likewise.
    """

    mu: Any
    v: Any

    def __init__(self, smoothing: Array, mean: Array, covariance: Array, known: float) -> None:
        self._smoothing, self._known, n = smoothing, known, mean.shape[1]
        self._single = len(mean) == 1
        shape = () if self._single else (len(mean),)
        one = smoothing[0].tolist() if self._single else np.ascontiguousarray(smoothing.T)
        self._alpha, self._beta, self._gamma, self._phi = one
        self._mean = np.empty((n, *shape))
        P = self._covariance = np.empty((n, n, *shape))
        self._rows, self._columns = list(P), [P[:, j] for j in range(n)]
        self._diagonal = P.reshape(n * n, *shape)[:: n + 1]
        self._row, self._seen, self._damped, self._level, self._times = np.empty((5, n, *shape))
        self._product = np.empty_like(P)
        self.refill(mean, covariance)

    def refill(self, mean: Array, covariance: Array) -> None:
        """Go on from copies of other states of as many series, (R, 2 + m) and (R, 2 + m, 2 + m)."""
        self._mean[...] = mean.T.reshape(self._mean.shape)
        self._covariance[...] = covariance.transpose(1, 2, 0).reshape(self._covariance.shape)
        self._next = 2  # the place of the season of the next step
        self._certain = not self._covariance.any()
        self._look()

    @property
    def state(self) -> tuple[Array, Array]:
        """The mean (R, 2 + m) and the covariance (R, 2 + m, 2 + m), the season of the next step first."""
        n, i = len(self._mean), self._next
        order = np.r_[0, 1, i:n, 2:i]
        mean, P = self._mean[order], self._covariance[order[:, None], order]
        return np.ascontiguousarray(mean.reshape(n, -1).T), np.ascontiguousarray(P.reshape(n, n, -1).transpose(2, 0, 1))

    def some(self, rows: NDArray[np.bool_]) -> Ring:
        """Return the ring of some of the series.

        Args:
            rows: Which series, (R,).
        """
        mean, covariance = self.state
        return Ring(self._smoothing[rows], mean[rows], covariance[rows], self._known)

    def step(self, y: Any) -> None:
        """Take in a value of each series.

        Args:
            y: The values, (R,), or a number for a single series. NaN where a value is missing.
        """
        e = y - self.mu
        missing = e != e  # noqa: PLR0124 - NaN is the one value unequal to itself
        gap = bool(missing if self._single else missing.any())
        if not gap and self._certain:
            self._follow(self._alpha * e, self._beta * e, self._gamma * e)
        elif not gap:
            self._learn(e)
            self._settle()
        else:
            before = self._covariance.copy()
            self._learn(np.where(missing, 0.0, e))
            np.copyto(self._covariance, self._unseen(before), where=missing)
            self._settle()
        if len(self._rows) > 2:
            self._next = self._next + 1 if self._next + 1 < len(self._rows) else 2
        self._look()

    def _look(self) -> None:
        """Set the prediction of the next value: mu = w' a, and v = 1 + w' P w."""
        a, phi, row, seasonal = self._mean, self._phi, self._row, len(self._rows) > 2
        mu = a[0] + phi * a[1]
        self.mu = mu + a[self._next] if seasonal else mu
        if self._certain:
            row[...] = 0.0
            self.v = self.mu * 0 + 1
            return
        np.add(self._rows[0], np.multiply(self._rows[1], phi, out=self._times), out=row)
        if seasonal:
            row += self._rows[self._next]
        seen = row[0] + phi * row[1]
        self.v = 1 + (seen + row[self._next] if seasonal else seen)

    def _follow(self, level: Any, trend: Any, season: Any) -> None:
        """Move the mean on by F, and then by what an error adds to level, trend and the season of this step."""
        a = self._mean
        damped = self._phi * a[1]
        a[0] = (a[0] + damped) + level
        a[1] = damped + trend
        if len(self._rows) > 2:
            a[self._next] += season

    def _learn(self, e: Any) -> None:
        """Move the mean by an error, and the covariance to D (P - P w w' P / v) D' with D = F - g w'."""
        row, v, i = self._row, self.v, self._next
        damped, excess, season = self._phi * row[1], v - 1, 0.0
        level = (self._alpha + (row[0] + damped - self._alpha * excess) / v) * e
        trend = (self._beta + (damped - self._beta * excess) / v) * e
        if len(self._rows) > 2:
            own = self._mean[i].copy()
            season = (self._gamma + (row[i] - self._gamma * excess) / v) * e
            learned = np.divide(row, v, out=self._times)
            learned *= e
            learned[:2] = 0.0
            self._mean += learned
            self._mean[i] = own
        self._follow(level, trend, season)
        product = np.multiply(row[:, None], row, out=self._product)
        product /= v
        self._covariance -= product
        self._through(self._rows)
        self._through(self._columns)

    def _through(self, lines: list[Array]) -> None:
        """Multiply the covariance by D = F - g w', in place.

        Args:
            lines: Its rows, for D P; its columns, for P D'.
        """
        seen, damped, level, times = self._seen, self._damped, self._level, self._times
        np.multiply(lines[1], self._phi, out=damped)
        np.add(lines[0], damped, out=level)
        if len(lines) == 2:
            seen = level.copy()
        else:
            own = lines[self._next]
            np.add(level, own, out=seen)
            own -= np.multiply(seen, self._gamma, out=times)
        np.subtract(level, np.multiply(seen, self._alpha, out=times), out=lines[0])
        np.subtract(damped, np.multiply(seen, self._beta, out=times), out=lines[1])

    def _unseen(self, P: Array) -> Array:
        """Return F P F' + g g', the covariance after a step without a value."""
        for matrix in (P, P.swapaxes(0, 1)):
            damped = self._phi * matrix[1]
            matrix[0] += damped
            matrix[1] = damped
        gain = np.zeros_like(self._mean)
        gain[0], gain[1] = self._alpha, self._beta
        if len(P) > 2:
            gain[self._next] = self._gamma
        return np.asarray(P + gain[:, None] * gain)

    def _settle(self) -> None:
        """Set the covariance of each state that is known to 0."""
        self._certain = False
        if self._single and self._diagonal.item(0) > self._known:
            return
        known = (self._diagonal <= self._known).all(0)
        np.copyto(self._covariance, 0.0, where=known)
        self._certain = bool(known.all())
