"""Numbers such as 1.200, whose one sign may be the decimal sign or stand between thousands.

A program that writes 900 and not 900.000 leaves out the zeros at the end, and would write 1.2. So no way of writing
decimals gives both 1.200 and 900. But a person may: the sign is taken as one between thousands only if the numbers are
then nearer to each other too.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
import polars as pl

#: A number with one sign behind its first digits and three digits behind it, and a whole number below it.
OPEN, _SMALL = r"^[-+]?[1-9]\d{0,2}[.,]\d{3}$", r"^[-+]?[1-9]\d{0,2}$"


class Point(Enum):
    """What the one sign in the numbers of a column is."""

    AS_READ = "the decimal sign, or none"
    OPEN = "of either meaning: every number with a sign is as 1.234"
    DOUBTFUL = "between thousands by the way of writing, and not by the size of the numbers"
    ZEROS = "between thousands by the way of writing, beside whole numbers that are all 0"
    THOUSANDS = "between thousands"


def point_of(words: pl.Series) -> Point:
    """Return what the one sign in the numbers of a column is.

    Args:
        words: The cells, (N,), without blanks at their ends; null if missing.
    """
    seen = words.drop_nulls()
    large = seen.str.contains(OPEN)
    if not large.any() or all(seen.str.contains(sign, literal=True).any() for sign in ".,"):
        return Point.AS_READ
    rest, separated = seen.filter(~large), seen.filter(large)
    if not rest.str.contains(rf"{_SMALL}|^0$").all():
        return Point.AS_READ
    small = rest.filter(rest.str.contains(_SMALL))
    if not separated.str.ends_with("0").any():
        return Point.OPEN
    if not len(small):  # a program that writes 1.200 for 1.2 writes 0.000 for 0; the size of 0 shows nothing
        return Point.ZEROS if len(rest) else Point.OPEN
    whole = separated.str.replace_all("[.,]", "").cast(pl.Float64).abs()
    below = small.cast(pl.Float64).abs()
    apart = [_ratio(pl.concat([sizes, below])) for sizes in (whole, whole / 1000)]
    return Point.THOUSANDS if apart[0] < apart[1] else Point.DOUBTFUL


def may_be_of_either(words: pl.DataFrame, names: list[str]) -> list[str]:
    """Return the columns of which ``point_of`` may be other than ``AS_READ``, looked for in all of them at once.

    Args:
        words: The table, with its cells as they are written.
        names: The columns to look at.
    """
    found = words.select(pl.col(names).str.strip_chars().str.contains(OPEN).any()).row(0)
    return [name for name, one in zip(names, found, strict=True) if one]


def _ratio(sizes: pl.Series) -> float:
    return float(sizes.max()) / float(sizes.min())  # type: ignore[arg-type]


def may_be_open(column: pl.Series) -> bool:
    """Return whether decimals may have been written with exactly three digits behind a point, and with a digit before.

    Args:
        column: The decimals, (N,).
    """
    sizes = np.abs((column.drop_nulls() if column.null_count() else column).to_numpy())
    if not len(sizes) or not (sizes < 1000).all() or not ((sizes >= 1) | (sizes == 0)).all():
        return False
    scaled = sizes * 1000
    return bool(np.abs(scaled - np.rint(scaled)).max() < 1e-6)
