"""Time zones: instants to the clock on the wall and back, and the zone that the offsets of times belong to."""

from __future__ import annotations

import re
import zoneinfo
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.choices import advice
from ostinato.errors import DataError
from ostinato.shapes import Times

#: The zones that are tried first. Each has daylight saving, and most people with its offsets live in it.
USUAL = (
    "Europe/Berlin",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "Australia/Sydney",
)
#: More zones with daylight saving, for times whose offset changes.
_MORE = ("Europe/London", "Europe/Athens", "America/Halifax", "America/Sao_Paulo", "America/Santiago", "Asia/Jerusalem")


def wall(times: Times, zone: str | None) -> Times:
    """Return instants as the time on the wall.

    Args:
        times: The instants in UTC, (N,), datetime64[us].
        zone: The name of the zone; None returns the times as they are.
    """
    if zone is None or zone == "UTC" or not len(times):
        return times
    import pandas as pd

    local = pd.DatetimeIndex(times, tz="UTC").tz_convert(zone).tz_localize(None)
    return np.asarray(local.to_numpy(), dtype="datetime64[us]")


def instants(walls: Times, zone: str | None) -> Times:
    """Return times on the wall as instants in UTC.

    A time that the wall never shows, because the clock jumps over it, is the moment after the jump. Of a time that the
    wall shows twice, the first is taken.

    Args:
        walls: The times on the wall, (N,), datetime64[us].
        zone: The name of the zone; None returns the times as they are.
    """
    return walls if zone is None else side_of_twice(walls, zone, first=True)


def side_of_twice(walls: Times, zone: str, *, first: bool) -> Times:
    """Return times on the wall as instants in UTC, and of a time that the wall shows twice the first or the second.

    Args:
        walls: The times on the wall, (N,), datetime64[us].
        zone: The name of the zone.
        first: Whether the first is taken, which is summer time.
    """
    if zone == "UTC" or not len(walls):
        return walls
    import pandas as pd

    side = np.full(len(walls), first)
    index = pd.DatetimeIndex(walls).tz_localize(zone, ambiguous=side, nonexistent="shift_forward")
    return np.asarray(index.tz_convert("UTC").tz_localize(None).to_numpy(), dtype="datetime64[us]")


def with_offset(time: Any, zone: str) -> str:
    """Return an instant in UTC as the time on the wall with its offset, such as 2024-10-27T02:00:00+01:00.

    Args:
        time: The instant, datetime64[us].
        zone: The name of the zone.
    """
    instant = np.array([time], dtype="datetime64[us]")
    shown = wall(instant, zone)
    minutes = int((shown - instant)[0] / np.timedelta64(1, "m"))
    return str(shown[0]).removesuffix(".000000") + offset_words(minutes)


def check_zone(zone: str) -> str:
    """Return the name of a zone such as "Europe/Berlin", "UTC" or "+01:00" as a name that every library knows.

    Raises:
        DataError: There is no such zone.
    """
    offset = re.fullmatch(r"([+-])(\d{1,2}):?(\d{2})?", zone)
    if offset:
        sign, hours, minutes = offset.groups()
        found = fixed((1 if sign == "+" else -1) * (int(hours) * 60 + int(minutes or 0)))
        if found:
            return found
    elif zone in _names():
        return zone
    fix = advice(zone, sorted(_names()), "use a name such as Europe/Berlin or UTC, or an offset as +01:00")
    raise DataError(f"there is no zone {zone!r}", fix=fix)


def exists(zone: str) -> bool:
    """Return whether there is a zone of this name."""
    return zone in _names()


def zone_of(times: Times, offsets: NDArray[np.int64]) -> tuple[str | None, str | None]:
    """Return the zone that offsets belong to, and a note if the zone is a guess.

    Args:
        times: The instants in UTC, (N,).
        offsets: The offset of each time from UTC in minutes, (N,).

    Returns:
        The name of the zone, or None if no zone has these offsets; and the note or None.
    """
    kinds = np.unique(offsets)
    if not len(kinds) or (kinds == 0).all():
        return "UTC", None
    order = np.argsort(times, kind="stable")
    t, o = times[order], offsets[order]
    edges = np.flatnonzero(np.diff(o) != 0)
    at = np.unique(np.concatenate([[0], edges, edges + 1, [len(t) - 1], np.arange(0, len(t), max(1, len(t) // 64))]))
    t, o = t[at.astype(np.int64)], o[at.astype(np.int64)]
    if len(kinds) == 1:
        name = offset_words(int(kinds[0]))
        found = next((z for z in USUAL if _fits(z, t, o)), None)
        if found is None:
            return fixed(int(kinds[0])), None
        return found, f"the times have the offset {name} and no zone, and are read as times of {found}"
    found = next((z for z in (*USUAL, *_MORE, *sorted(_names())) if _fits(z, t, o)), None)
    if found is None:
        return None, "the offsets of the times belong to no zone, so days are counted in UTC"
    words = " and ".join(map(offset_words, kinds.tolist()))
    return found, f"the times have the offsets {words}, and are read as times of {found}"


@lru_cache(maxsize=512)
def fixed(minutes: int) -> str | None:
    """Return a zone that always has this offset in minutes, or None if there is none."""
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    if not rest:
        name = f"Etc/GMT{'-' if minutes > 0 else '+'}{hours}"
        return name if name in _names() else None
    known = {330: "Asia/Kolkata", 345: "Asia/Kathmandu", 390: "Asia/Yangon", 270: "Asia/Kabul", 570: "Australia/Darwin"}
    return known.get(minutes)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) | {"UTC"}


def _fits(zone: str, times: Times, offsets: NDArray[np.int64]) -> bool:
    """Return whether the zone has these offsets at these times."""
    minutes = (wall(times, zone) - times).astype("timedelta64[s]").astype(np.int64)
    return bool((minutes == offsets * 60).all())


def offset_words(minutes: int) -> str:
    """Return an offset from UTC in words, such as "+05:30"."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"
