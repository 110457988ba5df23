"""Fixtures for every test."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ostinato.cli.stopping import SIGNALS
from warm import early, restore

#: The threads of each test that does not set its own number; CI runs the tests of the engine with several.
THREADS = int(os.environ.get("TEST_THREADS", "1"))

# Python looks for cycles after each 700 objects more, and tests and libraries have them by the million. Nearly all that
# the collection of tests makes stays to the end, so nothing is looked for until then.
gc.set_threshold(50_000, 10, 10)
gc.disable()

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

#: Long tests, which begin a run: at its end, the other workers would wait for them. There a worker also takes tests
#: from another, and both would make the fixture that the tests of a file share, or start a cluster of their own.
FIRST = ("tests/typing/", "tests/training/test_workers.py", "tests/scale/")


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """Return the path of a file of real data next to the checkout; skip the test if the file is missing."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs ../shared/data/{name}")
        return path

    return find


@pytest.fixture(autouse=True)
def _threads() -> None:
    torch.set_num_threads(THREADS)


#: The variables of ``warm.early`` with which the first test begins.
_began: dict[str, str] = {}


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """Take back the variables that a test leaves, and those that a fixture of several tests leaves, as Ray does.

    With other variables than those of ``warm.programs`` each command would start a Python of its own.
    """
    yield
    restore(_began)


@pytest.fixture
def heeded() -> Iterator[None]:
    """No signal is ignored, here and in what is started here, as some are in a job behind nohup or an ampersand.

    Nor has one a handler that another library left.
    """
    usual = dict.fromkeys(SIGNALS, signal.SIG_DFL) | {signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of FIRST in front; the others keep their order."""
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


def pytest_collection_finish() -> None:
    """Tell Python's garbage collector of what stays to the end, and let it begin.

    17,000 collected tests and the libraries are a million objects: each full collection took half a second.
    """
    _began.update(early(dict(os.environ)))
    gc.freeze()
    gc.enable()
