"""Real servers of Redis and PostgreSQL, each in a temporary folder on a free port; and a counter that is killed."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ostinato.errors import OstinatoError
from ostinato.serve.store import Change, Record, Store


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(*names: str) -> str | None:
    """The first of these programs that is installed."""
    places = [os.environ.get("PATH", ""), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))]
    return next((found for name in names if (found := shutil.which(name, path=os.pathsep.join(places)))), None)


@dataclass
class Server:
    """A server that can be killed and started again on the same data."""

    url: str
    command: list[str]
    folder: Path
    user: str | None = None
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> Server:
        """Start it, and wait until it answers."""
        for _ in range(50):
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    self.command, stdout=log, stderr=log, user=self.user, cwd=self.folder, start_new_session=True
                )
            time.sleep(0.1)
            if self.process.poll() is None:
                break  # processes of a server that was killed may hold its memory for a moment
        opened(self.url).close()
        return self

    def kill(self) -> None:
        """End all of it without a warning. A process of PostgreSQL leads its own group, and would save once more."""
        assert self.process is not None
        for group in (self.process.pid, *children(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        self.process.wait()


def children(pid: int) -> list[int]:
    """The processes that a process has started; none where the system does not list them."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def opened(url: str) -> Store:
    """The store of a server that may be starting."""
    for attempt in range(600):
        try:
            return make(url)
        except OstinatoError:
            if attempt == 599:
                raise
            time.sleep(0.1)
    raise AssertionError


def lacking(scheme: str) -> str:
    """What this machine lacks to run such a server; empty for nothing."""
    _, programs, package = SERVERS[scheme]
    if importlib.util.find_spec(package) is None:
        return f"{package} is not installed"
    return "" if program(*programs) else f"{' and '.join(programs)} are not installed"


def make(url: str) -> Store:
    """The store of a URL."""
    from ostinato.serve.store_postgresql import PostgreSQLStore
    from ostinato.serve.store_redis import RedisStore

    return PostgreSQLStore(url) if url.startswith("postgresql") else RedisStore(url)


def redis(folder: Path, host: str = "127.0.0.1") -> Server:
    """Redis or Valkey, which syncs its log on each write."""
    found, port = program("valkey-server", "redis-server"), free_port()
    assert found is not None
    options = f"--port {port} --bind {host} --dir {folder} --appendonly yes --appendfsync always --save  --daemonize no"
    words = [found, *options.split(" "), "--protected-mode", "no"]
    return Server(f"redis://{host}:{port}/0", [w if w else "" for w in words], folder)


@cache
def _empty_database(user: str | None) -> Path:
    """A folder that PostgreSQL has prepared, which takes a second of the processor: it is copied."""
    initdb = program("initdb")
    assert initdb is not None
    made = Path(tempfile.mkdtemp(prefix="postgresql"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    if user:
        shutil.chown(made, user)
    words = [initdb, "-D", str(made / "data"), "-U", "ostinato", "-A", "trust", "--no-sync"]
    subprocess.run(words, check=True, capture_output=True, user=user)
    with (made / "data" / "pg_hba.conf").open("a") as rules:
        rules.write("host all all samenet trust\n")
    return made / "data"


def postgresql(folder: Path, host: str = "127.0.0.1") -> Server:
    """PostgreSQL, which does not run as root."""
    postgres, port = program("postgres"), free_port()
    assert postgres is not None
    user = "postgres" if os.getuid() == 0 else None
    if user:
        for part in (folder, *folder.parents):
            if part.stat().st_uid == os.getuid() and part != Path("/") and str(part).startswith("/tmp/"):
                part.chmod(0o755)
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(["cp", "-a", str(_empty_database(user)), str(data)], check=True)
    command = [postgres, "-D", str(data), "-p", str(port), "-c", f"listen_addresses={host}"]
    command += ["-c", f"unix_socket_directories={folder}", "-c", "shared_buffers=16MB"]
    return Server(f"postgresql://ostinato@{host}:{port}/postgres", command, folder, user)


#: The servers by the scheme of their URLs, with the programs and the package of Python that they need.
SERVERS: dict[str, tuple[Callable[..., Server], tuple[str, ...], str]] = {
    "redis": (redis, ("valkey-server", "redis-server"), "redis"),
    "postgresql": (postgresql, ("postgres",), "psycopg"),
}


def count(url: str) -> None:
    """Apply the events that come on standard input, one number a line, exactly once each; answer each when saved.

    The state is the sum of all events and the number of the last one, as a server keeps a stream.
    """
    store = opened(url)
    for line in sys.stdin:
        event = int(line)
        while True:
            try:
                held = store.load(["s"]).get("s")
                last, total = map(int, held.data.split()) if held else (0, 0)
                if event <= last:
                    break  # it was saved, and the answer was lost
                record = Record(held.version + 1 if held else 1, f"{event} {total + event}".encode())
                if not store.save([Change("s", record, new=held is None)]):
                    break
            except OstinatoError:
                time.sleep(0.05)
        print(event, flush=True)


if __name__ == "__main__":
    count(sys.argv[1])
