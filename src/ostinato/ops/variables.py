"""The environment variables that force a choice of the code that computes."""

from __future__ import annotations

import os
from typing import Any, Final

from ostinato.errors import ConfigError

#: Forces an implementation, for example "reference", for every cell.
IMPLEMENTATION: Final = "OSTINATO_IMPLEMENTATION"

#: Forces an instruction set of the compiled engine: one of the names that ``ops.engine.extension.sets`` returns.
INSTRUCTION_SET: Final = "OSTINATO_ISA"

#: 0 switches our kernels for GPUs off; 1 tries them on GPUs too on which they were not checked.
GPU_KERNELS: Final = "OSTINATO_GPU_KERNELS"


#: The dictionary behind os.environ, if it has one: to ask os.environ itself for what it lacks takes a microsecond.
_ENVIRONMENT: Any = getattr(os.environ, "_data", os.environ)
_KEY: Any = os.environ.encodekey(IMPLEMENTATION) if hasattr(os.environ, "_data") else IMPLEMENTATION


def is_named() -> bool:
    """Return whether the environment variable names an implementation."""
    return _KEY in _ENVIRONMENT


def __getattr__(name: str) -> bool:
    """Return whether ``IMPLEMENTATION`` is set, as the attribute ``named``, for code that torch.compile traces.

    The tracer guards an attribute of a module by one comparison before each call. A look into os.environ it guards by
    every variable that is set, and compiles again when any other is.

    Raises:
        AttributeError: Another attribute is asked for.
    """
    if name != "named":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return is_named()


def gpu_kernels() -> str | None:
    """Return the value of ``GPU_KERNELS``; None if it is not set.

    Raises:
        ConfigError: It is neither 0 nor 1.
    """
    value = os.environ.get(GPU_KERNELS) or None
    if value not in {None, "0", "1"}:
        raise ConfigError(
            f"{GPU_KERNELS} is {value!r}, expected 0 or 1",
            where=f"the environment variable {GPU_KERNELS}",
            fix="set 0 to switch the kernels for GPUs off, set 1 to try them on GPUs on which they were not checked, "
            "or unset the variable",
        )
    return value
