"""log_prob of one number in plain floats: what a live sequence asks for at every step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ostinato.emissions.constraints import FARTHEST, FLOOR
from ostinato.emissions.student_t import LEAST_DF


def normal(params: Sequence[float], x: float) -> float:
    """Nats of x under params (location, raw scale); continuous values only."""
    scale = _softplus(params[1]) + FLOOR
    m = _residual(x, params[0]) / scale
    return -0.5 * (m * m + math.log(2 * math.pi)) - math.log(scale)


def student_t(params: Sequence[float], x: float) -> float:
    """Nats of x under params (location, raw scale, raw df)."""
    scale, df = _softplus(params[1]) + FLOOR, _softplus(params[2]) + LEAST_DF
    m = _residual(x, params[0]) / scale
    kernel = -0.5 * (df + 1) * math.log1p(m * m / df)
    return _log_gamma_ratio(df / 2) - 0.5 * math.log(df * math.pi) - math.log(scale) + kernel


#: emission -> nats of one number; who is not here has no plain form
DENSITIES: dict[str, Callable[[Sequence[float], float], float]] = {"normal": normal, "student_t": student_t}


def _residual(x: float, location: float) -> float:
    return max(-FARTHEST, min(FARTHEST, x - location))


def _softplus(raw: float) -> float:
    return max(raw, 0.0) + math.log1p(math.exp(-abs(raw)))


def _log_gamma_ratio(a: float) -> float:
    """log Gamma(a + 1/2) - log Gamma(a), by its asymptotic series for large a, where the difference would cancel."""
    if a > 30:
        r = 1 / a
        return 0.5 * math.log(a) + r * (-1 / 8 + r * r * (1 / 192 - r * r / 640))
    return math.lgamma(a + 0.5) - math.lgamma(a)
