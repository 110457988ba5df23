"""Quarters and weeks as words, such as 2020Q1, "Q1 2020", "2020 T1", "2020년 1분기" and 2020-W05 (ISO 8601)."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

_Y, _N = r"(?P<y>\d{4})", r"(?P<n>[1-4])"
#: What a word counts, its form, and the pattern that writes it; T is the quarter of the Romance languages.
_PERIODS = (
    ("quarter", rf"^{_Y}(?P<g>[-:._ /]?[QTqt]){_N}$", "%Y${g}%q"),
    ("quarter", rf"^(?P<g>[QTqt]){_N}(?P<h>[-:._ /]?){_Y}$", "${g}%q${h}%Y"),
    ("quarter", rf"^{_N}(?P<g>[QTqt][-:._ /]?){_Y}$", "%q${g}%Y"),
    ("quarter", rf"^{_Y}(?P<g>년 ?(?:제 ?)?){_N}(?P<h> ?분기)$", "%Y${g}%q${h}"),
    ("quarter", rf"^{_N}(?P<g>\. ?Quartal ){_Y}$", "%q${g}%Y"),
    ("week", r"^(?P<y>\d{4})(?P<g>[- ]?W)(?P<n>\d{2})$", "%G${g}%V"),
)


class Periods(NamedTuple):
    """A column of quarters or weeks: their first days, the pattern that writes them again, and a note in words."""

    days: pl.Series
    pattern: str
    note: str


def read_periods(words: pl.Series) -> Periods | None:
    """Read words such as 2020Q1 and 2020-W05; None unless every word is a quarter, or every word is a week.

    Words that are spelled in several ways are written as the first of them is.
    """
    for unit in ("quarter", "week"):
        found = [_read(words, expression, unit) for name, expression, _ in _PERIODS if name == unit]
        days = pl.select(pl.coalesce(found)).to_series() if len(words) else words
        if not len(words) or days.null_count():
            continue
        shapes = words
        for name, expression, pattern in _PERIODS:
            shapes = shapes.str.replace(expression, pattern) if name == unit else shapes
        note = f"words such as {words[0]!r} are read as the first day of the {unit}"
        if shapes.n_unique() > 1:
            other = words.filter(shapes != shapes[0])[0]
            note += f", and those of another spelling, such as {other!r}, too"
        return Periods(days, shapes[0], note)
    return None


def _read(words: pl.Series, expression: str, unit: str) -> pl.Series:
    """Return the first days of the words of one form, null for others."""
    parts = words.str.extract_groups(expression).struct.unnest()
    if unit == "quarter":
        first = parts["y"] + "-" + (parts["n"].cast(pl.Int64) * 3 - 2).cast(pl.String) + "-1"
        return first.str.to_datetime("%Y-%m-%d", strict=False, time_unit="us")
    return (parts["y"] + "-" + parts["n"] + "-1").str.to_datetime("%G-%V-%u", strict=False, time_unit="us")
