"""The server as an ASGI application: the routes, the WebSocket and the page, behind the gate."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.routing import Route as Served

from ostinato.errors import OstinatoError
from ostinato.serve.answers import problem, status_of
from ostinato.serve.batcher import Batcher
from ostinato.serve.gate import Gate, Limits, fault
from ostinato.serve.intake import Intake
from ostinato.serve.live import live
from ostinato.serve.metrics import Metrics
from ostinato.serve.openapi import document
from ostinato.serve.reading import check_query
from ostinato.serve.routes import ROUTES, Route, Routes, json_response
from ostinato.serve.schema import Problem
from ostinato.serve.server import Reload

#: The parts of the page, with their types.
_PAGE = {"": "text/html", "page/page.css": "text/css", "page/page.js": "text/javascript"}


def make_app(batcher: Batcher, limits: Limits, reload: Reload | None = None) -> Gate:
    """Return the server as an ASGI application.

    Args:
        batcher: The way of pushes.
        limits: Who may do how much.
        reload: What reads the model file again; None if there is no file.
    """
    intake, routes = Intake(batcher), Routes(batcher, reload)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        batcher.start()
        yield
        await batcher.close()

    # the gate answers pushes; of their paths the router says only which method they have
    served: list[BaseRoute] = [
        Served(one.path, _bound(routes, one), methods=[one.method], name=one.summary) for one in ROUTES
    ]
    served += [Served(f"/{name}", _file(name), methods=["GET"]) for name in _PAGE]
    served.append(WebSocketRoute("/v1/live", partial(live, intake, limits.body)))
    app = Starlette(
        routes=served,
        lifespan=lifespan,
        exception_handlers={OstinatoError: _refused, HTTPException: _unknown, Exception: _fault},
    )
    app.router.redirect_slashes = False
    if limits.tokens is not None:
        batcher.companions.append(limits.tokens.watch)
    gate = Gate(app, limits, intake.of)
    metrics = Metrics(batcher, gate)

    async def readyz(_: Request) -> Response:
        ready = await routes.whole.ready()
        return json_response({"status": "ready" if ready else "the store does not answer"}, 200 if ready else 503)

    async def healthz(_: Request) -> Response:
        return json_response({"status": "alive"})

    async def text(_: Request) -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(_: Request) -> Response:
        return json_response(document(guarded=limits.tokens is not None))

    for path, call in (("/readyz", readyz), ("/healthz", healthz), ("/metrics", text), ("/openapi.json", openapi)):
        app.router.routes.append(Served(path, call, methods=["GET"]))
    return gate


def _bound(routes: Routes, one: Route) -> Callable[[Request], Awaitable[Response]]:
    """Return the answer of a route as a function, which Starlette wants."""
    names, many = [name for name, _ in one.query], [name for name, form in one.query if form["type"] == "array"]

    async def bound(request: Request) -> Response:
        check_query(request.url.query, names, many)
        answer: Response = await one.call(routes, request)
        return answer

    return bound


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers with a part of the page."""
    path = resources.files("ostinato.serve") / (name or "page/page.html")
    content, kind = path.read_bytes(), _PAGE[name]

    async def answer(_: Request) -> Response:
        return Response(content, media_type=f"{kind}; charset=utf-8")

    return answer


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, OstinatoError)
    status, headers = status_of(error)
    return json_response({"error": problem(error)}, status, headers)


async def _unknown(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = "the route does not take this method" if error.status_code == 405 else "there is no such route"
    headers = dict(error.headers or {})
    return json_response({"error": Problem(what, fix="read /openapi.json")}, error.status_code, headers)


async def _fault(_: Request, error: Exception) -> Response:
    return json_response({"error": problem(fault(error))}, 500)
