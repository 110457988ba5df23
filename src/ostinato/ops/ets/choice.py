"""The implementation of exponential smoothing that runs, without the import of torch where torch is not needed.

Torch takes longer to import than a series takes to be forecast. The choice is that of ``ops.selection``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ostinato.ops.ets import array, native
from ostinato.ops.variables import IMPLEMENTATION


def unroll_in_use() -> Callable[..., Any]:
    """Return the function that unrolls, as ``pick("ets")`` does."""
    if IMPLEMENTATION not in os.environ:
        return array.unroll if native.refusal({}) else native.unroll
    from ostinato.ops.selection import pick

    return pick("ets")
