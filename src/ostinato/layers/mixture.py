"""The mixture of a network and adaptive counts."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from ostinato.layers.adaptive import AdaptiveMemory
from ostinato.layers.counts import Counts
from ostinato.layers.recurrence import Recurrence
from ostinato.shapes import State

#: The tensors of the state of the counts that change in a row that does not learn.
_SMALL = 3


@final
class Mixture(AdaptiveMemory):
    """A network whose log probabilities are mixed into adaptive counts, with weights by context that learn on line.

    The network stays as it was trained; the counts and the weights of both go on learning. The weight of the network
    begins at what training learned on the validation part, which the network had not seen.

    The input is what the network reads (F), then the number of the previous symbol. The state is the rate, the path and
    the given of the counts, the state of the network, and then what the counts have learned.

    Args:
        network: The recurrence of the network, of F inputs.
        counts: The counts, with a network.
    """

    def __init__(self, network: Recurrence, counts: Counts) -> None:
        super().__init__()
        self.network, self.counts = network, counts
        self.input_size, self.output_size = network.input_size + 1, counts.output_size
        self.head = nn.Linear(network.output_size, counts.output_size)
        self._held = len(network.initial_state(1))

    def config(self) -> dict[str, Any]:
        """Return the sizes of the counts, as JSON."""
        return self.counts.config()

    def initial_state(self, batch: int) -> State:
        """Return the state that training learned, which learns nothing."""
        return self._joined(self.network.initial_state(batch), self.counts.initial_state(batch))

    def unroll_(self, x: Tensor, state: State, lengths: Tensor | None = None) -> Tensor:
        """Return the log probabilities (T, B, V) of the next symbols, and move the state on in place."""
        held, counts = self.split(state)
        with torch.no_grad():
            h, after = self.network.unroll(x[..., :-1], held, lengths)
            logs = self.head(h).log_softmax(-1)
        for old, new in zip(held, after, strict=True):
            old.copy_(new)
        given = torch.cat([x[..., -1:], logs], -1)
        return self.counts.unroll_(given, counts, lengths)

    def restarted(self, state: State, rows: Tensor) -> State:
        """Return the state with some rows at the start of a sequence; they keep what they have learned."""
        held, counts = self.split(state)
        return self._joined(self.network.restarted(held, rows), self.counts.restarted(counts, rows))

    def small(self, state: State) -> int:
        """Return the number of the first tensors that change in a row that does not learn."""
        return _SMALL + self._held

    def split(self, state: State) -> tuple[State, State]:
        """Return the state of the network, and that of the counts."""
        cut = _SMALL + self._held
        return state[_SMALL:cut], (*state[:_SMALL], *state[cut:])

    @staticmethod
    def _joined(network: State, counts: State) -> State:
        return (*counts[:_SMALL], *network, *counts[_SMALL:])
