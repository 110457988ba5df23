"""Deep recurrences: layers one above the other, with residual connections and dropout between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import final

from torch import Tensor, nn

from ostinato.errors import ConfigError
from ostinato.layers.dropout import Dropout
from ostinato.layers.recurrence import Recurrence
from ostinato.shapes import State


@final
class Stack(Recurrence):
    """A stack of recurrences in which layer l + 1 reads the output of layer l.

    The state is the states of the layers, one after the other.

    Args:
        layers: The layers, the lowest first.
        dropout: The share of each layer's outputs that is dropped in training.
        locked: Whether the steps of a call drop the same outputs (see ``Dropout``).
        residual: Whether a layer's input is added to its output if their sizes match; never for the lowest layer.

    Raises:
        ConfigError: The list of layers is empty, or the sizes of two neighbours do not match.
    """

    def __init__(
        self, layers: Sequence[Recurrence], dropout: float = 0.0, *, locked: bool = False, residual: bool = True
    ) -> None:
        super().__init__()
        if not layers:
            raise ConfigError("a stack needs at least one layer, got none", fix="give one layer or more")
        for i, (below, above) in enumerate(pairwise(layers)):
            if above.input_size != below.output_size:
                raise ConfigError(
                    f"a layer with {above.input_size} inputs follows a layer with {below.output_size} outputs",
                    where=f"layers {i} and {i + 1} of the stack",
                    fix="give them the same width",
                )
        self.layers = nn.ModuleList(layers)
        self.dropout = Dropout(dropout, locked=locked)
        self.residual = residual
        self.input_size, self.output_size = layers[0].input_size, layers[-1].output_size
        # the number of tensors in the state of each layer
        self.sizes = [len(layer.initial_state(1)) for layer in layers]

    def initial_state(self, batch: int) -> State:
        """Return the states of all layers before the first step, one after the other."""
        return tuple(s for layer in self.each() for s in layer.initial_state(batch))

    def start_for_symbols(self) -> None:
        """Give every layer the start that suits text (see ``Recurrence.start_for_symbols``)."""
        for layer in self.each():
            layer.start_for_symbols()

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return the outputs of all steps and the last state (see ``Recurrence.unroll``)."""
        left = list(self.initial_state(x.shape[1]) if state is None else state)
        out: list[Tensor] = []
        for layer, size in zip(self.each(), self.sizes, strict=True):
            h, last = layer.unroll(x, tuple(left[:size]), lengths)
            x = self.above(layer, x, h)
            left, out = left[size:], [*out, *last]
        return x, tuple(out)

    def above(self, layer: Recurrence, x: Tensor, h: Tensor) -> Tensor:
        """Return the input of the next layer up, (..., H), from this layer's input x (..., D) and output h (..., H)."""
        h = self.dropout(h)
        return x + h if self.residual and x.shape[-1] == h.shape[-1] and layer is not self.layers[0] else h

    def each(self) -> list[Recurrence]:
        """Return the layers, the lowest first."""
        return [layer for layer in self.layers if isinstance(layer, Recurrence)]
