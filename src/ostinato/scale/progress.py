"""The progress of workers that train together, sent by the first of them to the program that waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

from ostinato.fits.progress import TrainingProgress
from ostinato.fits.result import DirectRung, Rung

#: The seconds between two events of one model: often enough for a progress line, with little traffic.
APART = 0.2


@contextmanager
def progress_queue(
    on_progress: Callable[[TrainingProgress], None] | None, on_rung: Callable[[Rung | DirectRung], None] | None
) -> Iterator[Any]:
    """Yield a Ray queue whose events go to the callbacks while the body runs; None without callbacks."""
    if on_progress is None and on_rung is None:
        yield None
        return
    from ray.exceptions import RayError
    from ray.util.queue import Queue

    queue = Queue(actor_options={"num_cpus": 0})

    def show() -> None:
        with suppress(RayError):  # if the queue's machine died, the fit continues without progress
            for event in iter(queue.get, None):
                on_event = on_rung if isinstance(event, Rung | DirectRung) else on_progress
                if on_event:
                    on_event(event)

    thread = Thread(target=show, daemon=True)
    thread.start()
    try:
        yield queue
    finally:
        with suppress(RayError):
            queue.put(None)
        thread.join()
        queue.shutdown()


class ProgressSender:
    """The callbacks of a fit on the worker, which put their events into the queue."""

    def __init__(self, queue: Any) -> None:
        self._queue, self._sent = queue, 0.0

    def progress(self, event: TrainingProgress) -> None:
        """Send the progress of a model, unless the last event was sent just now."""
        now = time.monotonic()
        if now - self._sent > APART:
            self._sent = now
            self.rung(event)

    def rung(self, event: Rung | DirectRung | TrainingProgress) -> None:
        """Send a finished model of the ladder, or an event of progress."""
        from ray.exceptions import RayError

        with suppress(RayError):
            self._queue.put(event)
