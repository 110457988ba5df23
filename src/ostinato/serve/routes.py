"""The routes of the server as one table, from which both the router and the OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from ostinato.errors import DataError, OstinatoError
from ostinato.serve import schema
from ostinato.serve.answers import problem
from ostinato.serve.auth import Token
from ostinato.serve.batcher import Batcher
from ostinato.serve.held import Asked
from ostinato.serve.ids import check_id
from ostinato.serve.operations import Operations
from ostinato.serve.schema import Failed, NamedPush, Push, Pushes, Result, Results
from ostinato.serve.store import StoreError

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder()
#: The decoder of each body, made once.
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


@dataclass(frozen=True)
class Route:
    """One route.

    Attributes:
        method: The method of HTTP.
        path: The path, with the id of the stream as {unique_id}.
        call: What answers a request; a push comes from the gate, through ``Routes.pushes``.
        summary: What it does, in a sentence.
        body: The type of the body; bytes for a snapshot; None for none.
        answer: The type of the answer; bytes for a snapshot; None for an empty one.
        query: The names of the query, with their JSON schemas.
        status: The status of success.
        more: Other statuses that it may have, besides those of every route.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    call: Callable[..., Awaitable[Any]]
    summary: str
    body: Any = None
    answer: Any = dict[str, Any]
    query: tuple[tuple[str, dict[str, Any]], ...] = ()
    status: int = 200
    more: tuple[int, ...] = ()


def json_response(answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer as JSON."""
    return Response(_ENCODER.encode(answer), status, headers, media_type="application/json")


def decoded(kind: type[T], body: str | bytes) -> T:
    """Return a body as its type.

    Raises:
        DataError: It is no JSON, or not of the type.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    try:
        found: T = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(
            f"the body cannot be read: {error}", fix="send the JSON that /openapi.json describes"
        ) from error
    return found


def checked(push: Push) -> Push:
    """Return a push that has one event or a list of events, and not both.

    Raises:
        DataError: It has neither or both.
    """
    if (push.y is UNSET) == (push.events is UNSET):
        raise DataError("a push has either y or events", fix='send {"y": 1.5}, or {"events": [{"y": 1.5}]}')
    return push


def id_of(request: Request) -> str:
    """Return the id of the stream in the path, which still has its percent signs.

    Raises:
        DataError: It cannot be an id.
    """
    return read_id(request.path_params["unique_id"])


def read_id(quoted: str) -> str:
    """Return the id of a stream without its percent signs.

    Raises:
        DataError: It cannot be an id.
    """
    try:
        return check_id(unquote_to_bytes(quoted).decode())
    except UnicodeDecodeError as error:
        raise DataError("the id of the stream is no UTF-8", fix="send UTF-8, percent-encoded") from error


def whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    """Return a whole number of the query.

    Raises:
        DataError: It is no whole number between low and high.
    """
    words = request.query_params.get(name)
    if words is None:
        return default
    if words.isascii() and words.isdigit() and len(words) < 20 and low <= int(words) <= high:
        return int(words)
    raise DataError(f"{name}={words[:40]!r} is no whole number from {low} to {high}", fix="correct the query")


class Routes:
    """What answers the requests.

    Args:
        batcher: The way of pushes.
        operations: Everything that is no push.
    """

    def __init__(self, batcher: Batcher, operations: Operations) -> None:
        self._batcher, self._operations = batcher, operations

    def pushes(self, path: str) -> Callable[[bytes, Token | None], Awaitable[bytes]] | None:
        """Return what answers a push to a path with its JSON; None if it is another path.

        Pushes are most of what a server does, so the gate brings them here and the router never sees them.
        """
        if path == _MANY:
            return self.push_many
        quoted = path[len(_STREAMS) : -len(_EVENTS)]
        if path.startswith(_STREAMS) and path.endswith(_EVENTS) and quoted and "/" not in quoted:
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
        told: list[Result | Failed] = []
        for one, given in zip(asked, pushes, strict=True):
            if isinstance(one.outcome, Result):
                one.outcome.ref = given.ref
                told.append(one.outcome)
            else:
                assert one.outcome is not None
                told.append(Failed(problem(one.outcome), given.unique_id[:256], given.ref))
        return told

    async def streams(self, request: Request) -> Response:
        """List streams."""
        after, limit = request.query_params.get("after", ""), whole(request, "limit", 100, 1, 1000)
        return json_response(await self._operations.streams(check_id(after) if after else "", limit))

    async def stream(self, request: Request) -> Response:
        """Describe a stream."""
        return json_response(await self._operations.stream(id_of(request)))

    async def delete(self, request: Request) -> Response:
        """Delete a stream."""
        await self._operations.delete(id_of(request))
        return Response(status_code=204)

    async def history(self, request: Request) -> Response:
        """Return the remembered events of a stream."""
        return json_response(await self._operations.history(id_of(request), whole(request, "after", 0, 0, 2**53)))

    async def next(self, request: Request) -> Response:
        """Return the distribution of the next event."""
        words = request.query_params.getlist("p")
        try:
            p = msgspec.convert([float(one) for one in words], list[schema.Probability])
        except (ValueError, msgspec.ValidationError) as error:
            raise DataError(
                f"p cannot be read: {error}", fix="give probabilities between 0 and 1: ?p=0.1&p=0.9"
            ) from error
        push = Push(next=p[:64], top=whole(request, "top", 0, 0, 1000))
        return json_response(await self._operations.next(id_of(request), push))

    async def forecast(self, request: Request) -> Response:
        """Forecast from the present state."""
        asked = decoded(schema.ForecastAsked, await request.body())
        return json_response(await self._operations.forecast(id_of(request), asked))

    async def sample(self, request: Request) -> Response:
        """Draw what may follow."""
        asked = decoded(schema.SampleAsked, await request.body())
        return json_response(await self._operations.sample(id_of(request), asked))

    async def fork(self, request: Request) -> Response:
        """Begin another stream at the present state."""
        key, to = id_of(request), check_id(decoded(schema.ForkAsked, await request.body()).to)
        return json_response(await self._operations.fork(key, to, request.scope.get("token")), 201)

    async def reset(self, request: Request) -> Response:
        """Begin again."""
        return json_response(await self._operations.reset(id_of(request)))

    async def snapshot(self, request: Request) -> Response:
        """Return a stream as a file."""
        data = await self._operations.snapshot(id_of(request))
        return Response(data, media_type="application/octet-stream")

    async def restore(self, request: Request) -> Response:
        """Put a stream back from a file."""
        key, token = id_of(request), request.scope.get("token")
        return json_response(await self._operations.restore(key, await request.body(), token))

    async def model(self, request: Request) -> Response:
        """Describe the model."""
        return json_response(self._operations.model_facts())

    async def swap(self, request: Request) -> Response:
        """Read the model file again."""
        asked = decoded(schema.SwapAsked, await request.body())
        return json_response(await self._operations.swap(replay=asked.streams == "replay"))

    async def status(self, request: Request) -> Response:
        """Return counters."""
        return json_response(self._operations.status())


def spend(token: Token | None, pushes: Sequence[Push], *, counted: int = 0) -> None:
    """Count the events of pushes against the rate of the token, but for those that the gate has counted already.

    Raises:
        RefusedError: The rate is used up.
    """
    if token is not None:
        token.spend(max(sum(push.count for push in pushes) - counted, 0))


_INTEGER: dict[str, Any] = {"type": "integer", "minimum": 0}
_MANY, _STREAMS, _EVENTS = "/v1/events", "/v1/streams/", "/events"
_ONE = f"{_STREAMS}{{unique_id}}"

#: All routes but those of ``OPEN`` and the WebSocket.
ROUTES: tuple[Route, ...] = (
    Route("POST", f"{_ONE}{_EVENTS}", Routes.push, "Push events.", Push, Result, more=(409,)),
    Route("POST", _MANY, Routes.push_many, "Push events to many streams.", Pushes, Results),
    Route(
        "GET",
        "/v1/streams",
        Routes.streams,
        "List streams in the order of their ids.",
        query=(("after", {"type": "string"}), ("limit", {"type": "integer", "minimum": 1, "maximum": 1000})),
    ),
    Route("GET", _ONE, Routes.stream, "Describe a stream.", more=(404,)),
    Route("DELETE", _ONE, Routes.delete, "Delete a stream.", answer=None, status=204, more=(404,)),
    Route(
        "GET",
        f"{_ONE}/history",
        Routes.history,
        "Return the events that are remembered, after a sequence number.",
        query=(("after", _INTEGER),),
        more=(404,),
    ),
    Route(
        "GET",
        f"{_ONE}/next",
        Routes.next,
        "Return the distribution of the next event.",
        answer=schema.Next,
        query=(
            ("p", {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}}),
            ("top", _INTEGER),
        ),
        more=(404,),
    ),
    Route("POST", f"{_ONE}/forecast", Routes.forecast, "Forecast from here.", schema.ForecastAsked, more=(404,)),
    Route("POST", f"{_ONE}/sample", Routes.sample, "Draw what may follow.", schema.SampleAsked, more=(404,)),
    Route(
        "POST",
        f"{_ONE}/fork",
        Routes.fork,
        "Begin another stream at the present state.",
        schema.ForkAsked,
        status=201,
        more=(404, 409),
    ),
    Route("POST", f"{_ONE}/reset", Routes.reset, "Begin the stream again.", more=(404,)),
    Route("GET", f"{_ONE}/snapshot", Routes.snapshot, "Return the stream as a file.", answer=bytes, more=(404,)),
    Route("PUT", f"{_ONE}/snapshot", Routes.restore, "Put a stream back from a file.", bytes, more=(409,)),
    Route("GET", "/v1/model", Routes.model, "Describe the model."),
    Route("POST", "/v1/model", Routes.swap, "Read the model file again.", schema.SwapAsked, more=(409,)),
    Route("GET", "/v1/status", Routes.status, "Return counters."),
)
