"""The way to the store: one thread of calls, and what is done while the store does not answer.

The first call that fails, or takes too long, ends the wait of all others: none waits for a time-out of its own. From
then on calls are refused at once, until the store answers a question that is asked in the background. A call that runs
cannot be stopped, so what it does in the end is unknown to those who asked for it, as after a cut of the network. The
thread does nothing else before that call ends, so what is read afterwards includes it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar, final

from ostinato.serve.calls import Calls
from ostinato.serve.store import Store, StoreError

T = TypeVar("T")
_LOG = logging.getLogger("ostinato.serve")

#: The seconds after which a call counts as failed. The time-outs of the stores are equal to it.
PATIENCE = 5.0
#: The seconds that the end of the server waits for a call of the store. What was answered is kept whether it returns or
#: not.
END = 5.0
#: The seconds between the questions to a store that failed.
PAUSE = 0.5
#: The seconds after a failure in which a store is not asked again at once, because its errors may come and go.
_AFRESH = 10.0


@final
class Access:
    """The calls of a store, one after the other, which never block the loop.

    Args:
        store: The store.
        refuse: What refuses all that would be asked for next, once the store fails.
    """

    def __init__(self, store: Store, refuse: Callable[[], None] = lambda: None) -> None:
        self._store, self._refuse = store, refuse
        self._thread = Calls("store")
        #: Those who wait, each with the call in the thread.
        self._waiting: dict[asyncio.Future[Any], Future[Any]] = {}
        self._since, self._last = 0.0, -_AFRESH
        self._watch: asyncio.TimerHandle | None = None
        self._question: asyncio.Task[bool] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._declared = False
        #: What the store answered last, if it failed.
        self.failed: StoreError | None = None

    async def ask(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call the store in its thread, or here if it never waits.

        Raises:
            StoreError: The store failed now, or has failed and does not answer yet.
        """
        if not self._store.durable and not self._store.shared:
            return call(*arguments)
        if self.failed is not None:
            raise self.refusal()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        if not self._waiting:
            self._since = time.monotonic()
        if self._watch is None:
            self._watch = loop.call_later(PATIENCE, self._late)
        done = self._thread.submit(partial(self._run, call, arguments))
        self._waiting[answer] = done
        done.add_done_callback(partial(self._deliver, loop, answer))
        try:
            return await answer
        finally:
            self._waiting.pop(answer, None)

    def refusal(self) -> StoreError:
        """Return the error of a call that is refused."""
        return StoreError("the store of streams does not answer", fix="ask again a little later")

    def question(self) -> asyncio.Task[bool]:
        """Return the question whether the store answers; one at a time is on its way."""
        if self._question is None or self._question.done():
            self._question = asyncio.create_task(self._answers())
        return self._question

    async def close(self) -> None:
        """Let go of the store after the call that runs; leave both alone if that takes more than ``END`` seconds."""
        for task in (self._probe, self._question, self._watch):
            if task is not None:
                task.cancel()
        if not self._store.durable and not self._store.shared:
            self._store.close()
            return
        closing = asyncio.wrap_future(self._thread.submit(self._store.close))
        self._thread.close()
        done, _ = await asyncio.wait([closing], timeout=END)
        if done:
            closing.result()
        else:
            _LOG.error("the store is left open: a call of it hangs; every event that was answered is kept")

    def _run(self, call: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        """In the thread: call the store, unless it failed since the call was asked for."""
        if self.failed is not None:
            raise self.refusal()
        self._since = time.monotonic()
        try:
            return call(*arguments)
        except StoreError as error:
            self.failed = error
            raise

    def _deliver(self, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Any], done: Future[Any]) -> None:
        """In the thread: bring what a call returned to the loop."""
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._settle, answer, done)

    def _settle(self, answer: asyncio.Future[Any], done: Future[Any]) -> None:
        """Give what a call returned to who waits for it."""
        self._waiting.pop(answer, None)
        if done.cancelled():
            return
        error = done.exception()
        if isinstance(error, StoreError):
            self._fail(error)
        if answer.done():
            return  # nobody waits any more
        if error is None:
            answer.set_result(done.result())
        else:
            answer.set_exception(error)

    def _late(self) -> None:
        """Look whether the call that runs has taken too long."""
        self._watch = None
        if not self._waiting:
            return
        left = self._since + PATIENCE - time.monotonic()
        if left > 0:
            self._watch = asyncio.get_running_loop().call_later(left, self._late)
        else:
            self._fail(StoreError(f"a call of the store has taken more than {PATIENCE:g} s"))

    def _fail(self, error: StoreError) -> None:
        """Refuse all that waits, and ask the store in the background until it answers."""
        self.failed = error
        if not self._declared:
            self._declared = True
            _LOG.error("events are refused: %s", _in_a_line(error))
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._until_it_answers())
        waiting, self._waiting = self._waiting, {}
        for answer, done in waiting.items():
            done.cancel()  # what has not begun must not be done after it was refused
            if not answer.done():
                answer.set_exception(self.refusal())
        self._refuse()

    async def _until_it_answers(self) -> None:
        now = time.monotonic()
        if now - self._last < _AFRESH:
            await asyncio.sleep(PAUSE)
        self._last = now
        while self._declared:
            if not await self.question():
                await asyncio.sleep(PAUSE)

    async def _answers(self) -> bool:
        """Ask whether the store answers, and take calls again if it does."""
        try:
            if self._store.durable or self._store.shared:
                await asyncio.wrap_future(self._thread.submit(self._ping))
            else:
                self._store.ping()
        except StoreError as error:
            self._fail(error)
            return False
        except Exception as error:
            _LOG.error("the question to the store failed: %s", type(error).__name__, exc_info=error)
            return False
        if self._declared:
            self._declared, self.failed = False, None
            _LOG.warning("the store of streams works again")
        return True

    def _ping(self) -> None:
        """In the thread: ask the store."""
        self._since = time.monotonic()
        self._store.ping()


def _in_a_line(error: StoreError) -> str:
    """Return an error as one line of the log, with the place, which a client is not told."""
    words = "; ".join(line.strip() for line in error.what.splitlines() if line.strip())
    return words if error.where is None else f"{words} ({error.where})"
