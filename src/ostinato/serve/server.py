"""The server as a whole: its model, which can be swapped, its counters, and whether it is ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeAlias, final

from ostinato.errors import ConfigError
from ostinato.inference.alarm_rule import AlarmRule
from ostinato.model import SequenceModel
from ostinato.numbers import counted
from ostinato.serve.batcher import Batcher

#: What reads the model file again.
Reload: TypeAlias = Callable[[], tuple[SequenceModel, AlarmRule | None]]
#: The seconds after which a store that has not answered counts as unavailable.
_SOON = 2.0


@final
class Server:
    """The server as a whole.

    Args:
        batcher: The way of pushes.
        reload: What reads the model file again; None if there is no file.
    """

    def __init__(self, batcher: Batcher, reload: Reload | None = None) -> None:
        self._batcher, self._reload, self._begun = batcher, reload, time.monotonic()

    async def swap(self, *, replay: bool) -> dict[str, Any]:
        """Read the model file again. No push is stepped meanwhile, and none is lost.

        Args:
            replay: Whether each stream has its history replayed when it is used next; otherwise it begins afresh.

        Raises:
            ConfigError: The server has no model file, or the new model cannot read the histories of its streams.
            ModelFileError: The file cannot be used; the server goes on with the model that it has.
        """
        if self._reload is None:
            raise ConfigError("the server has no model file", fix="start it with one")
        model, rule = await asyncio.to_thread(self._reload)

        async def call() -> None:
            streams = self._batcher.streams
            before, after = (_alphabet(one) for one in (streams.served.model, model))
            if replay and before != after and self._batcher.applier.count:
                raise ConfigError(
                    f"the new model reads {after}, and cannot replay the histories of the streams, which hold {before}",
                    fix='let them begin afresh: {"streams": "fresh"}',
                )
            streams.use(model, rule)
            streams.replay = replay

        await self._batcher.alone(call)
        return self.model_facts()

    def model_facts(self) -> dict[str, Any]:
        """Return what the model is."""
        served = self._batcher.streams.served
        model = served.model
        return {
            "title": model.title(),
            "kind": model.description.kind,
            "channels": list(model.description.source.get("channels", ["y"])),
            "sha256": served.digest.hex(),
            "state_bytes": served.layout.width,
            "alarm": None if served.rule is None else served.rule.words(),
        }

    def status(self) -> dict[str, Any]:
        """Return counters for a page that asks again and again."""
        b, s = self._batcher, self._batcher.streams
        return {
            "events": s.counts.events,
            "alarms": s.counts.alarms,
            "in_memory": len(s.resident),
            "waiting": b.waiting,
            "store": type(b.store).__name__.removesuffix("Store").lower(),
            "durable": b.store.durable,
            "store_failed": None if b.access.failed is None else "the store failed",
            "uptime": round(time.monotonic() - self._begun, 1),
        }

    async def ready(self) -> bool:
        """Return whether the store answers soon."""
        asked = self._batcher.access.question()
        done, _ = await asyncio.wait([asked], timeout=_SOON)
        return bool(done) and asked.result()


def _alphabet(model: SequenceModel) -> str:
    """Return what the events of a model are, in words."""
    return f"numbers of {counted(model.channels, 'channel')}" if model.description.traits.numeric else "text"
