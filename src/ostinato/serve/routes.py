"""The routes of the server as one table, from which both the router and the OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ostinato.serve import schema
from ostinato.serve.auth import Token
from ostinato.serve.batcher import Batcher
from ostinato.serve.changes import Changes
from ostinato.serve.ids import check_id
from ostinato.serve.intake import EVENTS, MANY, ONE, Intake
from ostinato.serve.reach import Reach
from ostinato.serve.reading import decoded, id_of, probabilities, whole_number
from ostinato.serve.reads import Reads
from ostinato.serve.schema import Push, Pushes, Result, Results
from ostinato.serve.server import Reload, Server
from ostinato.serve.stream_forecasts import events

_ENCODER = msgspec.json.Encoder()
#: The bytes of a number of a state, most of which are of 32 bits.
_NUMBER = 4


@dataclass(frozen=True)
class Route:
    """One route.

    Attributes:
        method: The method of HTTP.
        path: The path, with the id of the stream as {unique_id}.
        call: What answers a request; pushes come from the gate, through ``Intake.of``.
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


@final
class Routes:
    """What answers the requests that are not pushes.

    Args:
        batcher: The way of pushes.
        reload: What reads the model file again; None if there is no file.

    Attributes:
        whole: The server as a whole.
    """

    def __init__(self, batcher: Batcher, reload: Reload | None = None) -> None:
        reach = Reach(batcher)
        self._reach = reach
        self._reads, self._changes, self.whole = Reads(reach), Changes(reach, batcher.applier), Server(batcher, reload)

    async def streams(self, request: Request) -> Response:
        """List streams."""
        after, limit = request.query_params.get("after", ""), whole_number(request, "limit", 100, 1, 1000)
        first, seen = check_id(after, is_new=False) if after else "", whole_number(request, "intervals", 0, 0, 1)
        return json_response(await self._reads.streams(first, limit, seen=bool(seen)))

    async def stream(self, request: Request) -> Response:
        """Describe a stream."""
        return json_response(await self._reads.stream(id_of(request)))

    async def delete(self, request: Request) -> Response:
        """Delete a stream."""
        await self._changes.delete(id_of(request))
        return Response(status_code=204)

    async def history(self, request: Request) -> Response:
        """Return the remembered events of a stream."""
        return json_response(await self._reads.history(id_of(request), whole_number(request, "after", 0, 0, 2**53)))

    async def next(self, request: Request) -> Response:
        """Return the distribution of the next event."""
        push = Push(next=probabilities(request), top=whole_number(request, "top", 0, 0, 1000))
        return json_response(await self._reads.next(id_of(request), push))

    async def forecast(self, request: Request) -> Response:
        """Forecast from the present state."""
        asked = decoded(schema.ForecastAsked, await request.body())
        self._spend(request, asked.n_paths, asked.horizon, "n_paths")
        return json_response(await self._reads.forecast(id_of(request), asked))

    async def sample(self, request: Request) -> Response:
        """Draw what may follow."""
        asked = decoded(schema.SampleAsked, await request.body())
        self._spend(request, asked.n_samples, asked.length, "n_samples")
        return json_response(await self._reads.sample(id_of(request), asked))

    async def fork(self, request: Request) -> Response:
        """Begin another stream at the present state."""
        key, to = id_of(request), check_id(decoded(schema.ForkAsked, await request.body()).to)
        return json_response(await self._changes.fork(key, to, request.scope.get("token")), 201)

    async def reset(self, request: Request) -> Response:
        """Begin again."""
        return json_response(await self._changes.reset(id_of(request)))

    async def snapshot(self, request: Request) -> Response:
        """Return a stream as a file."""
        data = await self._changes.snapshot(id_of(request))
        return Response(data, media_type="application/octet-stream")

    async def restore(self, request: Request) -> Response:
        """Put a stream back from a file."""
        key, token = id_of(request, is_new=True), request.scope.get("token")
        return json_response(await self._changes.restore(key, await request.body(), token))

    async def model(self, request: Request) -> Response:
        """Describe the model."""
        return json_response(self.whole.model_facts())

    async def swap(self, request: Request) -> Response:
        """Read the model file again."""
        asked = decoded(schema.SwapAsked, await request.body())
        return json_response(await self.whole.swap(replay=asked.streams == "replay"))

    async def status(self, request: Request) -> Response:
        """Return counters."""
        return json_response(self.whole.status())

    def _spend(self, request: Request, paths: int, steps: int, name: str) -> None:
        """Count the work of sample paths against the rate of a token, which the gate has counted as one event already.

        Raises:
            RefusedError: The rate is used up, or they are more than the token may ask for at once.
        """
        token: Token | None = request.scope.get("token")
        if token is not None:
            served = self._reach.streams.served
            count = events(served.model, served.layout.width // _NUMBER, paths, steps)
            token.check_once(count, name)
            token.spend(count - 1)


_INTEGER: dict[str, Any] = {"type": "integer", "minimum": 0}
_STREAM = f"{ONE}{{unique_id}}"

#: All routes but those of ``OPEN`` and the WebSocket.
ROUTES: tuple[Route, ...] = (
    Route("POST", f"{_STREAM}{EVENTS}", Intake.push, "Push events.", Push, Result, more=(409,)),
    Route("POST", MANY, Intake.push_many, "Push events to many streams.", Pushes, Results),
    Route(
        "GET",
        "/v1/streams",
        Routes.streams,
        "List streams in the order of their ids.",
        query=(
            ("after", {"type": "string"}),
            ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
            ("intervals", {"type": "integer", "minimum": 0, "maximum": 1}),
        ),
    ),
    Route("GET", _STREAM, Routes.stream, "Describe a stream.", more=(404,)),
    Route("DELETE", _STREAM, Routes.delete, "Delete a stream.", answer=None, status=204, more=(404,)),
    Route(
        "GET",
        f"{_STREAM}/history",
        Routes.history,
        "Return the events that are remembered, after a sequence number.",
        query=(("after", _INTEGER),),
        more=(404,),
    ),
    Route(
        "GET",
        f"{_STREAM}/next",
        Routes.next,
        "Return the distribution of the next event.",
        answer=schema.Next,
        query=(
            ("p", {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}}),
            ("top", _INTEGER),
        ),
        more=(404,),
    ),
    Route("POST", f"{_STREAM}/forecast", Routes.forecast, "Forecast from here.", schema.ForecastAsked, more=(404,)),
    Route("POST", f"{_STREAM}/sample", Routes.sample, "Draw what may follow.", schema.SampleAsked, more=(404,)),
    Route(
        "POST",
        f"{_STREAM}/fork",
        Routes.fork,
        "Begin another stream at the present state.",
        schema.ForkAsked,
        status=201,
        more=(404, 409),
    ),
    Route("POST", f"{_STREAM}/reset", Routes.reset, "Begin the stream again.", more=(404,)),
    Route("GET", f"{_STREAM}/snapshot", Routes.snapshot, "Return the stream as a file.", answer=bytes, more=(404,)),
    Route("PUT", f"{_STREAM}/snapshot", Routes.restore, "Put a stream back from a file.", bytes, more=(409,)),
    Route("GET", "/v1/model", Routes.model, "Describe the model."),
    Route("POST", "/v1/model", Routes.swap, "Read the model file again.", schema.SwapAsked, more=(409,)),
    Route("GET", "/v1/status", Routes.status, "Return counters."),
)
