"""What the forecast of a series may claim whose values are all equal: that it may still change.

Errors of 0 say that the next value is the same. n equal values say less. Let every step change the value with the same
unknown chance, and let every chance be as likely before. Then the next value differs with a chance of 1 / (n + 1), and
one of the next h with h / (n + h) (the rule of succession of Laplace; Gelman et al. 2013, section 2.1). Other series
say more: how often a value changed there after at least n / 2 equal ones. Each such step counts as one more that was
seen.

The size of a change has a Student t distribution with 2 degrees of freedom, that of a size which was never seen (see
``student``). Its scale is the typical change of the other series, as in ``lone``, which grows as in a random walk with
the changes to expect. Without other series it is half of the value. After at least two equal values, the quarterly and
monthly series of the tourism competition change by .3 to .5 of the value in the median, and by 2.3 to 2.5 in 5 % of
cases. This distribution gives .4 and 2.2. The series of M1 change by a tenth of that.

So an interval has no width if a change is rarer than the share of the values that it leaves out. That of 95 % at the
next step has none from 19 equal values on. A change from 0 goes upwards if no value was below 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, stdtrit

from ostinato.local.panel import Panel, stacked
from ostinato.local.single_value import steps_of_others
from ostinato.local.special import Special
from ostinato.shapes import Array
from ostinato.spread import ROUNDING, stills

#: The size of a change as a share of the value, without other series.
_SHARE = 0.5
#: The degrees of freedom of the size of a change that was never seen.
_FREEDOM = 2.0
#: Chances that differ by less are equal.
_ROUNDED = 1e-12


def are_equal(panel: Panel) -> NDArray[np.bool_]:
    """Return which series of a panel have at least two values, all of them equal, (S,)."""
    several = np.array([np.isfinite(y).sum() > 1 for y in panel.values], dtype=bool)
    return np.asarray(stills(stacked(panel.values)) & several)


def quantiles_of_equal(series: Special, probabilities: Array, *, logs: bool) -> Array:
    """Return the quantiles (E, H, Q) that this file describes, for series of equal values (see ``special``)."""
    panel, equal, value, steps = series
    differs, expected = _changes(panel, equal, steps)
    others = steps_of_others(panel, changes=True)
    if others is not None:
        scale = others.of(value, logs=logs) * np.sqrt(expected / differs)
    else:
        scale = np.broadcast_to(_SHARE * (1.0 if logs else np.where(value == 0, 1.0, np.abs(value))), steps.shape)
    both = (value != 0) | logs | (np.array([np.nanmin(panel.values[s]) for s in equal])[:, None] < 0)
    moved = scale[..., None] * away(np.where(both, differs, 2 * differs), differs, probabilities)
    return np.asarray(value[..., None] + moved)


def away(sides: Array, differs: Array, probabilities: Array) -> Array:
    """Return the quantiles (..., Q) of a step that is 0 or, with some chance, has a Student t distribution.

    Args:
        sides: The chance of a change, or twice that where it can only be upwards, (...).
        differs: The chance of a change, (...).
        probabilities: The increasing probabilities of the quantiles, (Q,).
    """
    sides, lower = sides[..., None], np.where(sides > differs, 0.0, sides / 2)[..., None]
    below = np.clip(probabilities / sides, 1e-300, 0.5)
    above = np.clip((1 - probabilities) / sides, 1e-300, 0.5)
    size = np.where(probabilities < lower, stdtrit(_FREEDOM, below), -stdtrit(_FREEDOM, above))
    moves = (probabilities < lower - _ROUNDED) | (above < 0.5 - _ROUNDED)
    return np.where(moves, size, 0.0)


def _changes(panel: Panel, equal: NDArray[np.int64], steps: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return the chance that a series has changed after some steps, and the number of changes to expect, (E, H) each.

    Args:
        panel: The series.
        equal: The indices of the E series of equal values.
        steps: The steps after the last value of each, (E, H).
    """
    after, changed = _after_runs(panel)
    n = np.array([np.isfinite(panel.values[s]).sum() for s in equal])
    from_ = np.minimum((n + 1) // 2, len(after) - 1)
    a = (1.0 + changed[from_])[:, None]
    # the own steps of a series are among those of the panel from half of its run on
    b = (n + after[from_] - changed[from_] - n // 2)[:, None]
    stays = np.exp(betaln(a, b + steps) - betaln(a, b))
    return 1 - stays, steps * a / (a + b)


def _after_runs(panel: Panel) -> tuple[Array, Array]:
    """Return how many steps of a panel follow a run of at least r equal values, and how many change it, for r = 0..."""
    longest = max(map(len, panel.values)) + 1
    after, changed = np.zeros((2, longest))
    for y in panel.values:
        seen = y[np.isfinite(y)]
        if len(seen) < 2:
            continue
        moves = np.abs(np.diff(seen)) > ROUNDING * np.abs(seen).max()
        at = np.arange(1, len(seen))
        last = np.maximum.accumulate(np.concatenate([[0], np.where(moves, at, 0)[:-1]]))
        run = at - last
        after += np.bincount(run, minlength=longest)
        changed += np.bincount(run, moves, minlength=longest)
    return after[::-1].cumsum()[::-1], changed[::-1].cumsum()[::-1]
