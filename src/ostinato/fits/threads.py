"""How many threads torch computes with while a fit runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ostinato.errors import ConfigError


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with ``count`` threads, and put torch's own number back. Raises ConfigError for fewer than one."""
    if count < 1:
        raise ConfigError(f"{count} threads cannot be", fix="use 1 or more")
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
