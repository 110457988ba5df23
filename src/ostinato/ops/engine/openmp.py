"""The OpenMP library that torch computes with, on whose threads the engine computes too; see csrc/openmp.h."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ostinato.ops.engine.extension import ABSENT

if not ABSENT:
    from ostinato.ops.engine import _engine

#: The functions of the library that the engine calls, in the order of ``use_openmp``.
FUNCTIONS = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads", "omp_get_max_threads", "omp_in_parallel")


def addresses() -> tuple[int, int, int, int, int] | None:
    """Return the addresses of FUNCTIONS in the library that torch calls, or None: torch computes without OpenMP."""
    if os.name != "posix" or not torch._C.has_openmp:
        return None
    for library in _searched():
        if all(hasattr(library, name) for name in FUNCTIONS):
            parallel, rank, size, most, inside = (_address(getattr(library, name)) for name in FUNCTIONS)
            return parallel, rank, size, most, inside
    return None


def adopt(watched: bool = True) -> None:
    """Let the engine compute on the threads of torch's OpenMP library, if there is one.

    Args:
        watched: Whether a call takes them only while others use them, and otherwise threads that sleep between calls.
    """
    _engine.use_openmp(*(addresses() or (0, 0, 0, 0, 0)), watched)


def in_words() -> str:
    """Return on which threads a call of the engine computes, as a clause."""
    if addresses() is None:
        return "threads of its own, because torch computes without OpenMP"
    return "threads of its own, or those of torch (OpenMP) in a loop in which torch uses several threads"


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _searched() -> Iterator[Any]:
    """Yield what the linker searched for the functions that torch calls: the program, then torch with what it needs."""
    yield ctypes.CDLL(None)
    ending = "dylib" if sys.platform == "darwin" else "so"
    path = Path(torch.__file__).parent / "lib" / f"libtorch_cpu.{ending}"
    try:
        # only if torch has loaded it: a second copy would have threads of its own
        yield ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except OSError:
        return
