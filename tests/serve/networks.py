"""Two namespaces of networks with one link between them, which can be cut; nothing of it is seen outside."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, final

T = TypeVar("T")
#: What setns is asked for: a network.
_NETWORK = 0x40000000
#: How a link is cut: it is down here; it is down there, so that what is sent is lost without a word; or only what comes
#: back is lost, so that the other side does what it was asked for.
CUTS = ("down", "requests", "answers")


def refusal() -> str:
    """Why there can be no namespaces of networks here; empty if there can be."""
    name = f"ost{os.getpid()}p"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    except FileNotFoundError:
        return "namespaces of networks need the program ip"
    if made.returncode:
        return "namespaces of networks are not permitted"
    _ip("netns", "del", name)
    return ""


@final
class Link:
    """Two namespaces, here and there, and the link between them.

    Attributes:
        there: The address of the other side.
    """

    there = "192.0.2.2"

    def __init__(self, here: str, other: str) -> None:
        self._here, self._other = here, other

    def inside(self, call: Callable[[], T], *, there: bool = False) -> T:
        """Call in one of the namespaces; threads and processes that begin in it stay in it."""
        found: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                _enter(self._other if there else self._here)
                found.append(call())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return found[0]

    def cut(self, how: str) -> None:
        """Cut the link in one of ``CUTS``."""
        match how:
            case "down":
                _ip("-n", self._here, "link", "set", "wire", "down")
            case "requests":
                _ip("-n", self._other, "link", "set", "wire", "down")
            case "answers":
                _ip("-n", self._other, "route", "add", "blackhole", "192.0.2.1/32")
            case _:
                raise AssertionError(how)

    def mend(self) -> None:
        """Let the link work again."""
        for name in (self._here, self._other):
            _ip("-n", name, "link", "set", "wire", "up")
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("-n", self._other, "route", "del", "blackhole", "192.0.2.1/32")


@contextlib.contextmanager
def linked() -> Iterator[Link]:
    """Yield two namespaces that are linked."""
    here, other = f"ost{os.getpid()}a", f"ost{os.getpid()}b"
    try:
        for name in (here, other):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", here, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", other)
        for name, address in ((here, "192.0.2.1"), (other, Link.there)):
            _ip("-n", name, "addr", "add", f"{address}/30", "dev", "wire")
            _ip("-n", name, "link", "set", "wire", "up")
        yield Link(here, other)
    finally:
        for name in (here, other):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "del", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _enter(name: str) -> None:
    """Bring this thread into a namespace."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    number = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if libc.setns(number, _NETWORK):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(number)
