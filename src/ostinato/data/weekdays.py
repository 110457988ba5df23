"""Dates with their weekday: "Mon, 01 Jan 2024" (RFC 5322), "Mon Jan  1 00:00:00 2024" (ctime), "Mo, 01.01.2024".

The names are those of the Unicode CLDR for the languages whose months are read, and those of Korean, Japanese and
Chinese. The weekday has to be that of its date. So it says which of 01/02/2024 is the day, where nothing else does.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.month_names import folded
from ostinato.data.rewritten import Rewritten, with_pattern
from ostinato.data.time_form import Stamps
from ostinato.data.zones import wall

#: The names from Monday to Sunday, of one language and width a line.
_NAMES = (
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "Mon Tue Wed Thu Fri Sat Sun",
    "Mon Tues Wednes Thurs Fri Satur Sun",
    "Mon Tues Weds Thur Fri Sat Sun",
    "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "Montag Dienstag Mittwoch Donnerstag Freitag Sonnabend Sonntag",
    "Mo Di Mi Do Fr Sa So",
    "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "lun mar mer jeu ven sam dim",
    "lunes martes miércoles jueves viernes sábado domingo",
    "lun mar mié jue vie sáb dom",
    "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "lun mar mer gio ven sab dom",
    "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
    "seg ter qua qui sex sáb dom",
    "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "ma di wo do vr za zo",
    "mandag tirsdag onsdag torsdag fredag lørdag søndag",
    "man tirs ons tors fre lør søn",
    "man tir ons tor fre lør søn",
    "måndag tisdag onsdag torsdag fredag lördag söndag",
    "mån tis ons tors fre lör sön",
    "월요일 화요일 수요일 목요일 금요일 토요일 일요일",
    "월 화 수 목 금 토 일",
    "月曜日 火曜日 水曜日 木曜日 金曜日 土曜日 日曜日",
    "月 火 水 木 金 土 日",
    "星期一 星期二 星期三 星期四 星期五 星期六 星期日",
    "周一 周二 周三 周四 周五 周六 周日",
)
#: The weekdays that each word may be, 0 for Monday. In Dutch, "di" is a Tuesday as in German, and "do" a Thursday.
WEEKDAYS: dict[str, int] = {folded(word): number for names in _NAMES for number, word in enumerate(names.split())}
_WORD = r"[\p{L}-]{1,14}"
_FRONT = rf"^({_WORD})(?:\.?,\s*|\.?\s+)(?:den\s+)?(.*\d.*)$"
_BEHIND = rf"^(.*\d[.일日]?),?(?:\s+({_WORD})\.?|\s*[(（]({_WORD})\.?[)）])((?:\s+\d{{1,2}}:\d\d.*)?)$"
#: In Japanese and Chinese, the weekday follows the day without a blank.
_ATTACHED = r"^(.*\d日)((?:星期|周)?\p{Han}(?:曜日)?)()((?:\s+\d{1,2}:\d\d.*)?)$"
#: A date with the clock in front of the year, as ctime and the command date have it.
_CTIME = r"^(\p{L}{3,})\s+(\d{1,2})\s(\d\d:\d\d:\d\d)(?:\s([A-Z]{2,5}))?\s(\d{4})(?:\s([+-]\d{4}))?$"
#: What a cell looks like; whether its word is a weekday is seen in a table.
_LETTERS = r"[^\W\d_]{1,9}(?:-feira)?"
LOOK = (
    rf"^{_LETTERS}(?:\.?,\s*|\.?\s+).*\d"
    rf"|\d[.일日]?,?(?:\s+|\s*[(（]){_LETTERS}\.?[)）]?(?:\s+\d|$)|\d日{_LETTERS}"
)


def rewritten(column: pl.Series, _zone: str | None) -> Rewritten | None:
    """Return the dates without their weekdays; None unless every cell has a weekday in front, or every cell behind."""
    given = column.str.strip_chars()
    if not any(folded(word) in WEEKDAYS for word in re.findall(r"[^\W\d_日]+(?:曜日|-feira)?|日曜日|日", given[0])):
        return None
    for expression, date, names, clock in ((_FRONT, 1, (0,), None), (_BEHIND, 0, (1, 2), 3), (_ATTACHED, 0, (1,), 3)):
        parts = given.str.extract_groups(expression).struct.unnest().get_columns()
        told = pl.select(pl.coalesce([parts[name] for name in names])).to_series()
        if not told.null_count() and all(folded(word) in WEEKDAYS for word in told.unique().to_list()):
            words = parts[date] if clock is None else parts[date] + parts[clock]
            return _checked(column, given, told, words)
    return None


def _checked(column: pl.Series, given: pl.Series, told: pl.Series, words: pl.Series) -> Rewritten:
    """Return dates without their weekdays, whose times are those with the weekdays that are told."""
    numbers = told.replace_strict(
        {word: WEEKDAYS[folded(word)] for word in told.unique().to_list()}, return_dtype=pl.Int64
    ).to_numpy()
    words = words.str.replace(_CTIME, "${5} ${1} ${2} ${3} ${4}${6}").str.strip_chars()

    def applied(found: Stamps) -> Stamps | None:
        # a zone that is named may have another date than the words
        slack = 1 if found.form.zone is not None or words.str.contains("24:00", literal=True).any() else 0
        readings = [one for one in (found, found.other) if one is not None and _agrees(one, numbers, slack)]
        if not readings:
            return None
        one = readings[0] if len(readings) > 1 else replace(readings[0], other=None)
        if one.form.pattern is None:
            return one
        date = one.form.pattern
        ends = [date, date.replace("%z", " %z")]
        ends += [date[:-1] + " GMT"] if date.endswith("Z") and not date.endswith("%Z") else []
        forms = [form for end in dict.fromkeys(ends) for form in (f"%a, {end}", f"%a {end}", f"%A, {end}", f"{end} %a")]
        return with_pattern(one, given, *forms, "%a %b %e %H:%M:%S %Y", "%a %b %e %H:%M:%S %Z %Y")

    return Rewritten(words.alias(column.name), applied)


def _agrees(found: Stamps, numbers: NDArray[np.int64], slack: int) -> bool:
    """Return whether times have the weekdays (N,) that are told, up to some days."""
    if found.times.dtype.kind != "M":
        return False
    days = wall(found.times, found.form.zone).astype("datetime64[D]").astype(np.int64)
    away = (days + 3 - numbers) % 7
    return bool((np.minimum(away, 7 - away) <= slack).all())


def starts_with_weekday(cell: str) -> bool:
    """Return whether a cell begins with the name of a weekday."""
    word = re.match(r"[^\W\d_]+", cell.strip())
    return word is not None and folded(word[0]) in WEEKDAYS
