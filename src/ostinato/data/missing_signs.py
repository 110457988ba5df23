r"""Signs that programs and statistical offices write in place of a missing value, such as ".." and ":".

They are read as missing in a column of numbers alone, with a note that counts them. Words such as "none" in other
languages are not among them, because they may stand for 0.

Of offices, the World Bank and the United Nations write "..", the International Monetary Fund "..." and "n.a.", e-Stat
"***", and Eurostat ":" with a letter for the reason (": c" is confidential). Of programs, Stata writes ".a" to ".z",
SAS ".A" to ".Z" and "._", R the names of its typed NA, Grafana "undefined", and Home Assistant "unavailable" and
"unknown". Dumps of MySQL and PostgreSQL have "\N", and the data sets of the University of California at Irvine "?".
"""

from __future__ import annotations

import polars as pl

from ostinato.numbers import counted

SIGNS = (
    r"^(?:\.\.|\.\.\.|\u2026|:(?: ?[a-z]{1,3})?|\.[a-zA-Z_]|\*{3}|\\N|\?|(?i:n\.a\.?)|NA_(?:integer|real|character)_"
    r"|undefined|unavailable|unknown)$"
)


def without_signs(words: pl.Series) -> tuple[pl.Series, tuple[str, ...]]:
    """Return words with the signs for a missing value as missing, and a note on them if there are any.

    Args:
        words: The words, (N,), without blanks at their ends.
    """
    signs = words.str.contains(SIGNS).fill_null(value=False)
    if not signs.any():
        return words, ()
    cells, first = counted(int(signs.sum()), "cell"), words[int(signs.arg_max() or 0)]
    said = f"{cells} with a sign for a missing value, such as {first!r}, {'is' if signs.sum() == 1 else 'are'} missing"
    return words.set(signs, None), (said,)
