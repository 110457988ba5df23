"""Years that are probably counted from another event than those of the Gregorian calendar."""

from __future__ import annotations

import numpy as np

from ostinato.data.time_form import Times

#: Years in which days are hardly dated by the Gregorian calendar, and the calendars in which they are those of today.
_ERAS = (
    (1300, 1500, "the Persian or the Islamic calendar", "their months have other lengths"),
    (2440, 2640, "the Buddhist calendar", "their leap years differ"),
)


def note_on_years(times: Times) -> list[str]:
    """Return a note on days whose years are those of another calendar, if there are any.

    Args:
        times: The times, (N,), as datetime64 or whole numbers.
    """
    if times.dtype.kind != "M" or not len(times):
        return []
    first, last = (int(t.astype("datetime64[Y]").astype(np.int64)) + 1970 for t in (times.min(), times.max()))
    for low, high, calendar, why in _ERAS:
        if low <= first and last <= high and (times.astype("datetime64[M]").astype(times.dtype) != times).any():
            return [
                f"the years {first} to {last} are read as those of the Gregorian calendar; if they are of {calendar}, "
                f"write the dates in the Gregorian one, because {why}"
            ]
    return []
