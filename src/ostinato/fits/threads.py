"""The number of threads that torch computes with while a fit runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ostinato.arguments import thread_count


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with ``count`` threads, and restore the earlier number of threads at the end.

    Args:
        count: The number of threads.

    Raises:
        ConfigError: The number is below 1.
    """
    count = thread_count(count)
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
