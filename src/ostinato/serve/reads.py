"""What is read from streams, and what may follow their present states. No stream changes by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from ostinato.inference.parameter_uncertainty import MOST, small_sample
from ostinato.serve.calls import Calls
from ostinato.serve.held import Held
from ostinato.serve.reach import Reach
from ostinato.serve.schema import ForecastAsked, Next, Push, SampleAsked
from ostinato.serve.stream_forecasts import StreamForecasts
from ostinato.serve.watch import event_document

T = TypeVar("T")
#: The number of forecasts and samples that are made at a time, in parallel with the batches.
_BESIDE = 2


@final
class Reads:
    """What reads streams.

    Args:
        reach: The way to a stream.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._calls = Calls("ahead", _BESIDE)

    async def streams(self, after: str, limit: int, *, seen: bool) -> dict[str, Any]:
        """Return the ids of streams in order, with what is known of those in memory.

        Args:
            after: The id after which to begin.
            limit: The most streams.
            seen: Whether somebody who sees the list may choose one of them, so that their intervals are kept.
        """
        found = await self._reach.ask(self._reach.store.ids, after, limit)
        streams = self._reach.streams
        if seen:
            streams.watch.glance([key for key in found if key in streams.resident])
        return {
            "streams": [self._reach.facts(key) for key in found],
            "after": found[-1] if len(found) == limit else None,
        }

    async def stream(self, unique_id: str) -> dict[str, Any]:
        """Return what is known of a stream.

        Raises:
            MissingError: There is no such stream.
        """

        async def call() -> dict[str, Any]:
            await self._reach.to(unique_id)
            return self._reach.facts(unique_id) | {"state_bytes": self._reach.streams.served.layout.width}

        found: dict[str, Any] = await self._reach.alone(call)
        return found

    async def history(self, unique_id: str, after: int) -> dict[str, Any]:
        """Return the events of a stream that are remembered, above a sequence number; it is looked at from now on.

        ``ds`` is a whole number: microseconds since 1970 in UTC, or by the clock on the wall if ``zone`` is None, where
        ``dated`` is true; else the number that came.

        Raises:
            MissingError: There is no such stream.
        """
        streams = self._reach.streams
        watch, known = streams.watch, streams.resident.get(unique_id)
        watch.look(unique_id)
        older: list[dict[str, Any]] = []
        if known is None or after < known.seq:
            first = watch.first(unique_id)
            if first is None or first > after + 1:

                async def call() -> list[dict[str, Any]]:
                    return [event_document(one) for one in await self._events(await self._reach.to(unique_id))]

                older = await self._reach.alone(call)
                first = watch.first(unique_id)  # events may have come meanwhile
                older = [one for one in older if one["seq"] > after and (first is None or one["seq"] < first)]
        events = [streams.served.form.shown(one) for one in [*older, *watch.since(unique_id, after)][-1000:]]
        held = streams.resident.get(unique_id)
        seq = events[-1]["seq"] if held is None and events else 0 if held is None else held.seq
        clock = None if held is None else held.order.clock
        dated, zone = (None, None) if clock is None else clock.written()
        return {"unique_id": unique_id, "seq": seq, "dated": dated, "zone": zone, "events": events}

    async def next(self, unique_id: str, push: Push) -> Next:
        """Return the distribution of the next event.

        Raises:
            MissingError: There is no such stream.
            DataError: The model cannot answer what is asked.
        """
        self._reach.streams.served.form.check(push)

        async def call() -> Next:
            return self._reach.streams.following(await self._reach.to(unique_id), push) or Next()

        found: Next = await self._reach.alone(call)
        return found

    async def _events(self, held: Held) -> NDArray[Any]:
        """Return the events of a stream that are remembered; the caller is ``alone``."""
        blocks = await self._reach.blocks(held)
        return np.frombuffer(b"".join(block for _, block in blocks) + held.tail, dtype=self._reach.streams.served.event)

    async def _here(self, unique_id: str) -> StreamForecasts:
        """Return the present state of a stream, which later pushes do not change.

        Raises:
            MissingError: There is no such stream.
        """

        async def call() -> StreamForecasts:
            held, streams = await self._reach.to(unique_id), self._reach.streams
            state, last = streams.state_of(held)
            clock = None if held.order.clock is None else held.order.clock.copy()
            seen = None
            if small_sample(streams.served.rows.model) is not None:
                seen = np.ascontiguousarray((await self._events(held))["y"][-MOST:])
            return StreamForecasts(unique_id, streams.served.rows, state, last[0, 1], held.seq, clock, seen, held.steps)

        found: StreamForecasts = await self._reach.alone(call)
        return found

    async def forecast(self, unique_id: str, asked: ForecastAsked) -> dict[str, Any]:
        """Forecast from the present state.

        Raises:
            MissingError: There is no such stream.
            ConfigError: The model is one of text, the levels cannot be used, or it would take too long.
        """
        here = await self._here(unique_id)
        return await self._beside(partial(here.forecast, asked))

    async def sample(self, unique_id: str, asked: SampleAsked) -> dict[str, Any]:
        """Draw what may follow the present state.

        Raises:
            MissingError: There is no such stream.
        """
        here = await self._here(unique_id)
        return await self._beside(partial(here.sample, asked))

    async def _beside(self, call: Callable[[], T]) -> T:
        """Return what a long call returns; it keeps its thread until it ends, even if nobody waits any more."""
        return await asyncio.wrap_future(self._calls.submit(call))
