"""Values that stay the same for unusually long, as those of a sensor that is stuck."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ostinato.numbers import counted
from ostinato.shapes import Array

#: The least number of equal values in a row that is noted, and how many times as long as usual runs it must be: those
#: up to the length that 99 of 100 runs of the same series have.
LEAST, TIMES = 20, 10


def stuck(series: Iterable[tuple[str, Array]], what: str = "series") -> str | None:
    """Return a note on the series in which a value stays the same for unusually long; None if there are none.

    The least and the greatest value of a series are left out, since rain, demand and clipped measurements rest there.

    Args:
        series: The name of each series and its values, (N,). A missing value ends no run.
        what: What they are, in words: "series" or "channel".
    """
    found = [(name, *run) for name, values in series if (run := _longest(values)) is not None]
    if not found:
        return None
    name, value, length, first = max(found, key=lambda one: one[2])
    more = counted(len(found) - 1, f"other {what}", "other series" if what == "series" else "")
    others = f"; so do values of {more}" if len(found) > 1 else ""
    return (
        f"the value {value:g} of {name} stays the same for {counted(length, 'observed step')} from step {first:,} on"
        f"{others} (if a sensor was stuck, leave these cells empty)"
    )


def rests(values: Array) -> bool:
    """Return whether any value (N,) stays the same for long enough to be looked at; series may follow each other."""
    seen = values[np.isfinite(values)]
    return bool(np.diff(np.flatnonzero(np.diff(seen)), prepend=-1, append=len(seen) - 1).max(initial=0) >= LEAST)


def _longest(values: Array) -> tuple[float, int, int] | None:
    """Return the value, the length and the first step (from 1) of a run that is unusually long; None without one."""
    places = np.flatnonzero(np.isfinite(values))
    seen = values[places]
    if len(seen) < LEAST:
        return None
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(seen))])
    lengths = np.diff(starts, append=len(seen))
    lengths[(seen[starts] == seen.min()) | (seen[starts] == seen.max())] = 1
    at = int(lengths.argmax())
    usual = float(np.quantile(np.delete(lengths, at), 0.99)) if len(lengths) > 1 else np.inf
    if lengths[at] < max(LEAST, TIMES * usual):
        return None
    return float(seen[starts[at]]), int(lengths[at]), int(places[starts[at]]) + 1
