"""Columns of times: reading them in every usual form, and writing times in the form that they came in."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import polars as pl

from ostinato.data import local_hours
from ostinato.data.month_names import by_name
from ostinato.data.periods import begun, read_periods
from ostinato.data.remembered import remembered
from ostinato.data.spelled_clocks import in_usual_words
from ostinato.data.stamp_formats import DAY_FIRST, MONTH_FIRST, formats_of, parse_words
from ostinato.data.time_form import Stamps, TimeForm, micros
from ostinato.data.time_numbers import from_floats, from_integers, lost_note, odd_clock
from ostinato.data.time_rewriting import rewritings, unlike
from ostinato.data.zones import instants, zone_of
from ostinato.shapes import Times

#: Three letters, by which a time has the name of its month.
_WORD = re.compile(r"[^\W\d_]{3}")
#: The zone of a time as some programs write it.
_UTC = re.compile(r"\s*(?:UTC|GMT)\s*$")
#: The Z of UTC behind a clock; the one of MÄRZ is behind a letter.
_ZULU = r"(\d)\s*Z\s*$"
#: The end of a time that says its zone.
_ZONED = r":\d\d(?:\.\d+)?\s*(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\s*$"
#: The length of a time with six digits behind the second.
_TO_MICROS = len("2024-01-31 13:00:00.000000")


def read_times(
    column: pl.Series,
    *,
    day_first: bool | None = None,
    zone: str | None = None,
    typed: bool = True,
    chosen: bool = False,
) -> Stamps | None:
    """Return a column of dates, date-times, years or numbers as times.

    Args:
        column: The column.
        day_first: Whether 01/02/2024 is the first of February; None keeps both readings if all dates could be two.
        zone: The zone of the times. The default is that of the column, or the one that their offsets belong to.
        typed: Whether the words of the column are of a frame, and not of a text file, which has no types.
        chosen: Whether the column was named as the one of times: numbers such as 1704067200 are then times since 1970.

    Returns:
        The times; None if some row cannot be read.
    """
    found: Stamps | None = None
    if column.null_count():
        return None
    if column.dtype in (pl.Date, pl.Datetime):
        found = _typed(column, zone)
    elif column.dtype.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        found = from_integers(whole, column.dtype, column.name, day_first, chosen=chosen)
    elif column.dtype.is_float():
        found = from_floats(column, day_first, chosen=chosen)
    elif column.dtype == pl.String:
        found = _of_column(column, day_first, zone, typed)
        found = None if found is None else found.copy()
    return found


def parse_times(column: pl.Series) -> Times | None:
    """Return a column as times (N,), datetime64[us] or int64; None if some row cannot be read."""
    found = read_times(column)
    return None if found is None else found.times


def unreadable(column: pl.Series, day_first: bool | None = None) -> int:
    """Return the number of the first row that ``read_times`` cannot read."""
    if column.null_count():
        return int(column.is_null().arg_max() or 0)
    if column.dtype.is_integer() and (odd := odd_clock(column)) is not None:
        return odd
    return int(_unread(column.cast(pl.String), day_first).arg_max() or 0)


def odd_zone(column: pl.Series, row: int) -> str | None:
    """Return why a time does not belong to its column: it says its zone and others do not, or it does not."""
    if column.dtype != pl.String or column[row] is None:
        return None
    zoned = column.str.contains(_ZONED)
    others = column.filter(zoned != zoned[row])
    return f"it has {'a' if zoned[row] else 'no'} zone, unlike {others[0]!r}" if len(others) else None


def odd_time(words: pl.Series) -> int | None:
    """Return the number of the first cell that is not a time in a column where most are; None for other columns."""
    odd = _unread(words, None)
    return int(odd.arg_max() or 0) if 0 < 2 * int(odd.sum()) < len(words) else None


def _unread(words: pl.Series, day_first: bool | None) -> pl.Series:
    """Return whether each word is not a time, by the form that reads the most of them.

    Where some have a zone and others have none, the fewer are not times.
    """
    odd = unlike(words)
    if odd is not None:
        return odd
    usual = in_usual_words(words)
    words = words if usual is None else usual.words
    zoned = words.str.contains(_ZONED).fill_null(value=False)
    if 0 < (zones := int(zoned.sum())) < len(words):
        return zoned == (2 * zones <= len(words))
    unread, named = parse_words(words, formats_of(day_first))[0].is_null(), by_name(words)
    if named is not None and named.iso.null_count() < unread.sum():
        return named.iso.is_null()
    return ~begun(words) if unread.all() and words.null_count() < len(words) else unread


def _typed(column: pl.Series, zone: str | None) -> Stamps:
    """Return a column of dates or date-times."""
    if column.dtype == pl.Date:
        return Stamps(micros(column), TimeForm(column.dtype))
    unit: Any = column.dtype.time_unit  # type: ignore[attr-defined]
    own: str | None = column.dtype.time_zone  # type: ignore[attr-defined]
    lost = int((column.dt.nanosecond() % 1000 != 0).sum()) if unit == "ns" else 0
    notes = tuple(lost_note(lost, column.name))
    if own is not None:
        times = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return Stamps(micros(times), TimeForm(pl.Datetime(unit, zone or own), zone=zone or own), notes)
    return Stamps(instants(micros(column), zone), TimeForm(pl.Datetime(unit, zone), zone=zone), notes)


def _from_words(column: pl.Series, day_first: bool | None, zone: str | None, typed: bool) -> Stamps | None:
    """Return words as times; None if some cell is none, or leaves a doubt."""
    for other in rewritings(column, zone, day_first) if len(column) else ():
        read = _from_words(other.words, day_first, zone, typed)
        if read is not None and (found := other.applied(read)) is not None:
            return found
    alike = _zones_alike(column) if len(column) else None
    return None if alike is None else _by_form(alike, day_first, zone, typed)


_of_column = remembered(_from_words)


def _by_form(column: pl.Series, day_first: bool | None, zone: str | None, typed: bool) -> Stamps | None:
    """Return words with one way of writing UTC, by the names of their months or by the form that reads them."""
    # a name of a month is seen in the first cell, and no numeric form is tried on all of them
    named = _WORD.search(column[0]) is not None
    if named and (found := _from_names(column, zone, typed)) is not None:
        return found
    parsed, form = parse_words(column, formats_of(day_first))
    if parsed.null_count():
        return _otherwise(column, day_first, zone, typed, named=named)
    found = _worded(column, parsed, form, zone, typed)
    if not form.startswith((*MONTH_FIRST, *DAY_FIRST)):
        return found
    turned = form.replace("%m", "%x").replace("%d", "%m").replace("%x", "%d")
    other = parse_words(column, (turned,))[0]
    if other.null_count() or bool((other == parsed).all()):
        return found
    both = found, _worded(column, other, turned, zone, typed)
    if not typed:
        # a file that is written gets 2024-02-01, so that nobody has to guess the order of day and month again
        both = both[0].without_pattern(), both[1].without_pattern()
    return both[0] if day_first is not None else replace(both[0], other=both[1])


def _otherwise(
    column: pl.Series, day_first: bool | None, zone: str | None, typed: bool, *, named: bool
) -> Stamps | None:
    """Return words that no form reads as times: those of other spellings, midnights without a clock, and names."""
    if zone is not None and local_hours.lettered(column):
        walls = _from_words(local_hours.without_letters(column), day_first, None, typed)
        told = walls is None or walls.form.zone is not None or walls.times.dtype.kind != "M"
        return None if walls is None or told else local_hours.by_letters(walls, column, zone)
    usual = in_usual_words(column)
    if usual is not None:
        found = _from_words(usual.words, day_first, zone or usual.zone, typed)
        return None if found is None else usual.applied(found)
    clocked = _without_clocks(column, day_first, zone, typed)
    return clocked if clocked is not None or named else _from_names(column, zone, typed)


def _zones_alike(column: pl.Series) -> pl.Series | None:
    """Return times that write UTC in one way; None if some have a zone and others have none."""
    if _UTC.search(column[0]):
        column = column.str.replace(_UTC.pattern, "Z")
    in_utc = column.str.contains(_ZULU)
    if not in_utc.any() or in_utc.all():
        return column
    return column.str.replace(_ZULU, "${1}+00:00") if column.str.contains(_ZONED).all() else None


def _without_clocks(column: pl.Series, day_first: bool | None, zone: str | None, typed: bool) -> Stamps | None:
    """Return dates with a clock in which midnight has none; None for other words."""
    bare = ~column.str.contains(":")
    clock = column.filter(~bare).str.extract(r"\d([T ]+\d\d?:\d\d(?::\d\d)?)$")
    if not bare.any() or not len(clock) or clock.null_count():
        return None
    midnight = re.sub(r"\d+", "00", str(clock[0]))
    words = pl.select(pl.when(bare).then(column + midnight).otherwise(column)).to_series().alias(column.name)
    found = _from_words(words, day_first, zone, typed)
    note = f"times without a clock, such as {column.filter(bare)[0]!r}, are read as midnight"
    return None if found is None else replace(found, notes=(*found.notes, note))


def _from_names(column: pl.Series, zone: str | None, typed: bool) -> Stamps | None:
    """Return words with months by name, such as "1. März 2024", or quarters and weeks; None for other words."""
    form_type = column.dtype if typed else None
    named = by_name(column)
    if named is not None and not named.iso.null_count():
        found = _from_words(named.iso, None, zone, typed)
        pattern = None if found is None else found.form.pattern
        if found is None or pattern is None:
            return found
        # without names of one kind, dates are written as 2024-01-31
        if named.pattern is not None:
            pattern = pattern.replace("%Y-%m-%d", named.pattern)
        return replace(found, form=replace(found.form, pattern=pattern, months=named.names))
    period = read_periods(column.str.strip_chars())
    return None if period is None else period.stamps(form_type, zone)


def _worded(column: pl.Series, parsed: pl.Series, form: str, zone: str | None, typed: bool) -> Stamps:
    """Return parsed words with the pattern that writes them again."""
    words, pattern, times, note = column.str.strip_chars(), form, micros(parsed), None
    first = str(words[0])
    fraction = re.search(r":\d\d\.(\d+)", first)
    digits = len(fraction[1]) if fraction else 0
    pattern = pattern.replace("%.f", f"%.{digits}f" if digits in (3, 6, 9) else "%.f" if digits else "")
    if form.endswith("%z"):
        tail = words.str.extract_groups(r"([+-])(\d{2}):?(\d{2})$").struct.unnest()
        a, hours, minutes = (tail[c] for c in tail.columns)
        size = hours.cast(pl.Int64) * 60 + minutes.cast(pl.Int64)
        offsets = (size * (1 - 2 * (a == "-").cast(pl.Int64))).to_numpy()
        if zone is None:
            zone, note = zone_of(times, offsets)
            zone = zone or "UTC"
        pattern = pattern.removesuffix("%z") + ("%:z" if re.search(r"\d\d:\d\d$", first[-6:]) else "%z")
    elif first.endswith("Z"):
        zone, pattern = zone or "UTC", pattern + ("Z" if zone in (None, "UTC") else "%:z")
    else:
        times = instants(times, zone)
    notes = [note] if note else []
    if int(words.str.len_bytes().max() or 0) > _TO_MICROS:  # type: ignore[arg-type]
        notes += lost_note(int(words.str.contains(r":\d\d\.\d{6}\d*[1-9]").sum()), column.name)
    return Stamps(times, TimeForm(column.dtype if typed else None, pattern, zone), tuple(notes))
