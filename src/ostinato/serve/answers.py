"""Errors as answers: what is wrong, and the status of HTTP."""

from __future__ import annotations

from ostinato.errors import OstinatoError
from ostinato.serve.batcher import BusyError, UnexpectedError
from ostinato.serve.order import OrderError
from ostinato.serve.schema import Problem
from ostinato.serve.store import StoreError


class Missing(OstinatoError):
    """There is no such stream, or no such thing."""


class Exists(OstinatoError):
    """There is one already."""


class Refused(OstinatoError):
    """The request is not allowed.

    Args:
        status: The status of HTTP.
        what: What is wrong.
        fix: What to do.
        wait: The seconds after which it may be allowed.
    """

    def __init__(self, status: int, what: str, *, fix: str, wait: float | None = None) -> None:
        super().__init__(what, fix=fix)
        self.status, self.wait = status, wait


def problem(error: OstinatoError) -> Problem:
    """Return an error for JSON."""
    where = None if isinstance(error, StoreError) else error.where  # the folder of the store is nobody's business
    return Problem(error.what, where, error.fix, error.expected if isinstance(error, OrderError) else None)


def status_of(error: OstinatoError) -> tuple[int, dict[str, str]]:
    """Return the status and the headers of an error."""
    match error:
        case Refused(status=status, wait=wait):
            headers = {} if wait is None else {"retry-after": str(max(1, round(wait)))}
            return status, headers | ({"www-authenticate": "Bearer"} if status == 401 else {})
        case Missing():
            return 404, {}
        case Exists() | OrderError():
            return 409, {}
        case StoreError() | BusyError():
            return 503, {"retry-after": "1"}
        case UnexpectedError():
            return 500, {}
        case _:
            return 422, {}
