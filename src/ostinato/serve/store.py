"""Where the states of streams are kept: the interface of every store, and the choice of one by its URL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import PurePath
from urllib.parse import urlsplit

from msgspec import Struct

from ostinato.choices import advice
from ostinato.errors import ConfigError, OstinatoError


class StoreError(OstinatoError):
    """The store cannot be reached or cannot write, for example because the disk is full; nothing of a save was kept."""

    exit_code = 1


class Record(Struct, frozen=True, array_like=True, gc=False):
    """A stream as a store keeps it.

    Attributes:
        version: The number of the record. A new stream begins at a number that no earlier stream of the same id had,
            and each save adds exactly 1.
        data: The stream as bytes, which only ``snapshot.py`` can read.
    """

    version: int
    data: bytes


class Change(Struct, frozen=True, array_like=True, gc=False):
    """A stream to save: a record that replaces the one of the version before it.

    Attributes:
        unique_id: The id of the stream.
        record: What is kept from now on.
        new: Whether the stream is new. It is saved only if no stream of this id exists. Any other change is saved only
            if the version in the store is ``record.version - 1``.
        blocks: Full blocks of the history of the stream, as pairs of a number and bytes; a block of the same number is
            replaced.
        keep: The number of the oldest block that is still wanted: those of a lower number may be deleted.
        wipe: Whether all blocks of the stream before this change are deleted first, because it begins again.
    """

    unique_id: str
    record: Record
    new: bool = False
    blocks: tuple[tuple[int, bytes], ...] = ()
    keep: int = 0
    wipe: bool = False


class Store(ABC):
    """States of streams that outlive the process. All methods block; one thread at a time calls them.

    Attributes:
        durable: Whether a save that returned survives the end of the process and of the machine.
        shared: Whether other servers may save the same streams, so that a stream in memory may be out of date.
    """

    durable: bool
    shared: bool

    @abstractmethod
    def load(self, ids: Sequence[str]) -> dict[str, Record]:
        """Return the records of these streams; an id without a stream is left out.

        Raises:
            StoreError: The store cannot be reached.
        """

    @abstractmethod
    def save(self, changes: Sequence[Change]) -> set[str]:
        """Save changes of different streams, all in one group commit, and return the ids of those that were refused.

        A change is refused if the version in the store is not the one before it (compare and set), or if the stream is
        new and exists. The others are durable when this returns.

        Raises:
            StoreError: The store cannot be reached or cannot write. It is unknown whether the changes were kept; a
                later save of the same versions is refused if they were.
        """

    @abstractmethod
    def delete(self, unique_id: str) -> bool:
        """Delete a stream with its blocks, durably, and return whether there was one.

        Raises:
            StoreError: The store cannot be reached.
        """

    @abstractmethod
    def ids(self, after: str = "", limit: int = 1000) -> list[str]:
        """Return up to ``limit`` ids above ``after``, sorted by their UTF-8 bytes.

        Raises:
            StoreError: The store cannot be reached.
        """

    @abstractmethod
    def count(self) -> int:
        """Return the number of streams.

        Raises:
            StoreError: The store cannot be reached.
        """

    @abstractmethod
    def blocks(self, unique_id: str) -> list[tuple[int, bytes]]:
        """Return the blocks of the history of a stream, sorted by their numbers.

        Raises:
            StoreError: The store cannot be reached.
        """

    @abstractmethod
    def ping(self) -> None:
        """Return if the store can be reached and written to.

        Raises:
            StoreError: It cannot.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of connections and locks. Nothing else may be called after it."""


#: The module and the class of each scheme; the class takes the URL as a string.
STORES: dict[str, tuple[str, str]] = {
    "sqlite": ("ostinato.serve.store_sqlite", "SQLiteStore"),
    "redis": ("ostinato.serve.store_redis", "RedisStore"),
    "rediss": ("ostinato.serve.store_redis", "RedisStore"),
    "valkey": ("ostinato.serve.store_redis", "RedisStore"),
    "valkeys": ("ostinato.serve.store_redis", "RedisStore"),
    "postgres": ("ostinato.serve.store_postgresql", "PostgreSQLStore"),
    "postgresql": ("ostinato.serve.store_postgresql", "PostgreSQLStore"),
}


def check_address(url: str) -> None:
    """Check that an address of Redis can be taken apart. It may hold a password, so that no error shows it.

    Raises:
        ConfigError: It cannot, because its port is not a number up to 65,535, or its host is half an address of IPv6.
    """
    try:
        urlsplit(url).port  # noqa: B018 - computed when it is asked for
    except ValueError as error:
        raise ConfigError(
            "the address of the store or of the events has an invalid host or port",
            fix="write it as redis://:password@127.0.0.1:6379/0",
        ) from error


def open_store(url: str) -> Store:
    """Return the store of a URL: none, a folder, or an address such as redis://host:6379/0.

    Args:
        url: "none" for streams in memory alone; a folder, or "sqlite:FOLDER", for SQLite; or a URL.

    Raises:
        ConfigError: The scheme is unknown, the address cannot be taken apart, or its library is not installed.
        StoreError: The store cannot be opened.
    """
    if url == "none":
        from ostinato.serve.store_memory import MemoryStore

        return MemoryStore()
    if url.startswith(("redis", "valkey")) and "://" in url:  # PostgreSQL takes several hosts, and checks them itself
        check_address(url)
    if url.lower().startswith("sqlite:/") and "://" in url:
        raise ConfigError(
            f"the store {url} is the address of a file, expected a folder",
            fix=f"give a folder, such as --store {PurePath(url).stem or 'streams'}",
        )
    scheme = url.partition(":")[0].lower() if "://" in url or url.startswith("sqlite:") else "sqlite"
    if scheme not in STORES:
        raise ConfigError(
            f"the store {scheme}:// is unknown, expected one of {', '.join(sorted(STORES))}, a folder, or none",
            fix=advice(scheme, STORES, "give a folder, such as --store streams"),
        )
    module, name = STORES[scheme]
    make: Callable[[str], Store] = getattr(import_module(module), name)
    return make(url)
