"""The gate before every route: who asks, how much, how large, and how long."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, final

import msgspec

from ostinato.errors import OstinatoError
from ostinato.numbers import counted
from ostinato.serve.answers import problem, status_of
from ostinato.serve.auth import Token, Tokens
from ostinato.serve.errors import RefusedError, UnexpectedError
from ostinato.serve.intake import Answer
from ostinato.serve.reading import check_query

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_LOG = logging.getLogger("ostinato.serve")

#: What anybody may read: they say nothing about streams.
OPEN = {"/", "/healthz", "/readyz", "/page/page.css", "/page/page.js"}
_SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]
#: How many seconds the rest of a body that is too large is read and thrown away.
_LINGER = 2.0
_LOCAL = {"localhost", "127.0.0.1", "[::1]", "::1"}


@dataclass(frozen=True)
class Limits:
    """Who may do how much.

    Attributes:
        tokens: The tokens; None lets everybody in who reaches the loopback.
        body: The most bytes of a body.
        seconds: The time that a request may take, from its first byte on.
        sockets: The most WebSockets at a time.
    """

    tokens: Tokens | None = None
    body: int = 8_000_000
    seconds: float = 30.0
    sockets: int = 2000
    hosts: frozenset[str] = field(default_factory=lambda: frozenset(_LOCAL))


@final
class Gate:
    """An ASGI application that lets allowed requests through to another.

    Args:
        app: The application behind the gate.
        limits: Who may do how much.
        pushes: What answers the pushes to a path, or None for another path.
    """

    def __init__(self, app: Any, limits: Limits, pushes: Callable[[str], Answer | None] = lambda _: None) -> None:
        self.app, self.limits, self._pushes = app, limits, pushes
        self.sockets = 0
        self.answered: dict[tuple[str, int], int] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve a request, a WebSocket or the lifespan."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._socket(scope, receive, send)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        # an id keeps its percent signs until the route reads it, so that a slash in it is not a border
        scope["path"] = scope["raw_path"].decode("ascii", "replace")
        begun = False

        async def sent(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                status = message["status"]
                key = (scope["method"], status)
                self.answered[key] = self.answered.get(key, 0) + 1
                message["headers"] = [*message.get("headers", ()), *_SAFE]
            await send(message)

        try:
            headers = dict(scope["headers"])
            token = self._admit(scope, headers)
            body = await self._body(scope, headers, receive, token)
            push = self._pushes(scope["path"]) if scope["method"] == "POST" else None
            async with asyncio.timeout(self.limits.seconds):
                if push is not None:
                    check_query(scope["query_string"].decode("latin-1"), ())
                    await _send(200, await push(body, token), [], sent)
                else:
                    await self._pass_on(scope, body, receive, sent, token)
        except TimeoutError:
            if not begun:
                slow = RefusedError(503, "the request took too long", fix="ask for less at a time", wait=1)
                await _answer(slow, sent)
        except OstinatoError as error:
            # a client that is asked whether it should send its body does not send it
            await _answer(error, sent, receive if b"expect" not in dict(scope["headers"]) else None)
        except Exception as error:
            if begun:
                raise
            await _answer(fault(error), sent)

    async def _pass_on(self, scope: Message, body: bytes, receive: Receive, send: Send, token: Token | None) -> None:
        """Let a request through whose body was read."""
        rest = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def read() -> Message:
            message = next(rest, None)
            return await receive() if message is None else message

        scope["token"] = token
        await self.app(scope, read, send)

    def _admit(self, scope: Message, headers: dict[bytes, bytes]) -> Token | None:
        """Return the token of a request.

        Raises:
            RefusedError: It may not come in.
        """
        tokens = self.limits.tokens
        if scope["path"] in OPEN:
            return None
        if tokens is not None:
            return tokens.find(headers.get(b"authorization", b""))
        # without tokens a page of another site must not reach the server by a name of its own
        if _host(headers.get(b"host", b"")) not in self.limits.hosts:
            raise RefusedError(
                403, "the server answers to local names only", fix="use 127.0.0.1, or start it with --tokens"
            )
        return None

    async def _body(self, scope: Message, headers: dict[bytes, bytes], receive: Receive, token: Token | None) -> bytes:
        """Return the body of a request.

        Raises:
            RefusedError: It is too large, too slow, of a type that a page of another site may send, or one too many.
        """
        most = most_bytes(self.limits.body, token)
        coding = headers.get(b"content-encoding", b"identity").lower()
        if coding != b"identity":  # a small body could unpack to a large one
            name = coding.decode("latin-1")[:40]
            raise RefusedError(415, f"the body is packed as {name!r}", fix="send it without Content-Encoding")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > most:
            raise too_large(most, int(length))
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.limits.seconds):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise RefusedError(400, "the connection ended", fix="send the request again")
                    part = message.get("body", b"")
                    size += len(part)
                    if size > most:
                        raise too_large(most)
                    parts.append(part)
                    if not message.get("more_body"):
                        break
        except TimeoutError as error:
            raise RefusedError(408, "the body came too slowly", fix="send it faster") from error
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if (
            size
            and scope["method"] in {"POST", "PUT"}
            and kind not in {b"application/json", b"application/octet-stream"}
        ):
            raise RefusedError(415, "the body is not declared as JSON", fix="send Content-Type: application/json")
        if token is not None:
            token.spend(1)  # a request counts for one event, or for those that it brings; to read is work, too
        return b"".join(parts)

    async def _socket(self, scope: Message, receive: Receive, send: Send) -> None:
        scope["path"] = scope["raw_path"].decode("ascii", "replace")
        try:
            scope["token"] = self._admit_socket(scope)
        except RefusedError:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        self.sockets += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.sockets -= 1

    def _admit_socket(self, scope: Message) -> Token | None:
        """Return the token of a WebSocket, from its header or from a subprotocol, which a browser can set.

        Raises:
            RefusedError: It may not come in.
        """
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin is not None and origin.partition(b"//")[2] != headers.get(b"host", b""):
            raise RefusedError(403, "a page of another site may not connect", fix="open the page of the server")
        secret = next((one[7:] for one in scope["subprotocols"] if one.startswith("bearer.")), None)
        if secret is not None:
            headers[b"authorization"] = b"Bearer " + secret.encode()
        if self.sockets >= self.limits.sockets:
            raise RefusedError(503, f"{self.sockets:,} WebSockets are open", fix="close some")
        token = self._admit(scope, headers)
        if token is not None:
            token.spend(1)
        return token


async def _answer(error: OstinatoError, send: Send, receive: Receive | None = None) -> None:
    """Send an error as the whole answer.

    Args:
        error: The error.
        send: What sends.
        receive: What gives the rest of a body that is too large; None leaves it unread.
    """
    status, headers = status_of(error)
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    if status in {408, 413}:
        lines.append((b"connection", b"close"))  # what is left of the body is not kept
    rest = receive if status == 413 else None
    await _send(status, msgspec.json.encode({"error": problem(error)}), lines, send, rest)


async def _send(
    status: int, body: bytes, lines: list[tuple[bytes, bytes]], send: Send, rest: Receive | None = None
) -> None:
    """Send JSON as the whole answer, and read the ``rest`` of the request, so that the client reads the answer."""
    lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *lines]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body, "more_body": rest is not None})
    if rest is None:
        return
    # a connection that is closed while bytes arrive is reset, and the client may lose the answer
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            while (message := await rest())["type"] == "http.request" and message.get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})


def fault(error: Exception) -> UnexpectedError:
    """Return the answer to a fault of the server. Its message is not logged, because it may hold what was sent."""
    _LOG.error("a request failed: %s", type(error).__name__)
    return UnexpectedError("the server failed", fix="read its log")


def _host(value: bytes) -> str:
    """Return the name in the header Host, without its port."""
    name = value.decode("latin-1").lower()
    return name if name in _LOCAL else name.rpartition(":")[0] if ":" in name else name


def most_bytes(most: int, token: Token | None) -> int:
    """Return the most bytes of a body or of a message, of which a server with a token takes the fewer."""
    return most if token is None or token.body is None else min(token.body, most)


def too_large(most: int, size: int | None = None, what: str = "body") -> RefusedError:
    """Return the answer to a request with too many bytes.

    Args:
        most: The bytes that may be sent.
        size: The bytes that were sent; None if they are not known, because the rest was not read.
        what: What holds them.
    """
    found = "too many bytes" if size is None else counted(size, "byte")
    words = f"the {what} has {found}, and at most {counted(most, 'byte is', 'bytes are')} read"
    return RefusedError(413, words, fix="send fewer events in each")
