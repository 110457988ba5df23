"""Limits on the size and the duration of the head of a request, its first line and headers, before it reaches the gate.

The parser of uvicorn accepts headers of any size and waits for their end without a limit. It never answers a WebSocket
whose headers its library cannot read, and one such client kept the server from shutting down.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: The greatest number of bytes of a head. One read of the kernel may exceed it before it is checked.
MOST = 65_536


class BoundedHeads(HttpToolsProtocol):
    """A connection of uvicorn whose heads are bounded.

    Attributes:
        seconds: The time for a head, and for the first one after the connection was made.
    """

    seconds = 30.0
    #: Whether a head is being read, how many have begun, and the bytes of this one so far.
    _inside, _heads, _size = False, 0, 0
    #: Ends the connection if no head has come in time.
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the timer of the first head."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.seconds, self._timed_out)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to count the bytes of a head."""
        self._inside, self._size = True, 0
        self._heads += 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Let a head through; the parser makes an answer with status 400 of an error, which becomes 431."""
        if self._too_large():
            raise ValueError("the head is too large")
        self._inside = False
        self._stop_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Read bytes: refuse a head that is too large already, and start the timer of one that has begun."""
        before = self._heads
        super().data_received(data)
        if not self._inside or self.transport.is_closing():
            return
        if self._heads == before:  # otherwise a part of these bytes may belong to what was before
            self._size += len(data)
        if self._size > MOST:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self._timed_out)

    def handle_websocket_upgrade(self) -> None:
        """Answer a WebSocket, also one whose head its library cannot read."""
        super().handle_websocket_upgrade()
        protocol: Any = self.transport.get_protocol()
        error = getattr(getattr(protocol, "conn", None), "handshake_exc", None)
        if error is not None and not self.transport.is_closing():
            protocol.close_sent = True  # at the end of the server nothing is sent to it any more
            self._refuse(HTTPStatus.BAD_REQUEST)

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be read."""
        if self._inside and self._too_large():
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            super().send_400_response(msg)

    def _too_large(self) -> bool:
        """Return whether the head that was read is too large."""
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST

    def _timed_out(self) -> None:
        """End a connection whose head has not come."""
        self._timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            # the request before it is still answered
            self._timer = self.loop.call_later(self.seconds, self._timed_out)
        elif not self._heads:  # a browser connects ahead of need, and did not ask for an answer
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _stop_timer(self) -> None:
        """Stop the timer: a head has come, or the connection is lost."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer with a status alone, and end the connection."""
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode())
        self.transport.close()


def bounded(seconds: float) -> type[BoundedHeads]:
    """Return the class of connections that wait this number of seconds for request headers."""
    return type("BoundedHeads", (BoundedHeads,), {"seconds": seconds})
