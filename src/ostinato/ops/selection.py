"""Which implementation of a cell runs, and why. The compiled engine takes its place in this table."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ostinato.errors import ConfigError
from ostinato.ops.conv import aten as conv_aten
from ostinato.ops.conv import reference as conv_reference
from ostinato.ops.gru import aten as gru_aten
from ostinato.ops.gru import reference as gru_reference
from ostinato.ops.linear import reference as linear_reference
from ostinato.ops.linear import scan as linear_scan
from ostinato.ops.lstm import aten as lstm_aten
from ostinato.ops.lstm import reference as lstm_reference
from ostinato.ops.rnn import aten as rnn_aten
from ostinato.ops.rnn import reference as rnn_reference

Unroll = Callable[..., Any]

#: cell -> implementations, the preferred one first; every cell has its reference.
IMPLEMENTATIONS: dict[str, dict[str, Unroll]] = {
    "rnn": {"aten": rnn_aten.unroll, "reference": rnn_reference.unroll},
    "rnn-identity": {"reference": rnn_reference.unroll},
    "gru": {"aten": gru_aten.unroll, "reference": gru_reference.unroll},
    "lstm": {"aten": lstm_aten.unroll, "reference": lstm_reference.unroll},
    "linear": {"scan": linear_scan.unroll, "reference": linear_reference.unroll},
    "conv": {"aten": conv_aten.unroll, "reference": conv_reference.unroll},
}

#: Set to "reference" to run every cell by its specification.
VARIABLE = "OSTINATO_IMPLEMENTATION"


def pick(cell: str, implementation: str | None = None) -> Unroll:
    """The implementation that runs: the one asked for, else the environment's, else the preferred one.

    Raises ConfigError where the one asked for does not exist for this cell: it is never replaced by another.
    """
    table = IMPLEMENTATIONS[cell]
    wanted = implementation or os.environ.get(VARIABLE) or next(iter(table))
    if wanted not in table:
        raise ConfigError(f"{cell} has no implementation {wanted!r}", fix=f"one of {', '.join(table)}")
    return table[wanted]


def explain(cell: str, implementation: str | None = None) -> str:
    """Which implementation of cell runs, and why, in a sentence."""
    pick(cell, implementation)
    if implementation:
        return f"{cell}: {implementation}, as asked for"
    if chosen := os.environ.get(VARIABLE):
        return f"{cell}: {chosen}, from {VARIABLE}"
    first, *others = IMPLEMENTATIONS[cell]
    return f"{cell}: {first}, " + (f"preferred over {', '.join(others)}" if others else "the only one")
