"""The way to one stream for whatever is not a push: the stream is brought into memory while no batch is on its way."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, final

from ostinato.serve.batcher import Batcher
from ostinato.serve.errors import MissingError
from ostinato.serve.held import Held
from ostinato.serve.store import Store
from ostinato.serve.streams import Streams

T = TypeVar("T")


@final
class Reach:
    """What brings a stream into memory, as the store has it now.

    Args:
        batcher: The way of pushes, whose streams and store these are.
    """

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher

    @property
    def streams(self) -> Streams:
        """The streams in memory."""
        return self._batcher.streams

    @property
    def store(self) -> Store:
        """The store of the streams; its calls go through ``ask``."""
        return self._batcher.store

    async def ask(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call the store (see ``Access.ask``)."""
        return await self._batcher.access.ask(call, *arguments)

    async def alone(self, call: Callable[[], Awaitable[T]]) -> T:
        """Await what ``call`` returns while no push is stepped or saved."""
        found: T = await self._batcher.alone(call)
        return found

    async def to(self, unique_id: str) -> Held:
        """Return a stream, in memory; the caller is ``alone``.

        Raises:
            MissingError: There is no such stream.
        """
        streams = self.streams
        if unique_id not in streams.resident or self.store.shared:
            found = (await self.ask(self.store.load, [unique_id])).get(unique_id)
            held = streams.resident.get(unique_id)
            if held is not None and (found is None or found.version != held.version):
                streams.forget([unique_id])  # another server changed it
            if found is None:
                raise MissingError(f"there is no stream {unique_id!r}", fix="push an event to it first")
        await self._batcher.applier.bring([unique_id])
        return streams.resident[unique_id]

    async def blocks(self, held: Held) -> list[tuple[int, bytes]]:
        """Return the blocks of the history of a stream; the caller is ``alone``."""
        return [] if held.wipe else await self.ask(self.store.blocks, held.unique_id)

    def facts(self, key: str) -> dict[str, Any]:
        """Return what is known of a stream without a look into the store."""
        held = self.streams.resident.get(key)
        if held is None:
            return {"unique_id": key, "in_memory": False}
        return {
            "unique_id": key,
            "in_memory": True,
            "seq": held.seq,
            "steps": held.steps,
            "waiting": len(held.order.waiting),
            "alarms": held.alarms,
            "idle": round(time.monotonic() - held.used, 3),
        }
