"""Threads for calls that take long, or that may hang: the loop never waits for them, and neither does the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar, final

T = TypeVar("T")

#: The calls that run now, of all threads.
_RUNNING: set[Future[Any]] = set()


@final
class Calls:
    """Threads that make calls in the order in which they are asked for.

    Python waits at its end for the threads of ``concurrent.futures``, however long their calls hang; not for these.

    Args:
        name: The name of the threads.
        threads: Their number.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._asked: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads = threads
        for _ in range(threads):
            threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Return what a call will have returned; one that has not begun can be cancelled."""
        done: Future[T] = Future()
        self._asked.put((done, call))
        return done

    def close(self) -> None:
        """Let the threads end after the calls that were asked for."""
        for _ in range(self._threads):
            self._asked.put(None)

    def _run(self) -> None:
        while (one := self._asked.get()) is not None:
            done, call = one
            if not done.set_running_or_notify_cancel():
                continue
            _RUNNING.add(done)
            try:
                found = call()
            except BaseException as error:
                _RUNNING.discard(done)
                done.set_exception(error)
            else:
                _RUNNING.discard(done)
                done.set_result(found)
            del one, done, call  # an idle thread keeps nothing alive


def unfinished() -> bool:
    """Return whether a call still runs."""
    return bool(_RUNNING)
