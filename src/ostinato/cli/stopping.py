"""A command that is told to stop unwinds as after an error, so that it leaves no half-written or temporary file."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

#: The signals that tell a command to stop: Ctrl-C, the end of a service or a job, and a closed terminal.
SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """The command was told to stop.

    Attributes:
        code: The exit code by convention, 128 and the number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


_asked: list[int] = []


def check() -> None:
    """Raise Stopped once more if a signal came whose exception was lost in the code of another library."""
    if _asked:
        raise Stopped(_asked[0])


@contextmanager
def unwinding() -> Iterator[None]:
    """Raise Stopped in the block when a signal of SIGNALS comes. One that the caller ignores or handles is left alone.

    Ctrl-C goes to every process of a terminal, and a child of a fork has the handlers of its parent: it ends as it
    would without them, because its parent says what happened.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread handle signals
        return
    own = os.getpid()

    def stop(number: int, frame: Any) -> None:
        if os.getpid() != own:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        _asked.append(number)
        raise Stopped(number)

    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler in usual}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if before:
            _asked.clear()
