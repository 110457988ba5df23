"""What the first of the workers that train together tells the program that waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

from ostinato.fits.progress import TrainingProgress
from ostinato.fits.result import DirectRung, Rung

#: Seconds between two words on one model: a line that moves, and no traffic to speak of.
APART = 0.2


@contextmanager
def shown(
    on_progress: Callable[[TrainingProgress], None] | None, on_rung: Callable[[Rung | DirectRung], None] | None
) -> Iterator[Any]:
    """A queue of Ray's: what a Teller puts in is shown here, while the body runs. None where nobody looks."""
    if on_progress is None and on_rung is None:
        yield None
        return
    from ray.exceptions import RayError
    from ray.util.queue import Queue

    queue = Queue(actor_options={"num_cpus": 0})

    def show() -> None:
        with suppress(RayError):  # the queue's machine died: the fit goes on without the line
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


class Teller:
    """The callbacks of a fit, on the worker: what they are given goes into the queue."""

    def __init__(self, queue: Any) -> None:
        self._queue, self._told = queue, 0.0

    def progress(self, event: TrainingProgress) -> None:
        """Tell how far a model is, unless it was told just now."""
        now = time.monotonic()
        if now - self._told > APART:
            self._told = now
            self.rung(event)

    def rung(self, event: Rung | DirectRung | TrainingProgress) -> None:
        """Tell of a model that is done."""
        from ray.exceptions import RayError

        with suppress(RayError):
            self._queue.put(event)
