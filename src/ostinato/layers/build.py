"""Memories by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from ostinato.errors import ConfigError
from ostinato.layers.conv import CausalConv
from ostinato.layers.gru import GRU
from ostinato.layers.linear import LinearRNN
from ostinato.layers.lstm import LSTM
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.rnn import RNN
from ostinato.layers.stack import Stack

#: name -> layer number l (from 0), input size, hidden size -> the layer
BACKBONES: dict[str, Callable[[int, int, int], Recurrence]] = {
    "linear": lambda _, d, h: LinearRNN(d, h),
    "rnn": lambda _, d, h: RNN(d, h),
    "rnn-relu": lambda _, d, h: RNN(d, h, "relu"),
    "rnn-identity": lambda _, d, h: RNN(d, h, "identity"),
    "gru": lambda _, d, h: GRU(d, h),
    "lstm": lambda _, d, h: LSTM(d, h),
    "conv": lambda level, d, h: CausalConv(d, h, kernel_size=2, dilation=2**level),
}

#: A convolution reaches back 2^layers steps: it needs depth where a recurrence needs none.
_CONV_LAYERS = 6


def build_backbone(name: str, input_size: int, hidden_size: int, depth: int = 1, dropout: float = 0.0) -> Recurrence:
    """The memory called name, depth layers of it.

    A convolution has at least 6. Raises ConfigError for a name that is not there, or a depth below 1.
    """
    if name not in BACKBONES:
        close = difflib.get_close_matches(name, BACKBONES, 1)
        fix = f"did you mean {close[0]}?" if close else f"one of {', '.join(BACKBONES)}"
        raise ConfigError(f"there is no memory called {name!r}", fix=fix)
    if depth < 1:
        raise ConfigError(f"a memory of {depth} layers cannot be", fix="use 1 or more")
    layers = max(depth, _CONV_LAYERS) if name == "conv" else depth
    make = BACKBONES[name]
    return Stack([make(i, hidden_size if i else input_size, hidden_size) for i in range(layers)], dropout)
