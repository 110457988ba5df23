"""Errors as answers: what is wrong, and the status of HTTP."""

from __future__ import annotations

from ostinato.errors import OstinatoError
from ostinato.serve.errors import BusyError, ExistsError, MissingError, RefusedError, UnexpectedError
from ostinato.serve.order import OrderError
from ostinato.serve.schema import Problem
from ostinato.serve.store import StoreError


def problem(error: OstinatoError) -> Problem:
    """Return an error for JSON."""
    if isinstance(error, StoreError):  # its place, and what its library says of it, are in the log alone
        return Problem("the store of streams failed", fix="send the same again a little later")
    return Problem(error.what, error.where, error.fix, error.expected if isinstance(error, OrderError) else None)


def status_of(error: OstinatoError) -> tuple[int, dict[str, str]]:
    """Return the status and the headers of an error."""
    match error:
        case RefusedError(status=status, wait=wait):
            headers = {} if wait is None else {"retry-after": str(max(1, round(wait)))}
            return status, headers | ({"www-authenticate": "Bearer"} if status == 401 else {})
        case MissingError():
            return 404, {}
        case ExistsError() | OrderError():
            return 409, {}
        case StoreError() | BusyError():
            return 503, {"retry-after": "1"}
        case UnexpectedError():
            return 500, {}
        case _:
            return 422, {}
