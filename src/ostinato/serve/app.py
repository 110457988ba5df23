"""The routes of the server: each reads a body strictly, asks the core, and writes the answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import resources
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from msgspec import UNSET

from ostinato._version import __version__
from ostinato.errors import DataError, OstinatoError
from ostinato.serve import schema
from ostinato.serve.answers import Missing, problem, status_of
from ostinato.serve.batcher import Batcher
from ostinato.serve.gate import Gate, Limits
from ostinato.serve.metrics import Metrics
from ostinato.serve.operations import Operations
from ostinato.serve.openapi import documented
from ostinato.serve.schema import Failed, NamedPush, Push, Pushes, Result, Results
from ostinato.serve.streams import Asked, check_id

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder()
_PUSH, _PUSHES = msgspec.json.Decoder(Push), msgspec.json.Decoder(Pushes)
_MESSAGE = msgspec.json.Decoder(NamedPush | list[NamedPush])
_PAGE = {"page.css": "text/css", "page.js": "text/javascript"}


def json_response(answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer as JSON."""
    return Response(_ENCODER.encode(answer), status, headers, media_type="application/json")


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return a body as its type.

    Raises:
        DataError: It is no JSON, or not of the type.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(
            f"the body cannot be read: {error}", fix="send the JSON that /openapi.json describes"
        ) from error


def checked(push: Push) -> Push:
    """Return a push that has one event or a list of events, and not both.

    Raises:
        DataError: It has neither or both.
    """
    if (push.y is UNSET) == (push.events is UNSET):
        raise DataError("a push has either y or events", fix='send {"y": 1.5}, or {"events": [{"y": 1.5}]}')
    return push


def make_app(batcher: Batcher, operations: Operations, limits: Limits) -> Gate:
    """Return the server as an ASGI application.

    Args:
        batcher: The way of pushes.
        operations: Everything that is no push.
        limits: Who may do how much.
    """
    metrics = Metrics(batcher)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        batcher.start()
        yield
        await batcher.close()

    app = FastAPI(
        title="ostinato serve", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.router.redirect_slashes = False

    def route(method: str, path: str) -> Callable[[Callable[[Request], Awaitable[Response]]], Any]:
        def add(call: Callable[[Request], Awaitable[Response]]) -> Any:
            app.router.add_route(path, call, methods=[method])
            return call

        return add

    def id_of(request: Request) -> str:
        return check_id(unquote(request.path_params["unique_id"], errors="strict"))

    @route("POST", "/v1/streams/{unique_id}/events")
    async def push(request: Request) -> Response:
        key = id_of(request)
        asked = checked(decoded(_PUSH, await request.body()))
        return json_response(await batcher.push(key, asked))

    @route("POST", "/v1/events")
    async def push_many(request: Request) -> Response:
        pushes = decoded(_PUSHES, await request.body()).pushes
        return json_response(Results(await answers(pushes)))

    async def answers(pushes: list[NamedPush]) -> list[Result | Failed]:
        """Return the answer to each push, in order."""
        asked = [Asked(one.unique_id, one) for one in pushes]
        for one in asked:
            try:
                check_id(one.unique_id)
                checked(one.push)
            except OstinatoError as error:
                one.outcome = error
        good = [one for one in asked if one.outcome is None]
        if good:
            await batcher.push_all(good)
        told: list[Result | Failed] = []
        for one, given in zip(asked, pushes, strict=True):
            if isinstance(one.outcome, Result):
                one.outcome.ref = given.ref
                told.append(one.outcome)
            else:
                assert one.outcome is not None
                told.append(Failed(problem(one.outcome), given.unique_id[:256], given.ref))
        return told

    @app.websocket("/v1/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept("ostinato" if "ostinato" in socket.scope["subprotocols"] else None)
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    break
                raw = message.get("text")
                raw = (message.get("bytes") or b"") if raw is None else raw
                try:
                    pushes = decoded(_MESSAGE, raw)
                    many = pushes if isinstance(pushes, list) else [pushes]
                    found: Any = await answers(many)
                    answer = found if isinstance(pushes, list) else found[0]
                except OstinatoError as error:
                    answer = Failed(problem(error))
                await socket.send_text(_ENCODER.encode(answer).decode())

    @route("GET", "/v1/streams")
    async def streams(request: Request) -> Response:
        after, limit = request.query_params.get("after", ""), whole(request.query_params.get("limit", "100"), 1, 1000)
        return json_response(await operations.streams(after, limit))

    @route("GET", "/v1/streams/{unique_id}")
    async def stream(request: Request) -> Response:
        return json_response(await operations.stream(id_of(request)))

    @route("DELETE", "/v1/streams/{unique_id}")
    async def delete(request: Request) -> Response:
        await operations.delete(id_of(request))
        return Response(status_code=204)

    @route("GET", "/v1/streams/{unique_id}/history")
    async def history(request: Request) -> Response:
        after = whole(request.query_params.get("after", "0"), 0, 2**53)
        return json_response(await operations.history(id_of(request), after))

    @route("GET", "/v1/model")
    async def model(_: Request) -> Response:
        return json_response(operations.model_facts())

    @route("GET", "/v1/status")
    async def status(_: Request) -> Response:
        return json_response(operations.status())

    @route("GET", "/metrics")
    async def metrics_(_: Request) -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @route("GET", "/healthz")
    async def healthz(_: Request) -> Response:
        return json_response({"status": "alive"})

    @route("GET", "/readyz")
    async def readyz(_: Request) -> Response:
        ready = await operations.ready()
        return json_response({"status": "ready" if ready else "the store does not answer"}, 200 if ready else 503)

    @route("GET", "/openapi.json")
    async def openapi(_: Request) -> Response:
        return json_response(documented())

    @route("GET", "/")
    async def page(_: Request) -> Response:
        return Response(_file("page.html"), media_type="text/html; charset=utf-8")

    @route("GET", "/page/{name}")
    async def part(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _PAGE:
            raise Missing("the page has no such part")
        return Response(_file(name), media_type=f"{_PAGE[name]}; charset=utf-8")

    @app.exception_handler(OstinatoError)
    async def refused(_: Request, error: OstinatoError) -> Response:
        return json_response({"error": problem(error)}, *status_of(error))

    @app.exception_handler(UnicodeDecodeError)
    async def undecodable(_: Request, error: UnicodeDecodeError) -> Response:
        return json_response({"error": schema.Problem("the id of the stream is no UTF-8", fix="send UTF-8")}, 422)

    @app.exception_handler(404)
    async def unknown(request: Request, _: Exception) -> Response:
        return json_response({"error": schema.Problem("there is no such route", fix="read /openapi.json")}, 404)

    return Gate(app, limits)


def whole(words: str, low: int, high: int) -> int:
    """Return a whole number of a query.

    Raises:
        DataError: It is no whole number between low and high.
    """
    if words.isascii() and words.isdigit() and len(words) < 20 and low <= int(words) <= high:
        return int(words)
    raise DataError(f"{words[:40]!r} is no whole number from {low} to {high}", fix="correct the query")


def _file(name: str) -> bytes:
    return (resources.files("ostinato.serve") / "page" / name).read_bytes()
