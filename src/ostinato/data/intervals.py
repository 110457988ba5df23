"""Intervals as times, such as "30.03.2024 00:00 - 30.03.2024 01:00" and 2024-01-01/2024-01-07: the time they begin.

Markets of electricity and tables of weeks are written so. ISO 8601 puts a solidus between both ends.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ostinato.data.rewritten import Rewritten
from ostinato.data.time_form import Stamps

_BETWEEN = r"(?:\s+(?:-|\u2013|\u2014|to|bis|until|au|al|a|~)\s+|\s*\u301c\s*|(?:--|/))"
#: The begin is a date or a date with its clock; the end may be a clock alone.
_BEGIN = r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[ T,]+\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?"
LOOK = rf"^\s*{_BEGIN}{_BETWEEN}(?:{_BEGIN}|\d{{1,2}}:\d\d(?::\d\d)?)\s*$"
_PARTS = rf"^\s*(?P<begin>{_BEGIN}){_BETWEEN}(?:{_BEGIN}|\d{{1,2}}:\d\d(?::\d\d)?)\s*$"


def rewritten(column: pl.Series, _zone: str | None) -> Rewritten | None:
    """Return the begins of intervals; None unless every cell is an interval.

    Args:
        column: The words, (N,).
    """
    begins = column.str.extract(_PARTS)
    if begins.null_count():
        return None
    note = f"intervals such as {column[0]!r} are read as the times at which they begin"

    def applied(found: Stamps) -> Stamps:
        other = None if found.other is None else applied(found.other)
        one = replace(found, notes=(*found.notes, note), other=other)
        return one.without_pattern() if one.form.dtype is None else one

    return Rewritten(begins.alias(column.name), applied)
