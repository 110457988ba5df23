"""Everything that is done to a stream besides pushes. Nothing of it happens while a batch is stepped or saved."""

from __future__ import annotations

import time
from typing import Any, final

import numpy as np

from ostinato.serve.answers import Missing
from ostinato.serve.batcher import Batcher
from ostinato.serve.snapshot import history_dtype
from ostinato.serve.store import StoreError
from ostinato.serve.streams import Held
from ostinato.serve.watch import told


@final
class Operations:
    """The operations on the streams of a server.

    Args:
        batcher: The way of pushes, whose streams and store these are.
    """

    def __init__(self, batcher: Batcher) -> None:
        self._batcher, self._begun = batcher, time.time()

    async def _held(self, unique_id: str) -> Held:
        """Return a stream, in memory; the caller has the lock.

        Raises:
            Missing: There is no such stream.
        """
        streams, store = self._batcher.streams, self._batcher.store
        if unique_id not in streams.resident and not await self._batcher.in_store(store.load, [unique_id]):
            raise Missing(f"there is no stream {unique_id!r}", fix="push an event to it first")
        await self._batcher.bring([unique_id])
        return streams.resident[unique_id]

    async def streams(self, after: str, limit: int) -> dict[str, Any]:
        """Return the ids of streams in order, with what is known of those in memory."""
        batcher = self._batcher
        found = await batcher.in_store(batcher.store.ids, after, limit)
        resident, low = batcher.streams.resident, after.encode()
        if not batcher.store.durable:
            found = sorted({*found, *(key for key in resident if key.encode() > low)}, key=str.encode)[:limit]
        return {"streams": [self._facts(key) for key in found], "after": found[-1] if len(found) == limit else None}

    def _facts(self, key: str) -> dict[str, Any]:
        held = self._batcher.streams.resident.get(key)
        if held is None:
            return {"unique_id": key, "in_memory": False}
        return {
            "unique_id": key,
            "in_memory": True,
            "seq": held.order.seq,
            "steps": held.steps,
            "waiting": len(held.order.waiting),
            "alarms": held.alarms,
            "idle": round(time.monotonic() - held.used, 3),
        }

    async def stream(self, unique_id: str) -> dict[str, Any]:
        """Return what is known of a stream.

        Raises:
            Missing: There is no such stream.
        """

        async def call() -> dict[str, Any]:
            await self._held(unique_id)
            return self._facts(unique_id) | {"state_bytes": self._batcher.streams.layout.width}

        found: dict[str, Any] = await self._batcher.alone(call)
        return found

    async def delete(self, unique_id: str) -> None:
        """Delete a stream.

        Raises:
            Missing: There is no such stream.
        """

        async def call() -> bool:
            kept = await self._batcher.in_store(self._batcher.store.delete, unique_id)
            held = unique_id in self._batcher.streams.resident
            self._batcher.streams.forget([unique_id])
            return bool(kept or held)

        if not await self._batcher.alone(call):
            raise Missing(f"there is no stream {unique_id!r}", fix="list them: GET /v1/streams")

    async def history(self, unique_id: str, after: int) -> dict[str, Any]:
        """Return the events of a stream that are remembered, above a sequence number; it is watched from now on.

        Raises:
            Missing: There is no such stream.
        """
        streams = self._batcher.streams
        ring = streams.watch.look(unique_id)
        if not ring or ring[0]["seq"] > after + 1:

            async def call() -> list[dict[str, Any]]:
                held = await self._held(unique_id)
                blocks = await self._batcher.in_store(self._batcher.store.blocks, unique_id)
                raw = b"".join(block for _, block in blocks) + held.tail
                return [told(one) for one in np.frombuffer(raw, dtype=history_dtype(streams.model.channels))]

            older = await self._batcher.alone(call)
            first = ring[0]["seq"] if ring else float("inf")
            events = [*(one for one in older if one["seq"] < first), *ring]
        else:
            events = list(ring)
        return {"unique_id": unique_id, "events": [one for one in events if one["seq"] > after][-1000:]}

    def model_facts(self) -> dict[str, Any]:
        """Return what the model is."""
        streams = self._batcher.streams
        model = streams.model
        return {
            "title": model.title(),
            "kind": model.description.kind,
            "channels": list(model.description.source.get("channels", ["y"])),
            "sha256": streams.digest.hex(),
            "state_bytes": streams.layout.width,
            "alarm": None if streams.rule is None else streams.rule.words(),
        }

    def status(self) -> dict[str, Any]:
        """Return counters for a page that asks again and again."""
        b, s = self._batcher, self._batcher.streams
        return {
            "events": s.events,
            "alarms": s.alarms,
            "in_memory": len(s.resident),
            "waiting": b.waiting,
            "store": type(b.store).__name__.removesuffix("Store").lower(),
            "durable": b.store.durable,
            "store_failed": None if b.failed is None else "the store failed",
            "uptime": round(time.time() - self._begun, 1),
        }

    async def ready(self) -> bool:
        """Return whether the store answers."""
        try:
            await self._batcher.in_store(self._batcher.store.ping)
        except StoreError as error:
            self._batcher.failed = error
            return False
        return True
