"""The century of years of two digits.

It is read where the rules of the C library (69 to 99 are of 1900) and of Excel (30 to 99) agree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: The last two-digit year that is certainly of the 2000s, and the first that is certainly of the 1900s.
_LAST, _FIRST = 29, 69


def century(years: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return two-digit years, (N,), as four-digit years; None if the century of one of them is uncertain."""
    if ((years > _LAST) & (years < _FIRST)).any():
        return None
    return np.where(years <= _LAST, 2000, 1900) + years


def century_note(word: str, year: int) -> str:
    """Return the note on years of two digits, with the word and the year of the first cell."""
    return f"years of two digits are read as those of 1969 to 2029: {word!r} is in {year}"
