"""Pushes and answers as JSON, and the path of a stream."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any
from urllib.parse import quote

from ostinato.client.types import EventResult, Next, Push, Pushed, ServerError
from ostinato.errors import DataError

_FIELDS = tuple(one.name for one in fields(EventResult))


def path_of(unique_id: str) -> str:
    """Return the path of a stream.

    Raises:
        DataError: The id cannot be sent.
    """
    return f"/v1/streams/{quote(id_of(unique_id), safe='')}"


def id_of(unique_id: str) -> str:
    """Return the id of a stream as it was given.

    Raises:
        DataError: It is no string, is empty, or cannot be sent.
    """
    if not isinstance(unique_id, str) or not unique_id or not _is_text(unique_id):
        fix = "give a string of at least one character, without lone surrogates"
        raise DataError(f"{unique_id!r} is not an id of a stream", fix=fix)
    return unique_id


def _is_text(value: str) -> bool:
    """Return whether a string can be sent: one with half a pair of surrogates cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(value: Any) -> Any:
    """Return a value for JSON: NaN is a missing value."""
    if isinstance(value, str) and not _is_text(value):
        raise DataError(f"{value[:40]!r} is not a value of a stream", fix="send text without lone surrogates")
    if isinstance(value, str) or value is None:
        return value
    if (isinstance(value, Sequence) and not isinstance(value, bytes)) or hasattr(value, "tolist"):
        listed = value.tolist() if hasattr(value, "tolist") else value
        return [_number(one) for one in listed] if isinstance(listed, Sequence) else _number(listed)
    try:
        return None if math.isnan(value) else value
    except (TypeError, OverflowError) as error:
        raise DataError(f"{str(value)[:40]} is not a value of a stream", fix="send a number, text or None") from error


def written(push: Push) -> dict[str, Any]:
    """Return a push for JSON.

    Raises:
        DataError: A value cannot be sent.
    """
    events = []
    for event in push.events:
        one: dict[str, Any] = {"y": _number(event.y)}
        one |= {} if event.ds is None else {"ds": _time(event.ds)}
        events.append(one | ({} if event.seq is None else {"seq": _whole(event.seq)}))
    asked = {"level": _listed(push.level, "level"), "next": _listed(push.next, "next"), "top": push.top}
    return {"events": events} | {name: value for name, value in asked.items() if value}


def _time(ds: Any) -> Any:
    """Return a time for JSON: those of datetime and pandas in the form of ISO 8601, and those of NumPy."""
    if hasattr(ds, "isoformat"):
        return ds.isoformat()
    return str(ds) if type(ds).__name__ == "datetime64" else ds if isinstance(ds, str) else _whole(ds)


def _whole(number: Any) -> Any:
    """Return a whole number of NumPy as one of Python; the server says what is wrong with anything else."""
    return int(number) if hasattr(number, "__index__") and not isinstance(number, bool) else number


def _listed(numbers: Any, name: str) -> list[Any]:
    """Return numbers for JSON.

    Raises:
        DataError: They are no list.
    """
    try:
        return list(numbers)
    except TypeError as error:
        raise DataError(f"{name} is {str(numbers)[:40]}, expected a list", fix=f"write {name}=[{numbers}]") from error


def is_numbered(pushes: Sequence[Push]) -> bool:
    """Return whether every event has a sequence number, so that it may be sent twice."""
    return all(event.seq is not None for push in pushes for event in push.events)


def pushed(found: Mapping[str, Any]) -> Pushed:
    """Return the answer to a push."""
    events, released = ([_event_result(one) for one in found.get(name, [])] for name in ("events", "released"))
    after = None if found.get("next") is None else following(found["next"])
    return Pushed(found["unique_id"], found["seq"], events, released, after)


def _event_result(found: Mapping[str, Any]) -> EventResult:
    """Return the answer about an event, without the fields that a later version of the server added."""
    return EventResult(**{name: found[name] for name in _FIELDS if name in found})


def object_of(found: Any) -> dict[str, Any]:
    """Return an answer that must be an object.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(found, dict):
        raise TypeError(found)
    return found


def part(name: str) -> Callable[[Any], list[dict[str, Any]]]:
    """Return what reads a list of objects in an answer."""
    return lambda found: [object_of(one) for one in found[name]]


def following(found: Mapping[str, Any]) -> Next:
    """Return the distribution of the next event."""
    top = found.get("top")
    return Next(found.get("quantiles"), None if top is None else [(symbol, p) for symbol, p in top])


def refused(found: Any, status: int, wait: float | None = None) -> ServerError:
    """Return the error of an answer.

    Args:
        found: The JSON of the answer; it may be anything.
        status: Its status.
        wait: The seconds after which the call may be repeated.
    """
    error = found.get("error") if isinstance(found, Mapping) else None
    problem = error if isinstance(error, Mapping) else {}
    return ServerError(
        problem.get("what") or f"the server answered with status {status}",
        status,
        where=problem.get("where"),
        fix=problem.get("fix"),
        expected_seq=problem.get("expected_seq"),
        retry_after=wait,
    )
