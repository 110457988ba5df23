"""The threads of the engine: the same results for every number, and threads that stay, survive a fork and let go."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine_calls import (
    assert_is_reference,
    assert_is_reference_and_repeats,
    cells,
    engine,
    long_row,
    output_of,
    problem,
    shared_by,
    with_gradients,
)
from ostinato.ops.engine import extension

if extension.ABSENT:
    pytest.skip(extension.ABSENT, allow_module_level=True)

from ostinato.ops.engine import _engine

COUNTS = [1, 2, 7, 16]


@pytest.fixture(params=[(99, 1), (1, 99), (2, 99)], ids=["rows", "columns", "both"])
def forced(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let every call take all the threads that it may, so that small problems have many."""
    with shared_by(*request.param):
        yield


@cells
@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize("threads", COUNTS)
def test_every_number_of_threads_is_the_reference_and_repeats_itself(cell: str, threads: int) -> None:
    torch.set_num_threads(threads)
    assert_is_reference_and_repeats(cell, 12, 21, [12, 1, 0, 9, 12, 11, 7, 12, 12, 3, 3, 12, 5, 8, 2, 12, 10, 6])


@cells
@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize("threads", COUNTS)
def test_a_team_on_one_row_is_the_reference_and_repeats_itself(cell: str, threads: int) -> None:
    torch.set_num_threads(threads)
    call = problem(cell, 60, 1, 5, 37)
    assert_is_reference(call)
    one, other = with_gradients(engine, call), with_gradients(engine, call)
    assert all(torch.equal(a, b) for a, b in zip(one[0] + one[1], other[0] + other[1], strict=True))


def _threads(cell: str, bits: int, sizes: tuple[int, int, int, int, int, int, bool], most: int) -> int:
    parts, team, _ = _engine.grid_of(cell, bits, sizes, most)
    return parts * team


@pytest.mark.parametrize("bits", [32, 64])
@cells
def test_a_part_has_at_least_half_the_rows_of_a_tile(cell: str, bits: int) -> None:
    """With work without end the rows decide; half of a tile are 2.5 of 5 rows with AVX-512, and 2 of 4 elsewhere."""
    half = 2.5 if _engine.set_in_use() == "avx512" else 2
    for B in range(2, 200):
        parts, team, together = _engine.grid_of(cell, bits, (B, 10**6, B * 10**6, 512, 512, 512, False), 16)
        assert parts == 1 or B / parts >= half
        assert together == (team > 1)
        assert parts * team > 8  # columns are shared where the rows do not suffice


@given(T=st.integers(1, 2000), B=st.integers(1, 300), H=st.integers(1, 600), most=st.integers(1, 64))
def test_more_allowed_threads_are_never_fewer_taken(T: int, B: int, H: int, most: int) -> None:
    sizes = (B, T, T * B, H, H, H, False)
    taken = _threads("gru", 32, sizes, most)
    assert 1 <= taken <= most
    assert taken <= _threads("gru", 32, sizes, most + 1)


def test_a_small_call_has_one_thread() -> None:
    assert _threads("gru", 32, (1, 100, 100, 1, 32, 32, False), 64) == 1
    assert _threads("gru", 32, (32, 10, 320, 8, 16, 16, False), 64) == 1


@cells
@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize("threads", COUNTS)
def test_wide_cells_are_the_reference_in_both_types(cell: str, threads: int) -> None:
    """Several blocks of columns for each thread, whose number is no multiple of a group, and two chunks of steps."""
    torch.set_num_threads(threads)
    assert_is_reference(problem(cell, 8, 40, 19, 163, torch.float32))
    assert_is_reference(problem(cell, 3, 3, 150, 90))


def _run(script: str) -> str:
    """Run a script in a new process that computes with seven threads, and return its output."""
    head = """
import os, threading, torch
from engine_calls import engine, problem
from ostinato.ops.engine import _engine
torch.set_num_threads(7)
_engine.use_openmp(0, 0, 0, 0, 0, False)
_engine.force_grid(99, 1)
call = problem("gru", 20, 14, 3, 9)
def threads(): return len(os.listdir("/proc/self/task"))
"""
    return output_of(head + script)


on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads by /proc")


@on_linux
def test_threads_stay_and_serve_every_call_a_fork_and_the_end_of_the_process() -> None:
    """One process, because torch takes seconds to start: the counts come from the kernel's list of threads."""
    said = _run("""
before = threads()
first = engine(call)[0]
made = threads()
for _ in range(50): engine(call)
assert threads() == made == before + 6, (before, made, threads())

child = os.fork()
if not child:
    same = torch.equal(engine(call)[0], first)
    os._exit(0 if same and threads() == 7 else 9)
assert os.waitpid(child, 0)[1] == 0
left = threads()  # without those of a BLAS, which ends its threads before a fork
assert torch.equal(engine(call)[0], first) and threads() == left

stop = threading.Event()
def often():
    while not stop.is_set(): engine(call)
other = threading.Thread(target=often)
other.start()
child = os.fork()  # while another thread computes
if not child: os._exit(0 if torch.equal(engine(call)[0], first) else 9)
assert os.waitpid(child, 0)[1] == 0
stop.set()
other.join()
print("done")  # and the process ends while its threads sleep
""")
    assert said == "done"


@on_linux
def test_a_process_ends_while_a_thread_that_nobody_joins_is_inside() -> None:
    """The interpreter ends such a thread when it takes the lock again, and C++ would end the process with it.

    Without gradients, because torch's own backward takes the lock too, and rarely ends the process so.
    """
    said = _run("""
import sys
sys.setswitchinterval(1e-5)
long = problem("lstm", 300, 14, 3, 64)
def often():
    while True: engine(long)
began = threads()
for _ in range(3): threading.Thread(target=often, daemon=True).start()
while threads() < began + 9: pass
print("ends")
""")
    assert said == "ends"


@cells
def test_a_long_row_takes_a_team_without_force(cell: str) -> None:
    torch.set_num_threads(3)
    call = long_row(cell, 2500, 110)
    sizes = (1, 2500, 2500, 110, 110, call.h0.shape[1], False)
    assert _threads(cell, 64, sizes, 3) > 1
    one, other = engine(call), engine(call)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
