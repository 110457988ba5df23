"""Quarters, halves, weeks and fiscal years as words, such as "Q1 2020", 2020H1, 2020-W05, "KW 5 2020" and "FY24 Q1".

Weeks are those of ISO 8601, as KW is in German (DIN 1355). When a fiscal year begins is not known, so it is read as the
calendar year of its number.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from ostinato.data.century import century, century_note
from ostinato.data.remembered import remembered
from ostinato.data.time_form import Stamps, TimeForm, micros
from ostinato.data.zones import instants

_Y, _YY, _N = r"(?P<y>\d{4})", r"(?P<y>\d{2})", r"(?P<n>[1-4])"
_ANY, _HALF, _GAP = r"(?P<y>\d{4}|\d{2})", r"(?P<n>[12])", r"[-:._ /]?"
_KW, _WEEK = r"(?i:KW|CW|W|Wk|Week|Woche)\.?", r"(?P<n>\d{1,2})"
_FY = r"(?i:FY)[ '’-]?"
#: What a word counts, its form, and the pattern that writes it; T is the quarter of the Romance languages, S
#: their half (semestre), and %B is the half.
_PERIODS = (
    ("quarter", rf"^{_Y}(?P<g>[-:._ /]?[QTqt]){_N}$", "%Y${g}%q"),
    ("quarter", rf"^(?P<g>[QTqt]){_N}(?P<h>[-:._ /]?){_Y}$", "${g}%q${h}%Y"),
    ("quarter", rf"^{_N}(?P<g>[QTqt][-:._ /]?){_Y}$", "%q${g}%Y"),
    ("quarter", rf"^{_Y}(?P<g>년 ?(?:제 ?)?){_N}(?P<h> ?분기)$", "%Y${g}%q${h}"),
    ("quarter", rf"^{_Y}(?P<g>[. ] ?){_N}(?P<h>/4(?: ?분기)?)$", "%Y${g}%q${h}"),
    ("quarter", rf"^{_N}(?P<g>\. ?Quartal ){_Y}$", "%q${g}%Y"),
    ("quarter", rf"^{_YY}(?P<g>[-:._ /]?[Qq]){_N}$", "%Y${g}%q"),
    ("quarter", rf"^(?P<g>[Qq]){_N}(?P<h>[-:._ /]?['’]?){_YY}$", "${g}%q${h}%Y"),
    ("quarter", rf"^{_N}(?P<g>[Qq][-:._ /]?['’]?){_YY}$", "%q${g}%Y"),
    ("half", rf"^{_ANY}(?P<g>{_GAP}[HhSs]){_HALF}$", "%Y${g}%B"),
    ("half", rf"^(?P<g>[HhSs]){_HALF}(?P<h>{_GAP}['’]?){_ANY}$", "${g}%B${h}%Y"),
    ("half", rf"^{_HALF}(?P<g>[HhSs]{_GAP}['’]?){_ANY}$", "%B${g}%Y"),
    ("half", rf"^{_Y}(?P<g>년 ?){_HALF}(?P<h>반기)$", "%Y${g}%B${h}"),
    ("week", rf"^{_Y}(?P<g>[- ]?W)(?P<n>\d{{2}})$", "%G${g}%V"),
    ("week", rf"^(?P<g>{_KW} ?){_WEEK}(?P<h>,? |[-/.]){_Y}$", "${g}%V${h}%G"),
    ("week", rf"^{_Y}(?P<g>[-/. ]{_KW} ?){_WEEK}$", "%G${g}%V"),
    ("week", rf"^{_WEEK}(?P<g>\. ?(?:KW|Woche) ){_Y}$", "%V${g}%G"),
    ("fiscal quarter", rf"^(?P<f>{_FY}){_ANY}(?P<g>[- ]?[Qq]){_N}$", "${f}%Y${g}%q"),
    ("fiscal quarter", rf"^(?P<g>[Qq]){_N}(?P<f>[- ]?{_FY}){_ANY}$", "${g}%q${f}%Y"),
    ("fiscal quarter", rf"^{_N}(?P<g>[Qq])(?P<f>[- ]?{_FY}){_ANY}$", "%q${g}${f}%Y"),
    ("fiscal year", rf"^(?P<f>{_FY}){_ANY}$", "${f}%Y"),
)
#: The months of each kind of stretch; weeks have none.
_MONTHS = {"quarter": 3, "half": 6, "week": 0, "fiscal quarter": 3, "fiscal year": 12}
#: The half of each month.
_HALVES = ("1",) * 6 + ("2",) * 6


class Periods(NamedTuple):
    """A column of stretches: their first days, the pattern that writes them again, what %B is, and notes in words."""

    days: pl.Series
    pattern: str
    names: tuple[str, ...]
    notes: tuple[str, ...]

    def stamps(self, dtype: pl.DataType | None, zone: str | None) -> Stamps:
        """Return the first days as times of a column of a type, in a zone."""
        form = TimeForm(dtype, self.pattern, zone, months=self.names)
        found = Stamps(instants(micros(self.days), zone), form, self.notes)
        # a file that is written has the whole year, so that nobody has to guess it again
        return replace(found, form=replace(form, pattern=None)) if dtype is None and "%y" in self.pattern else found


@remembered
def read_periods(words: pl.Series) -> Periods | None:
    """Read words such as 2020Q1 and 2020-W05; None unless every word is a stretch of one kind.

    Words that are spelled in several ways are written as the first of them is.
    """
    return next((found for unit in _MONTHS if (found := _of_unit(words, unit)) is not None), None)


def begun(words: pl.Series) -> pl.Series:
    """Return whether each word is a stretch of the kind that the most of them are."""
    read = [_days(words, unit).is_not_null() for unit in _MONTHS]
    return max(read, key=lambda one: int(one.sum()))


def _days(words: pl.Series, unit: str) -> pl.Series:
    """Return the first days of the words of one kind, null for others."""
    found = [_read(words, expression, unit) for name, expression, _ in _PERIODS if name == unit]
    return pl.select(pl.coalesce(found)).to_series() if len(words) else pl.Series([], dtype=pl.Datetime("us"))


def _of_unit(words: pl.Series, unit: str) -> Periods | None:
    # most columns hold no periods, and their first word already shows it
    forms = (expression for name, expression, _ in _PERIODS if name == unit)
    if not len(words) or not any(re.search(form, words[0] or "") for form in forms):
        return None
    days = _days(words, unit)
    if days.null_count():
        return None
    shapes, years = words, None
    for name, expression, pattern in _PERIODS:
        if name == unit:
            years = years or words.str.extract_groups(expression).struct.field("y")[0]
            shapes = shapes.str.replace(expression, pattern)
    short = years is not None and len(years) == 2
    note = f"words such as {words[0]!r} are read as the first day of the {unit}"
    if shapes.n_unique() > 1:
        other = words.filter(shapes != shapes[0])[0]
        note += f", and those of another spelling, such as {other!r}, too"
    if unit.startswith("fiscal"):
        note += ", as if it began in January of the year of its number: when it begins is not known"
    if unit == "week":
        note += ", a Monday (ISO 8601)"
    pattern = shapes[0].replace("%Y", "%y") if short else shapes[0]
    if unit == "week" and words.str.contains(r"(?:^|\D)\d(?:\D|$)").any():
        pattern = pattern.replace("%V", "%-V")
    notes = (note, century_note(words[0], days[0].year)) if short else (note,)
    return Periods(days, pattern, _HALVES if unit == "half" else (), notes)


def _read(words: pl.Series, expression: str, unit: str) -> pl.Series:
    """Return the first days of the words of one form, null for others."""
    parts = words.str.extract_groups(expression).struct.unnest()
    if parts["y"].null_count() == len(words):
        return pl.Series([None] * len(words), dtype=pl.Datetime("us"))
    if unit == "week":
        weeks = parts["y"] + "-" + parts["n"].str.zfill(2) + "-1"
        return weeks.str.to_datetime("%G-%V-%u", strict=False, time_unit="us")
    years = parts["y"].cast(pl.Int64)
    two = (parts["y"].str.len_chars() == 2).fill_null(value=False)
    if two.any():
        # words of both kinds, and a century in doubt, are not a column of times
        whole = century(years.filter(two).to_numpy())
        if whole is None or int(two.sum()) < len(years) - years.null_count():
            return pl.Series([None] * len(words), dtype=pl.Datetime("us"))
        years = years.scatter(two.arg_true(), whole)
    month = (parts["n"].cast(pl.Int64) - 1) * _MONTHS[unit] + 1 if "n" in parts.columns else pl.Series([1])
    first = years.cast(pl.String) + "-" + month.cast(pl.String) + "-1"
    return first.str.to_datetime("%Y-%m-%d", strict=False, time_unit="us")
