"""A command that receives a signal to stop unwinds as after an error, and leaves no incomplete or temporary file."""

from __future__ import annotations

import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

#: The signals that tell a command to stop: Ctrl-C, the end of a service or a job, and a closed terminal.
SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """The command received a signal to stop.

    Attributes:
        code: The exit code by convention, 128 and the number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


#: The signals that came, and those that ``unwinding`` handles.
_asked: list[int] = []
_heeded: list[int] = []
#: The seconds after which a signal that came while a module was loaded, or in ``finishing``, is sent again.
_AGAIN: Final = 0.02
#: The most seconds that a signal waits for ``finishing``.
_PATIENCE: Final = 2.0
#: Whether what is being done is finished first, and when each signal came that waits for it.
_finishing: list[bool] = []
_came: dict[int, float] = {}
#: The most bytes of a pipe that are taken at a time.
_MOST: Final = 65_536


def check() -> None:
    """Raise Stopped once more if a signal came whose exception was lost in the code of another library.

    From here on a signal also ends a call that waits, as Python wants it. polars puts its own handler of Ctrl-C before
    Python's when it is imported, with the flag that lets such a call go on. A call that waits for input or for the
    reader of a pipe would then never hear of Ctrl-C.
    """
    if hasattr(signal, "siginterrupt"):  # Windows has none
        for number in _heeded:
            signal.siginterrupt(number, True)
    if _asked:
        raise Stopped(_asked[0])


def arriving(handle: int, due: Callable[[], float | None] | None = None) -> Iterator[bytes]:
    """Yield the bytes of a pipe as soon as there are some, and raise Stopped as soon as a signal comes.

    A signal that comes between two steps of Python and a call that waits would be heeded after the call only, which
    may be never. While this waits, every signal also writes a byte to a pipe that it waits for, too.

    Args:
        handle: The number of the file.
        due: What is called before each wait, and again after the seconds that it returns, if nothing has come. None is
            no limit. Windows has no such wait: there it is called when something has come.
    """
    with _woken() as signalled:
        while True:
            if signalled is not None:
                check()
                _until_readable(handle, signalled, due or _never)
            elif due is not None:
                due()
            if not (chunk := os.read(handle, _MOST)):
                return
            yield chunk


def _never() -> None:
    """Return that nothing is due."""


def _until_readable(handle: int, signalled: int, due: Callable[[], float | None]) -> None:
    """Wait until there is something to read from a file; raise Stopped if a signal came (see ``_woken``)."""
    waiting = select.poll()
    for number in (handle, signalled):
        waiting.register(number, select.POLLIN)
    while handle not in (ready := {number for number, _ in waiting.poll(_milliseconds(due()))}):
        if signalled in ready:
            os.read(signalled, 4096)
        check()


def _milliseconds(seconds: float | None) -> int | None:
    """Return a limit of a wait in milliseconds, rounded up, so that it has passed afterwards."""
    return None if seconds is None else math.ceil(1000 * seconds)


@contextmanager
def _woken() -> Iterator[int | None]:
    """Return the number of a pipe to which every signal writes a byte; None where Python has no such pipe.

    Windows waits for sockets alone, and Python lets only the main thread handle signals.
    """
    if not hasattr(select, "poll") or threading.current_thread() is not threading.main_thread():
        yield None
        return
    ends = os.pipe()
    try:
        os.set_blocking(ends[1], False)
        before = signal.set_wakeup_fd(ends[1], warn_on_full_buffer=False)
        try:
            yield ends[0]
        finally:
            signal.set_wakeup_fd(before)
    finally:
        for end in ends:
            os.close(end)


@contextmanager
def finishing() -> Iterator[None]:
    """Let a signal that comes in the block wait until its end, but no longer than ``_PATIENCE``.

    The block may write to a pipe that nobody reads.
    """
    _finishing.append(True)
    try:
        yield
    finally:
        _finishing.pop()


@contextmanager
def unwinding() -> Iterator[None]:
    """Raise Stopped in the block when a signal of SIGNALS comes. One that the caller ignores or handles is left alone.

    Ctrl-C goes to every process of a terminal, and a child of a fork has the handlers of its parent: it ends as it
    would without them, because its parent says what happened.

    A signal that comes while a module is loaded waits until that is done. The C++ code of torch runs Python while it is
    loaded, and an exception there aborts the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread handle signals
        return
    own, outside, waiting = os.getpid(), _loading(sys._getframe()), dict[int, threading.Timer]()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != own:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        waits = bool(_finishing) and time.monotonic() - _came.setdefault(number, time.monotonic()) < _PATIENCE
        if waits or _loading(frame) > outside:
            waiting[number] = threading.Timer(_AGAIN, _send, (number,))
            waiting[number].daemon = True
            waiting[number].start()
            return
        _asked.append(number)
        raise Stopped(number)

    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler in usual}
    for number in before:
        signal.signal(number, stop)
    _heeded[:] = before
    try:
        yield
    finally:
        for timer in waiting.values():
            timer.cancel()
        _heeded.clear()
        _came.clear()
        for number, handler in before.items():
            signal.signal(number, handler)
        if before:
            _asked.clear()


def _send(number: int) -> None:
    """Send a signal to the main thread, which also ends a call of that thread that waits."""
    if hasattr(signal, "pthread_kill") and (main := threading.main_thread().ident):
        signal.pthread_kill(main, number)
    else:  # Windows
        signal.raise_signal(number)


def _loading(frame: FrameType | None) -> int:
    """Return how many frames of Python's code that loads modules are on the stack of a frame."""
    found = 0
    while frame is not None:
        found += frame.f_code.co_filename.startswith("<frozen importlib")
        frame = frame.f_back
    return found
