"""The answers to pushes, whichever way they come: to one stream, to many, or over a WebSocket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, final

import msgspec

from ostinato.errors import OstinatoError
from ostinato.serve.answers import problem
from ostinato.serve.auth import Token
from ostinato.serve.batcher import Batcher
from ostinato.serve.held import Asked
from ostinato.serve.ids import check_id
from ostinato.serve.reading import checked, decoded, read_id
from ostinato.serve.schema import Failed, NamedPush, Push, Pushes, Result, Results
from ostinato.serve.store import StoreError

#: What answers a push, given its body and whose it is, with the JSON of the answer.
Answer: TypeAlias = Callable[[bytes, Token | None], Awaitable[bytes]]
#: The paths of pushes to many streams, and to one: its id stands between the last two.
MANY, ONE, EVENTS = "/v1/events", "/v1/streams/", "/events"
_ENCODER = msgspec.json.Encoder()


@final
class Intake:
    """What answers pushes.

    Args:
        batcher: The way of pushes.
    """

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher

    def of(self, path: str) -> Answer | None:
        """Return what answers a push to a path; None if it is another path.

        Pushes are most of what a server does, so the gate brings them here and the router never sees them.
        """
        if path == MANY:
            return self.push_many
        quoted = path[len(ONE) : -len(EVENTS)]
        if path.startswith(ONE) and path.endswith(EVENTS) and quoted and "/" not in quoted:
            return partial(self.push, quoted)
        return None

    async def push(self, quoted: str, body: bytes, token: Token | None) -> bytes:
        """Push events to one stream."""
        key, push = read_id(quoted), checked(decoded(Push, body))
        spend(token, [push], counted=1)
        return _ENCODER.encode(await self._batcher.push(key, push, token))

    async def push_many(self, body: bytes, token: Token | None) -> bytes:
        """Push events to many streams."""
        pushes = decoded(Pushes, body).pushes
        spend(token, pushes, counted=1)
        return _ENCODER.encode(Results(await self.answers(pushes, token)))

    async def answers(self, pushes: list[NamedPush], token: Any = None) -> list[Result | Failed]:
        """Return the answer to each push, in order.

        Raises:
            BusyError: Too many events wait.
            StoreError: The store failed, and no push is answered.
        """
        asked = [Asked(one.unique_id, one, token) for one in pushes]
        known = self._batcher.streams.resident
        for one in asked:
            try:
                if one.unique_id not in known:
                    check_id(one.unique_id)
                checked(one.push)
            except OstinatoError as error:
                one.outcome = error
        good = [one for one in asked if one.outcome is None]
        if good:
            await self._batcher.push_all(good)
            failed = [one.outcome for one in good if isinstance(one.outcome, StoreError)]
            if len(failed) == len(good):
                raise failed[0]  # the whole request may be sent again
        answers: list[Result | Failed] = []
        for one, given in zip(asked, pushes, strict=True):
            if isinstance(one.outcome, Result):
                one.outcome.ref = given.ref
                answers.append(one.outcome)
            else:
                assert one.outcome is not None
                answers.append(Failed(problem(one.outcome), given.unique_id[:256], given.ref))
        return answers


def spend(token: Token | None, pushes: Sequence[Push], *, counted: int = 0) -> None:
    """Count the events of pushes against the rate of the token, but for those that the gate has counted already.

    Raises:
        RefusedError: The rate is used up.
    """
    if token is not None:
        token.spend(max(sum(push.count for push in pushes) - counted, 0))
