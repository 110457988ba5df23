"""The choice between an autoregression on every lag up to its order and one on a few lags, by likelihood."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.autoregression import ARFit, fit_ar, fit_ar_at
from ostinato.layers.lag_search import useful_lags
from ostinato.layers.lagged import Lagged, lagged
from ostinato.layers.least_squares import Array

#: The share of each sequence, at its end, that both are judged on before the likelier one is fitted to everything.
JUDGED = 0.2
#: The fewest steps to judge on.
FEWEST = 8
#: The most lags that a name lists.
LISTED = 4


def fit_dense_or_sparse(values: Array, offsets: NDArray[np.int64], max_order: int, farthest: int) -> ARFit:
    """Return the likelier of two autoregressions of one channel, fitted to all of it.

    The dense one has every lag up to an order that BIC chooses; the sparse one has the lags of ``useful_lags``. Both are
    fitted to the first four fifths of each sequence and judged on the rest, one step ahead. The one with more
    coefficients must be likelier by more than one standard error.

    Args:
        values: The values of all sequences joined, (N,). NaN where a value is missing.
        offsets: Where the sequences begin and end in values, (B + 1,).
        max_order: The highest order of the dense one.
        farthest: The farthest lag of the sparse one.
    """
    values = np.asarray(values, dtype=np.float64)
    dense = fit_ar(values, offsets, max_order)
    rows, seen = lagged(values, offsets, "c"), np.isfinite(values)
    lags = useful_lags(rows, seen, farthest)
    if not lags or lags == dense.lags:
        return dense
    last = seen & (rows.date > np.repeat(np.ceil((1 - JUDGED) * np.diff(offsets)), np.diff(offsets)))
    early = useful_lags(rows, seen & ~last, farthest)
    if not early:
        return dense
    ours = fit_ar_at(values, offsets, early, held_out=last)
    theirs = fit_ar(values, offsets, max_order, held_out=last)
    gains = _gains(rows, last, ours, theirs)
    if len(gains) < FEWEST:
        return dense
    gain, error = float(gains.mean()), float(gains.std()) / math.sqrt(len(gains))
    if gain <= (error if len(early) > theirs.order else -error):
        return dense
    fit = fit_ar_at(values, offsets, lags)
    words = (
        f"the autoregression is on the lags {', '.join(map(str, lags))}: on the last {len(gains):,} steps of the data it "
        f"was fitted to, such a one was {'likelier' if gain > 0 else 'less likely'} than one on every lag up to "
        f"{theirs.order}, by {abs(gain):.3f} nats a step (standard error {error:.3f}), with {len(early)} coefficients "
        f"instead of {theirs.order}"
    )
    return replace(fit, notes=(*fit.notes, words))


def name_of(lags: tuple[int, ...]) -> str:
    """Return the name of an autoregression on these lags, such as ``AR(3)``, ``AR(lags 1, 12)`` or ``AR(9 lags)``."""
    if len(lags) == max(lags, default=0):
        return f"AR({len(lags)})"
    if len(lags) > LISTED:
        return f"AR({len(lags)} lags up to {lags[-1]})"
    return f"AR(lag{'s' * (len(lags) > 1)} {', '.join(map(str, lags))})"


def _gains(rows: Lagged, steps: NDArray[np.bool_], ours: ARFit, theirs: ARFit) -> Array:
    """Return by how many nats each step is likelier under ours, (n,), for the steps that have the lags of both.

    The standard deviations are taken from these steps themselves, so that a change in the level of the noise gains
    nothing.
    """
    common = steps & rows.complete(ours.lags) & rows.complete(theirs.lags)
    e = np.stack([_errors(rows, common, fit) for fit in (ours, theirs)])
    if not e.size:
        return np.zeros(0)
    mean = np.maximum((e**2).mean(axis=1, keepdims=True), 1e-300)
    nats = -0.5 * (np.log(mean) + e**2 / mean)
    return np.asarray(nats[0] - nats[1])


def _errors(rows: Lagged, steps: NDArray[np.bool_], fit: ARFit) -> Array:
    """Return the errors one step ahead at some steps in scaled units, (n,)."""
    intercept = (fit.intercept - rows.shift * (1 - fit.coefficients.sum())) / rows.scale
    weights = np.array([intercept, *fit.coefficients])
    parts = [block[:, -1] - block[:, :-1] @ weights for block in rows.blocks(steps, fit.lags)]
    return np.concatenate([np.zeros(0), *parts])
