"""Whether values are shares or percentages, which end at everything: at 1 or at 100."""

from __future__ import annotations

import numpy as np

from ostinato.shapes import Array

#: The share or the percentage that is everything, by which a series may be bounded above.
_WHOLE = (1.0, 100.0)
#: The ratio of likelihoods from which zeros and ones are no counts: then a 2 has a chance of less than 1/40, unless
#: nearly all values are 1.
_LIKELIER = 5.0


def everything(y: Array) -> float:
    """Return the greatest value that values (T,) can take: 100 or 1 if they are shares of it, and otherwise infinity.

    They are shares if they are from 0 to there, reached it more than once, and are not made of two whole numbers: such
    a series is a percentage or a share. They are from 0 to 1 too if they are made of 0 and 1, and these are five times
    as likely if they say no or yes as if they count events, of which two may come in a step (see ``_says_yes``).

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
    return most if parts or (most == 1 and _says_yes(seen)) else np.inf


def _says_yes(y: Array) -> bool:
    """Return whether zeros and ones (n,) are ``_LIKELIER`` as likely under Bernoulli's distribution as under Poisson's.

    With the share p of ones, the likeliest parameter of both, the ratio of the likelihoods is
    exp(n ((1 - p) log(1 - p) + p)). So 11 values of which half are 1 are enough, or 5 of which four are.
    """
    p = float(y.mean())
    return bool(len(y) * ((1 - p) * np.log1p(-p) + p) >= np.log(_LIKELIER))
