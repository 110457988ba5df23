"""What a person sees while a command runs: notes, and on a terminal a sign that the command is at work."""

from __future__ import annotations

import itertools
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from ostinato.cli import stopping

#: The seconds without any output after which the sign appears, and the seconds between two of its pictures.
SILENCE: Final = 0.5
FRAME: Final = 0.2
_ERASE: Final = "\r\033[K"


class _Screen:
    """The state of the screen: what is being done, whether notes are wanted, and whether the sign is drawn.

    Attributes:
        words: What the command is doing, such as "reading sales.csv".
        names: What a person calls a file, by its path: "standard input" for the file that keeps what came through it.
        quiet: Whether results and errors alone are wanted.
        rounded: Whether tables are read by a person although standard output is not a terminal.
        machine: Whether a program reads standard output, so that an error must be JSON there too.
        changed: The time of the last output, in seconds.
        drawn: Whether the sign is on the screen.
    """

    def __init__(self) -> None:
        self.words = ""
        self.names: dict[str, str] = {}
        self.quiet = False
        self.rounded = False
        self.machine = False
        self.changed = 0.0
        self.drawn = False
        self.lock = threading.RLock()

    def erase(self, stream: Any) -> None:
        """Remove the sign before something else is written."""
        with self.lock:
            if self.drawn:
                stream.write(_ERASE)
                stream.flush()
            self.drawn, self.changed = False, time.monotonic()

    def draw(self, stream: Any, picture: str, since: float) -> None:
        """Draw the sign if nothing was written for a while."""
        with self.lock:
            now = time.monotonic()
            if not self.words and self.drawn:
                self.erase(stream)
            if not self.words or (not self.drawn and now - self.changed < SILENCE):
                return
            line = f"{picture} {self.words}, {now - since:.0f} s"
            stream.write(_ERASE + line[: shutil.get_terminal_size().columns - 1])
            stream.flush()
            self.drawn = True


_screen = _Screen()


class _Watched:
    """A stream to a terminal, from which the sign disappears before anything else is written."""

    def __init__(self, stream: Any, signs: Any) -> None:
        self._stream = stream
        self._signs = signs

    def write(self, text: str) -> int:
        _screen.erase(self._signs)
        written: int = self._stream.write(text)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def say(text: str) -> None:
    """Print a note on standard error, so that standard output holds only data; with ``--quiet`` print nothing."""
    if not _screen.quiet:
        print(text, file=sys.stderr)


def watched() -> bool:
    """Return whether a person watches: standard error is a terminal, and ``--quiet`` was not given."""
    return sys.stderr.isatty() and not _screen.quiet


def hushed() -> bool:
    """Return whether ``--quiet`` was given."""
    return _screen.quiet


def quiet(wanted: bool) -> bool:
    """Set whether results and errors alone are printed, and return it: the callback of ``--quiet``."""
    _screen.quiet = wanted
    return wanted


def read_by_person() -> bool:
    """Return whether a person reads standard output, so that numbers have significant digits alone."""
    return _screen.rounded or sys.stdout.isatty()


def machine() -> bool:
    """Return whether ``--json`` was given."""
    return _screen.machine


def read_by_program(wanted: bool) -> None:
    """Set whether a program reads standard output."""
    _screen.machine = wanted


@contextmanager
def rounded() -> Iterator[None]:
    """Print numbers for a person, although standard output is not a terminal."""
    before, _screen.rounded = _screen.rounded, True
    try:
        yield
    finally:
        _screen.rounded = before


def doing(words: str) -> None:
    """Set the words of the progress sign, such as "reading sales.csv".

    Raises:
        Stopped: The command has already received a signal to stop.
    """
    stopping.check()
    for path, name in _screen.names.items():
        words = words.replace(path, name)
    _screen.words = words


@contextmanager
def called(names: dict[str, str]) -> Iterator[None]:
    """Let the sign call files as a person does.

    Args:
        names: What each file is called, by its path.
    """
    before, _screen.names = _screen.names, names
    try:
        yield
    finally:
        _screen.names = before


@contextmanager
def sign(words: str) -> Iterator[None]:
    """Show on a terminal that a command is at work, whenever it has written nothing for a while.

    Args:
        words: What the command is doing, until ``doing`` says something else.
    """
    doing(words)
    error, output = sys.stderr, sys.stdout
    if not error.isatty():
        yield
        return
    _screen.changed = time.monotonic()
    ended = threading.Event()
    thread = threading.Thread(target=_turn, args=(error, ended), daemon=True)
    sys.stderr = _Watched(error, error)
    if output.isatty():
        sys.stdout = _Watched(output, error)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _screen.erase(error)
        sys.stderr, sys.stdout = error, output


def _turn(stream: Any, ended: threading.Event) -> None:
    """Draw the sign again and again until the command has ended."""
    since = time.monotonic()
    for picture in itertools.cycle("|/-\\"):
        if ended.wait(FRAME):
            return
        if not _screen.quiet:
            _screen.draw(stream, picture, since)
