"""The normal and Student's t emissions in plain numbers, without torch: the density of one value, and draws."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from ostinato.emissions.bounded import LEAST
from ostinato.emissions.constraints import FARTHEST, FLOOR, LEAST_DF
from ostinato.emissions.draws import PlainSource
from ostinato.emissions.emission import Floats


def normal(params: Sequence[float], x: float) -> float:
    """Return the nats of a continuous value x under params (location, raw scale)."""
    scale = _softplus(params[1]) + FLOOR
    m = _residual(x, params[0]) / scale
    return -0.5 * (m * m + math.log(2 * math.pi)) - math.log(scale)


def student_t(params: Sequence[float], x: float) -> float:
    """Return the nats of x under params (location, raw scale, raw degrees of freedom)."""
    scale, df = _softplus(params[1]) + FLOOR, _softplus(params[2]) + LEAST_DF
    m = _residual(x, params[0]) / scale
    kernel = -0.5 * (df + 1) * math.log1p(m * m / df)
    return _log_gamma_ratio(df / 2) - 0.5 * math.log(df * math.pi) - math.log(scale) + kernel


def tail_normal(params: Sequence[float], a: float) -> tuple[float, float]:
    """Return log P(X > a) and E max(X - a, 0) under params (location, raw scale)."""
    scale = _softplus(params[1]) + FLOOR
    m = _residual(a, params[0]) / scale
    log_density, tail = -0.5 * (m * m + math.log(2 * math.pi)), 0.5 * math.erfc(m / math.sqrt(2))
    if m > 30:
        r = 1 / (m * m)
        return log_density - math.log(m) + math.log1p(r * (3 * r - 1)), 0.0
    return math.log(tail), scale * (math.exp(log_density) - m * tail)


def tail_student_t(params: Sequence[float], a: float) -> tuple[float, float]:
    """Return log P(X > a) and E max(X - a, 0) under params (location, raw scale, raw degrees of freedom)."""
    scale, df = _softplus(params[1]) + FLOOR, _softplus(params[2]) + LEAST_DF
    m = _residual(a, params[0]) / scale
    kernel = -0.5 * (df + 1) * math.log1p(m * m / df)
    density = math.exp(_log_gamma_ratio(df / 2) - 0.5 * math.log(df * math.pi) + kernel)
    tail = float(special.stdtr(df, -m))
    return math.log(max(tail, LEAST)), scale * (density * (df + m * m) / (df - 1) - m * tail)


def earlier(row: Sequence[float], e: Sequence[float]) -> float:
    """Return the product of one row of the matrix L of a Coupling with the innovations e of the earlier channels.

    The row is empty for the first channel, and for channels without a coupling.
    """
    return sum(w * max(-FARTHEST, min(FARTHEST, v)) for w, v in zip(row, e, strict=False))


def draw_normal(params: Floats, rng: PlainSource, temperature: float) -> Floats:
    """Return draws (...) of params (..., 2); temperature multiplies the scale."""
    scale = np.logaddexp(np.float32(0), params[..., 1])
    return _draws(params, scale, rng.standard_normal(params.shape[:-1], dtype=np.float32), temperature)


def draw_student_t(params: Floats, rng: PlainSource, temperature: float) -> Floats:
    """Return draws (...) of params (..., 3); temperature multiplies the scale. See ``draws.student_t``."""
    raw = np.logaddexp(np.float32(0), params[..., 1:])
    df = raw[..., 1].astype(np.float64) + LEAST_DF
    u = rng.random((*df.shape, 2))
    radius = np.sqrt(df * np.expm1(-2 / df * np.log1p(-u[..., 0])))
    return _draws(params, raw[..., 0], (radius * np.cos(2 * math.pi * u[..., 1])).astype(np.float32), temperature)


def _draws(params: Floats, scale: Floats, noise: Floats, temperature: float) -> Floats:
    """Return location plus temperature times scale times noise."""
    return np.asarray(params[..., 0] + np.float32(temperature) * (scale + np.float32(FLOOR)) * noise)


def _residual(x: float, location: float) -> float:
    """Return x - location, clipped to +-FARTHEST."""
    return max(-FARTHEST, min(FARTHEST, x - location))


def _softplus(raw: float) -> float:
    """Return log(1 + exp(raw)) without overflow."""
    return max(raw, 0.0) + math.log1p(math.exp(-abs(raw)))


def _log_gamma_ratio(a: float) -> float:
    """Return log Gamma(a + 1/2) - log Gamma(a); for large a by its asymptotic series, since the difference cancels."""
    if a > 30:
        r = 1 / a
        return 0.5 * math.log(a) + r * (-1 / 8 + r * r * (1 / 192 - r * r / 640))
    return math.lgamma(a + 0.5) - math.lgamma(a)
