"""How a request is read: its body, the id in its path, and the numbers of its query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from msgspec import UNSET
from starlette.requests import Request

from ostinato.choices import advice
from ostinato.data.json_words import TwiceError, json_words, loads
from ostinato.errors import DataError
from ostinato.serve.ids import check_id
from ostinato.serve.schema import Probability, Push

T = TypeVar("T")

#: The decoder of each body, made once.
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
#: What to do about an event with fields of its own, such as one for each channel.
_IN_Y = (
    'put the values into y, such as {"y": 1.5}, or {"y": [1.5, 20]} for two channels, in the order of the training '
    "data; /openapi.json describes the other fields"
)
#: The most probabilities of one request.
_MANY = 64


def decoded(kind: type[T], body: str | bytes, what: str = "body") -> T:
    """Return a body as its type.

    Args:
        kind: The type.
        body: What was sent.
        what: What an error calls it.

    Raises:
        DataError: It is not JSON or not of the type, or an object in it has a field twice.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    if not body:
        raise DataError(f"the {what} is empty", fix="send JSON, or {} for the defaults; /openapi.json describes it")
    try:
        found: T = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        stray = "unknown field" in str(error) and "y" in getattr(kind, "__struct_fields__", ())
        fix = _IN_Y if stray else _fix(body)
        raise DataError(f"the {what} cannot be read: {error}", fix=fix) from error
    try:
        loads(body)  # msgspec takes the last of two fields of one name without a word
    except TwiceError as error:
        fix = "send each field of an object once"
        raise DataError(f"the {what} cannot be read: {json_words(error)}", fix=fix) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"the {what} cannot be read: {json_words(error)}", fix=_fix(body)) from error
    return found


def _fix(body: str | bytes) -> str:
    """Return what to do about a body that cannot be read, by what programs write that JSON does not have."""
    raw = body.encode("utf-8", "replace") if isinstance(body, str) else body
    if re.search(rb"[:\[,]\s*[+-]?(?i:nan|infinity)\b", raw):
        return "send null where a value is missing: JSON has no NaN and no Infinity"
    if re.search(rb"\\u[dD][89a-fA-F]", raw):
        return "send whole characters: a half of a surrogate pair (\\ud800 to \\udfff) stands for none"
    return "send the JSON that /openapi.json describes"


def checked(push: Push) -> Push:
    """Return a push that has one event or a list of events, and not both.

    Raises:
        DataError: It has neither or both.
    """
    if (push.y is UNSET) == (push.events is UNSET):
        raise DataError(
            "a push needs either y or events, got both or neither", fix='send {"y": 1.5}, or {"events": [{"y": 1.5}]}'
        )
    return push


def id_of(request: Request, *, is_new: bool = False) -> str:
    """Return the id of the stream in the path (see ``read_id``).

    Raises:
        DataError: It cannot be an id.
    """
    return read_id(request.path_params["unique_id"], is_new=is_new)


def read_id(quoted: str, *, is_new: bool = True) -> str:
    """Return the id of a stream without its percent signs.

    Args:
        quoted: The id as it stands in a path.
        is_new: Whether a stream may begin under it.

    Raises:
        DataError: It cannot be an id.
    """
    try:
        return check_id(unquote_to_bytes(quoted).decode(), is_new=is_new)
    except UnicodeDecodeError as error:
        raise DataError("the id of the stream is not UTF-8", fix="send UTF-8, percent-encoded") from error


def check_query(query: str, names: Sequence[str], many: Sequence[str] = ()) -> None:
    """Check the names of a query: one that is misspelt would be answered as if it were not there.

    Args:
        query: What follows the question mark.
        names: The names that are read.
        many: Those of them that may occur more than once.

    Raises:
        DataError: A name is unknown, or occurs twice.
    """
    seen = [name for name, _ in parse_qsl(query, keep_blank_values=True)] if query else []
    for name in seen:
        if name not in names:
            fix = advice(name, names, "see /openapi.json") if names else "remove it"
            raise DataError(f"the query has no {name[:40]!r}", fix=fix)
        if name not in many and seen.count(name) > 1:
            raise DataError(f"the query has {name!r} more than once", fix="give it once")


def whole_number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """Return a whole number of the query.

    Raises:
        DataError: It is not a whole number between low and high.
    """
    words = request.query_params.get(name)
    if words is None:
        return default
    if words.isascii() and words.isdigit() and len(words) < 20 and low <= int(words) <= high:
        return int(words)
    raise DataError(f"{name}={words[:40]!r} is not a whole number from {low} to {high}", fix="correct the query")


def probabilities(request: Request) -> list[float]:
    """Return the probabilities p of the query.

    Raises:
        DataError: One is not a number between 0 and 1, or there are too many.
    """
    words = request.query_params.getlist("p")
    if len(words) > _MANY:
        raise DataError(f"the query has {len(words)} probabilities, and at most {_MANY} are answered", fix="give fewer")
    try:
        return msgspec.convert([float(one) for one in words], list[Probability])
    except (ValueError, msgspec.ValidationError) as error:
        raise DataError(f"p cannot be read: {error}", fix="give probabilities between 0 and 1: ?p=0.1&p=0.9") from error
