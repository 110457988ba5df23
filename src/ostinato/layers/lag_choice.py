"""The choice between an autoregression on every lag up to its order and one on a few lags, by likelihood."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.ar_fit import ARFit
from ostinato.layers.autoregression import fit_ar, fit_ar_at
from ostinato.layers.lag_search import useful_lags
from ostinato.layers.lagged import Lagged, lagged
from ostinato.numbers import counted
from ostinato.shapes import Array
from ostinato.spread import FLOOR

#: The share of each sequence, at its end, that both are judged on before the likelier one is fitted to everything.
JUDGED = 0.2
#: The fewest steps to judge on, and the steps for each channel from which on the channels are judged together.
FEWEST, ENOUGH = 8, 20
#: The most lags that a name lists.
LISTED = 4


def fit_dense_or_sparse(values: Array, offsets: NDArray[np.int64], max_order: int, farthest: int) -> list[ARFit]:
    """Return the likelier of two autoregressions of the channels, fitted to all steps, one fit per channel.

    The dense one has every lag up to an order that BIC chooses for each channel; the sparse one has the lags of
    ``useful_lags``, which all channels share. Both are fitted to the first four fifths of each sequence and judged on
    the rest, one step ahead. A sparse one with more coefficients than the dense one must be likelier by more than one
    standard error.

    Args:
        values: The values of all sequences joined, (N, D). NaN where a value is missing.
        offsets: Where the sequences begin and end in values, (B + 1,).
        max_order: The highest order of the dense one.
        farthest: The farthest lag of the sparse one.
    """
    channels = np.asarray(values, dtype=np.float64).T
    dense = [fit_ar(x, offsets, max_order) for x in channels]
    rows, lengths = [lagged(x, offsets, "c") for x in channels], np.diff(offsets)
    lags = useful_lags(rows, np.ones(len(values), dtype=bool), farthest)
    if not lags or all(lags == fit.lags for fit in dense):
        return dense
    last = rows[0].date > np.repeat(np.ceil((1 - JUDGED) * lengths), lengths)
    early = useful_lags(rows, ~last, farthest)
    if not early:
        return dense
    ours = [fit_ar_at(x, offsets, early, held_out=last) for x in channels]
    theirs = [fit_ar(x, offsets, max_order, held_out=last) for x in channels]
    if all(early == fit.lags for fit in theirs):
        # on the steps before the judged ones both forms are the same, so these steps cannot choose: the smaller is kept
        smaller = len(lags) * len(channels) < sum(len(fit.lags) for fit in dense)
        return [fit_ar_at(x, offsets, lags) for x in channels] if smaller else dense
    coefficients = [sum(len(fit.lags) for fit in fits) for fits in (ours, theirs)]
    gains = _gains(rows, last, ours, theirs)
    if len(gains) < FEWEST:
        return dense
    gain, error = float(gains.mean()), float(gains.std()) / math.sqrt(len(gains))
    if gain <= (error if coefficients[0] > coefficients[1] else 0.0):
        return dense
    words = (
        f"the autoregression uses the lags {', '.join(map(str, lags))} alone, with {coefficients[0]} coefficients "
        f"instead of the {coefficients[1]} for every lag. On the last {counted(len(gains), 'step')} of its data, that "
        f"was {gain:.3f} nats a step better (standard error {error:.3f})"
    )
    fits = [fit_ar_at(x, offsets, lags) for x in channels]
    return [replace(fit, notes=(*fit.notes, words)) for fit in fits]


def name_of(lags: tuple[int, ...]) -> str:
    """Return the name of an autoregression: ``AR(3)``, ``AR(lags 1, 12)`` or ``AR(9 lags up to 400)``."""
    if len(lags) == max(lags, default=0):
        return f"AR({len(lags)})"
    if len(lags) > LISTED:
        return f"AR({counted(len(lags), 'lag')} up to {lags[-1]})"
    return f"AR(lag{'s' * (len(lags) > 1)} {', '.join(map(str, lags))})"


def _gains(rows: list[Lagged], steps: NDArray[np.bool_], ours: list[ARFit], theirs: list[ARFit]) -> Array:
    """Return by how many nats each step is likelier under ours, (n,), for the steps that have the lags of both.

    The likelihood is that of a normal distribution of all channels together. Its covariance is taken from these steps
    themselves, so that a change in the level of the noise gains nothing; with few steps only its diagonal is.
    """
    common = steps.copy()
    for one, a, b in zip(rows, ours, theirs, strict=True):
        common &= one.complete(a.lags) & one.complete(b.lags)
    if not common.any():
        return np.zeros(0)
    nats = []
    for fits in (ours, theirs):
        e = np.stack([_errors(one, common, fit) for one, fit in zip(rows, fits, strict=True)], axis=1)
        covariance = e.T @ e / len(e)
        if len(e) < ENOUGH * e.shape[1]:
            covariance = np.diag(np.diag(covariance))
        size = np.sqrt(np.maximum(np.diag(covariance), FLOOR**2))
        scaled = covariance / np.outer(size, size) + FLOOR * np.eye(len(size))
        L = np.linalg.cholesky(scaled)
        u = np.linalg.solve(L, (e / size).T)
        nats.append(-0.5 * (u**2).sum(axis=0) - np.log(np.diag(L)).sum() - np.log(size).sum())
    return np.asarray(nats[0] - nats[1])


def _errors(rows: Lagged, steps: NDArray[np.bool_], fit: ARFit) -> Array:
    """Return the errors one step ahead at some steps in scaled units, (n,)."""
    intercept = (fit.intercept - rows.shift * (1 - fit.coefficients.sum())) / rows.scale
    weights = np.array([intercept, *fit.coefficients])
    return np.concatenate([block[:, -1] - block[:, :-1] @ weights for block in rows.blocks(steps, fit.lags)])
