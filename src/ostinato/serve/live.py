"""The WebSocket of pushes: messages in, answers out, in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from ostinato.errors import OstinatoError
from ostinato.serve.answers import problem
from ostinato.serve.auth import Token
from ostinato.serve.gate import most_bytes, too_large
from ostinato.serve.routes import Routes, decoded, spend
from ostinato.serve.schema import Failed, NamedPush, Result

_ENCODER = msgspec.json.Encoder()
_MESSAGE: Any = NamedPush | list[NamedPush]
#: The messages that are answered together, and those that may wait.
_TOGETHER, _AHEAD = 256, 1024


async def live(routes: Routes, most: int, socket: WebSocket) -> None:
    """Answer the pushes of a WebSocket in order, until it or its token ends.

    Args:
        routes: What answers.
        most: The most bytes of a message.
        socket: The WebSocket.
    """
    await socket.accept("ostinato" if "ostinato" in socket.scope["subprotocols"] else None)
    token: Token | None = socket.scope.get("token")
    most = most_bytes(most, token)
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        async with contextlib.aclosing(_messages(socket, token)) as messages:
            async for some in messages:
                for answer in await answered(routes, some, token, most):
                    await socket.send_text(answer)
                if token is not None and token.ended:
                    await socket.close(1008)
                    return


async def _messages(socket: WebSocket, token: Token | None) -> AsyncGenerator[list[str | bytes], None]:
    """Yield the messages that wait, which are pushed together; once more, none, if the token ends."""
    arrived: asyncio.Queue[str | bytes | None] = asyncio.Queue(_AHEAD)  # a slow answer stops the reading

    async def read() -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while (message := await socket.receive())["type"] == "websocket.receive":
                text = message.get("text")
                await arrived.put((message.get("bytes") or b"") if text is None else text)

    def over(_: object) -> None:
        with contextlib.suppress(asyncio.QueueFull):  # then nobody waits for a message
            arrived.put_nowait(None)

    reader = asyncio.create_task(read())
    reader.add_done_callback(over)
    with _until_end(reader, token):
        ended = False
        while not ended:
            some = [await arrived.get()]
            while len(some) < _TOGETHER and not arrived.empty():
                some.append(arrived.get_nowait())
            ended = some[-1] is None or (reader.done() and arrived.empty())
            yield [one for one in some if one is not None]


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


async def answered(routes: Routes, messages: list[str | bytes], token: Token | None, most: int) -> list[str]:
    """Return the answer to each message of at most so many bytes: a push, or a list of pushes."""
    given: list[NamedPush | list[NamedPush] | OstinatoError] = []
    for one in messages:
        try:
            if len(one) > most or (isinstance(one, str) and 4 * len(one) > most and len(one.encode()) > most):
                raise too_large(most)
            found: NamedPush | list[NamedPush] = decoded(_MESSAGE, one)
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
        answers: Iterator[Result | Failed] = iter(await routes.answers(flat, token))
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
