"""Bearer tokens: made from 32 random bytes, kept as their SHA-256, each with its own limits."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import final

import msgspec

from ostinato.errors import ConfigError
from ostinato.numbers import counted
from ostinato.serve.errors import RefusedError
from ostinato.storage import atomic_write

_LOG = logging.getLogger("ostinato.serve")
#: The seconds between two checks of the file of tokens.
_EACH = 1.0
#: The size of a burst, as seconds of the rate of events.
_BURST = 10


class Kept(msgspec.Struct, forbid_unknown_fields=True):
    """A token at rest.

    Attributes:
        name: Whose it is.
        sha256: The SHA-256 of the token, which itself is nowhere.
        rate: The most events and other requests a second on average; a burst may have ten seconds' worth. A forecast
            counts by its work (``here.events``). None for no limit.
        streams: The most streams on the server while this token may begin new ones.
        body: The most bytes of a body.
    """

    name: str
    sha256: str
    rate: float | None = None
    streams: int | None = None
    body: int | None = None


@final
class Token:
    """A token that may be spent.

    Args:
        kept: The token at rest.
        look: What finds out whether the token has ended since.

    Attributes:
        ended: Whether it is no longer in the file.
    """

    def __init__(self, kept: Kept, look: Callable[[], None] = lambda: None) -> None:
        self.kept, self._look, self.ended = kept, look, False
        self.name, self.rate, self.streams, self.body = kept.name, kept.rate, kept.streams, kept.body
        self._left = _BURST * (kept.rate or 0)
        self._at = time.monotonic()
        #: What is called once the token has ended.
        self.at_end: set[Callable[[], object]] = set()

    def end(self) -> None:
        """Let the token end, with all that is open under it."""
        self.ended = True
        for call in list(self.at_end):
            call()

    def check_begin(self, count: int) -> None:
        """Check that a stream may begin.

        Args:
            count: The number of streams on the server.

        Raises:
            RefusedError: The token allows no more than there are.
        """
        if self.streams is not None and count >= self.streams:
            raise RefusedError(
                403,
                f"the server has {counted(count, 'stream')}, and the token allows no more than {self.streams:,}",
                fix="delete streams, or use a token with a higher limit",
            )

    def check_once(self, events: int, name: str) -> None:
        """Check that one request for sample paths is no more than a burst, which it would block the token beyond.

        Args:
            events: The events that it counts as.
            name: The option that makes it smaller.

        Raises:
            RefusedError: It is more.
        """
        if self.rate is not None and events > _BURST * self.rate:
            raise RefusedError(
                403,
                f"the request counts as {counted(events, 'event')}, and the token may send "
                f"{_BURST * self.rate:,.0f} at once",
                fix=f"lower {name}, or use a token with a higher rate",
            )

    def spend(self, events: int) -> None:
        """Count events against the rate.

        Raises:
            RefusedError: The rate is used up, or the token has ended.
        """
        self._look()
        if self.ended:
            raise RefusedError(401, "the token has ended", fix="send Authorization: Bearer TOKEN with another one")
        if self.rate is None:
            return
        now = time.monotonic()
        self._left = min(_BURST * self.rate, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < min(events, _BURST * self.rate):
            wait = (min(events, _BURST * self.rate) - self._left) / self.rate
            raise RefusedError(
                429, f"the token may send {counted(self.rate, 'event')} a second", fix="send more slowly", wait=wait
            )
        self._left -= events


@final
class Tokens:
    """The tokens of a file, by their hashes. A change of the file counts within a second, also for what is open.

    Args:
        path: The file.

    Raises:
        ConfigError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._seen, self._looked = path, _stamp(path), time.monotonic()
        self._tokens: dict[str, Token] = {}
        self._use(read(path))
        if not self._tokens:
            raise ConfigError("the file of tokens is empty", where=str(path), fix="make one: ostinato token NAME")

    def _use(self, kept: list[Kept]) -> None:
        """Go on with these tokens. One that stays as it is keeps what it has spent."""
        before = self._tokens
        self._tokens = {
            one.sha256: old if (old := before.get(one.sha256)) and old.kept == one else Token(one, self.look)
            for one in kept
        }
        for key, old in before.items():
            if self._tokens.get(key) is not old:
                old.end()

    def look(self) -> None:
        """Read the file again if it has changed; a file that cannot be read changes nothing."""
        now = time.monotonic()
        if now - self._looked < _EACH:
            return
        self._looked, stamp = now, _stamp(self._path)
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._use(read(self._path))
        except ConfigError as error:
            _LOG.error("the tokens stay as they are: %s", error.what)

    async def watch(self) -> None:
        """Look at the file again and again, so that a token also ends while nothing is sent."""
        while True:
            await asyncio.sleep(_EACH)
            self.look()

    def find(self, header: bytes) -> Token:
        """Return the token of the header Authorization.

        Raises:
            RefusedError: There is none, or an unknown one.
        """
        self.look()
        scheme, _, secret = header.partition(b" ")
        # the table is searched by the hash, so the time of the search says nothing about a token
        found = self._tokens.get(digest(secret.strip())) if scheme.lower() == b"bearer" else None
        if found is None:
            raise RefusedError(401, "the request has no valid token", fix="send Authorization: Bearer TOKEN")
        return found


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes with a file; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    # the time of the last change of its mode or owner too: a file that could not be read may be readable after it
    return found.st_ctime_ns, found.st_ino, found.st_size


def digest(secret: bytes) -> str:
    """Return the SHA-256 of a token. 256 random bits need no slow hash: nobody can try them all."""
    return hashlib.sha256(secret).hexdigest()


def read(path: Path) -> list[Kept]:
    """Return the tokens of a file.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Kept])
    except OSError as error:
        closed = isinstance(error, PermissionError)
        fix = "let the user of this process own the file" if closed else "make one: ostinato token NAME"
        raise ConfigError(f"cannot read the file of tokens: {error.strerror}", where=str(path), fix=fix) from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"the file of tokens is damaged: {error}", where=str(path), fix="make it again") from error


def add(path: Path, name: str, rate: float | None, streams: int | None, body: int | None) -> str:
    """Add a token to a file, in place of an earlier one of the same name, and return it; it is never shown again.

    Raises:
        ConfigError: The file cannot be read.
        WriteError: It cannot be written.
    """
    secret = secrets.token_urlsafe(32)
    kept = [one for one in (read(path) if path.exists() else []) if one.name != name]
    kept.append(Kept(name, digest(secret.encode()), rate, streams, body))
    before = path.stat() if path.exists() else None
    atomic_write(path, msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
    path.chmod(0o600)
    if before is not None and os.geteuid() == 0:
        os.chown(path, before.st_uid, before.st_gid)  # a server of another user goes on reading it
    return secret
