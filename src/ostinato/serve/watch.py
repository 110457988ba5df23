"""The latest events of streams with the interval predicted for each, which the history itself does not keep."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from itertools import takewhile
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Array

#: The probabilities of the ends of the band.
BAND = (0.025, 0.975)
#: The seconds after which a page counts as closed, the events kept of a stream, and the streams of which they are kept.
_AWAY, _KEPT, _STREAMS = 15.0, 1000, 64
#: An event of the history, and the ends of its interval as the bytes of (2, D) floats.
_Seen: TypeAlias = tuple[Any, bytes]


@final
class Watch:
    """Rings of the latest events by stream, for as long as somebody looks at it, or at a list that names it.

    The interval of an event takes several times as long as the event, so it is found for these streams alone.
    """

    def __init__(self) -> None:
        self._rings: dict[str, deque[_Seen]] = {}
        self._asked: dict[str, float] = {}

    def __len__(self) -> int:
        """The number of streams whose events are kept."""
        return len(self._rings)

    def __contains__(self, unique_id: str) -> bool:
        """Whether the events of a stream are kept."""
        return unique_id in self._rings

    def look(self, unique_id: str) -> None:
        """Keep the events of a stream from now on, because somebody looks at it."""
        self._forget_unseen()
        self._ask(unique_id)
        while len(self._asked) > _STREAMS:
            self.drop(min(self._asked, key=self._asked.__getitem__))

    def glance(self, ids: Iterable[str]) -> None:
        """Keep the events of streams that somebody sees in a list, and may look at next, as far as there is room."""
        self._forget_unseen()
        for key in ids:
            if key in self._asked or len(self._asked) < _STREAMS:
                self._ask(key)

    def first(self, unique_id: str) -> int | None:
        """Return the number of the first event of a stream that is kept; None if there is none."""
        ring = self._rings.get(unique_id)
        return int(ring[0][0]["seq"]) if ring else None

    def since(self, unique_id: str, after: int) -> list[dict[str, Any]]:
        """Return the events of a stream that are kept, above a sequence number, for JSON."""
        late = takewhile(lambda seen: seen[0]["seq"] > after, reversed(self._rings.get(unique_id, ())))
        found = [event_document(one, *np.frombuffer(band).reshape(2, -1)) for one, band in late]
        return found[::-1]

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
        ends = [quantiles[p.index(q)] if q in p else np.full(seen["y"].shape, np.nan) for q in BAND]
        band = np.stack(ends, axis=1).astype(np.float64, copy=False)[-_KEPT:]
        ring.extend((one.copy(), ends.tobytes()) for one, ends in zip(seen[-_KEPT:], band, strict=True))

    def _ask(self, unique_id: str) -> None:
        self._asked[unique_id] = time.monotonic()
        self._rings.setdefault(unique_id, deque(maxlen=_KEPT))

    def _forget_unseen(self) -> None:
        """Forget the streams that nobody has looked at for a while."""
        now = time.monotonic()
        for key in [key for key, asked in self._asked.items() if now - asked > _AWAY]:
            self.drop(key)


def event_document(one: Any, low: Any = None, high: Any = None) -> dict[str, Any]:
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
