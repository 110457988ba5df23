"""The compiled engine, where it is there: loading it, its instruction set, and what it cannot run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from ostinato.errors import ConfigError

try:
    from ostinato.ops.engine import _engine
except ImportError as error:
    _engine = None  # type: ignore[assignment]
    ABSENT: str | None = f"the compiled engine is not installed: {error}"
else:
    ABSENT = None

#: Forces an instruction set: one of those that ``sets`` lists.
VARIABLE = "OSTINATO_ISA"

DTYPES = (torch.float32, torch.float64)


def sets() -> list[str]:
    """The instruction sets that this processor can run, the best first; none where the engine is absent."""
    return [] if ABSENT else _engine.sets()


def set_in_use() -> str | None:
    """The instruction set that runs."""
    return None if ABSENT else _engine.set_in_use()


def use_set(name: str) -> None:
    """Run by this instruction set from now on. Raises ConfigError for one that is absent or cannot run."""
    if name not in sets():
        raise ConfigError(
            f"the engine cannot run by {name!r}", where=VARIABLE, fix=f"one of {', '.join(sets())}, or leave it open"
        )
    _engine.use_set(name)


def refusal(facts: Mapping[str, Any]) -> str | None:
    """Why the engine cannot run under these facts (device, dtype), or None where it can."""
    if ABSENT:
        return ABSENT
    device, dtype = facts.get("device", "cpu"), facts.get("dtype", torch.float32)
    if device != "cpu":
        return f"the engine computes on the CPU, not on {device}"
    if dtype not in DTYPES and not torch.is_autocast_enabled("cpu"):
        return f"the engine computes in float32 and float64, not in {str(dtype).removeprefix('torch.')}"
    return None


if not ABSENT and os.environ.get(VARIABLE):
    use_set(os.environ[VARIABLE])
