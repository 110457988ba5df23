"""What cells hold that are no number: a value with its interval, or a length of time."""

from __future__ import annotations

import polars as pl

_NUMBER = r"[-+\u2212]?\d[\d.,]*\s*%?"
_TO = r"\s*(?:-|\u2013|to|,|;|\.\.)\s*"
#: The form of the cells, what they hold, and what to do.
_HELD = (
    (
        rf"^\s*{_NUMBER}\s*[\[(]\s*{_NUMBER}{_TO}{_NUMBER}\s*[\])]\s*$",
        "a value and its interval",
        "write the value, the lower and the upper end in a column each",
    ),
    (
        r"^\s*-?\d+:[0-5]\d(?::[0-5]\d(?:\.\d+)?)?\s*$",
        "clocks or durations",
        "write durations as numbers of one unit, such as 1.5 hours for 1:30",
    ),
)


def held_by(words: pl.Series) -> tuple[str, str] | None:
    """Return what most cells of a column hold in place of a number, and what to do; None for other columns.

    Args:
        words: The words, (N,).
    """
    seen = words.drop_nulls()
    for form, what, fix in _HELD:
        if len(seen) < 2 * int(seen.str.contains(form).sum()):
            return what, fix
    return None
