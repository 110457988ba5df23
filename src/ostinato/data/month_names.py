"""Dates whose month is a word: "Sept. 2024", "1. März 2024", "5 de enero de 2024", "Jan 5, 2024 13:00".

The names are those of the Unicode CLDR, which Babel, Java and browsers write, and those of three letters that Excel and
the C library write. No word means two months in these languages.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import polars as pl

from ostinato.data.remembered import remembered

_ENGLISH = "January February March April May June July August September October November December"
_GERMAN = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
_FRENCH = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
_SPANISH = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
_ITALIAN = "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
_PORTUGUESE = "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"
_DUTCH = "januari februari maart april mei juni juli augustus september oktober november december"
_DANISH = "januar februar marts april maj juni juli august september oktober november december"
_NORWEGIAN = "januar februar mars april mai juni juli august september oktober november desember"
_SWEDISH = "januari februari mars april maj juni juli augusti september oktober november december"
#: The names of one language in full, and its abbreviations; a column is written with the first that has all its words.
_LANGUAGES = (
    (_ENGLISH, "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", "Jan Feb Mar Apr May June July Aug Sept Oct Nov Dec"),
    (
        _GERMAN,
        "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
        "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
        "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
        "Jan Feb März Apr Mai Juni Juli Aug Sept Okt Nov Dez",
        _GERMAN.replace("Januar", "Jänner"),
        "Jän Feb März Apr Mai Juni Juli Aug Sep Okt Nov Dez",
        _GERMAN.replace("März", "Maerz"),
    ),
    (
        _FRENCH,
        "janv févr mars avr mai juin juil août sept oct nov déc",
        "jan fév mars avr mai juin juil août sept oct nov déc",
        "jan fév mar avr mai jun jul aoû sep oct nov déc",
    ),
    (
        _SPANISH,
        "ene feb mar abr may jun jul ago sept oct nov dic",
        "ene feb mar abr may jun jul ago sep oct nov dic",
        _SPANISH.replace("septiembre", "setiembre"),
    ),
    (_ITALIAN, "gen feb mar apr mag giu lug ago set ott nov dic"),
    (_PORTUGUESE, "jan fev mar abr mai jun jul ago set out nov dez"),
    (_DUTCH, "jan feb mrt apr mei jun jul aug sep okt nov dec"),
    (
        _DANISH,
        "jan feb mar apr maj jun jul aug sep okt nov dec",
        "jan. feb. mar. apr. maj juni juli aug. sept. okt. nov. dec.",
    ),
    (
        _NORWEGIAN,
        "jan feb mar apr mai jun jul aug sep okt nov des",
        "jan. feb. mars apr. mai juni juli aug. sep. okt. nov. des.",
    ),
    (
        _SWEDISH,
        "jan feb mar apr maj jun jul aug sep okt nov dec",
        "jan. feb. mars apr. maj juni juli aug. sep. okt. nov. dec.",
    ),
)


def folded(word: str) -> str:
    """Return a word in small letters, without accents and without a dot at its end."""
    parts = unicodedata.normalize("NFKD", word.casefold().removesuffix("."))
    return "".join(c for c in parts if not unicodedata.combining(c))


#: The number of the month of every word, 1 to 12.
MONTHS = {
    folded(word): month for language in _LANGUAGES for names in language for month, word in enumerate(names.split(), 1)
}


def month_of(word: str) -> int | None:
    """Return the number of the month that a word names, 1 to 12; None for other words."""
    return MONTHS.get(folded(word.strip()))


#: A number of a month or a quarter as offices write it: M01, Monat 1, Q1, 1Q, 1. Quartal, T1 (trimestre), 1분기.
_NUMBERED = {
    "month": re.compile(r"(?:m|monat|month)[ _-]?(\d{1,2})", re.IGNORECASE),
    "quarter": re.compile(
        r"(?:q|qtr|quart|quarter|quartal|t)[ _-]?0?([1-4])"
        r"|([1-4])(?:\.|st|nd|rd|th)?[ _-]?(?:q|quarter|quartal|trimestre|분기|季度)",
        re.IGNORECASE,
    ),
}


def number_of_part(word: str, part: str) -> int | None:
    """Return the number of the month or of the quarter in a word such as March, M03 or Q1; None for other words.

    Args:
        word: The word.
        part: "month" or "quarter".
    """
    named = month_of(word) if part == "month" else None
    found = None if named else _NUMBERED[part].fullmatch(word.strip())
    return named or (int(next(filter(None, found.groups()))) if found else None)


_WORD, _DAY, _YEAR = r"(?P<m>\p{L}{3,}\.?)", r"(?P<d>\d{1,2})", r"(?P<y>\d{4})"
_GAP = r"(?:\.|st|nd|rd|th|er|º|°)?[\s,./-]+(?:(?:del?|of)\s+)?"
_CLOCK = r"(?P<c>(?:[\sT,]+\d{1,2}:\d{2}.*)?)"
#: The orders of the parts of a date, and the pattern that a date of this order is written with again. SAS writes
#: 05JAN2024:10:00.
_ORDERS = (
    (rf"(?i)^{_WORD}(?P<g>{_GAP}){_YEAR}$", "%B${g}%Y"),
    (rf"(?i)^{_YEAR}(?P<g>{_GAP}){_WORD}$", "%Y${g}%B"),
    (rf"(?i)^{_DAY}(?P<g>{_GAP}){_WORD}(?P<h>{_GAP}){_YEAR}{_CLOCK}$", "%d${g}%B${h}%Y"),
    (rf"(?i)^{_DAY}(?P<g>){_WORD}(?P<h>){_YEAR}(?P<c>(?::\d{{1,2}}:\d{{2}}.*)?)$", "%d%B%Y"),
    (rf"(?i)^{_WORD}(?P<g>{_GAP}){_DAY}(?P<h>{_GAP}){_YEAR}{_CLOCK}$", "%B${g}%d${h}%Y"),
    (rf"(?i)^{_YEAR}(?P<g>{_GAP}){_WORD}(?P<h>{_GAP}){_DAY}{_CLOCK}$", "%Y${g}%B${h}%d"),
)


@dataclass(frozen=True)
class NamedMonths:
    """A column of dates with the months as words.

    Attributes:
        iso: The same times as 2024-01-31, with what follows the date; null where a cell is not such a date.
        pattern: How the date is written, with %B for the name; None if the cells are not written in one way.
        names: The names of the twelve months, as the column writes them; empty without a pattern.
    """

    iso: pl.Series
    pattern: str | None
    names: tuple[str, ...]


@remembered
def by_name(column: pl.Series) -> NamedMonths | None:
    """Read the dates of a column whose months are words; None if no cell is such a date."""
    given = column.str.strip_chars()
    words = given.str.replace(r"(?i)\s*(?:GMT|UTC)$", "Z")
    whole = bool((words == given).all())
    best: NamedMonths | None = None
    for expression, order in _ORDERS:
        if not words.str.contains(expression).any():
            continue
        parts = words.str.extract_groups(expression).struct.unnest()
        seen = parts["m"].unique().drop_nulls().to_list()
        numbers = {word: f"{MONTHS[folded(word)]:02d}" for word in seen if folded(word) in MONTHS}
        month = pl.col("m").replace_strict(numbers, default=None, return_dtype=pl.String)
        days = pl.col("d").str.zfill(2) if "d" in parts.columns else pl.lit("01")
        rest = pl.col("c").str.replace(r"^[\sT,:]+", " ") if "c" in parts.columns else pl.lit("")
        date = pl.concat_str([pl.col("y"), pl.lit("-"), month, pl.lit("-"), days, rest])
        iso = parts.select(date.alias(column.name)).to_series()
        if best is not None and iso.null_count() >= best.iso.null_count():
            continue
        short = "d" in parts.columns and bool((parts["d"].str.len_chars() == 1).any())
        shapes = words.str.replace(expression, order.replace("%d", "%-d") if short else order).unique()
        names = _names(list(numbers)) if whole and len(shapes) == 1 else ()
        best = NamedMonths(iso, shapes[0] if names else None, names)
        if not iso.null_count():
            break
    return best


def _names(seen: list[str]) -> tuple[str, ...]:
    """Return the twelve names that words of a column belong to, in their letters; empty if they belong to no twelve."""
    for language in _LANGUAGES:
        full = language[0].split()
        for names in language:
            plain = tuple(names.split())
            dotted = tuple(w if w.endswith(".") or w in full else f"{w}." for w in plain)
            for twelve in (plain, dotted):
                for accents in (True, False):
                    spelled = twelve if accents else tuple(map(_bare, twelve))
                    if {word.casefold() for word in seen} <= {word.casefold() for word in spelled}:
                        return _lettered(spelled, seen)
    return ()


def _bare(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


def _lettered(names: tuple[str, ...], seen: list[str]) -> tuple[str, ...]:
    """Return names in small letters, in capitals, or with a capital in front, as the words seen."""
    for change in (str.lower, str.upper, str.capitalize):
        if all(word == change(word) for word in seen):
            return tuple(map(change, names))
    return names


_TWO_MEANINGS = "it may be a month of a year of two digits, or a day of a year that is not given"
#: A date that cannot be read with certainty, and why.
_UNCERTAIN = (
    (r"^\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$", "a year of two digits has no certain meaning"),
    (r"^\d{1,2}([./-])\d{1,2}\1\d{2}(?!\d)", "a year of two digits has no certain meaning"),
    (r"^(?:Q[1-4]|[1-4]Q)[\s/'’-]*\d{2}$", "a year of two digits has no certain meaning"),
    (r"^(?P<m>[^\W\d_]{3,}\.?)\s*['’]\d{2}$", "a year of two digits has no certain meaning"),
    (
        r"^\d{1,2}[\s.,/-]*(?P<m>[^\W\d_]{3,}\.?)[\s.,/'’-]*\d{2}(?![\d:])",
        "a year of two digits has no certain meaning",
    ),
    (
        r"^(?P<m>[^\W\d_]{3,}\.?)[\s.,/-]*\d{1,2}$|^\d{1,2}[\s.,/-]*(?P<n>[^\W\d_]{3,}\.?)$",
        _TWO_MEANINGS,
    ),
    (r"^(?:0?[1-9]|1[0-2])[./-]\d{1,2}$", _TWO_MEANINGS),
    (r"^(?P<m>[^\W\d_]{3,}\.?)$", "it names no year"),
    (r"^(?P<m>[^\W\d_]{3,}\.?)\s+\d{1,2},?\s+\d{1,2}:\d\d", "it names no year"),
    (r"^\d{1,2}\s+(?P<m>[^\W\d_]{3,}\.?),?\s+\d{1,2}:\d\d", "it names no year"),
)


def uncertain(cell: str) -> str | None:
    """Return why a cell that looks like a date has no certain meaning; None if it does not look like one."""
    for expression, reason in _UNCERTAIN:
        found = re.match(expression, cell.strip(), re.IGNORECASE)
        if found is not None:
            word = next((w for w in (found.groupdict().get("m"), found.groupdict().get("n")) if w), None)
            if word is None or folded(word) in MONTHS:
                return reason
    return None
