"""Words that order the rows of a table and are not times that can be read, such as "FY24 Q1", 2023/24 and "Week 12"."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import polars as pl

from ostinato.data.month_names import month_of
from ostinato.data.numerals import as_numbers
from ostinato.errors import DataError
from ostinato.wording import option

#: The words of a stretch of time.
_STRETCH = (
    r"(?:fy|cy|ay|hy|kw|wk|w|q|qtr|h|semester|trimester|season|round|period|year|half|quarter|month|week|day|sprint)s?"
    r"(?![^\W\d_])|주차|주|월|일|년|분기|차|회"
)
#: Words of nothing but stretches of time, numbers and signs. A code such as SKU22011 has other letters.
_OF_STRETCHES = re.compile(rf"(?:{_STRETCH}|\d+|(?:st|nd|rd|th|of)(?![^\W\d_])|제|[\W_]+)+", re.IGNORECASE)
#: What such words need besides numbers: a word of a stretch, a year, or a month and a year of two digits.
_PERIOD = re.compile(
    rf"(?<![^\W\d_])(?:{_STRETCH})|(?<!\d)(1[89]|20)\d\d(?!\d)"
    r"|^\d{1,2}[-/.]\d{2}$|^\d{1,2}([-/])\d{1,2}\2\d{2}$|^\d\d\.\d\d\.\d\d$",
    re.IGNORECASE,
)
#: A year, a quarter and a month as words, as offices of statistics write them.
_YEAR = re.compile(r"^(?:1[89]|20)\d\d$")
_LENGTHS = (_YEAR, re.compile(r"^\d{4}[ -]?[QT][1-4]$"), re.compile(r"^\d{4}[ -]?(?:\d\d|M\d\d|[A-Za-z]{3})$"))
_MONTH = re.compile(r"[^\W\d_]{3,}")


def refuse_lost_order(frame: pl.DataFrame, columns: list[str], id_col: str | None, where: str) -> None:
    """Refuse a table without a column of times if words in it show that the rows are in another order than theirs.

    Args:
        frame: The table.
        columns: The columns that may order the rows.
        id_col: The column of ids, or None.
        where: The name of the table, for an error.

    Raises:
        DataError: The words of a column all differ within a series and differ in their numbers alone, they name
            stretches of time, and they do not rise from row to row.
    """
    for name in columns:
        column = frame[name]
        _check_lengths(column, where)
        if column.dtype != pl.String or column.null_count() or len(column) < 3:
            continue
        words = pl.Series([_MONTH.sub(_numbered, word.strip()) for word in column.to_list()])
        if words.str.replace_all(r"\d+", "0").n_unique() > 1 or not _names_a_period(words[0], column[0]):
            continue
        if as_numbers(words).all or frame.select(name, *([id_col] if id_col else [])).is_duplicated().any():
            continue
        keys = frame[id_col].cast(pl.String, strict=False).to_list() if id_col else [None] * len(words)
        if not _rises(words.to_list(), keys):
            raise DataError(
                f"column {name!r} seems to hold times that cannot be read, such as {column[0]!r}, and the rows are "
                "not in their order",
                where=where,
                fix="write times as 2024-01-31; or sort the rows by time, and read them as steps with "
                f"{option('--time-col', 'none')}",
            )


def _check_lengths(column: pl.Series, where: str) -> None:
    """Raise DataError if a column holds years, and quarters or months, one below the other: 2023, 2023 Q1, 2023 JAN."""
    if column.dtype != pl.String or not len(column) or not _YEAR.match(column[0] or ""):
        return
    found = [column.str.contains(pattern.pattern).fill_null(value=False) for pattern in _LENGTHS]
    if not bool((found[0] | found[1] | found[2]).all()) or found[0].all() or not found[0].any():
        return
    words = ", ".join(repr(column.filter(one)[0]) for one in found if one.any())
    raise DataError(
        f"column {column.name!r} holds times of several lengths, such as {words}",
        where=where,
        fix="keep the rows of one length alone, such as the months; write those of another length to another file",
    )


def _names_a_period(numbered: str, word: str) -> bool:
    """Return whether a word, in which months are numbers, names a stretch of time and nothing else."""
    if not _OF_STRETCHES.fullmatch(numbered):
        return False
    return numbered != word.strip() or _PERIOD.search(numbered) is not None


def _numbered(found: re.Match[str]) -> str:
    """Return a word that names a month as its number."""
    month = month_of(found[0])
    return found[0] if month is None else f"{month:02}"


def _rises(words: list[str], keys: list[str | None]) -> bool:
    """Return whether the numbers in the words rise within each series: from the front, from the back, or as m/d/y."""
    series: dict[str | None, list[list[int]]] = {}
    for word, key in zip(words, keys, strict=True):
        series.setdefault(key, []).append([int(n) for n in re.findall(r"\d+", word)])
    orders: tuple[Callable[[list[int]], list[int]], ...] = (list, lambda n: n[::-1], lambda n: [*n[2:], *n[:2]])
    return any(all(turn(a) < turn(b) for rows in series.values() for a, b in pairwise(rows)) for turn in orders)
