"""The number of threads of a worker in every library, so that workers do not compete for the cores."""

from __future__ import annotations

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def environment(count: int) -> dict[str, str]:
    """Return the environment variables that set the number of threads; they must be set before the libraries load."""
    return dict.fromkeys(NAMES, str(count))
