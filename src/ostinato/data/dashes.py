"""Dashes that stand alone in a column of numbers: a missing value, where a zero is written as 0.

In accounts, and in the tables of statistical offices (DIN 55301), a dash is a zero. So it is a missing value only in a
column in which another cell is 0, and stays a word, which is refused, in every other.
"""

from __future__ import annotations

import polars as pl

from ostinato.numbers import counted

DASHES = ("-", "--", "---", "\u2010", "\u2012", "\u2013", "\u2014", "\u2212")
_ZERO = r"^[+-]?0+(?:[.,]0+)?$"


def without_dashes(words: pl.Series) -> tuple[pl.Series, tuple[str, ...]]:
    """Return words with dashes that stand alone as missing, and a note on them, if another word is a zero.

    Args:
        words: The words, (N,), without blanks at their ends.
    """
    dashes = words.is_in(list(DASHES)).fill_null(value=False)
    if not dashes.any():
        return words, ()
    zeros = words.str.contains(_ZERO).fill_null(value=False)
    if not zeros.any():
        return words, ()
    cells, one = counted(int(dashes.sum()), "cell"), dashes.sum() == 1
    zero = words[int(zeros.arg_max() or 0)]
    said = f"{cells} with a dash alone {'is' if one else 'are'} missing, as a zero is written {zero!r}"
    return words.set(dashes, None), (said,)
