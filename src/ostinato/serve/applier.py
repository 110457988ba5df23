"""Pushes are applied to streams, and saved; where a save fails, they begin anew from what the store has."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import final

from ostinato.errors import OstinatoError
from ostinato.serve.access import Access
from ostinato.serve.errors import BusyError, RefusedError, UnexpectedError
from ostinato.serve.held import Asked, Work
from ostinato.serve.order import OrderError
from ostinato.serve.store import Change, Store
from ostinato.serve.streams import Streams

_LOG = logging.getLogger("ostinato.serve")
#: The number of conflicts with another server over a stream before a push is refused.
_TRIES = 20


@final
class Applier:
    """What applies pushes to streams, and saves them.

    Args:
        streams: The streams.
        store: Where they are kept.
        access: The way to the store.
        resident: The most streams in memory.

    Attributes:
        count: The number of streams, those of the store included; other servers may have added some.
        batches: The number of batches that were stepped.
        pushes: The number of pushes in them.
        seconds: The time in each part of a batch.
    """

    def __init__(self, streams: Streams, store: Store, access: Access, resident: int) -> None:
        self._streams, self._store, self._access, self._resident = streams, store, access, resident
        self.count = self.batches = self.pushes = 0
        self.seconds = {"load": 0.0, "step": 0.0, "save": 0.0}

    async def apply(self, asked: Sequence[Asked]) -> None:
        """Apply pushes, again as often as another server was faster."""
        left = list(asked)
        if self._store.shared:
            known = [one for one in asked if one.unique_id in self._streams.resident]
        for turn in range(_TRIES):
            try:
                refused = await self._attempt(left)
            except OstinatoError as error:
                self.fail(left, error)
                return
            except Exception as error:
                await self.apart(left, error)
                return
            if self._store.shared and not turn:
                # what another server did to a stream since it came into memory may have changed these answers
                stale = {one.unique_id for one in known if one.repeated or isinstance(one.outcome, OrderError)}
                stale -= {one.unique_id for one in known if one.is_change}  # the store has just agreed with those
                self._streams.forget(stale)
                refused |= stale
            if not refused:
                return
            left = [one for one in left if one.unique_id in refused]
            for one in left:
                one.outcome = None
        for one in left:
            one.outcome = BusyError("other servers change the stream all the time", fix="send the events again")

    def fail(self, asked: Sequence[Asked], error: OstinatoError) -> None:
        """Answer that pushes were not applied; their streams leave memory, which may be ahead of the store."""
        self._streams.forget([one.unique_id for one in asked])
        for one in asked:
            one.outcome = error

    async def apart(self, asked: Sequence[Asked], error: Exception) -> None:
        """Apply pushes one at a time after a fault, so that it stays with the push that has it."""
        _LOG.error("a batch of %d pushes failed: %s", len(asked), type(error).__name__, exc_info=error)
        self.fail(asked, UnexpectedError("the server failed", fix="read its log"))
        if len(asked) > 1:
            for one in asked:
                one.outcome = None
                await self.apply([one])

    async def _attempt(self, asked: Sequence[Asked]) -> set[str]:
        """Apply pushes once, and return the streams whose records another server had changed."""
        return await self.save(await self.step(asked))

    async def step(self, asked: Sequence[Asked]) -> list[Work]:
        """Take the streams of pushes into memory, and step them."""
        begun = time.perf_counter()
        brought = await self.bring([one.unique_id for one in asked])
        loaded = time.perf_counter()
        self._limit(asked)
        works = self._streams.step(asked)
        self.seconds["load"] += loaded - begun
        self.seconds["step"] += time.perf_counter() - loaded
        self.batches += 1
        self.pushes += len(asked)
        self._streams.forget_empty(brought)
        return works

    def _limit(self, asked: Sequence[Asked]) -> None:
        """Refuse pushes that would begin more streams than their tokens may."""
        count = self.count
        begun: set[str] = set()
        for one in asked:
            if one.token is None or one.token.streams is None or one.unique_id in begun:
                continue
            if self._streams.resident[one.unique_id].is_empty:
                try:
                    one.token.check_begin(count)
                except RefusedError as error:
                    one.outcome = error
                else:
                    begun.add(one.unique_id)
                    count += 1

    async def bring(self, ids: Sequence[str]) -> list[str]:
        """Take streams into memory, and return those that were not there."""
        brought: list[str] = []
        # while the store is read, a save that ends may let others of these streams leave memory
        while missing := self._streams.missing(ids):
            found = await self._access.ask(self._store.load, missing)
            blocks = {key: await self._access.ask(self._store.blocks, key) for key in self._streams.foreign(found)}
            self._streams.bring(missing, found, blocks)
            brought += missing
        return brought

    async def save(self, works: Sequence[Work]) -> set[str]:
        """Save streams; those that could not be saved leave memory.

        Returns:
            The streams that another server had changed.

        Raises:
            StoreError: Nothing was saved.
        """
        return await self.save_changes(works, self._streams.changes(works))

    async def save_changes(self, works: Sequence[Work], changes: Sequence[Change]) -> set[str]:
        """Save changes (see ``save``)."""
        if not works:
            return set()
        begun = time.perf_counter()
        lost = new = {change.unique_id for change in changes if change.new}
        self.count += len(new)  # the limits of tokens hold for the batch that is stepped meanwhile, too
        try:
            refused = await self._access.ask(self._store.save, changes)
            lost = new & refused
        except BaseException:  # also the end of a request that took too long: the store may or may not have it
            self._streams.forget([work.held.unique_id for work in works])
            raise
        finally:
            self.count -= len(lost)
            self.seconds["save"] += time.perf_counter() - begun
        self._streams.forget(refused)
        self._streams.forget(self._streams.idle(self._resident))
        return refused
