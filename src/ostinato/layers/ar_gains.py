"""By how many nats each step is likelier under one autoregression than under another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.ar_fit import ARFit
from ostinato.layers.lagged import Lagged
from ostinato.shapes import Array
from ostinato.spread import FLOOR

#: The steps for each channel from which on the channels are judged together.
ENOUGH = 20


def gains_of(rows: list[Lagged], steps: NDArray[np.bool_], ours: list[ARFit], theirs: list[ARFit]) -> Array:
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
        e = np.stack([errors_of(one, common, fit) for one, fit in zip(rows, fits, strict=True)], axis=1)
        covariance = e.T @ e / len(e)
        if len(e) < ENOUGH * e.shape[1]:
            covariance = np.diag(np.diag(covariance))
        size = np.sqrt(np.maximum(np.diag(covariance), FLOOR**2))
        scaled = covariance / np.outer(size, size) + FLOOR * np.eye(len(size))
        L = np.linalg.cholesky(scaled)
        u = np.linalg.solve(L, (e / size).T)
        nats.append(-0.5 * (u**2).sum(axis=0) - np.log(np.diag(L)).sum() - np.log(size).sum())
    return np.asarray(nats[0] - nats[1])


def errors_of(rows: Lagged, steps: NDArray[np.bool_], fit: ARFit) -> Array:
    """Return the errors one step ahead at some steps in scaled units, (n,)."""
    intercept = (fit.intercept - rows.shift * (1 - fit.coefficients.sum())) / rows.scale
    weights = np.array([intercept, *fit.coefficients])
    return np.concatenate([block[:, -1] - block[:, :-1] @ weights for block in rows.blocks(steps, fit.lags)])
