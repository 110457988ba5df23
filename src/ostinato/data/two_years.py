"""Years that begin in one calendar year and end in the next, as fiscal, school and water years: 2012/13, 2012-2013."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl

from ostinato.data.rewritten import Rewritten
from ostinato.data.time_form import Stamps, TimeForm

#: A year, and the next one with two digits or four.
LOOK = r"^\s*((?:1[5-9]|2[01])\d\d)\s?[-/\u2013\u2014]\s?(\d{4}|\d{2})\s*$"
#: The fewest different words that are no months: 2005-06 and 2006-07 would be 13 months apart.
_SURE = 2


def are_years(column: pl.Series) -> bool:
    """Return whether each of some words (N,), without nulls, is a year and the next one, and not all are a month."""
    kinds = column.unique()
    first, second = kinds.str.extract_groups(LOOK).struct.unnest().get_columns()
    if not len(kinds) or first.null_count():
        return False
    year, end = first.cast(pl.Int64), second.cast(pl.Int64)
    long = second.str.len_bytes() == 4
    if not bool(((long & (end == year + 1)) | (~long & (end == (year + 1) % 100))).all()):
        return False
    months = bool((~long & end.is_between(1, 12)).all())
    return not months or len(kinds) >= _SURE


def rewritten(column: pl.Series, _zone: str | None) -> Rewritten | None:
    """Return the first days of the first years; None unless each word is a year and the next one, and no month.

    Args:
        column: The words, (N,), without nulls.
    """
    if not are_years(column):
        return None
    return Rewritten(column.str.replace(LOOK, "${1}-01-01"), _applied(column[0].strip()))


def _applied(word: str) -> Callable[[Stamps], Stamps]:
    def applied(found: Stamps) -> Stamps:
        note = (
            f"words such as {word!r} are read as the year {word[:4]}, from its first day: when such a year begins is "
            "not known"
        )
        return replace(found, form=TimeForm(zone=found.form.zone), notes=(*found.notes, note))

    return applied
