"""How many threads a verb computes with: one decision for the engine, for torch, and for the BLAS of NumPy and SciPy.

Every verb has the option ``threads``. Inside a verb the decision is in force; afterwards every number is what it was.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from threading import Lock, local
from typing import Any, Literal, ParamSpec, TypeVar, final

from ostinato import forked
from ostinato.arguments import thread_count
from ostinato.numbers import counted

#: A number of threads, or "auto" for the decision by the machine.
Threads = int | Literal["auto"]

#: The environment variable that every library with OpenMP reads, and that Ray and torchrun set for their workers.
VARIABLE = "OMP_NUM_THREADS"

#: The environment variable with the number of processes of one training on a machine, which their launchers set.
GROUP = "LOCAL_WORLD_SIZE"

P = ParamSpec("P")
R = TypeVar("R")


@final
@dataclass(frozen=True)
class Decision:
    """The numbers of threads of one verb.

    Attributes:
        engine: The most threads of a call of the engine, which takes as many of them as the call is worth.
        torch: The threads of torch's own operators.
        blas: The threads of each BLAS: NumPy and SciPy may bring one each.
        why: The reason, as a sentence.
    """

    engine: int
    torch: int
    blas: int
    why: str

    def __str__(self) -> str:
        """Return the numbers and the reason in one line."""
        return f"{self.engine} for the engine, {self.torch} for torch, {self.blas} for each BLAS: {self.why}"


def decide(threads: Any = "auto") -> Decision:
    """Return the numbers of threads for a value of the option ``threads``.

    With "auto" the engine has every core: its threads sleep between its calls, and a call takes only as many as pay.
    torch and BLAS have one each: after each call their threads poll for work on cores that others need. The load of the
    machine is not looked at: with it, two equal runs would differ.

    Args:
        threads: A whole number, which holds for all of them; or "auto".

    Raises:
        ConfigError: The value is neither "auto" nor a whole number from 1 to 1024.
    """
    if not is_auto(threads):
        count = thread_count(threads)
        if forked.is_lost("torch"):
            return Decision(count, 1, count, "the number that was given; torch lost its threads in a fork")
        return Decision(count, count, count, "the number that was given")
    together = os.environ.get(GROUP, "")
    if together.isdigit() and int(together) > 1:
        return Decision(1, 1, 1, f"auto; {together} processes train together on this machine")
    count, why = cores()
    limit = os.environ.get(VARIABLE, "").split(",")[0]
    if limit.isdigit() and 0 < int(limit) < count:
        count, why = int(limit), f"{VARIABLE} is {limit}"
    return Decision(count, 1, 1, f"auto; {why}")


@contextmanager
def computing(threads: Any = "auto") -> Iterator[Decision]:
    """Compute with the numbers of threads that ``decide`` returns, and put the earlier ones back at the end.

    Inside another ``computing`` of the same thread, "auto" keeps the numbers of the outer one. Verbs may run at the
    same time in several threads of Python. The BLAS libraries have one number for the process: that of the verb that
    began last. The verb that ends last gives them their earlier number back.

    Args:
        threads: A whole number, or "auto".

    Yields:
        The decision that is in force.

    Raises:
        ConfigError: The value is neither "auto" nor a whole number from 1 to 1024.
    """
    outer = _thread.decisions[-1] if _thread.decisions else None
    decision = outer if outer is not None and is_auto(threads) else decide(threads)
    _begin(decision)
    try:
        yield decision
    finally:
        _end(decision)


def in_threads(verb: Callable[P, R]) -> Callable[P, R]:
    """Run a verb with the threads of its keyword ``threads``, which is "auto" by default."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with computing(kwargs.get("threads", "auto")):
            return verb(*args, **kwargs)

    return run


def engine_limit() -> int:
    """Return the most threads that a call of the engine may take: those of the verb, or outside of a verb torch's.

    Where torch was not loaded, they are those of the first decision: to load it takes longer than many calls.
    """
    if _running:  # else no thread is in a verb, and what a thread has of its own takes longer to ask
        decisions = _thread.decisions
        if decisions:
            return decisions[-1].engine
    torch = sys.modules.get("torch")
    return _without_torch() if torch is None else int(torch.get_num_threads())


@cache
def _without_torch() -> int:
    """Return the most threads of a call of the engine outside of a verb. It reads files, so it is decided once."""
    return decide().engine


def is_auto(threads: Any) -> bool:
    """Return whether the value of the option ``threads`` leaves the decision to the machine."""
    return isinstance(threads, str) and threads == "auto"


def cores() -> tuple[int, str]:
    """Return the number of cores that this process may use, and the reason as a clause.

    Two threads of one core share its units of arithmetic, so they count as one.
    """
    try:
        usable = os.sched_getaffinity(0)
    except AttributeError:
        usable = set(range(os.cpu_count() or 1))
    cpus = {_siblings(cpu) for cpu in usable}
    count, why = len(cpus), f"this process may use {counted(len(cpus), 'core')}"
    quota = _quota()
    if quota is not None and quota < count:
        count = max(1, int(quota))
        why = f"the quota of this process is {quota:g} of {len(cpus)} cores"
    return count, why


@cache
def _siblings(cpu: int) -> str:
    """Return what names the core of a processor: the list of the processors of the same core."""
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text()
    except OSError:
        return str(cpu)


@cache
def _quota() -> float | None:
    """Return the cores that the control group of a container allows, or None without a limit."""
    root = Path("/sys/fs/cgroup")
    try:
        limit, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    return float(limit) / float(period) if limit.isdigit() and int(period) else None


class _PerThread(local):
    """What each thread of Python has of its own: the decisions in force, the last one last, and torch's number."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.torch: int | None = None


_thread = _PerThread()
_lock = Lock()
#: The decisions in force in the whole process, the last one last, and what to put back after the last of them.
_running: list[Decision] = []
_earlier: dict[str, Any] = {"torch": None, "blas": []}


def _begin(decision: Decision) -> None:
    torch = _torch()
    with _lock:
        if not _running:
            _earlier.update(torch=None, blas=[(b, b.num_threads) for b in _blas()])
        if torch is not None:
            # asked in every thread: torch takes the number of the process over at the first question of a thread
            now = torch.get_num_threads()
            if _earlier["torch"] is None:
                _earlier["torch"] = now
            if _thread.torch is None:
                # a thread that begins while a verb runs elsewhere has taken over that verb's number
                _thread.torch = _earlier["torch"] if _running else now
            torch.set_num_threads(decision.torch)
            if decision.torch > 1:
                forked.runs("torch")
        _running.append(decision)
        _thread.decisions.append(decision)
        _set_blas(decision.blas)


def _end(decision: Decision) -> None:
    torch = _torch()
    with _lock:
        _remove(_running, decision)
        if _remove(_thread.decisions, decision) and torch is not None and _thread.torch is not None:
            torch.set_num_threads(_thread.decisions[-1].torch if _thread.decisions else _thread.torch)
        if not _thread.decisions:
            _thread.torch = None
        if _running:
            _set_blas(_running[-1].blas)
        else:
            for library, count in _earlier["blas"]:
                _set_one(library, count)


def _torch() -> Any:
    """Return torch if it is loaded, and None otherwise: a verb that needs it loads it before it computes."""
    return sys.modules.get("torch")


def _remove(decisions: list[Decision], decision: Decision) -> bool:
    """Remove one decision, by identity: equal ones of other verbs stay. Return whether it was there."""
    for i in range(len(decisions) - 1, -1, -1):
        if decisions[i] is decision:
            del decisions[i]
            return True
    return False


def _set_blas(count: int) -> None:
    for library, _ in _earlier["blas"]:
        if library.num_threads != count:
            _set_one(library, count)


def _set_one(library: Any, count: int) -> None:
    """Set the number of threads of one BLAS, from whichever thread of Python.

    From version 3.7 on, threadpoolctl ignores without a word all threads but the first that has set a number. Here a
    lock puts the threads in order instead, so none of them keeps that right.
    """
    release = getattr(library, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)
    library.set_num_threads(count)
    if release is not None:
        release()


@cache
def _blas() -> list[Any]:
    """Return the BLAS libraries of NumPy and SciPy, which are loaded here: one that came later would have all cores."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return list(ThreadpoolController().select(user_api="blas").lib_controllers)
