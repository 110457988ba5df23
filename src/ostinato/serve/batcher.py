"""Micro-batches: the pushes that arrive together are stepped as one batch, saved in one commit, and then answered.

While a batch is saved in a store that no other server uses, the next one may be stepped, if it is large. Its states
build on those of the batch before it. If these are not saved, the store refuses the states that build on them, because
their versions do not follow, and their pushes begin anew. ``alone`` waits until nothing is on its way.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from ostinato.errors import OstinatoError
from ostinato.numbers import counted
from ostinato.serve.access import END, Access
from ostinato.serve.applier import Applier
from ostinato.serve.durations import Durations
from ostinato.serve.errors import BusyError, UnexpectedError
from ostinato.serve.held import Asked, Work
from ostinato.serve.schema import Push, Result
from ostinato.serve.store import Change, Store
from ostinato.serve.streams import Streams

_LOG = logging.getLogger("ostinato.serve")

#: The most events that are stepped together: this bounds the time that nothing else is done.
MOST = 4096
#: The most events that may wait; beyond it a push is refused, so that a queue cannot grow without end.
QUEUE = 200_000
#: The events that make a batch large enough to be stepped during a save. Smaller ones wait, and share the next commit.
BESIDE = 256


@dataclass(eq=False, slots=True)
class Flight:
    """A batch that is stepped, and whose save is on its way.

    Attributes:
        batch: The pushes by request, each with what ends the wait for them.
        asked: All pushes.
        works: What was done to their streams.
        before: The batch before it that is still on its way.
        down: What is done once the save has succeeded or failed, and those before it too.
        built_on_unsaved: Streams whose states were not saved by a batch before this one.
    """

    batch: list[tuple[list[Asked], asyncio.Future[None]]]
    asked: list[Asked]
    works: Sequence[Work]
    before: Flight | None
    down: asyncio.Future[None]
    built_on_unsaved: set[str] = field(default_factory=set)


@final
class Batcher:
    """The way of pushes: queue, batch, store, answer.

    Args:
        streams: The streams.
        store: Where they are kept.
        resident: The most streams in memory.

    Attributes:
        access: The way to the store.
        applier: What applies pushes to the streams, and saves them.
        took: How long pushes take, from the queue to the answer.
        companions: What runs at the same time as the batches, from the start to the end.
    """

    def __init__(self, streams: Streams, store: Store, *, resident: int = 200_000) -> None:
        self.streams, self.store = streams, store
        self._queue: deque[tuple[list[Asked], asyncio.Future[None], int]] = deque()
        #: The events in the queue, and those that wait for an answer.
        self._queued = self._waiting = 0
        self._flying: list[Flight] = []
        self._landing: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self.access = Access(store, self._refuse)
        self.applier = Applier(streams, store, self.access, resident)
        self._task: asyncio.Task[None] | None = None
        self.took = Durations()
        self.companions: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._beside: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to take pushes."""
        self.applier.count = self.store.count()
        self._task = asyncio.create_task(self._run(), name="batcher")
        self._beside = [asyncio.create_task(make()) for make in self.companions]

    async def close(self) -> None:
        """Answer what has arrived, then let go of the store; neither takes more than ``END`` seconds."""
        for task in self._beside:
            task.cancel()
        try:
            async with asyncio.timeout(END):
                await self._emptied()
        except TimeoutError:
            _LOG.error("%s without an answer: the store is too slow", counted(self._waiting, "event is", "events are"))
        if self._task is not None:
            self._task.cancel()
        await self.access.close()

    async def _emptied(self) -> None:
        """Wait until nothing is queued, stepped or saved."""
        while self._queue or self._landing or self._one_at_a_time.locked():
            await asyncio.sleep(0.005)

    async def push(self, unique_id: str, push: Push, token: Any = None) -> Result:
        """Apply the events of one stream.

        Args:
            unique_id: The stream.
            push: The events.
            token: Whose they are; None without tokens.

        Returns:
            What the model says of them, once they are saved.

        Raises:
            StoreError: They were refused. Those whose save was on its way may be kept all the same.
            OstinatoError: They were refused, and nothing changed.
        """
        one = Asked(unique_id, push, token)
        await self.push_all([one])
        if isinstance(one.outcome, Result):
            return one.outcome
        assert one.outcome is not None
        raise one.outcome

    async def push_all(self, asked: list[Asked]) -> None:
        """Apply pushes of many streams; each gets its outcome.

        Raises:
            BusyError: Too many events wait.
        """
        count = sum(one.push.count for one in asked)
        if self._waiting + count > QUEUE and self._waiting:
            raise BusyError(
                f"the server has {counted(self._waiting, 'event')} in its queue", fix="send yours a little later"
            )
        if self.access.failed is not None:
            self._refused(asked)
            await asyncio.sleep(0)  # who sends it again at once must not keep the loop from all else
            return
        done = asyncio.get_running_loop().create_future()
        self._waiting += count
        self._queued += count
        self._queue.append((asked, done, count))
        if self._may_step:
            self._arrived.set()
        begun = time.perf_counter()
        try:
            await done
        finally:
            self._waiting -= count
            self.took.add(time.perf_counter() - begun)

    def _refuse(self) -> None:
        """Refuse all that is queued, because the store failed; nothing of it was stepped."""
        queue, self._queue, self._queued = self._queue, deque(), 0
        for asked, done, _ in queue:
            self._refused(asked)
            _answer([(asked, done)])

    def _refused(self, asked: Sequence[Asked]) -> None:
        """Answer that the store does not answer."""
        for one in asked:
            one.outcome = self.access.refusal()

    @property
    def waiting(self) -> int:
        """The number of events that wait."""
        return self._waiting

    async def alone(self, call: Callable[[], Any]) -> Any:
        """Await what ``call`` returns while no push is stepped or saved."""
        async with self._one_at_a_time:
            await self._all_saved()
            return await call()

    async def _all_saved(self) -> None:
        """Wait until no save is on its way."""
        while self._flying:
            await self._flying[0].down

    @property
    def _may_step(self) -> bool:
        """Whether a batch may be stepped now: nothing is saved, or one batch and the next one is large."""
        return len(self._flying) < (2 if self._queued >= BESIDE else 1)

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await asyncio.sleep(0)  # what this turn of the loop has read joins the batch
            while self._queue and self._may_step:
                async with self._one_at_a_time:
                    await self._cycle()

    async def _cycle(self) -> None:
        """Take and step one batch, and save and answer it, here or during the next one."""
        batch: list[tuple[list[Asked], asyncio.Future[None]]] = []
        many = 0
        while self._queue and many < MOST:
            some, done, count = self._queue.popleft()
            batch.append((some, done))
            many += count
        self._queued -= many
        asked = [one for some, _ in batch for one in some]
        try:
            if self.store.durable and not self.store.shared:
                await self._launch(batch, asked)
            else:
                await self.applier.apply(asked)
                _answer(batch)
        except BaseException:
            _answer(batch)
            raise

    async def _launch(self, batch: list[tuple[list[Asked], asyncio.Future[None]]], asked: list[Asked]) -> None:
        """Step a batch, and begin to save it."""
        try:
            works = await self.applier.step(asked)
            changes = self.streams.changes(works)
        except OstinatoError as error:
            self.applier.fail(asked, error)
            _answer(batch)
        except Exception as error:
            await self._all_saved()  # the answers must not rest on what is not saved
            await self.applier.apart(asked, error)
            _answer(batch)
        else:
            before = self._flying[-1] if self._flying else None
            flight = Flight(batch, asked, works, before, asyncio.get_running_loop().create_future())
            self._flying.append(flight)
            task = asyncio.create_task(self._land(flight, changes))
            self._landing.add(task)
            task.add_done_callback(self._landing.discard)

    async def _land(self, flight: Flight, changes: Sequence[Change]) -> None:
        """Save a batch that was stepped, and answer it."""
        left: list[Asked] = []
        try:
            refused = await self.applier.save_changes(flight.works, changes)
            if flight.before is not None:
                await flight.before.down  # a batch that changes nothing has nothing to save
            # of these nothing is saved here, but their answers rest on what a batch before it did not save
            if flight.built_on_unsaved:
                refused |= flight.built_on_unsaved - {work.held.unique_id for work in flight.works}
            left = [one for one in flight.asked if one.unique_id in refused] if refused else left
        except OstinatoError as error:
            refused = {one.unique_id for one in flight.asked}
            self.applier.fail(flight.asked, error)
        except Exception as error:
            _LOG.error("a save failed: %s", type(error).__name__, exc_info=error)
            refused = {one.unique_id for one in flight.asked}
            self.applier.fail(flight.asked, UnexpectedError("the server failed", fix="read its log"))
        finally:
            at = self._flying.index(flight)
            del self._flying[at]
            flight.before = None
            flight.down.set_result(None)
        for later in self._flying[at:]:
            later.built_on_unsaved |= refused
        self._arrived.set()
        if left:
            for one in left:
                one.outcome = None
            await self.alone(lambda: self.applier.apply(left))
        _answer(flight.batch)


def _answer(batch: Sequence[tuple[list[Asked], asyncio.Future[None]]]) -> None:
    """End the wait for pushes."""
    for _, done in batch:
        if not done.done():
            done.set_result(None)
