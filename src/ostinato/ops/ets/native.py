"""Exponential smoothing by the compiled engine (csrc/smoothing.h). Same signature and result as the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ostinato.errors import ConfigError
from ostinato.ops.engine import extension
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.ets.form import Batch, Form, Unrolled
from ostinato.shapes import Array
from ostinato.threads import engine_limit

if not ABSENT:
    from ostinato.ops.engine import _engine


def refusal(facts: Mapping[str, Any]) -> str | None:
    """Return the reason why the engine cannot run, or None if it can; see ``extension.refusal``."""
    if not ABSENT and not hasattr(_engine, "smoothing"):
        return "the compiled engine is older than the package: install the package again"
    return extension.refusal(facts)


def unroll(batch: Batch, form: Form, theta: Array, *, gradient: bool = False, path: bool = False) -> Unrolled:
    """Unroll models of one form by the engine; arguments are those of the reference.

    Raises:
        ConfigError: ``theta`` does not fit the batch or the form.
    """
    B, T, m = len(batch.series), batch.y.shape[1], theta.shape[-1] - 6
    if theta.ndim != 2 or len(theta) != B or m < form.seasonal or (m and not form.seasonal):
        raise ConfigError(f"theta has the shape {theta.shape}, which {form} cannot have", fix="give (B, 6 + m)")
    value = np.empty(B)
    slope = np.empty((B, 6 + m)) if gradient else None
    mean, last = (np.zeros((B, T)), np.empty((B, 2 + m))) if path else (None, None)
    # the list keeps the copies alive while the kernel runs
    given = [np.ascontiguousarray(a, dtype=np.float64) for a in (batch.y, batch.floor, theta)]
    rows = [np.ascontiguousarray(a, dtype=np.int64) for a in (batch.series, batch.lengths)]
    y, floor, parameters, series, lengths = (a.ctypes.data for a in (*given, *rows))
    results = [0 if a is None else a.ctypes.data for a in (value, slope, mean, last)]
    sizes = B, T, m, int(form.error == "M"), "NAM".index(form.season)
    _engine.smoothing(sizes, engine_limit(), y, series, lengths, floor, parameters, *results)
    return Unrolled(value, slope, mean, last)
