"""The upper bound of values that are shares or percentages: 1 or 100."""

from __future__ import annotations

import numpy as np

from ostinato.shapes import Array

#: The upper bounds of shares and of percentages.
_WHOLE = (1.0, 100.0)
#: The likelihood ratio from which two values are taken for all that there are, and not for counts of a step. At this
#: ratio a third value has a probability of less than 1/40, unless nearly all values are the upper one.
_LIKELIER = 5.0


def upper_bound(y: Array) -> float:
    """Return the upper bound of values (T,): 1 for shares, 100 for percentages, and otherwise infinity.

    Values are shares or percentages if their minimum is at least 0, their maximum is 1 or 100 and occurs more than
    once, and they are not just two whole numbers. Two whole numbers, such as 0 and 1 or 99 and 100, may mean no and
    yes, or count steps up from the lower one. They are bounded if the former is five times as likely (see
    ``_is_binary``).

    Args:
        y: The values. NaN where a value is missing.
    """
    seen = y[np.isfinite(y)]
    if not len(seen) or seen.min() < 0 or (most := float(seen.max())) not in _WHOLE:
        return np.inf
    different = np.unique(seen)
    if (seen == most).sum() <= 1 or len(different) < 2:
        return np.inf
    parts = len(different) > 2 or bool((seen % 1 > 0).any())
    return most if parts or _is_binary((seen == most).astype(np.float64)) else np.inf


def _is_binary(y: Array) -> bool:
    """Return whether zeros and ones (n,) are ``_LIKELIER`` times as likely under Bernoulli's as under Poisson's law.

    The share p of ones is the maximum likelihood estimate of both parameters, so the ratio of the likelihoods is
    exp(n ((1 - p) log(1 - p) + p)). So 11 values of which half are 1 are enough, or 5 of which four are.
    """
    p = float(y.mean())
    return bool(len(y) * ((1 - p) * np.log1p(-p) + p) >= np.log(_LIKELIER))
