"""The base class of RNN, GRU and LSTM, with the constructor, the parameter names and the initial values of torch.nn.

The classes do not derive from those of torch.nn, because torch.compile does not trace subclasses of them.
"""

from __future__ import annotations

import math
import warnings
from numbers import Number
from typing import Any

import torch
from torch import Tensor, nn


def _check_sizes(hidden_size: int, num_layers: int, dropout: float, proj_size: int) -> None:
    """Check the arguments of the constructor as torch does: the same exceptions and the same warning."""
    if not isinstance(dropout, Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise ValueError(
            f"dropout should be a number in range [0, 1], the probability of an element being zeroed, got {dropout!r}"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            f"dropout acts on all but the last layer: with {dropout=} num_layers should be greater than 1",
            stacklevel=4,
        )
    if not isinstance(hidden_size, int):
        raise TypeError(f"hidden_size should be of type int, got: {type(hidden_size).__name__}")
    if hidden_size <= 0:
        raise ValueError(f"hidden_size must be greater than zero, got {hidden_size}")
    if num_layers <= 0:
        raise ValueError(f"num_layers must be greater than zero, got {num_layers}")
    if not 0 <= proj_size < hidden_size:
        raise ValueError(f"proj_size must be 0 or more, and smaller than {hidden_size=}, got {proj_size}")


class RecurrentNetwork(nn.Module):
    """A stack of recurrent layers in one or two directions, with the parameters and the names of torch.nn.

    The parameters of layer k are weight_ih_lk, weight_hh_lk, bias_ih_lk, bias_hh_lk and, if proj_size is given,
    weight_hr_lk; those of the backward direction have the suffix _reverse. G is the number of gates of the cell. P is
    the width of h: proj_size, or H if there is no projection.

    Args:
        input_size: The number of inputs of a step, D.
        hidden_size: The number of hidden units, H.
        num_layers: The number of layers. A layer takes the outputs of the layer below it.
        bias: Whether the layers have biases.
        batch_first: Whether inputs and outputs are (B, T, D) instead of (T, B, D). States are not affected.
        dropout: The probability that an output of a layer, except the last layer, is zeroed in training.
        bidirectional: Whether each layer also runs from the last step to the first.
        proj_size: The width of h if the cell projects it, 0 for no projection. The LSTM alone projects.
        device: The device of the parameters; None for torch's default.
        dtype: The type of the parameters; None for torch's default.

    Attributes:
        mode: The name of the cell in the engine.
        gates: The number of gates of the cell, G.
        names: The names of the parameters of each layer and direction, forward before backward.

    Raises:
        TypeError: hidden_size is not an integer.
        ValueError: A size is too small, dropout lies outside of [0, 1], or proj_size is not smaller than hidden_size.
    """

    mode: str
    gates: int

    def __init__(  # noqa: PLR0917 - the positional signature of torch.nn
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        """Check the arguments and create the parameters, as torch.nn does."""
        super().__init__()
        _check_sizes(hidden_size, num_layers, dropout, proj_size)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        read = proj_size or hidden_size
        self.names: list[list[str]] = []
        for layer in range(num_layers):
            below = read * self.directions if layer else input_size
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (below,), "weight_hh": (read,)}
            if bias:
                shapes |= {"bias_ih": (), "bias_hh": ()}
            sizes = {name: (self.gates * hidden_size, *shape) for name, shape in shapes.items()}
            sizes |= {"weight_hr": (proj_size, hidden_size)} if proj_size else {}
            for end in (f"_l{layer}", f"_l{layer}_reverse")[: self.directions]:
                for name, size in sizes.items():
                    self.register_parameter(name + end, nn.Parameter(torch.empty(size, device=device, dtype=dtype)))
                self.names.append([name + end for name in sizes])
        self.reset_parameters()

    @property
    def directions(self) -> int:
        """The number of directions of each layer: 2 if the network is bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly from [-1 / sqrt(H), 1 / sqrt(H)], as torch.nn does."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            nn.init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: the engine packs the weights in every call. The method exists because torch.nn has it."""

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction: weight_ih, weight_hh, the biases and weight_hr if they exist."""
        return [[getattr(self, name) for name in names] for names in self.names]

    def extra_repr(self) -> str:
        """Return the sizes and the arguments that differ from their defaults, in the format of torch.nn."""
        words = [f"{self.input_size}, {self.hidden_size}"]
        words += [f"proj_size={self.proj_size}"] if self.proj_size else []
        words += [f"num_layers={self.num_layers}"] if self.num_layers != 1 else []
        words += [] if self.bias else ["bias=False"]
        words += ["batch_first=True"] if self.batch_first else []
        words += [f"dropout={self.dropout}"] if self.dropout else []
        words += ["bidirectional=True"] if self.bidirectional else []
        words += ["reset_after=False"] if self.mode == "gru_before" else []
        return ", ".join(words)
