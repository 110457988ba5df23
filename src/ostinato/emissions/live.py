"""Emissions in plain numbers, without torch's dispatch: the log_prob of one, and draws of many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ostinato.emissions.constraints import FARTHEST, FLOOR
from ostinato.emissions.student_t import LEAST_DF

Floats: TypeAlias = NDArray[np.float32]


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


def earlier(row: Sequence[float], e: Sequence[float]) -> float:
    """What a row of a Coupling's L (d), of no channels where nothing is coupled, says from innovations e before it."""
    return sum(w * max(-FARTHEST, min(FARTHEST, v)) for w, v in zip(row, e, strict=False))


def draw_normal(params: Floats, rng: np.random.Generator, temperature: float) -> Floats:
    """Params (..., 2) -> draws (...); temperature multiplies the scale."""
    scale = np.logaddexp(np.float32(0), params[..., 1])
    return _draws(params, scale, rng.standard_normal(params.shape[:-1], dtype=np.float32), temperature)


def draw_student_t(params: Floats, rng: np.random.Generator, temperature: float) -> Floats:
    """Params (..., 3) -> draws (...); temperature multiplies the scale."""
    raw = np.logaddexp(np.float32(0), params[..., 1:])
    half = (raw[..., 1] + np.float32(LEAST_DF)) / 2
    noise = rng.standard_normal(half.shape, dtype=np.float32)
    return _draws(params, raw[..., 0], noise * np.sqrt(half / rng.standard_gamma(half)).astype(np.float32), temperature)


#: emission -> draws on the real line
DRAWS: dict[str, Callable[[Floats, np.random.Generator, float], Floats]] = {
    "normal": draw_normal,
    "student_t": draw_student_t,
}


def _draws(params: Floats, scale: Floats, noise: Floats, temperature: float) -> Floats:
    return np.asarray(params[..., 0] + np.float32(temperature) * (scale + np.float32(FLOOR)) * noise)


def _residual(x: float, location: float) -> float:
    return max(-FARTHEST, min(FARTHEST, x - location))


def _softplus(raw: float) -> float:
    return max(raw, 0.0) + math.log1p(math.exp(-abs(raw)))


def _log_gamma_ratio(a: float) -> float:
    """Log Gamma(a + 1/2) - log Gamma(a), by its asymptotic series for large a, where the difference would cancel."""
    if a > 30:
        r = 1 / a
        return 0.5 * math.log(a) + r * (-1 / 8 + r * r * (1 / 192 - r * r / 640))
    return math.lgamma(a + 0.5) - math.lgamma(a)
