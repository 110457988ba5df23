"""What can be wrong with a request."""

from __future__ import annotations

from ostinato.errors import OstinatoError


class MissingError(OstinatoError):
    """There is no such stream, or no such thing."""


class ExistsError(OstinatoError):
    """There is one already."""


class RefusedError(OstinatoError):
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


class BusyError(OstinatoError):
    """More is asked than the server can do now; nothing was applied."""

    exit_code = 1


class UnexpectedError(OstinatoError):
    """The server has a fault."""

    exit_code = 1
