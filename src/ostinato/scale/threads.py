"""How many threads a process computes with, in every library: one, so that workers never fight over the cores."""

from __future__ import annotations

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def environment(count: int) -> dict[str, str]:
    """The environment of such a process; it counts before the libraries are loaded."""
    return dict.fromkeys(NAMES, str(count))
