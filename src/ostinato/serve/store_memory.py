"""Streams in the memory of the process, which end with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ostinato.serve.store import Change, Record, Store


@final
class MemoryStore(Store):
    """A store in the memory of the process, for streams that may be lost."""

    durable = False
    shared = False

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._blocks: dict[str, dict[int, bytes]] = {}

    def load(self, ids: Sequence[str]) -> dict[str, Record]:
        """Return the records of these streams (see ``Store.load``)."""
        return {key: self._records[key] for key in ids if key in self._records}

    def save(self, changes: Sequence[Change]) -> set[str]:
        """Keep changes (see ``Store.save``)."""
        refused = set()
        for change in changes:
            key, kept = change.unique_id, self._records.get(change.unique_id)
            if change.new != (kept is None) or (kept is not None and kept.version != change.record.version - 1):
                refused.add(key)
                continue
            self._records[key] = change.record
            if change.wipe:
                self._blocks.pop(key, None)
            if change.blocks:
                blocks = {**self._blocks.get(key, {}), **dict(change.blocks)}
                self._blocks[key] = {number: block for number, block in blocks.items() if number >= change.keep}
        return refused

    def delete(self, unique_id: str) -> bool:
        """Delete a stream (see ``Store.delete``)."""
        self._blocks.pop(unique_id, None)
        return self._records.pop(unique_id, None) is not None

    def ids(self, after: str = "", limit: int = 1000) -> list[str]:
        """Return ids in order (see ``Store.ids``)."""
        low = after.encode()
        return sorted((key for key in self._records if key.encode() > low), key=str.encode)[:limit]

    def count(self) -> int:
        """Return the number of streams."""
        return len(self._records)

    def blocks(self, unique_id: str) -> list[tuple[int, bytes]]:
        """Return the blocks of a stream (see ``Store.blocks``)."""
        return sorted(self._blocks.get(unique_id, {}).items())

    def ping(self) -> None:
        """Return."""

    def close(self) -> None:
        """Let go of nothing."""
