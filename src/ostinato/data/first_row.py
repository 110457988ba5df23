"""A first row that holds words and values: it belongs to the values, as in the log of a sensor, or it is names."""

from __future__ import annotations

import re
from itertools import pairwise

from ostinato.data.number import MISSING
from ostinato.data.time_names import MORE_TIMES, PARTS, TIMES

#: A date with a year, perhaps with a clock, or a clock: no name of a column that holds such times itself.
_TIME = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?:[ T]\d.*)?|\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?"
    r"|\d{8}[ T_]\d{4,6}"
)
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?")
_WHOLE = re.compile(r"\d+")
_DECIMAL, _LONG = re.compile(r"[-+]?\d+[.,]\d+"), re.compile(r"\d{8,}")
_YEAR = re.compile(r"1[89]\d\d|20\d\d")
#: Words that name a column of any table, in lower case.
_NAMES = {"id", "unique_id", "series_id", *TIMES, *MORE_TIMES}.union(*(part.names for part in PARTS.values()))


def among_values(first: list[str], rows: list[list[str]]) -> bool:
    """Return whether a first row with words holds values, as in the log of a sensor: a date, its id and a number.

    It needs a number above numbers. Then one of these is enough: a time stands above times, every word occurs again
    below, or the number cannot be a name. Such numbers are a decimal close to those below it, and one of eight digits
    or more, as dates and times since 1970 have. It holds names if a word stands above numbers or is the usual name of a
    column, or if its numbers look like names.

    Args:
        first: The cells of the first row.
        rows: The cells of the rows below it; rows of another length are not looked at.
    """
    rows = [row for row in rows if len(row) == len(first)]
    columns = [[cell for cell in cells if cell not in MISSING] for cells in zip(*rows, strict=True)]
    if not any(columns) or any(c.lower() in _NAMES for c in first):
        return False
    below = list(zip(first, columns, strict=True))
    counts = [all(_NUMBER.fullmatch(cell) for cell in column) for column in columns]
    numbers = [c for c, n in zip(first, counts, strict=True) if n and c not in MISSING]
    if not numbers or not all(_NUMBER.fullmatch(c) for c in numbers):
        return False
    if any(_TIME.fullmatch(c) and all(map(_TIME.fullmatch, column)) for c, column in below):
        return True
    if _are_no_names([(c, column) for (c, column), n in zip(below, counts, strict=True) if n and c not in MISSING]):
        return True
    again = all(n or c in column for n, (c, column) in zip(counts, below, strict=True))
    return again and not _are_names(numbers, [column for n, column in zip(counts, columns, strict=True) if n])


def _are_no_names(below: list[tuple[str, list[str]]]) -> bool:
    """Return whether numbers above numbers cannot be the names of columns. Rising decimals may, as depths or quantiles.

    Args:
        below: Each number of the first row, and the cells below it.
    """
    if any(_LONG.fullmatch(c) and column and all(len(x) == len(c) for x in column) for c, column in below):
        return True
    decimals = [(c, column) for c, column in below if _DECIMAL.fullmatch(c) and any(map(_DECIMAL.fullmatch, column))]
    if not decimals or (len(decimals) > 1 and all(_number(a) < _number(b) for (a, _), (b, _) in pairwise(decimals))):
        return False
    name, column = decimals[0]
    low, high = min(map(_number, column)), max(map(_number, column))
    # at most as far from the cells below as these are from each other
    return 2 * low - high <= _number(name) <= 2 * high - low


def _number(cell: str) -> float:
    return float(cell.replace(",", "."))


def _are_names(numbers: list[str], columns: list[list[str]]) -> bool:
    """Return whether numbers above numbers are names: years, codes with zeros in front, or numbers that count up."""
    if not all(_WHOLE.fullmatch(c) for c in numbers):
        return False
    cells = [cell for column in columns for cell in column]
    if all(map(_YEAR.fullmatch, numbers)) and not any(map(_YEAR.fullmatch, cells)):
        return True
    if any(re.match("0\\d", c) for c in numbers) and not any(re.match("0\\d", c) for c in cells):
        return True
    if len(numbers) > 1 and all(any(not _WHOLE.fullmatch(cell) for cell in column) for column in columns):
        return True  # no decimals above decimals
    up = all(int(b) - int(a) == 1 for a, b in pairwise(numbers))
    return len(numbers) > 1 and up and len({*numbers} & {*cells}) < len(numbers)
