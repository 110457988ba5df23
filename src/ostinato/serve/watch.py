"""The latest events of the streams that somebody looks at, with the interval that was predicted for each."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Array

#: The probabilities of the ends of the band.
BAND = (0.025, 0.975)
#: Nobody looks any more after so many seconds; so many events of a stream are kept, of so many streams.
_AWAY, _KEPT, _STREAMS = 15.0, 1000, 64


@final
class Watch:
    """Rings of the latest events by stream, for as long as somebody asks for them."""

    def __init__(self) -> None:
        self._rings: dict[str, deque[dict[str, Any]]] = {}
        self._asked: dict[str, float] = {}

    def __len__(self) -> int:
        """The number of streams that somebody looks at."""
        return len(self._asked)

    def __contains__(self, unique_id: str) -> bool:
        """Whether somebody looks at a stream."""
        return unique_id in self._asked

    def look(self, unique_id: str) -> deque[dict[str, Any]]:
        """Return the latest events of a stream, which are kept from now on."""
        now = time.monotonic()
        self._asked[unique_id] = now
        for key in [key for key, asked in self._asked.items() if now - asked > _AWAY]:
            self.drop(key)
        while len(self._asked) > _STREAMS:
            self.drop(min(self._asked, key=self._asked.__getitem__))
        return self._rings.setdefault(unique_id, deque(maxlen=_KEPT))

    def drop(self, unique_id: str) -> None:
        """Forget the events of a stream."""
        self._asked.pop(unique_id, None)
        self._rings.pop(unique_id, None)

    def note(self, unique_id: str, seen: NDArray[Any], quantiles: Array, p: tuple[float, ...]) -> None:
        """Keep events of a stream.

        Args:
            unique_id: The stream.
            seen: The events, as in the history, (T,).
            quantiles: Their quantiles, (Q, T, D).
            p: The probabilities of the quantiles.
        """
        ring = self._rings.get(unique_id)
        if ring is None:
            return
        low, high = (quantiles[p.index(q)] if q in p else np.full(seen["y"].shape, np.nan) for q in BAND)
        for i, one in enumerate(seen):
            ring.append(told(one, low[i], high[i]))


def told(one: Any, low: Any = None, high: Any = None) -> dict[str, Any]:
    """Return an event of the history for JSON."""
    from ostinato.serve.schema import numbers
    from ostinato.serve.snapshot import SKIPPED, alarm_in

    nats = float(one["surprisal"])
    alarm, evidence = alarm_in(one["flags"])
    return {
        "seq": int(one["seq"]),
        "ds": None if one["ds"] == np.iinfo(np.int64).min else int(one["ds"]),
        "y": numbers(one["y"]),
        "expected": numbers(one["expected"]),
        "surprisal": nats if np.isfinite(nats) else None,
        "alarm": alarm,
        "evidence": evidence,
        "skipped": bool(one["flags"] & SKIPPED),
        "low": None if low is None else numbers(low),
        "high": None if high is None else numbers(high),
    }
