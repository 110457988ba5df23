"""Numbers written as text, read strictly: what is not certainly a decimal number is refused."""

from __future__ import annotations

import math
import re

#: The largest size of a value: the square of a larger one may overflow.
LARGEST = 1e150
#: A series whose largest value is smaller in size loses digits: its squares are below the smallest normal float.
SMALLEST = 1e-150
#: The words that stand for a missing value in a column of numbers: those of pandas in every case, and the point of SAS
#: and SPSS. A dash is not one of them, because in accounts it stands for 0.
MISSING = frozenset(
    ("", ".", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A")
).union(
    ("NA", "Na", "na", "NAN", "NaN", "Nan", "nan", "NaT", "NULL", "Null", "null", "NONE", "None", "none", "N/a", "n/a")
)
#: The errors that a spreadsheet shows in place of a number, in any language: #DIV/0!, #REF!, #NAME?, #WERT!, #NV.
SHEET_ERROR = r"^#(?:\u00a1?[\p{Lu}/0]{2,12}[!?]|N/A(?: N/A)?|NA|NV|N/D)$"
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"[-+]?(inf|infinity)", re.IGNORECASE)


def read_number(text: str) -> float:
    """Return the number that a text holds, NaN for a missing value.

    Python's ``float`` also takes underscores (1_000), digits of other scripts and words for infinity. They are refused
    here, because a stream has no other rows that would show what is meant.

    Args:
        text: The text, with spaces around it or not.

    Raises:
        ValueError: The text is not a decimal number, or the number is infinite or larger than ``LARGEST``. The message
            says which.
    """
    word = text.strip(" \t\r\n")
    if word in MISSING:
        return math.nan
    if _INFINITE.fullmatch(word):
        raise ValueError(f"a value is infinite: {word[:60]!r}")
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"cannot read {word[:60]!r} as a number")
    return bounded(float(word), word)


def bounded(value: float, text: str) -> float:
    """Return a value that is not infinite and not too large.

    Args:
        value: The value.
        text: How it was written, for the error.

    Raises:
        ValueError: It is infinite or larger than ``LARGEST``.
    """
    if abs(value) > LARGEST:
        raise ValueError(f"the value {text[:60]} is too large to compute with, expected at most {LARGEST:g} in size")
    return value
