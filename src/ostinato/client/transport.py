"""The HTTP of a client: one connection to a server, whose calls are repeated where that is safe."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import Any, TypeVar, final
from urllib.parse import urlsplit

from ostinato.client import wire
from ostinato.client.types import ServerError
from ostinato.errors import ConfigError, DataError

T = TypeVar("T")
#: The seconds before the repetitions of a call, if the server names none.
_PAUSES = (0.1, 0.5, 1.0, 2.0)


@final
class Transport:
    """What sends the calls of a client; see ``Client`` for the arguments."""

    def __init__(self, url: str, token: str | None, timeout: float, repeats: int) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname if parts.scheme in ("http", "https") else None, parts.port
        except ValueError:  # a port out of range, or half an address of IPv6
            host = port = None
        if not host:
            raise ConfigError(f"{url!r} is not the address of a server", fix="write it as http://127.0.0.1:8000")
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
            raise ConfigError(
                "the token has characters that cannot be part of a token", fix="give what ostinato token printed"
            )
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = make(host, port, timeout=timeout)
        self._base, self._repeats = parts.path.rstrip("/"), repeats
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{self._base}"  # without a password

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def object(self, method: str, path: str, body: Any = None, *, again: bool | None = None) -> dict[str, Any]:
        """Return the object that the server answers."""
        return self.read(wire.object_of, method, path, body, again=again)

    def read(
        self, read: Callable[[Any], T], method: str, path: str, body: Any = None, *, again: bool | None = None
    ) -> T:
        """Return what a function reads in the JSON that the server answers.

        Raises:
            DataError: The body cannot be sent.
            ServerError: The server refused the call, or what answered is no such server.
        """
        try:
            content = None if body is None else json.dumps(body, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise DataError(
                f"the call cannot be written as JSON: {error}", fix="send finite numbers and text"
            ) from error
        answer = self.call(method, path, content, again=method == "GET" if again is None else again)
        try:
            return read(json.loads(answer))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            what = f"the answer is not from ostinato serve: {answer[:40]!r}"
            raise ServerError(what, 200, where=self.url, fix="check the address, and any proxy before it") from error

    def call(
        self, method: str, path: str, body: bytes | None = None, *, kind: str = "application/json", again: bool = False
    ) -> bytes:
        """Return the body of the answer; a call that may be sent again is repeated.

        Raises:
            ServerError: The server refused the call, or gave no answer.
        """
        for pause in [*_PAUSES[: self._repeats if again else 0], None]:
            try:
                return self._once(method, path, body, kind)
            except ServerError as error:
                if pause is None or error.status not in (0, 429, 503):
                    raise
                time.sleep(pause if error.retry_after is None else error.retry_after)
        raise AssertionError

    def _once(self, method: str, path: str, body: bytes | None, kind: str) -> bytes:
        headers = self._headers | ({} if body is None else {"Content-Type": kind})
        try:
            self._connection.request(method, self._base + path, body, headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ServerError(
                f"the server gave no answer: {error or type(error).__name__}", where=self.url, fix="check the address"
            ) from error
        if answer.status < 400:
            return content
        wait = answer.getheader("retry-after")
        try:
            found = json.loads(content)
        except ValueError:
            found = {}
        raise wire.refused(found, answer.status, float(wait) if wait and wait.isdigit() else None)
