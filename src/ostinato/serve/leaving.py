"""Streams without events leave memory for the store, and come back with their next event."""

from __future__ import annotations

import asyncio

from ostinato.serve.batcher import Batcher

#: The streams are looked through ten times within the seconds that one may be idle, but at most every half second.
_TIMES, _LEAST = 10, 0.5


async def let_leave(batcher: Batcher, seconds: float) -> None:
    """Let streams leave memory again and again, until it is cancelled.

    Args:
        batcher: The way of pushes. Nothing is stepped or saved while streams leave.
        seconds: How long a stream may be without an event.
    """
    streams = batcher.streams

    async def leave() -> None:
        streams.forget(streams.idle_for(seconds))

    while True:
        await asyncio.sleep(max(seconds / _TIMES, _LEAST))
        if streams.idle_for(seconds):  # pushes wait for what runs alone, so it does not run for nothing
            await batcher.alone(leave)
