"""Which libraries lost their threads in this process, because it is a fork of one in which they ran.

A fork copies the one thread that asks for it. A library that waits for its other threads in the copy waits for ever.
The processes of ``multiprocessing`` are forks on Linux up to Python 3.13.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from ostinato.errors import ConfigError

#: The threads that polars starts with its first query. A fork can do without those that it starts when it is loaded.
_POLARS = re.compile(r"polars-\d|tokio-rt-worker")
_ran: set[str] = set()
_lost: set[str] = set()


def runs(library: str) -> None:
    """Note that a library runs threads in this process from now on."""
    _ran.add(library)


def is_lost(library: str) -> bool:
    """Return whether the threads of a library were lost."""
    return library in _lost


def require_polars() -> None:
    """Make sure that polars can compute here, and note that it does.

    Raises:
        ConfigError: It lost its threads.
    """
    if is_lost("polars"):
        raise ConfigError(
            "no table can be read or computed in this process: it is a fork of one that had read a table, and the "
            "threads of polars, which does that, are not copied by a fork",
            fix="start processes with multiprocessing.get_context('spawn'), or read the tables before the fork",
        )
    runs("polars")


def _before() -> None:
    """Note whether the caller has used polars itself. On systems without /proc this is not known."""
    if "polars" in sys.modules and "polars" not in _ran:
        try:
            names = [name.read_text() for name in Path("/proc/self/task").glob("*/comm")]
        except OSError:  # a thread that has just ended
            names = []
        if any(_POLARS.match(name) for name in names):
            runs("polars")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_child=lambda: _lost.update(_ran))
