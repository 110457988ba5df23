"""The choice between an autoregression on every lag up to its order and one on a few lags, by likelihood."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.ar_fit import ARFit
from ostinato.layers.ar_gains import gains_of
from ostinato.layers.autoregression import fit_ar, fit_ar_at
from ostinato.layers.explosive import bent, steady
from ostinato.layers.lag_search import useful_lags
from ostinato.layers.lagged import Lagged, lagged
from ostinato.numbers import counted
from ostinato.shapes import Array

#: The share of each sequence, at its end, that both are judged on before the likelier one is fitted to everything.
JUDGED = 0.2
#: The fewest steps to judge on.
FEWEST = 8
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
    rows, lengths = [lagged(x, offsets, "c") for x in channels], np.diff(offsets)
    dense = [
        steady(fit_ar(x, offsets, max_order), x, offsets, one, max_order) for x, one in zip(channels, rows, strict=True)
    ]
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
        return (_sparse(channels, offsets, lags, rows) if smaller else None) or dense
    coefficients = [sum(len(fit.lags) for fit in fits) for fits in (ours, theirs)]
    gains = gains_of(rows, last, ours, theirs)
    if len(gains) < FEWEST:
        return dense
    gain, error = float(gains.mean()), float(gains.std()) / math.sqrt(len(gains))
    better = gain > (error if coefficients[0] > coefficients[1] else 0.0)
    fits = _sparse(channels, offsets, lags, rows) if better else None
    if fits is None:
        return dense
    words = (
        f"the autoregression uses the lags {', '.join(map(str, lags))} alone, with {coefficients[0]} coefficients "
        f"instead of the {coefficients[1]} for every lag. On the last {counted(len(gains), 'step')} of its data, that "
        f"was {gain:.3f} nats a step better (standard error {error:.3f})"
    )
    return [replace(fit, notes=(*fit.notes, words)) for fit in fits]


def _sparse(
    channels: Array, offsets: NDArray[np.int64], lags: tuple[int, ...], rows: list[Lagged]
) -> list[ARFit] | None:
    """Return the fits of channels (D, N) on some lags; None if one was bent to odd values."""
    fits = [fit_ar_at(x, offsets, lags) for x in channels]
    return None if any(bent(fit, one).any() for fit, one in zip(fits, rows, strict=True)) else fits


def name_of(lags: tuple[int, ...]) -> str:
    """Return the name of an autoregression: ``AR(3)``, ``AR(lags 1, 12)`` or ``AR(9 lags up to 400)``."""
    if len(lags) == max(lags, default=0):
        return f"AR({len(lags)})"
    if len(lags) > LISTED:
        return f"AR({counted(len(lags), 'lag')} up to {lags[-1]})"
    return f"AR(lag{'s' * (len(lags) > 1)} {', '.join(map(str, lags))})"
