"""Depth: recurrences one above the other, with residual connections and dropout between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import final

from torch import Tensor, nn

from ostinato.errors import ConfigError
from ostinato.layers.recurrence import Recurrence
from ostinato.shapes import State


@final
class Stack(Recurrence):
    """Layer l + 1 reads what layer l gives; where sizes match, its own output is added to what it read.

    dropout falls on the output of every layer, in training only. State: the layers' states, one after the other.
    """

    def __init__(self, layers: Sequence[Recurrence], dropout: float = 0.0, *, residual: bool = True) -> None:
        super().__init__()
        if not layers:
            raise ConfigError("a stack of no layers cannot be", fix="give at least one")
        for i, (below, above) in enumerate(pairwise(layers)):
            if above.input_size != below.output_size:
                raise ConfigError(
                    f"a layer of {above.input_size} inputs cannot stand on one of {below.output_size} outputs",
                    where=f"layers {i} and {i + 1} of the stack",
                    fix="give them the same width",
                )
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)
        self.residual = residual
        self.input_size, self.output_size = layers[0].input_size, layers[-1].output_size
        #: tensors in the state of each layer
        self.sizes = [len(layer.initial_state(1)) for layer in layers]

    def initial_state(self, batch: int) -> State:
        """See Recurrence."""
        return tuple(s for layer in self.each() for s in layer.initial_state(batch))

    def step(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """See Recurrence."""
        h, state = self.unroll(x[None], state)
        return state, h[0]

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """See Recurrence."""
        left = list(self.initial_state(x.shape[1]) if state is None else state)
        out: list[Tensor] = []
        for layer, size in zip(self.each(), self.sizes, strict=True):
            h, last = layer.unroll(x, tuple(left[:size]), lengths)
            x = self.above(layer, x, h)
            left, out = left[size:], [*out, *last]
        return x, tuple(out)

    def above(self, layer: Recurrence, x: Tensor, h: Tensor) -> Tensor:
        """What the layer above this one reads, where this one read x (..., D) and gave h (..., H)."""
        h = self.dropout(h)
        return x + h if self.residual and x.shape[-1] == h.shape[-1] and layer is not self.layers[0] else h

    def each(self) -> list[Recurrence]:
        """The layers, the lowest first."""
        return [layer for layer in self.layers if isinstance(layer, Recurrence)]
