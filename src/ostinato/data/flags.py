r"""Flags behind numbers, with which statistical offices mark values as provisional, estimated or revised.

Eurostat writes "12.3 p" and "12.3b", Korea's office "101.2 p)", loggers and weather services "0.40s", and tables in
reports "12.3*". A letter behind most numbers of a column is their unit. Therefore letters count as flags only if at
least as many numbers have none, and if the numbers with and without them are of similar size. In a column with 1.2b and
900,000,000, the letter may mean billions.

Source of the letters: the observation flags of Eurostat, and the status codes of SDMX in capital letters.
"""

from __future__ import annotations

import polars as pl

#: A number, and the flag behind it. Capital letters stand behind a blank, because 3M is a number of its own.
FLAGGED = (
    r"^(?P<number>\S*\d[\d.,' ]*%?)\s*"
    r"(?P<flag>[bcdefnprsuz]{1,3}|\s[ADEFPRSX]|\([A-Za-z]{1,3}\)|\[[A-Za-z\d]\]|[a-z]\)|\s\d\)|[*\u2020\u2021]{1,3})$"
)
#: Numbers with a letter for thousands, millions or more, as in 1.2K: the b of such a column stands for billions.
MULTIPLES = r"\d\s?(?:[kKmMGTB]|bn)$"
#: A whole number that names something, such as the line 3b of a bus or the house 12b.
_NAME = r"^\d+[a-z]{0,3}$"
#: How often each word comes at least, at the mean, in a column of names.
_AGAIN = 5
#: How many times larger the usual number with a flag may be than the usual one without, and how many times smaller.
_APART = 1000.0


def without_flags(words: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return words without the flags behind their numbers, and the flags, (N,), null where there is none.

    Args:
        words: The words, (N,), without blanks at their ends.
    """
    parts = words.str.extract_groups(FLAGGED).struct.unnest()
    flags = parts["flag"].str.strip_chars()
    bare = pl.select(pl.when(flags.is_not_null()).then(parts["number"].str.strip_chars()).otherwise(words)).to_series()
    return bare.alias(words.name), flags


def are_names(words: pl.Series) -> bool:
    """Return whether whole numbers with and without letters are names that come again and again, as those of bus lines.

    Args:
        words: The words, (N,), null where a cell is missing.
    """
    seen = words.drop_nulls()
    return _AGAIN * seen.n_unique() <= len(seen) and bool(seen.str.contains(_NAME).all())


def are_flags(values: pl.Series, flags: pl.Series) -> bool:
    """Return whether the signs behind numbers are flags, and not units.

    Args:
        values: The numbers, (N,), null where a cell is none.
        flags: The signs, (N,), null where there is none.
    """
    marked, plain = values.filter(flags.is_not_null()).abs(), values.filter(flags.is_null()).abs().drop_nulls()
    if not len(plain) or len(plain) < len(marked) or marked.null_count():
        return False
    sizes = float(marked.median() or 0), float(plain.median() or 0)  # type: ignore[arg-type]
    return min(sizes) == 0 or max(sizes) <= _APART * min(sizes)


def note_on_flags(words: pl.Series, values: pl.Series, flags: pl.Series) -> str:
    """Return a note that names the flags, and how often each occurs."""
    at = int(flags.is_not_null().arg_max() or 0)
    kinds = flags.drop_nulls().value_counts(sort=True, name="times").rows()
    named = ", ".join(f"{flag} ({times:,})" for flag, times in kinds[:5]) + (" ..." if len(kinds) > 5 else "")
    return f"flags behind numbers are removed: {named}; {words[at]!r} is read as {values[at]:.15g}"
