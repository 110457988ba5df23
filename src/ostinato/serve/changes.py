"""What changes streams besides pushes: delete, fork, reset, and moving them by snapshots."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, final

from ostinato.errors import DataError
from ostinato.serve.applier import Applier
from ostinato.serve.auth import Token
from ostinato.serve.errors import BusyError, ExistsError, MissingError
from ostinato.serve.held import Work
from ostinato.serve.portable import packed, unpacked
from ostinato.serve.reach import Reach
from ostinato.serve.schema import Push
from ostinato.serve.snapshot import Snapshot
from ostinato.serve.store import Record


@final
class Changes:
    """What changes streams.

    Args:
        reach: The way to a stream.
        applier: What saves them.
    """

    def __init__(self, reach: Reach, applier: Applier) -> None:
        self._reach, self._applier = reach, applier

    async def delete(self, unique_id: str) -> None:
        """Delete a stream.

        Raises:
            MissingError: There is no such stream.
        """

        async def call() -> bool:
            kept = await self._reach.ask(self._reach.store.delete, unique_id)
            self._reach.streams.forget([unique_id])
            self._applier.count -= bool(kept)
            return bool(kept)

        if not await self._reach.alone(call):
            raise MissingError(f"there is no stream {unique_id!r}", fix="list them: GET /v1/streams")

    async def fork(self, unique_id: str, to: str, token: Token | None = None) -> dict[str, Any]:
        """Begin another stream at the present state.

        Raises:
            MissingError: There is no such stream.
            ExistsError: The other stream exists.
            RefusedError: The token allows no more streams.
        """
        return await self._kept_as(to, token, lambda: self._forked(unique_id, to))

    async def _forked(self, unique_id: str, to: str) -> Work:
        held = await self._reach.to(unique_id)
        blocks = await self._reach.blocks(held)
        return self._reach.streams.fork(held, to, blocks)

    async def _kept_as(self, to: str, token: Token | None, make: Callable[[], Awaitable[Work]]) -> dict[str, Any]:
        """Save a stream that is new, and return what is known of it.

        Raises:
            ExistsError: There is a stream of this id.
            RefusedError: The token allows no more streams.
        """
        reach = self._reach

        async def call() -> dict[str, Any]:
            known = await reach.ask(reach.store.load, [to])
            taken = bool(known) or to in reach.streams.resident
            if not taken and token is not None:
                token.check_begin(self._applier.count)
            if taken or await self._applier.save([await make()]):
                raise ExistsError(f"there is a stream {to!r} already", fix="delete it first, or use another id")
            return self._reach.facts(to)

        found: dict[str, Any] = await reach.alone(call)
        return found

    async def reset(self, unique_id: str) -> dict[str, Any]:
        """Begin a stream again.

        Raises:
            MissingError: There is no such stream.
            BusyError: Another server changed it at the same time.
        """

        async def call() -> dict[str, Any]:
            held = await self._reach.to(unique_id)
            if await self._applier.save([self._reach.streams.begin_again(held)]):
                raise BusyError("another server changed the stream", fix="ask again")
            return self._reach.facts(unique_id)

        found: dict[str, Any] = await self._reach.alone(call)
        return found

    async def snapshot(self, unique_id: str) -> bytes:
        """Return a stream as a file of safetensors and JSON.

        Raises:
            MissingError: There is no such stream.
        """

        async def call() -> bytes:
            held, streams = await self._reach.to(unique_id), self._reach.streams
            blocks = await self._reach.blocks(held)
            return packed(streams.snapshot(held), blocks, streams.served)

        found: bytes = await self._reach.alone(call)
        return found

    async def restore(self, unique_id: str, data: bytes, token: Token | None = None) -> dict[str, Any]:
        """Put a stream back from a file.

        Raises:
            ExistsError: There is a stream of this id.
            DataError: The file is none, or belongs to another model.
            RefusedError: The token allows no more streams.
        """
        streams = self._reach.streams
        snapshot, blocks = unpacked(data, streams.served)
        return await self._kept_as(unique_id, token, lambda: self._restored(unique_id, snapshot, blocks))

    async def _restored(self, unique_id: str, snapshot: Snapshot, blocks: list[tuple[int, bytes]]) -> Work:
        streams = self._reach.streams
        streams.bring([unique_id], {unique_id: Record(time.time_ns() - 1, snapshot.to_bytes())}, {})
        held = streams.resident[unique_id]
        held.new = True
        try:  # a state that the model cannot go on from must not fail in the middle of a batch
            streams.following(held, Push(next=[0.5], top=1))
        except Exception as error:
            streams.forget([unique_id])
            raise DataError("the model cannot go on from the state", fix="take the snapshot again") from error
        return Work(held, blocks=blocks)
