"""Signs of other scripts and widths as plain ones: digits, wide letters, spaces, and marks that nobody sees.

A superscript, a circled digit and a fraction in one sign stay as they are: with a plain digit in place of its
superscript, ten squared would be 102.
"""

from __future__ import annotations

import unicodedata

import polars as pl

#: Wide forms of ASCII, and the signs of numbers that the Arabic script and wide type have of their own.
_PLAIN = {
    **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    "\u066b": ".",  # the Arabic decimal sign
    "\u066c": "'",  # between the thousands in Arabic; an apostrophe is never a decimal sign
    "\u066a": "%",
    "\uffe0": "\u00a2",
    "\uffe1": "\u00a3",
    "\uffe5": "\u00a5",
    "\uffe6": "\u20a9",
    "\u2212": "-",
    "\u2012": "-",
    "\u2013": "-",
    "\ufe63": "-",
}
#: Marks that say where a line may break and in which direction it runs, which spreadsheets put around numbers.
_UNSEEN = "[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"


def plain_signs(words: pl.Series) -> pl.Series:
    """Return words with plain digits, spaces and signs, and without marks that are not seen.

    Args:
        words: The words, (N,).

    Returns:
        The words, (N,); the same column if all of it is ASCII.
    """
    if not words.str.contains(r"[^\x00-\x7F]").any():
        return words
    digits = words.str.extract_all(r"[\p{Nd}&&[^\x00-\x7F]]").explode().drop_nulls().unique().to_list()
    plain = {**_PLAIN, **{one: str(unicodedata.decimal(one)) for one in digits}}
    words = words.str.replace_many(list(plain), list(plain.values()))
    return words.str.replace_all(_UNSEEN, "").str.replace_all(r"\p{Zs}", " ").str.strip_chars()
