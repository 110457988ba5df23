"""The backbones by name."""

from __future__ import annotations

from collections.abc import Callable

from ostinato.choices import unknown
from ostinato.errors import ConfigError
from ostinato.layers.conv import CausalConv
from ostinato.layers.gru import GRU
from ostinato.layers.linear import LinearRNN
from ostinato.layers.lstm import LSTM
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.rnn import RNN
from ostinato.layers.stack import Stack

#: The function of each name that makes a layer from its number (from 0), its input size and its hidden size.
BACKBONES: dict[str, Callable[[int, int, int], Recurrence]] = {
    "linear": lambda _, d, h: LinearRNN(d, h),
    "rnn": lambda _, d, h: RNN(d, h),
    "rnn-relu": lambda _, d, h: RNN(d, h, "relu"),
    "rnn-identity": lambda _, d, h: RNN(d, h, "identity"),
    "gru": lambda _, d, h: GRU(d, h),
    "lstm": lambda _, d, h: LSTM(d, h),
    "conv": lambda level, d, h: CausalConv(d, h, kernel_size=2, dilation=2**level),
}

#: Exponential smoothing in its forms, and with a drift.
SMOOTHED = ("ets", "theta")
#: The models without a backbone: the closed form, the adaptive filters, and exponential smoothing.
BARE = ("ar", "filter", *SMOOTHED)

#: The least depth of a convolution: it reaches back 2^layers steps, so depth does what a state does for the others.
_CONV_LAYERS = 6


def depth_for(name: str, depth: int, reach: int) -> int:
    """Return the number of layers of a backbone that reaches a lag; only that of a convolution depends on the lag.

    Args:
        name: One of the names in ``BACKBONES``.
        depth: The least number of layers.
        reach: The lag in steps.
    """
    return max(depth, reach.bit_length()) if name == "conv" and reach >= 2**_CONV_LAYERS else depth


def build_backbone(
    name: str, input_size: int, hidden_size: int, depth: int = 1, dropout: float = 0.0, *, locked: bool = False
) -> Recurrence:
    """Return a new backbone with random weights.

    Args:
        name: One of the names in ``BACKBONES``.
        input_size: The width of its input, D.
        hidden_size: The width of each layer, H.
        depth: The number of layers; a convolution has at least 6.
        dropout: The share of each layer's outputs that is dropped in training.
        locked: Whether the steps of a call drop the same outputs.

    Raises:
        ConfigError: The name is unknown, or the depth is below 1.
    """
    if name not in BACKBONES:
        raise unknown("backbone", name, BACKBONES)
    if depth < 1:
        raise ConfigError(f"the depth of a backbone must be at least 1 layer, got {depth}", fix="use 1 or more layers")
    layers = max(depth, _CONV_LAYERS) if name == "conv" else depth
    make = BACKBONES[name]
    made = [make(i, hidden_size if i else input_size, hidden_size) for i in range(layers)]
    return Stack(made, dropout, locked=locked)
