"""The choice of the implementation that runs a cell, and the reason for the choice.

Facts decide whether an implementation can run, and which is the fastest. All are optional, with these defaults:
nonlinearity ("identity"), reset_after (False), device ("cpu"), dtype (torch.float32), steps (1), hidden (64), ragged
(False: whether rows differ in length), rows (unknown: the number of rows).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ostinato.choices import unknown
from ostinato.errors import ConfigError
from ostinato.ops.conv import aten as conv_aten
from ostinato.ops.conv import reference as conv_reference
from ostinato.ops.counts import native as counts_native
from ostinato.ops.counts import reference as counts_reference
from ostinato.ops.cuda import support as cuda
from ostinato.ops.engine import extension
from ostinato.ops.ets import array as ets_array
from ostinato.ops.ets import native as ets_native
from ostinato.ops.ets import reference as ets_reference
from ostinato.ops.filter import native as filter_native
from ostinato.ops.filter import reference as filter_reference
from ostinato.ops.gru import aten as gru_aten
from ostinato.ops.gru import cuda as gru_cuda
from ostinato.ops.gru import native as gru_native
from ostinato.ops.gru import reference as gru_reference
from ostinato.ops.linear import cuda as linear_cuda
from ostinato.ops.linear import native as linear_native
from ostinato.ops.linear import reference as linear_reference
from ostinato.ops.linear import scan as linear_scan
from ostinato.ops.lstm import aten as lstm_aten
from ostinato.ops.lstm import cuda as lstm_cuda
from ostinato.ops.lstm import native as lstm_native
from ostinato.ops.lstm import reference as lstm_reference
from ostinato.ops.rnn import aten as rnn_aten
from ostinato.ops.rnn import cuda as rnn_cuda
from ostinato.ops.rnn import loop as rnn_loop
from ostinato.ops.rnn import native as rnn_native
from ostinato.ops.rnn import reference as rnn_reference
from ostinato.ops.variables import IMPLEMENTATION

Unroll = Callable[..., Any]

#: The implementations of each cell by name, the preferred one first; every cell has a reference.
IMPLEMENTATIONS: dict[str, dict[str, Unroll]] = {
    "rnn": {
        "native": rnn_native.unroll,
        "cuda": rnn_cuda.unroll,
        "aten": rnn_aten.unroll,
        "loop": rnn_loop.unroll,
        "reference": rnn_reference.unroll,
    },
    "gru": {
        "native": gru_native.unroll,
        "cuda": gru_cuda.unroll,
        "aten": gru_aten.unroll,
        "reference": gru_reference.unroll,
    },
    "lstm": {
        "native": lstm_native.unroll,
        "cuda": lstm_cuda.unroll,
        "aten": lstm_aten.unroll,
        "reference": lstm_reference.unroll,
    },
    "linear": {
        "native": linear_native.unroll,
        "cuda": linear_cuda.unroll,
        "scan": linear_scan.unroll,
        "reference": linear_reference.unroll,
    },
    "conv": {"aten": conv_aten.unroll, "reference": conv_reference.unroll},
    "counts": {"native": counts_native.unroll_, "reference": counts_reference.unroll_},
    "filter": {"native": filter_native.unroll, "reference": filter_reference.unroll},
    "ets": {"native": ets_native.unroll, "array": ets_array.unroll, "reference": ets_reference.unroll},
}


def _no_operator(facts: Mapping[str, Any]) -> str | None:
    """Return why torch cannot run the plain cell: it has no operator for the nonlinearity. None if it can."""
    f = facts.get("nonlinearity", "tanh")
    return None if f in rnn_aten.OPERATORS else f"torch has no operator for the nonlinearity {f!r}"


def _no_reset_before(facts: Mapping[str, Any]) -> str | None:
    """Return why torch cannot run the GRU: the reset acts before the product. None if it can."""
    return None if facts.get("reset_after", True) else gru_aten.NO_OPERATOR


def _no_pairs(facts: Mapping[str, Any]) -> str | None:
    """Return why the engine cannot run the linear recurrence, or None. A complex number counts as two real numbers."""
    dtype = facts.get("dtype", torch.float32)
    return extension.refusal({**facts, "dtype": dtype.to_real()})


#: The function that returns why an implementation of a cell cannot run, or None; without a function it always can.
REFUSALS: dict[tuple[str, str], Callable[[Mapping[str, Any]], str | None]] = {
    ("rnn", "aten"): _no_operator,
    ("rnn", "native"): extension.refusal,
    ("rnn", "cuda"): cuda.refusal,
    ("gru", "aten"): _no_reset_before,
    ("gru", "cuda"): cuda.refusal,
    ("lstm", "cuda"): cuda.refusal,
    ("linear", "cuda"): cuda.linear_refusal,
    ("gru", "native"): extension.refusal,
    ("lstm", "native"): extension.refusal,
    ("linear", "native"): _no_pairs,
    ("ets", "native"): ets_native.refusal,
    ("counts", "native"): counts_native.refusal,
    ("filter", "native"): filter_native.refusal,
}

#: The implementation of a cell that is faster than the preferred one for a single step: one line of torch.
SINGLE_STEP = {"linear": "scan"}


def pick(cell: str, implementation: str | None = None, **facts: Any) -> Unroll:
    """Return the implementation that runs a cell.

    Args:
        cell: The name of the cell, for example "gru".
        implementation: The name of the implementation to use. None takes the one that the environment variable
            OSTINATO_IMPLEMENTATION names or, if it is not set, the first that can run.
        **facts: The facts that decide whether an implementation can run; see the module.

    Returns:
        The function that unrolls the cell.

    Raises:
        ConfigError: The cell is unknown, or the implementation that was named does not exist or cannot run. It is
            never replaced by another one.
    """
    if not implementation and IMPLEMENTATION not in os.environ:
        # a layer makes this choice in every call, so the reasons that explain returns are not computed here
        for name in _order(cell, facts):
            if _refusal(cell, name, facts) is None:
                return IMPLEMENTATIONS[cell][name]
    return IMPLEMENTATIONS[cell][_choose(cell, implementation, facts)[0]]


def prefers_native(cell: str, **facts: Any) -> bool:
    """Return whether ``pick`` would return the engine's implementation of a cell; see ``prefers``."""
    return prefers("native", cell, **facts)


def prefers(name: str, cell: str, **facts: Any) -> bool:
    """Return whether ``pick`` would return an implementation of a cell that runs before those of torch.

    Args:
        name: The name of the implementation: "native" or "cuda".
        cell: The name of the cell, for example "gru".
        **facts: The facts that decide whether an implementation can run; see the module.

    Raises:
        ConfigError: The environment variable names an implementation that does not exist or cannot run.
    """
    if IMPLEMENTATION in os.environ:
        return _choose(cell, None, facts)[0] == name
    for candidate in _order(cell, facts):
        if _refusal(cell, candidate, facts) is None:
            return candidate == name
    return False


def explain(cell: str, implementation: str | None = None, **facts: Any) -> str:
    """Return which implementation runs a cell and why, as a sentence.

    Args:
        cell: The name of the cell, for example "gru".
        implementation: The name of the implementation to use, or None for the choice that ``pick`` makes.
        **facts: The facts that decide whether an implementation can run; see the module.

    Raises:
        ConfigError: The cell is unknown, or the implementation that was named does not exist or cannot run.
    """
    name, reason = _choose(cell, implementation, facts)
    return f"{cell}: {name}, {reason}"


def _choose(cell: str, implementation: str | None, facts: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name of the implementation that runs, and the reason."""
    if cell not in IMPLEMENTATIONS:
        raise unknown("cell", cell, IMPLEMENTATIONS)
    reasons = {name: _refusal(cell, name, facts) for name in _order(cell, facts)}
    able = [name for name, reason in reasons.items() if reason is None]
    requested, source = implementation, "as requested"
    if not requested:
        requested, source = os.environ.get(IMPLEMENTATION), f"from {IMPLEMENTATION}"
    if not requested:
        # on a CPU, the reason why the kernels for GPUs do not run is of no use
        mute = {"cuda"} if facts.get("device", "cpu") == "cpu" else set()
        others = [f"{name} cannot run ({reason})" for name, reason in reasons.items() if reason and name not in mute]
        fastest = _fastest(cell, facts)
        what = fastest[1] if fastest and able[0] == fastest[0] else "preferred"
        return able[0], "; ".join([f"{what} of {', '.join(able)}", *others])
    if requested in able:
        return requested, source
    reason = reasons.get(requested) or f"{cell} has no implementation of that name"
    raise ConfigError(
        f"implementation {requested!r} of {cell} cannot run: {reason}",
        where=None if implementation else f"the environment variable {IMPLEMENTATION}",
        fix=f"use one of {', '.join(able)}, or leave the choice open",
    )


def _fastest(cell: str, facts: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the implementation that is the fastest for these facts although it is not the preferred one, and why."""
    if cell in SINGLE_STEP and facts.get("steps") == 1:
        return SINGLE_STEP[cell], "fastest for a single step"
    if facts.get("device") != "cuda" or facts.get("ragged") or not cuda.level(facts):
        return None
    if cell in ("lstm", "rnn") or (cell == "gru" and facts.get("reset_after", True) and facts.get("rows") == 1):
        return "aten", "cuDNN is as fast for rows of one length, float32 and up to 64 units: the first"
    return None


def _order(cell: str, facts: Mapping[str, Any]) -> list[str]:
    """Return the names of the implementations of a cell, the preferred one first; none if the cell is unknown."""
    names, first = list(IMPLEMENTATIONS.get(cell, ())), _fastest(cell, facts)
    return names if first is None else [first[0], *(name for name in names if name != first[0])]


def _refusal(cell: str, name: str, facts: Mapping[str, Any]) -> str | None:
    """Return the reason why an implementation cannot run, or None if it can."""
    refuse = REFUSALS.get((cell, name))
    return refuse(facts) if refuse else None
