"""Which implementation of a cell runs, and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ostinato.errors import ConfigError
from ostinato.ops.conv import aten as conv_aten
from ostinato.ops.conv import reference as conv_reference
from ostinato.ops.engine import extension
from ostinato.ops.gru import aten as gru_aten
from ostinato.ops.gru import native as gru_native
from ostinato.ops.gru import reference as gru_reference
from ostinato.ops.linear import native as linear_native
from ostinato.ops.linear import reference as linear_reference
from ostinato.ops.linear import scan as linear_scan
from ostinato.ops.lstm import aten as lstm_aten
from ostinato.ops.lstm import native as lstm_native
from ostinato.ops.lstm import reference as lstm_reference
from ostinato.ops.rnn import aten as rnn_aten
from ostinato.ops.rnn import loop as rnn_loop
from ostinato.ops.rnn import native as rnn_native
from ostinato.ops.rnn import reference as rnn_reference

Unroll = Callable[..., Any]

#: cell -> implementations, the preferred one first; every cell has its reference.
IMPLEMENTATIONS: dict[str, dict[str, Unroll]] = {
    "rnn": {
        "native": rnn_native.unroll,
        "aten": rnn_aten.unroll,
        "loop": rnn_loop.unroll,
        "reference": rnn_reference.unroll,
    },
    "gru": {"native": gru_native.unroll, "aten": gru_aten.unroll, "reference": gru_reference.unroll},
    "lstm": {"native": lstm_native.unroll, "aten": lstm_aten.unroll, "reference": lstm_reference.unroll},
    "linear": {"native": linear_native.unroll, "scan": linear_scan.unroll, "reference": linear_reference.unroll},
    "conv": {"aten": conv_aten.unroll, "reference": conv_reference.unroll},
}


def _no_operator(facts: Mapping[str, Any]) -> str | None:
    f = facts.get("nonlinearity", "tanh")
    return None if f in rnn_aten.OPERATORS else f"torch has no operator for the nonlinearity {f!r}"


def _no_reset_before(facts: Mapping[str, Any]) -> str | None:
    return None if facts.get("reset_after", True) else gru_aten.NO_OPERATOR


def _no_pairs(facts: Mapping[str, Any]) -> str | None:
    """A complex number is two real ones to the engine."""
    dtype = facts.get("dtype", torch.float32)
    return extension.refusal({**facts, "dtype": dtype.to_real()})


#: (cell, implementation) -> why it cannot run under these facts, or None where it can; who is not here always can.
REFUSALS: dict[tuple[str, str], Callable[[Mapping[str, Any]], str | None]] = {
    ("rnn", "aten"): _no_operator,
    ("rnn", "native"): extension.refusal,
    ("gru", "aten"): _no_reset_before,
    ("gru", "native"): extension.refusal,
    ("lstm", "native"): extension.refusal,
    ("linear", "native"): _no_pairs,
}

#: cell -> what is quicker for a single step than the preferred one: one line of torch against a call of the engine.
SINGLE_STEP = {"linear": "scan"}

#: Set to "reference" to run every cell by its specification.
VARIABLE = "OSTINATO_IMPLEMENTATION"


def pick(cell: str, implementation: str | None = None, **facts: Any) -> Unroll:
    """The implementation that runs: the one asked for, else the environment's, else the first that can.

    facts are what decides whether one can run, and is quicker: nonlinearity="identity", reset_after=False,
    device="cpu", dtype=torch.float32, steps=1.
    Raises ConfigError where the one asked for does not exist or cannot run: it is never replaced by another.
    """
    if not implementation and VARIABLE not in os.environ:
        # what a layer asks at every call, without the reasons that explain gives
        for name in _order(cell, facts):
            if _refusal(cell, name, facts) is None:
                return IMPLEMENTATIONS[cell][name]
    return IMPLEMENTATIONS[cell][_choose(cell, implementation, facts)[0]]


def prefers_native(cell: str, **facts: Any) -> bool:
    """Whether the engine is what ``pick`` gives."""
    if VARIABLE in os.environ:
        return _choose(cell, None, facts)[0] == "native"
    return "native" in IMPLEMENTATIONS[cell] and _refusal(cell, "native", facts) is None


def explain(cell: str, implementation: str | None = None, **facts: Any) -> str:
    """Which implementation of cell runs, and why, in a sentence. Raises what pick raises."""
    name, why = _choose(cell, implementation, facts)
    return f"{cell}: {name}, {why}"


def _choose(cell: str, implementation: str | None, facts: Mapping[str, Any]) -> tuple[str, str]:
    """The name of the implementation that runs, and why."""
    if cell not in IMPLEMENTATIONS:
        raise ConfigError(f"unknown cell {cell!r}", fix=f"use one of {', '.join(IMPLEMENTATIONS)}")
    reasons = {name: _refusal(cell, name, facts) for name in _order(cell, facts)}
    able = [name for name, reason in reasons.items() if reason is None]
    asked, where = implementation, "as requested"
    if not asked:
        asked, where = os.environ.get(VARIABLE), f"from {VARIABLE}"
    if not asked:
        others = [f"{name} cannot run ({reason})" for name, reason in reasons.items() if reason]
        what = "quickest for a single step" if able[0] == _quickest(cell, facts) else "preferred"
        return able[0], "; ".join([f"{what} of {', '.join(able)}", *others])
    if asked in able:
        return asked, where
    what = reasons.get(asked) or f"{cell} has no implementation of that name"
    raise ConfigError(
        f"implementation {asked!r} of {cell} cannot run: {what}",
        where=None if implementation else f"the environment variable {VARIABLE}",
        fix=f"use one of {', '.join(able)}, or leave the choice open",
    )


def _quickest(cell: str, facts: Mapping[str, Any]) -> str | None:
    return SINGLE_STEP.get(cell) if facts.get("steps") == 1 else None


def _order(cell: str, facts: Mapping[str, Any]) -> list[str]:
    """Names of implementations, the preferred one first; none of a cell that is not there."""
    names, first = list(IMPLEMENTATIONS.get(cell, ())), _quickest(cell, facts)
    return names if first is None else [first, *(name for name in names if name != first)]


def _refusal(cell: str, name: str, facts: Mapping[str, Any]) -> str | None:
    refuse = REFUSALS.get((cell, name))
    return refuse(facts) if refuse else None
