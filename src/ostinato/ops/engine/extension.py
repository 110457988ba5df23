"""The compiled engine, if it is installed: its import, its instruction set, and the tensors that it cannot take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ostinato.errors import ConfigError
from ostinato.ops.variables import INSTRUCTION_SET

try:
    from ostinato.ops.engine import _engine
except ImportError as error:
    _engine = None  # type: ignore[assignment]
    ABSENT: str | None = f"the compiled engine is not installed: {error}"
else:
    # the newest name that the package asks for: without it, the engine was compiled from earlier sources
    ABSENT = None if hasattr(_engine, "listed") else "the compiled engine is older than the package: install it again"


def sets() -> list[str]:
    """Return the instruction sets that this processor can run, the best first; none if the engine is not installed."""
    return [] if ABSENT else _engine.sets()


def set_in_use() -> str | None:
    """Return the name of the instruction set in use, or None if the engine is not installed."""
    return None if ABSENT else _engine.set_in_use()


def use_set(name: str) -> None:
    """Use an instruction set for all calls from now on.

    Args:
        name: One of the names that ``sets`` returns.

    Raises:
        ConfigError: The processor cannot run this set, or the engine does not have it.
    """
    if name not in sets():
        raise ConfigError(
            f"instruction set {name!r} is unknown, or this processor cannot run it",
            where=INSTRUCTION_SET,
            fix=f"use one of {', '.join(sets())}, or unset the variable",
        )
    _engine.use_set(name)


def threads_of(cell: str, T: int, B: int, H: int, limit: int) -> int:
    """Return the number of threads that a call in float32 takes, by the cost model in csrc/plan.h.

    Args:
        cell: The name of a cell of the engine, such as "gru".
        T: The steps of each row.
        B: The rows.
        H: The inputs and the hidden units.
        limit: The most threads that the call may take.
    """
    parts, team, _ = _engine.grid_of(cell, 32, (B, T, T * B, H, H, H, False), limit)
    return parts * team


def refusal(facts: Mapping[str, Any]) -> str | None:
    """Return the reason why the engine cannot run, or None if it can.

    Args:
        facts: The device and the dtype of the tensors; "cpu" and float32 if they are missing.

    Returns:
        The reason as a sentence, or None.
    """
    if ABSENT:
        return ABSENT
    if (device := facts.get("device", "cpu")) != "cpu":
        return f"the engine computes on the CPU, not on {device}"
    if (dtype := facts.get("dtype")) is None:
        return None
    import torch  # here, because exponential smoothing runs without torch

    if dtype not in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu"):
        return f"the engine computes in float32 and float64, not in {str(dtype).removeprefix('torch.')}"
    return None


if not ABSENT and os.environ.get(INSTRUCTION_SET):
    use_set(os.environ[INSTRUCTION_SET])
