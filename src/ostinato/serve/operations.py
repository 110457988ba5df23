"""Everything that is done to a stream besides pushes. Nothing of it happens while a batch is stepped or saved."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, final

import numpy as np

from ostinato.errors import ConfigError, DataError
from ostinato.inference.alarm_rule import AlarmRule
from ostinato.model import SequenceModel
from ostinato.numbers import counted
from ostinato.serve.auth import Token
from ostinato.serve.batcher import Batcher
from ostinato.serve.errors import BusyError, ExistsError, MissingError
from ostinato.serve.held import Held, Work
from ostinato.serve.here import Here
from ostinato.serve.portable import packed, unpacked
from ostinato.serve.schema import ForecastAsked, Next, Push, SampleAsked
from ostinato.serve.snapshot import Snapshot
from ostinato.serve.store import Record
from ostinato.serve.watch import told

#: The seconds after which a store that has not answered is said not to.
_SOON = 2.0


@final
class Operations:
    """The operations on the streams of a server.

    Args:
        batcher: The way of pushes, whose streams and store these are.
        reload: What reads the model file again; None if there is no file.
    """

    def __init__(
        self, batcher: Batcher, reload: Callable[[], tuple[SequenceModel, AlarmRule | None]] | None = None
    ) -> None:
        self._batcher, self._reload, self._begun = batcher, reload, time.time()
        self._few = asyncio.Semaphore(2)

    async def _held(self, unique_id: str) -> Held:
        """Return a stream, in memory; the caller has the lock.

        Raises:
            MissingError: There is no such stream.
        """
        streams, store = self._batcher.streams, self._batcher.store
        if unique_id not in streams.resident or store.shared:
            found = (await self._batcher.access.ask(store.load, [unique_id])).get(unique_id)
            held = streams.resident.get(unique_id)
            if held is not None and (found is None or found.version != held.version):
                streams.forget([unique_id])  # another server changed it
            if found is None:
                raise MissingError(f"there is no stream {unique_id!r}", fix="push an event to it first")
        await self._batcher.bring([unique_id])
        return streams.resident[unique_id]

    async def _blocks(self, held: Held) -> list[tuple[int, bytes]]:
        """Return the blocks of the history of a stream; the caller has the lock."""
        return [] if held.wipe else await self._batcher.access.ask(self._batcher.store.blocks, held.unique_id)

    async def streams(self, after: str, limit: int) -> dict[str, Any]:
        """Return the ids of streams in order, with what is known of those in memory."""
        batcher = self._batcher
        found = await batcher.access.ask(batcher.store.ids, after, limit)
        return {"streams": [self._facts(key) for key in found], "after": found[-1] if len(found) == limit else None}

    def _facts(self, key: str) -> dict[str, Any]:
        held = self._batcher.streams.resident.get(key)
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

    async def stream(self, unique_id: str) -> dict[str, Any]:
        """Return what is known of a stream.

        Raises:
            MissingError: There is no such stream.
        """

        async def call() -> dict[str, Any]:
            await self._held(unique_id)
            return self._facts(unique_id) | {"state_bytes": self._batcher.streams.served.layout.width}

        found: dict[str, Any] = await self._batcher.alone(call)
        return found

    async def delete(self, unique_id: str) -> None:
        """Delete a stream.

        Raises:
            MissingError: There is no such stream.
        """

        async def call() -> bool:
            kept = await self._batcher.access.ask(self._batcher.store.delete, unique_id)
            self._batcher.streams.forget([unique_id])
            self._batcher.count -= bool(kept)
            return bool(kept)

        if not await self._batcher.alone(call):
            raise MissingError(f"there is no stream {unique_id!r}", fix="list them: GET /v1/streams")

    async def history(self, unique_id: str, after: int) -> dict[str, Any]:
        """Return the events of a stream that are remembered, above a sequence number; it is watched from now on.

        Raises:
            MissingError: There is no such stream.
        """
        streams = self._batcher.streams
        ring, known = streams.watch.look(unique_id), streams.resident.get(unique_id)
        if known is not None and after >= known.seq:
            events: list[dict[str, Any]] = []
        elif not ring or ring[0]["seq"] > after + 1:

            async def call() -> list[dict[str, Any]]:
                held = await self._held(unique_id)
                blocks = await self._blocks(held)
                raw = b"".join(block for _, block in blocks) + held.tail
                return [told(one) for one in np.frombuffer(raw, dtype=streams.served.event)]

            older = await self._batcher.alone(call)
            first = ring[0]["seq"] if ring else float("inf")
            events = [*(one for one in older if one["seq"] < first), *ring]
        else:
            events = list(ring)
        held = streams.resident.get(unique_id)
        seq = events[-1]["seq"] if held is None and events else 0 if held is None else held.seq
        return {"unique_id": unique_id, "seq": seq, "events": [one for one in events if one["seq"] > after][-1000:]}

    async def next(self, unique_id: str, push: Push) -> Next:
        """Return the distribution of the next event.

        Raises:
            MissingError: There is no such stream.
        """

        async def call() -> Next:
            return self._batcher.streams.following(await self._held(unique_id), push) or Next()

        found: Next = await self._batcher.alone(call)
        return found

    async def _here(self, unique_id: str) -> Here:
        """Return the present state of a stream, which later pushes do not change.

        Raises:
            MissingError: There is no such stream.
        """

        async def call() -> Here:
            held, streams = await self._held(unique_id), self._batcher.streams
            state, last = streams.state_of(held)
            clock = None if held.order.clock is None else held.order.clock.copy()
            return Here(unique_id, streams.served.rows, state, last[0, 1], held.seq, clock)

        found: Here = await self._batcher.alone(call)
        return found

    async def forecast(self, unique_id: str, asked: ForecastAsked) -> dict[str, Any]:
        """Forecast from the present state.

        Raises:
            MissingError: There is no such stream.
            ConfigError: The model is one of text, or the levels cannot be used.
        """
        here = await self._here(unique_id)
        async with self._few:
            return await asyncio.to_thread(here.forecast, asked)

    async def sample(self, unique_id: str, asked: SampleAsked) -> dict[str, Any]:
        """Draw what may follow the present state.

        Raises:
            MissingError: There is no such stream.
        """
        here = await self._here(unique_id)
        async with self._few:
            return await asyncio.to_thread(here.sample, asked)

    async def fork(self, unique_id: str, to: str, token: Token | None = None) -> dict[str, Any]:
        """Begin another stream at the present state.

        Raises:
            MissingError: There is no such stream.
            ExistsError: The other stream exists.
            RefusedError: The token allows no more streams.
        """
        return await self._kept_as(to, token, lambda: self._forked(unique_id, to))

    async def _forked(self, unique_id: str, to: str) -> Work:
        held = await self._held(unique_id)
        blocks = await self._blocks(held)
        return self._batcher.streams.fork(held, to, blocks)

    async def _kept_as(self, to: str, token: Token | None, make: Callable[[], Awaitable[Work]]) -> dict[str, Any]:
        """Save a stream that is new, and return what is known of it.

        Raises:
            ExistsError: There is a stream of this id.
            RefusedError: The token allows no more streams.
        """
        batcher = self._batcher

        async def call() -> dict[str, Any]:
            known = await batcher.access.ask(batcher.store.load, [to])
            taken = bool(known) or to in batcher.streams.resident
            if not taken and token is not None:
                token.check_begin(batcher.count)
            if taken or await batcher.save([await make()]):
                raise ExistsError(f"there is a stream {to!r} already", fix="delete it first, or use another id")
            return self._facts(to)

        found: dict[str, Any] = await batcher.alone(call)
        return found

    async def reset(self, unique_id: str) -> dict[str, Any]:
        """Begin a stream again.

        Raises:
            MissingError: There is no such stream.
            BusyError: Another server changed it at the same time.
        """

        async def call() -> dict[str, Any]:
            held = await self._held(unique_id)
            if await self._batcher.save([self._batcher.streams.begin_again(held)]):
                raise BusyError("another server changed the stream", fix="ask again")
            return self._facts(unique_id)

        found: dict[str, Any] = await self._batcher.alone(call)
        return found

    async def snapshot(self, unique_id: str) -> bytes:
        """Return a stream as a file of safetensors and JSON.

        Raises:
            MissingError: There is no such stream.
        """

        async def call() -> bytes:
            held, streams = await self._held(unique_id), self._batcher.streams
            blocks = await self._blocks(held)
            return packed(streams.snapshot(held), blocks, streams.served)

        found: bytes = await self._batcher.alone(call)
        return found

    async def restore(self, unique_id: str, data: bytes, token: Token | None = None) -> dict[str, Any]:
        """Put a stream back from a file.

        Raises:
            ExistsError: There is a stream of this id.
            DataError: The file is none, or belongs to another model.
            RefusedError: The token allows no more streams.
        """
        streams = self._batcher.streams
        snapshot, blocks = unpacked(data, streams.served)
        return await self._kept_as(unique_id, token, lambda: self._restored(unique_id, snapshot, blocks))

    async def _restored(self, unique_id: str, snapshot: Snapshot, blocks: list[tuple[int, bytes]]) -> Work:
        streams = self._batcher.streams
        streams.bring([unique_id], {unique_id: Record(time.time_ns() - 1, snapshot.to_bytes())}, {})
        held = streams.resident[unique_id]
        held.new = True
        try:  # a state that the model cannot go on from must not fail in the middle of a batch
            streams.following(held, Push(next=[0.5], top=1))
        except Exception as error:
            streams.forget([unique_id])
            raise DataError("the model cannot go on from the state", fix="take the snapshot again") from error
        return Work(held, blocks=blocks)

    async def swap(self, *, replay: bool) -> dict[str, Any]:
        """Read the model file again. No push is stepped meanwhile, and none is lost.

        Args:
            replay: Whether each stream has its history replayed when it is used next; otherwise it begins afresh.

        Raises:
            ConfigError: The server has no model file, or the new model cannot read the histories of its streams.
            ModelFileError: The file cannot be used; the server goes on with the model that it has.
        """
        if self._reload is None:
            raise ConfigError("the server has no model file", fix="start it with one")
        model, rule = await asyncio.to_thread(self._reload)

        async def call() -> None:
            streams = self._batcher.streams
            before, after = (_alphabet(one) for one in (streams.served.model, model))
            if replay and before != after and self._batcher.count:
                raise ConfigError(
                    f"the streams hold {before}, and the new model reads {after}, so it cannot replay their histories",
                    fix='let them begin afresh: {"streams": "fresh"}',
                )
            streams.use(model, rule)
            streams.replay = replay

        await self._batcher.alone(call)
        return self.model_facts()

    def model_facts(self) -> dict[str, Any]:
        """Return what the model is."""
        served = self._batcher.streams.served
        model = served.model
        return {
            "title": model.title(),
            "kind": model.description.kind,
            "channels": list(model.description.source.get("channels", ["y"])),
            "sha256": served.digest.hex(),
            "state_bytes": served.layout.width,
            "alarm": None if served.rule is None else served.rule.words(),
        }

    def status(self) -> dict[str, Any]:
        """Return counters for a page that asks again and again."""
        b, s = self._batcher, self._batcher.streams
        return {
            "events": s.counts.events,
            "alarms": s.counts.alarms,
            "in_memory": len(s.resident),
            "waiting": b.waiting,
            "store": type(b.store).__name__.removesuffix("Store").lower(),
            "durable": b.store.durable,
            "store_failed": None if b.access.failed is None else "the store failed",
            "uptime": round(time.time() - self._begun, 1),
        }

    async def ready(self) -> bool:
        """Return whether the store answers soon."""
        asked = self._batcher.access.question()
        done, _ = await asyncio.wait([asked], timeout=_SOON)
        return bool(done) and asked.result()


def _alphabet(model: SequenceModel) -> str:
    """Return what the events of a model are, in words."""
    return f"numbers of {counted(model.channels, 'channel')}" if model.description.traits.numeric else "text"
