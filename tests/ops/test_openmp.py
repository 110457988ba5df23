"""The engine on the threads of an OpenMP library: torch's own, and one in Python that grants what a test says."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ctypes.util import find_library
from functools import partial
from queue import SimpleQueue
from typing import Any

import pytest
import torch
from torch import Tensor

from engine_calls import assert_is_reference, cells, engine, output_of, problem, shared_by, with_gradients
from ostinato import nn
from ostinato.ops.engine import extension, openmp
from ostinato.ops.engine.places import Places

if extension.ABSENT:
    pytest.skip(extension.ABSENT, allow_module_level=True)

from ostinato.ops.engine import _engine

#: Rows of many lengths, so that parts differ.
LENGTHS = torch.tensor([12, 1, 0, 9, 12, 11, 7, 12, 12, 3, 3, 12, 5, 8, 2, 12, 10, 6])

GRIDS = pytest.mark.parametrize("grid", [(99, 1), (1, 99), (2, 99)], ids=["rows", "columns", "both"])


class Library:
    """An OpenMP library in Python: its regions have ``granted`` threads, although it says ``most``."""

    def __init__(self, most: int, granted: int) -> None:
        self.most, self.granted, self.regions = most, granted, 0
        self.of_thread = threading.local()
        work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        asked = ctypes.CFUNCTYPE(ctypes.c_int)
        self.functions: list[Any] = [
            ctypes.CFUNCTYPE(None, work, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)(self.region),
            asked(lambda: getattr(self.of_thread, "rank", 0)),
            asked(self.size),
            asked(lambda: self.most),
            asked(lambda: int(self.size() > 1)),
        ]

    def size(self) -> int:
        """Return the threads of the region that this thread is in."""
        return int(getattr(self.of_thread, "size", 1))

    def region(self, work: Any, data: int, count: int, flags: int) -> None:
        """Run a region, as GOMP_parallel does."""
        assert (count, flags) == (0, 0)  # as many threads as the library has
        self.regions += 1

        def enter(rank: int) -> None:
            self.of_thread.rank, self.of_thread.size = rank, self.granted
            work(data)
            self.of_thread.rank, self.of_thread.size = 0, 1

        self.together(enter)

    def together(self, enter: Callable[[int], None]) -> None:
        """Call enter(rank) in every thread of a region."""
        others = [threading.Thread(target=enter, args=(rank,)) for rank in range(1, self.granted)]
        for each in others:
            each.start()
        enter(0)
        for each in others:
            each.join()


class Kept(Library):
    """A library whose threads stay between its regions, and sleep there."""

    def __init__(self, count: int) -> None:
        super().__init__(count, count)
        self.tasks = [SimpleQueue[Callable[[], None] | None]() for _ in range(1, count)]
        self.done = SimpleQueue[None]()
        for each in self.tasks:
            threading.Thread(target=self.serve, args=(each,), daemon=True).start()

    def serve(self, tasks: SimpleQueue[Callable[[], None] | None]) -> None:
        """Run tasks until there is None."""
        while (task := tasks.get()) is not None:
            task()
            self.done.put(None)

    def together(self, enter: Callable[[int], None]) -> None:
        """Call enter(rank) in every thread of a region."""
        for rank, each in enumerate(self.tasks, 1):
            each.put(partial(enter, rank))
        enter(0)
        for _ in self.tasks:
            self.done.get()

    def use(self) -> None:
        """Let every thread compute for a millisecond, as a region of somebody else does."""

        def compute(rank: int) -> None:
            end = time.thread_time() + 1e-3
            while time.thread_time() < end:
                pass

        self.together(compute)

    def close(self) -> None:
        """End the threads."""
        for each in self.tasks:
            each.put(None)


@contextmanager
def computing_on(library: Library | None, watched: bool = False) -> Iterator[None]:
    """Let the engine compute on a library, or on its own threads, and afterwards on torch's again."""
    found = [ctypes.cast(f, ctypes.c_void_p).value or 0 for f in library.functions] if library else [0] * 5
    parallel, rank, size, most, inside = found
    _engine.use_openmp(parallel, rank, size, most, inside, watched=watched)
    try:
        yield
    finally:
        openmp.adopt()


def _same(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one[0] + one[1], other[0] + other[1], strict=True))


@cells
@GRIDS
@pytest.mark.parametrize("granted", [1, 2, 5, 7, 9])
def test_however_many_threads_are_granted_the_bits_are_those_of_our_own(cell: str, grid: Any, granted: int) -> None:
    torch.set_num_threads(7)
    call = problem(cell, 12, len(LENGTHS), 3, 21, places=Places(LENGTHS))
    with shared_by(*grid):
        with computing_on(None):
            own = with_gradients(engine, call)
        library = Library(7, granted)
        with computing_on(library):
            assert _same(with_gradients(engine, call), own)
        assert library.regions > 0


@pytest.mark.parametrize("granted", [1, 2, 3, 4, 7, 8, 16])
@pytest.mark.parametrize("grid", [(99, 1), (1, 99), (2, 2)], ids=["rows", "columns", "both"])
def test_each_direction_has_half_of_a_region(grid: Any, granted: int) -> None:
    torch.set_num_threads(8)
    torch.manual_seed(0)
    net, x = nn.LSTM(9, 33, bidirectional=True), torch.randn(12, 18, 9)

    def step() -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        y, state = net(x)
        return (y.detach(),), torch.autograd.grad(y.sum() + state[0].sum(), tuple(net.parameters()))

    with shared_by(*grid):
        with computing_on(None):
            own = step()
        library = Library(8, granted)
        with computing_on(library):
            assert _same(step(), own)
        assert library.regions > 0


def test_a_call_within_a_region_takes_threads_of_our_own() -> None:
    torch.set_num_threads(3)
    call = problem("gru", 12, 18, 3, 21)
    library = Library(3, 3)
    with shared_by(99, 1), computing_on(library):
        free = engine(call)
        before = library.regions
        library.of_thread.size = 2  # as in a thread of a region
        assert not _engine.has_openmp(2)
        assert all(torch.equal(a, b) for a, b in zip(engine(call), free, strict=True))
        assert library.regions == before > 0


def test_a_call_of_more_threads_than_the_library_has_takes_our_own() -> None:
    torch.set_num_threads(4)
    library = Library(3, 3)
    with shared_by(99, 1), computing_on(library):
        assert_is_reference(problem("lstm", 12, 18, 3, 21))
    assert library.regions == 0


@pytest.fixture
def torchs() -> Iterator[None]:
    """Compute on torch's threads in every call, whether others use them or not."""
    openmp.adopt(watched=False)
    yield
    openmp.adopt()


with_openmp = pytest.mark.skipif(openmp.addresses() is None, reason="torch computes without OpenMP here")


@with_openmp
@pytest.mark.usefixtures("torchs")
@cells
@GRIDS
def test_between_operators_of_torch_every_number_of_threads_repeats_itself(cell: str, grid: Any) -> None:
    """Torch's numbers change between the calls, and its own operators take the same threads."""
    call = problem(cell, 12, len(LENGTHS), 3, 21, places=Places(LENGTHS))
    large = torch.randn(400, 400)
    found: dict[int, Any] = {}
    with shared_by(*grid):
        for threads in (1, 2, 3, 7, 16, 3, 7, 1, 2):
            torch.set_num_threads(threads)
            assert _engine.has_openmp(threads)
            assert float(large.exp().sum()) > 0
            step = with_gradients(engine, call)
            assert _same(step, found.setdefault(threads, step))
        assert_is_reference(call)


@with_openmp
@pytest.mark.usefixtures("torchs")
def test_threads_of_python_compute_at_the_same_time() -> None:
    torch.set_num_threads(3)
    call = problem("lstm", 30, 18, 3, 21)
    with shared_by(3, 1):
        true = with_gradients(engine, call)
        same: list[bool] = []

        def often() -> None:
            torch.set_num_threads(3)
            for _ in range(10):
                float(torch.ones(300, 300).exp().sum())
                same.append(_same(with_gradients(engine, call), true))

        threads = [threading.Thread(target=often) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert same == [True] * 30


@with_openmp
def test_a_watched_library_gives_the_same_bits_whoever_used_it_last() -> None:
    """Calls go from torch's threads to ours and back, as others use torch's or not."""
    torch.set_num_threads(3)
    call, large = problem("gru", 12, 18, 3, 21), torch.randn(400, 400)
    with shared_by(3, 1):
        true = with_gradients(engine, call)
        for i in range(60):
            if i % 20 < 10:
                assert float(large.exp().sum()) > 0
            else:
                time.sleep(0.005)
            assert _same(with_gradients(engine, call), true)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing says how long a thread computed")
def test_a_watched_library_is_taken_only_while_others_use_it() -> None:
    library, call = Kept(3), problem("gru", 12, 18, 3, 21)

    def taken() -> bool:
        """Return whether a call has a region."""
        before = library.regions
        engine(call)
        return library.regions > before

    def calls() -> list[bool]:
        torch.set_num_threads(3)
        found = [taken()]  # nothing is known of the threads yet
        time.sleep(0.1)  # the threads have come to rest after the region
        found += [taken(), taken()]
        library.use()
        return [*found, taken()]

    # what is known of the threads is known in each thread of Python, so a new one knows nothing
    with shared_by(3, 1), computing_on(library, watched=True), ThreadPoolExecutor(1) as fresh:
        assert fresh.submit(calls).result() == [True, False, False, True]
    library.close()


@with_openmp
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_child_of_a_fork_computes_on_threads_of_our_own() -> None:
    """The child has the library but none of its threads: a region would wait for them without end."""
    script = """
import os, torch
from engine_calls import engine, problem
from ostinato import nn
from ostinato.ops.engine import _engine, openmp
openmp.adopt(watched=False)
torch.set_num_threads(4)
_engine.force_grid(99, 1)
call = problem("gru", 20, 14, 3, 9)
both = nn.GRU(9, 9, bidirectional=True)
x = torch.randn(5, 8, 9)
with torch.no_grad():
    float(torch.ones(400, 400).exp().sum())
    assert _engine.has_openmp(4)
    first, y = engine(call)[0], both(x)[0]
    child = os.fork()
    if not child:
        same = torch.equal(engine(call)[0], first) and torch.equal(both(x)[0], y)
        os._exit(0 if same and not _engine.has_openmp(4) else 9)
    assert os.waitpid(child, 0)[1] == 0
    assert torch.equal(engine(call)[0], first) and _engine.has_openmp(4)
print("done")
"""
    assert output_of(script) == "done"


@with_openmp
@pytest.mark.skipif(sys.platform != "linux", reason="libraries are loaded first by LD_PRELOAD, which is Linux's")
@pytest.mark.parametrize("name", ["omp", "iomp5"])
def test_the_library_of_another_compiler_takes_the_place_of_gccs(name: str) -> None:
    """Clang's and Intel's library also have the functions that torch, compiled by GCC, calls."""
    library = find_library(name)
    if library is None:
        pytest.skip(f"lib{name} is not installed")
    script = """
import torch
from engine_calls import assert_is_reference, engine, problem
from ostinato.ops.engine import _engine, openmp
openmp.adopt(watched=False)
_engine.force_grid(99, 1)
call = problem("lstm", 12, 18, 3, 21)
for threads in (1, 2, 3, 7):
    torch.set_num_threads(threads)
    assert float(torch.ones(400, 400).exp().sum()) > 0
    assert _engine.has_openmp(threads)
    assert_is_reference(call)
at = openmp.addresses()[0]
for line in open("/proc/self/maps"):
    first, last = (int(bound, 16) for bound in line.split()[0].split("-"))
    if first <= at < last:
        print(line.split()[-1])
"""
    # a sanitizer's library that is loaded first must stay the first
    first = " ".join(filter(None, (os.environ.get("LD_PRELOAD"), library)))
    assert f"lib{name}" in output_of(script, LD_PRELOAD=first)
