"""The probability beyond a point of a log-concave density, in a graph: ONNX has no incomplete gamma or beta function.

The density is integrated from the point downhill by a double-exponential rule (Takahasi and Mori 1974), in units of
the length over which it falls. So a tail keeps its relative precision however small it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ostinato.export.graph import Wire, log_sigmoid, softplus, where

_AT = np.linspace(-4.6, 3.1, 78)
#: The nodes of the rule on (0, inf), and their weights.
_NODES = np.exp(np.pi / 2 * np.sinh(_AT))
_WEIGHTS = (_AT[1] - _AT[0]) * np.pi / 2 * np.cosh(_AT) * _NODES
_ITERATIONS = 10


@dataclass(frozen=True)
class Tail:
    """What lies above a point x of a density.

    Attributes:
        above: P(X > x).
        log_above: Its logarithm.
        below: P(X < x).
    """

    above: Wire
    log_above: Wire
    below: Wire


@dataclass(frozen=True)
class Density:
    """A log-concave density on the real line.

    Attributes:
        log: A function of points (..., N) that returns the log density, whose parameters have a last axis of size 1.
        slope: A function of points (..., 1) that returns the slope of the log density.
        bend: A function of points (..., 1) that returns minus its second derivative, above 0.
    """

    log: Callable[[Wire], Wire]
    slope: Callable[[Wire], Wire]
    bend: Callable[[Wire], Wire]

    def tail(self, x: Wire) -> Tail:
        """Return the probabilities above and below x (...)."""
        at = x.expand()
        slope = self.slope(at)
        downhill = where(slope > 0.0, slope * 0.0 - 1.0, slope * 0.0 + 1.0)
        width = 1.0 / (slope.abs() + self.bend(at).sqrt())
        top = self.log(at)
        fall = self.log(at + downhill * width * _NODES) - top
        log_side = ((fall.exp() * _WEIGHTS).sum(-1, keep=True) * width).log() + top
        # the rule may give 1 + 1e-16
        log_side = where(log_side > 0.0, log_side * 0.0, log_side)
        side = log_side.exp()
        right, rest = downhill > 0.0, 1.0 - side
        return Tail(
            where(right, side, rest).squeeze(),
            where(right, log_side, where(rest > 1e-300, rest, 1e-300).log()).squeeze(),
            where(right, rest, side).squeeze(),
        )

    def exceeded(self, log_p: Wire, start: Wire) -> Wire:
        """Return the points x (...) that are exceeded with the log probabilities log_p (...).

        The logarithm of the tail is concave, so Newton's steps come to x from one side.

        Args:
            log_p: The log probabilities.
            start: Points at or below x.
        """

        def body(held: list[Wire]) -> tuple[list[Wire], None]:
            (x,) = held
            found = self.tail(x).log_above
            return [x + (found - log_p) * (found - self.log(x.expand()).squeeze()).exp()], None

        return start.graph.repeat(_ITERATIONS, [start], body)[0]  # type: ignore[arg-type]


def normal() -> Density:
    """Return the standard normal density."""
    return Density(lambda x: x * x * -0.5 - 0.5 * np.log(2 * np.pi), lambda x: -x, lambda x: x * 0.0 + 1.0)


def student(df: Wire, log_norm: Wire) -> Density:
    """Return the density of x = sqrt(df) asinh(T / sqrt(df)), T Student's t: it is log-concave, as that of T is not.

    Args:
        df: The degrees of freedom, (..., 1).
        log_norm: The log density of T at 0, (..., 1).
    """
    root = df.sqrt()

    def log(x: Wire) -> Wire:
        u = (x / root).abs()
        return log_norm - df * (u + (0.5 + 0.5 * (u * -2.0).exp()).log())

    def bend(x: Wire) -> Wire:
        t = (x / root).tanh()
        return 1.0 - t * t * (1.0 - 1e-12)

    return Density(log, lambda x: -(root * (x / root).tanh()), bend)


def beta(n: Wire, c: Wire, log_norm: Wire) -> Density:
    """Return the density of the logit of a beta variable: p^n (1 - p)^(c + 1) / B(n, c + 1) at p = sigmoid(x).

    Args:
        n: The first parameter, (..., 1).
        c: The second parameter less 1, (..., 1).
        log_norm: log 1 / B(n, c + 1), (..., 1).
    """
    more = c + 1.0
    return Density(
        lambda x: log_norm + n * log_sigmoid(x) - more * softplus(x),
        lambda x: n * (-x).sigmoid() - more * x.sigmoid(),
        lambda x: (n + more) * x.sigmoid() * (-x).sigmoid(),
    )


def log_gamma(x: Wire) -> Wire:
    """Return log Gamma(x), x > 0, by Stirling's series after a shift by 8."""
    shift = x
    product = x
    for _ in range(7):
        shift = shift + 1.0
        product = product * shift
    y = shift + 1.0
    r = 1.0 / (y * y)
    series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * (1 / 1188))))) / y
    # the product of 8 factors overflows beyond 1e38, where the shift changes nothing
    large = x > 1e15
    near = (y - 0.5) * y.log() - y + 0.5 * np.log(2 * np.pi) + series - where(large, x * 0.0 + 1.0, product).log()
    far = where(large, x, 1e15)
    return where(large, (far - 0.5) * far.log() - far + 0.5 * np.log(2 * np.pi), near)


def log_gamma_ratio(a: Wire) -> Wire:
    """Return log Gamma(a + 1/2) - log Gamma(a), by its asymptotic series after a shift by 16."""
    k = np.arange(16.0)
    steps = a.expand() + k
    shift = ((steps + 0.5) / steps).log().sum(-1)
    y = a + 16.0
    r = 1.0 / y
    return 0.5 * y.log() - r * (1 / 8 - r * r * (1 / 192 - r * r * (1 / 640 - r * r * (17 / 14336)))) - shift
