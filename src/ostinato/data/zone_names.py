"""Times with the abbreviation of a zone behind their clock, such as "2024-01-31 13:00 CET", as times with an offset.

An abbreviation is read where it means one offset today: in the tz database, or by RFC 5322 for those of North America.
IST is an hour of India, of Israel and of Ireland, and CST one of Chicago, Shanghai and Havana: they are read only as
those of a zone that is named.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import polars as pl

from ostinato.data.rewritten import Rewritten, with_pattern
from ostinato.data.time_form import Stamps
from ostinato.data.zones import offset_words

#: The offset of each abbreviation from UTC in minutes. MEZ and MESZ are the German words for CET and CEST.
OFFSETS = {
    "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "MEZ": 60, "CEST": 120, "MESZ": 120, "EET": 120,
    "EEST": 180, "NST": -210, "NDT": -150, "EST": -300, "EDT": -240, "MST": -420, "MDT": -360, "PST": -480,
    "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600, "HKT": 480, "WIB": 420, "JST": 540, "KST": 540, "AWST": 480,
    "ACST": 570, "ACDT": 630, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780, "SAST": 120, "CAT": 120, "EAT": 180,
}  # fmt: skip
#: Abbreviations that mean several offsets, and what they may be.
SEVERAL = {
    "IST": "+05:30 of India, +02:00 of Israel or +01:00 of Ireland",
    "CST": "-06:00 of Chicago, +08:00 of Shanghai or -05:00 of Havana",
    "CDT": "-05:00 of Chicago or -04:00 of Havana",
    "AST": "-04:00 of Halifax or +03:00 of Riyadh",
    "ADT": "-03:00 of Halifax or +04:00 of Baghdad",
    "MSK": "+03:00, or +04:00 from 2011 to 2014",
    "SST": "-11:00 of Samoa or +08:00 of Singapore",
    "GST": "+04:00 of Dubai or +10:00 of Guam",
}
#: The years of which a zone that is named has its abbreviations.
_YEARS = range(1990, 2031)
_NAME = r"(:\d\d(?:[.,]\d+)?(?:\s?[AP]M)?)(\s?)([A-Z]{3,4})$"
LOOK = _NAME


def rewritten(column: pl.Series, zone: str | None) -> Rewritten | None:
    """Return the times with offsets; None unless every cell has a name that means one offset, by the zone if given."""
    given = column.str.strip_chars()
    names = given.str.extract(_NAME, 3)
    kinds = sorted(names.unique().to_list()) if not names.null_count() else []
    known = OFFSETS | (_of_zone(zone) if zone else {})
    if not set(kinds) - {"UTC", "GMT"} or not all(name in known for name in kinds):
        return None
    offsets = {name: offset_words(known[name]) for name in kinds}
    words = given.str.replace(_NAME, "${1}") + names.replace_strict(offsets, return_dtype=pl.String)

    def applied(found: Stamps) -> Stamps | None:
        note = f"zones by name are read as offsets from UTC: {', '.join(f'{k} as {v}' for k, v in offsets.items())}"
        gap = re.search(_NAME, given[0])
        pattern = re.sub("%:?z$", f"{gap[2] if gap else ' '}%Z", found.form.pattern or "")
        written = with_pattern(found, given, pattern) if pattern else found
        return Stamps(written.times, written.form, (note, *written.notes), written.other)

    return Rewritten(words.alias(column.name), applied)


def why_not(cell: str) -> str | None:
    """Return why the zone of a time cannot be read; None for others."""
    name = re.search(_NAME, cell.strip())
    if name is None or name[3] in OFFSETS:
        return None
    meanings = SEVERAL.get(name[3])
    return f"{name[3]} may be {meanings}" if meanings else f"{name[3]!r} is not the name of a zone with one offset"


@lru_cache(maxsize=16)
def _of_zone(zone: str) -> dict[str, int]:
    """Return the offset of each abbreviation of a zone, without those that it has for several offsets."""
    seen: dict[str, set[int]] = {}
    for year in _YEARS:
        for month in range(1, 13):
            at = datetime(year, month, 15, tzinfo=UTC).astimezone(ZoneInfo(zone))
            offset = at.utcoffset()
            seen.setdefault(at.tzname() or "", set()).add(int(offset.total_seconds()) // 60 if offset else 0)
    return {name: offsets.pop() for name, offsets in seen.items() if len(offsets) == 1}
