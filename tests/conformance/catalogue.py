"""Every recurrence and implementation by name: the table over which the laws run. A new recurrence is one line here.

An entry makes a recurrence of D inputs, with weights from torch's global generator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from _pytest.mark import ParameterSet

from ostinato.layers.build import BACKBONES, build_backbone
from ostinato.layers.conv import CausalConv
from ostinato.layers.gru import GRU
from ostinato.layers.linear import LinearRNN
from ostinato.layers.lstm import LSTM
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.rnn import RNN
from ostinato.layers.stack import Stack
from ostinato.ops.engine import extension

D, H = 3, 4


@dataclass(frozen=True)
class Entry:
    """A recurrence under test.

    Attributes:
        make: Makes the recurrence.
        reference: Makes the same recurrence by its reference implementation; None if make does so already.
    """

    make: Callable[[], Recurrence]
    reference: Callable[[], Recurrence] | None = None


def _pair(make: Callable[[str], Recurrence], implementation: str) -> Entry:
    return Entry(lambda: make(implementation), lambda: make("reference"))


_LAYERS: dict[str, tuple[Callable[[str], Recurrence], tuple[str, ...]]] = {
    "rnn-tanh": (lambda i: RNN(D, H, "tanh", i), ("native", "aten", "loop")),
    "rnn-relu": (lambda i: RNN(D, H, "relu", i), ("native", "aten", "loop")),
    "rnn-identity": (lambda i: RNN(D, H, "identity", i), ("native", "loop")),
    "gru": (lambda i: GRU(D, H, i), ("native", "aten")),
    "gru-before": (lambda i: GRU(D, H, i, reset_after=False), ("native",)),
    "lstm": (lambda i: LSTM(D, H, implementation=i), ("native", "aten")),
    "linear": (lambda i: LinearRNN(D, H, i), ("native", "scan")),
    "conv-1": (lambda i: CausalConv(D, H, 1, 1, i), ("aten",)),
    "conv-2": (lambda i: CausalConv(D, H, 2, 1, i), ("aten",)),
    "conv-3x2": (lambda i: CausalConv(D, H, 3, 2, i), ("aten",)),
}

#: The entries by name.
CATALOGUE: dict[str, Entry] = {
    **{f"{name}:{i}": _pair(make, i) for name, (make, fast) in _LAYERS.items() for i in fast},
    **{f"{name}:reference": Entry(lambda make=make: make("reference")) for name, (make, _) in _LAYERS.items()},  # type: ignore[misc]
    **{f"{name}, depth 2": Entry(lambda name=name: build_backbone(name, D, H, 2)) for name in BACKBONES},  # type: ignore[misc]
    "stack of unlike layers": Entry(lambda: Stack([LSTM(D, H), CausalConv(H, 5), GRU(5, 5), LinearRNN(5, H)])),
    "stack, not residual": Entry(lambda: Stack([GRU(D, D), RNN(D, D)], residual=False)),
}


def names(*, fast: bool = False) -> list[str | ParameterSet]:
    """Return the names of the entries for parametrize; without the engine, its entries are marked to be skipped.

    Args:
        fast: Whether only the entries that have a reference are returned.
    """
    absent = pytest.mark.skip(reason=extension.ABSENT or "")
    chosen = [name for name, entry in CATALOGUE.items() if entry.reference or not fast]
    return [pytest.param(n, marks=absent) if extension.ABSENT and n.endswith(":native") else n for n in chosen]


def build(make: Callable[[], Recurrence], seed: int = 0) -> Recurrence:
    """Return the recurrence with weights from this seed, in float64 and in evaluation mode."""
    torch.manual_seed(seed)
    return make().double().eval()
