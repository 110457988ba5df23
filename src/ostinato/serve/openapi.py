"""The OpenAPI document, made from the table of routes and from the types that check the bodies."""

from __future__ import annotations

from typing import Any

import msgspec

from ostinato._version import __version__
from ostinato.serve.routes import ROUTES, Route
from ostinato.serve.schema import Failed, Result, Results

_REF = "#/components/schemas/{name}"
_WORDS = {
    400: "The connection ended.",
    401: "The token is missing or unknown.",
    403: "The token or the address is not allowed.",
    404: "There is no such stream.",
    405: "The route does not take this method.",
    408: "The body came too slowly.",
    409: "It does not fit what the server has.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "The request cannot be read, or the model cannot take it.",
    429: "The rate of the token is used up.",
    503: "The store or the server does not answer in time. Send it again with the same numbers: each is applied once.",
}
_EVERY = (401, 403, 408, 413, 415, 422, 429, 503)


def document(*, guarded: bool) -> dict[str, Any]:
    """Return the OpenAPI document.

    Args:
        guarded: Whether the routes need a token.
    """
    kinds = [kind for one in ROUTES for kind in (one.body, one.answer) if kind not in (None, bytes, Results)] + [Failed]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    of = dict(zip(kinds, schemas, strict=True))
    # an answer is one of two objects, one with "seq" and the other with "error"
    each = {"anyOf": [of[Result], of[Failed]]}
    components["Results"] = {
        "type": "object",
        "properties": {"results": {"type": "array", "items": each}},
        "required": ["results"],
    }
    of[Results] = {"$ref": _REF.format(name="Results")}
    paths: dict[str, Any] = {}
    for one in ROUTES:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ostinato serve", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}] if guarded else [],
    }


def _operation(one: Route, of: dict[Any, Any]) -> dict[str, Any]:
    """Return the description of a route."""
    names = [("unique_id", {"type": "string", "minLength": 1, "maxLength": 256}, "path")] if "{" in one.path else []
    names += [(name, form, "query") for name, form in one.query]
    found: dict[str, Any] = {
        "summary": one.summary,
        "operationId": one.call.__name__,
        "parameters": [
            {"name": name, "in": place, "required": place == "path", "schema": form} for name, form, place in names
        ],
        "responses": {str(one.status): _content("Success.", one.answer, of)},
    }
    for status in (*_EVERY, *one.more):
        found["responses"][str(status)] = _content(_WORDS[status], Failed, of)
    if one.body is not None:
        found["requestBody"] = {"required": True, **_content("", one.body, of)}
        del found["requestBody"]["description"]
    return found


def _content(words: str, kind: Any, of: dict[Any, Any]) -> dict[str, Any]:
    """Return the description of a body."""
    if kind is None:
        return {"description": words}
    if kind is bytes:
        return {
            "description": words,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    return {"description": words, "content": {"application/json": {"schema": of[kind]}}}
