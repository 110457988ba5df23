"""Numbers as text: ``exact`` for files, which loses nothing, and ``shown`` for the screen, with significant digits."""

from __future__ import annotations

import math
from typing import SupportsFloat

#: The significant digits on the screen. A number from _LEAST up to _MOST is written without an exponent.
DIGITS, _LEAST, _MOST = 6, 1e-4, 1e15


def exact(x: SupportsFloat) -> str:
    """Return the shortest text that reads back to the same number; an empty text for NaN.

    A 32-bit float gives the shortest text among 32-bit floats: 0.1, not 0.10000000149011612.

    Args:
        x: A Python or numpy number.
    """
    return "" if math.isnan(x) else str(x)


def plain(x: float) -> str:
    """Return a number for a name or a sentence: ``exact``, and without ".0" if it is whole.

    Args:
        x: A number.
    """
    return exact(x).removesuffix(".0")


def counted(count: float, one: str, many: str = "") -> str:
    """Return a number of things in words: "1 step", "1,200 steps", "2 categories".

    Args:
        count: The number.
        one: The word for one thing.
        many: The word for several. Default: by the rules of English, "category" to "categories".
    """
    number = f"{count:,}" if count == int(count) else plain(count)
    if count == 1:
        return f"{number.removesuffix('.0')} {one}"
    several = f"{one[:-1]}ies" if one.endswith("y") and one[-2:-1] not in "aeiou" else one
    several = several if several != one else f"{one}{'es' if one.endswith(('s', 'x', 'ch', 'sh')) else 's'}"
    return f"{number.removesuffix('.0')} {many or several}"


def shown(x: float, digits: int = DIGITS, *, keep: bool = False) -> str:
    """Return a number for the screen, with significant digits: 5e-07, 0.00123, 1234567.8; "-" for NaN.

    A number without an exponent keeps its whole part and one decimal, however few digits are wanted, because a zero in
    the place of a digit would be a wrong one.

    Args:
        x: The number.
        digits: The number of significant digits.
        keep: Whether zeros at the end are kept, so that a column is aligned: 1.000.
    """
    if not math.isfinite(x):
        return "-" if math.isnan(x) else str(x)
    size = abs(float(x))
    x = x if size else 0.0
    if size and not _LEAST <= size < _MOST:
        mantissa, _, power = f"{x:.{digits - 1}e}".partition("e")
        return f"{mantissa if keep else _trimmed(mantissa)}e{power}"
    # the exponent after rounding: 9.9999996 has two digits before the point with six digits
    exponent = int(f"{size:.{digits - 1}e}".partition("e")[2])
    text = f"{x:.{max(digits - 1 - exponent, 1)}f}"
    return text if keep else _trimmed(text)


def _trimmed(text: str) -> str:
    """Return a number with a decimal point without the zeros at its end."""
    return text.rstrip("0").rstrip(".") if "." in text else text
