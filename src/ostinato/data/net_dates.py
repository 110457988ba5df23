"""Times as .NET writes them in JSON: /Date(1704067200000)/, the milliseconds since 1970 in UTC.

An offset behind the number, as in /Date(1704067200000+0100)/, does not change the instant: it says that the time was
one of the clock on the wall (Microsoft, "Stand-Alone JSON Serialization").
"""

from __future__ import annotations

import polars as pl

from ostinato.data.rewritten import Rewritten, with_pattern
from ostinato.data.time_form import Stamps

LOOK = r"^/Date\(-?\d{1,15}(?:[+-]\d{4})?\)/$"
_PARTS = r"^/Date\((-?\d{1,15})([+-]\d{4})?\)/$"


def rewritten(column: pl.Series, _zone: str | None) -> Rewritten | None:
    """Return the times in words with their zone; None if a cell is not such a time, or if only some have an offset."""
    given = column.str.strip_chars()
    parts = given.str.extract_groups(_PARTS).struct.unnest()
    since, offset = (parts[name] for name in parts.columns)
    since = since.cast(pl.Int64)
    if since.null_count() or 0 < offset.null_count() < len(column):
        return None
    zoned = not offset.null_count()
    if zoned:
        size = offset.str.slice(1, 2).cast(pl.Int64) * 60 + offset.str.slice(3, 2).cast(pl.Int64)
        walls = since + size * (1 - 2 * offset.str.starts_with("-").cast(pl.Int64)) * 60_000
    else:
        walls, offset = since, pl.Series(["Z"])
    words = walls.cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%dT%H:%M:%S%.3f") + offset

    def applied(found: Stamps) -> Stamps:
        return with_pattern(found, given, "/Date(%s%3f%z)/" if zoned else "/Date(%s%3f)/")

    return Rewritten(words.alias(column.name), applied)
