"""The WebSocket of pushes: messages in, answers out, in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import Any, final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from ostinato.errors import OstinatoError
from ostinato.serve.answers import problem
from ostinato.serve.auth import Token
from ostinato.serve.gate import most_bytes, too_large
from ostinato.serve.intake import Intake, spend
from ostinato.serve.reading import decoded
from ostinato.serve.schema import Failed, NamedPush, Result

_ENCODER = msgspec.json.Encoder()
_PUSHES: Any = NamedPush | list[NamedPush]
#: The most bytes of a message. One that is longer by far ends the WebSocket before it is read, with the code 1009.
MESSAGE = 1_000_000
#: The messages that are answered together, those that may wait, and the size of all that may wait.
_TOGETHER, _AHEAD, _SIZE = 256, 1024, 4 * MESSAGE


async def live(intake: Intake, most: int, socket: WebSocket) -> None:
    """Answer the pushes of a WebSocket in order, until it or its token ends.

    Args:
        intake: What answers.
        most: The most bytes of a message.
        socket: The WebSocket.
    """
    await socket.accept("ostinato" if "ostinato" in socket.scope["subprotocols"] else None)
    token: Token | None = socket.scope.get("token")
    most = min(most_bytes(most, token), MESSAGE)
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        async with contextlib.aclosing(_messages(socket, token)) as messages:
            async for some in messages:
                for answer in await answered(intake, some, token, most):
                    await socket.send_text(answer)
                if token is not None and token.ended:
                    await socket.close(1008)
                    return


async def _messages(socket: WebSocket, token: Token | None) -> AsyncGenerator[list[str | bytes], None]:
    """Yield the messages that wait, which are pushed together; once more, none, if the token ends."""
    arrived = _Arrived()

    async def read() -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while (message := await socket.receive())["type"] == "websocket.receive":
                text = message.get("text")
                await arrived.put((message.get("bytes") or b"") if text is None else text)

    reader = asyncio.create_task(read())
    reader.add_done_callback(lambda _: arrived.end())
    with _until_end(reader, token):
        while some := await arrived.some():
            yield some
        yield []


@final
class _Arrived:
    """The messages that wait. While they are too many or too large no other is read, so that memory stays bounded."""

    def __init__(self) -> None:
        self._messages: deque[str | bytes] = deque()
        self._size, self._ended = 0, False
        self._news, self._room = asyncio.Event(), asyncio.Event()

    async def put(self, message: str | bytes) -> None:
        """Let a message wait, and return once there is room for another."""
        self._messages.append(message)
        self._size += len(message)
        self._news.set()
        if len(self._messages) >= _AHEAD or self._size >= _SIZE:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Let no more messages come."""
        self._ended = True
        self._news.set()

    async def some(self) -> list[str | bytes]:
        """Return the next messages; none once all that came are returned and no more come."""
        await self._news.wait()
        found = [self._messages.popleft() for _ in range(min(_TOGETHER, len(self._messages)))]
        self._size -= sum(map(len, found))
        if not self._messages and not self._ended:
            self._news.clear()
        self._room.set()
        return found


@contextlib.contextmanager
def _until_end(reader: asyncio.Task[None], token: Token | None) -> Iterator[None]:
    """Let a task end with the block, or with a token."""
    ends = reader.cancel
    if token is not None:
        token.at_end.add(ends)
        if token.ended:  # while the WebSocket was opened
            reader.cancel()
    try:
        yield
    finally:
        if token is not None:
            token.at_end.discard(ends)
        reader.cancel()


async def answered(intake: Intake, messages: list[str | bytes], token: Token | None, most: int) -> list[str]:
    """Return the answer to each message up to a size in bytes: a push, or a list of pushes."""
    given: list[NamedPush | list[NamedPush] | OstinatoError] = []
    for one in messages:
        try:
            if 4 * len(one) > most and (size := len(one.encode() if isinstance(one, str) else one)) > most:
                raise too_large(most, size, "message")
            found: NamedPush | list[NamedPush] = decoded(_PUSHES, one, "message")
            many = found if isinstance(found, list) else [found]
            spend(token, many)
            given.append(found)
        except OstinatoError as error:
            given.append(error)
    flat: list[NamedPush] = []
    for what in given:
        if not isinstance(what, OstinatoError):
            flat += what if isinstance(what, list) else [what]
    try:
        answers: Iterator[Result | Failed] = iter(await intake.answers(flat, token))
    except OstinatoError as error:
        answers = iter([Failed(problem(error), one.unique_id[:256], one.ref) for one in flat])
    out: list[Any] = []
    for what in given:
        match what:
            case OstinatoError():
                out.append(Failed(problem(what)))
            case list():
                out.append([next(answers) for _ in what])
            case _:
                out.append(next(answers))
    return [_ENCODER.encode(answer).decode() for answer in out]
