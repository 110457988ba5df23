"""Autoregressions that grow without bound because least squares was bent to a few odd values.

A dip to 0 at the end of a series near 100 is fitted best by coefficients whose recursion explodes: such a series was
forecast at half a million. Steady growth has no odd value, and is kept.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.ar_fit import ARFit
from ostinato.layers.ar_gains import errors_of
from ostinato.layers.autoregression import fit_ar
from ostinato.layers.lagged import Lagged
from ostinato.numbers import counted
from ostinato.shapes import Array
from ostinato.spread import odd

#: The factor by which a fit may grow in a step. Least squares gives many a trend a root a little above 1.
GROWTH = 1.05


def steady(fit: ARFit, values: Array, offsets: NDArray[np.int64], rows: Lagged, max_order: int) -> ARFit:
    """Return a fit, or one that leaves out the odd values that it was bent to.

    Args:
        fit: The fit of the order that was chosen.
        values: The values of the channel, (N,).
        offsets: Where the sequences begin and end in values, (B + 1,).
        rows: Their rows.
        max_order: The highest order to consider.
    """
    left_out = bent(fit, rows)
    if not left_out.any():
        return fit
    words = f"{counted(int(left_out.sum()), 'step')} far from all others did not count for the coefficients"
    other = fit_ar(values, offsets, max_order, held_out=left_out)
    return replace(other, notes=(*other.notes, words))


def bent(fit: ARFit, rows: Lagged) -> NDArray[np.bool_]:
    """Return the steps that a fit which explodes was bent to, (N,); none if it does not explode.

    They are odd for the fit whose roots outside of the unit circle are drawn back to it.
    """
    out = np.zeros(len(rows.z), dtype=bool)
    # with a sum of at most 1 no root is outside of the unit circle
    if float(np.abs(fit.coefficients).sum()) <= 1.0:
        return out
    polynomial = np.zeros(fit.order + 1)
    polynomial[0], polynomial[list(fit.lags)] = 1.0, -fit.coefficients
    roots = np.roots(polynomial)
    if float(np.abs(roots).max(initial=0.0)) > GROWTH:
        phi = -np.poly(roots / np.maximum(np.abs(roots), 1.0)).real[1:]
        held = replace(fit, coefficients=np.asarray(phi, dtype=np.float64), lags=tuple(range(1, fit.order + 1)))
        everywhere = np.ones(len(out), dtype=bool)
        out[np.flatnonzero(rows.complete(held.lags))] = odd(errors_of(rows, everywhere, held))
    return out
