"""What the networks share: torch's constructor, parameters, names and first values.

They do not derive from torch's own classes, because torch.compile refuses to trace whatever does.
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
        raise ValueError("dropout should be a number in range [0, 1], the probability of an element being zeroed")
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
        raise ValueError(f"proj_size should be 0 (none) or more, and smaller than hidden_size, got {proj_size}")


class RecurrentNetwork(nn.Module):
    """num_layers recurrences one above the other, in one or two directions: weight_ih_l0, ..., weight_hh_l0_reverse."""

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
        """2 where each layer reads the sequence from its end too."""
        return 2 if self.bidirectional else 1

    def reset_parameters(self) -> None:
        """All uniform within 1 / sqrt(hidden_size), as torch's."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            nn.init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing to do: the engine packs weights anew at every call."""

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """Of each layer and direction: weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, those that there are."""
        return [[getattr(self, name) for name in names] for names in self.names]

    def extra_repr(self) -> str:
        """What differs from the defaults, as torch has it."""
        words = [f"{self.input_size}, {self.hidden_size}"]
        words += [f"proj_size={self.proj_size}"] if self.proj_size else []
        words += [f"num_layers={self.num_layers}"] if self.num_layers != 1 else []
        words += [] if self.bias else ["bias=False"]
        words += ["batch_first=True"] if self.batch_first else []
        words += [f"dropout={self.dropout}"] if self.dropout else []
        words += ["bidirectional=True"] if self.bidirectional else []
        words += ["reset_after=False"] if self.mode == "gru_before" else []
        return ", ".join(words)
