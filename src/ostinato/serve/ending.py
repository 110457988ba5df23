"""The end of the server by a signal: in order, however many signals come."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

_AGAIN = b"the server is ending: it answers the requests that have arrived, and saves their streams\n"


class Ending(uvicorn.Server):
    """A server that always ends in order.

    At a second Ctrl-C, uvicorn cancels what saves the streams in the middle, and shows the traceback of that. The end
    has a limit of time, so a second signal only says that it is under way.
    """

    _said = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal, which uvicorn raises again behind its end, and end the server."""
        self._captured_signals.append(sig)
        self.end()

    def end(self) -> None:
        """End the server in order; say so at a second signal."""
        if self.should_exit and not self._said:
            self._said = True
            os.write(2, _AGAIN)  # a signal may come while the buffer of sys.stderr is written to
        self.should_exit = True


@contextmanager
def ending_at_hangup(server: Ending) -> Iterator[None]:
    """End a server in order at SIGHUP, too, which uvicorn leaves alone; the signal is raised again behind the block.

    A SIGHUP that is ignored, as behind nohup, stays ignored.
    """
    before = signal.getsignal(signal.SIGHUP)
    if before in (signal.SIG_IGN, None):
        yield
        return
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        server.end()

    signal.signal(signal.SIGHUP, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
    if came:
        signal.raise_signal(signal.SIGHUP)
