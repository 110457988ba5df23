"""Quarters and weeks as words, such as 2020Q1, "Q1 2020", "2020 T1", "2020년 1분기" and 2020-W05 (ISO 8601)."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

_Y, _N = r"(?P<y>\d{4})", r"(?P<n>[1-4])"
#: What a word counts, its form, and the pattern that writes it; T is the quarter of the Romance languages.
_PERIODS = (
    ("quarter", rf"^{_Y}(?P<g>[- /]?[QTqt]){_N}$", "%Y${g}%q"),
    ("quarter", rf"^(?P<g>[QTqt]){_N}(?P<h>[- /]?){_Y}$", "${g}%q${h}%Y"),
    ("quarter", rf"^{_N}(?P<g>[QTqt][- /]?){_Y}$", "%q${g}%Y"),
    ("quarter", rf"^{_Y}(?P<g>년 ?(?:제 ?)?){_N}(?P<h> ?분기)$", "%Y${g}%q${h}"),
    ("quarter", rf"^{_N}(?P<g>\. ?Quartal ){_Y}$", "%q${g}%Y"),
    ("week", r"^(?P<y>\d{4})(?P<g>-?W)(?P<n>\d{2})$", "%G${g}%V"),
)


class Periods(NamedTuple):
    """A column of quarters or weeks: their first days, the pattern that writes them again, and a note in words."""

    days: pl.Series
    pattern: str
    note: str


def read_periods(words: pl.Series) -> Periods | None:
    """Read words such as 2020Q1 and 2020-W05; None unless every word is one, and all are written in one way."""
    for name, expression, pattern in _PERIODS:
        if not len(words) or not words.str.contains(expression).all():
            continue
        parts = words.str.extract_groups(expression).struct.unnest()
        if name == "quarter":
            first = parts["y"] + "-" + (parts["n"].cast(pl.Int64) * 3 - 2).cast(pl.String) + "-1"
            days = first.str.to_datetime("%Y-%m-%d", strict=False, time_unit="us")
        else:
            days = (parts["y"] + "-" + parts["n"] + "-1").str.to_datetime("%G-%V-%u", strict=False, time_unit="us")
        shapes = words.str.replace(expression, pattern).unique()
        if days.null_count() or len(shapes) > 1:
            return None
        return Periods(days, shapes[0], f"words such as {words[0]!r} are read as the first day of the {name}")
    return None
