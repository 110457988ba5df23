"""Scoring with a model that goes on learning: each value is predicted before it is learned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from ostinato.data.encoded import Encoded
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError
from ostinato.inference.rollout import window_of
from ostinato.layers.counts import BLOCK, Counts
from ostinato.model import SequenceModel
from ostinato.shapes import Span, State

#: The number of steps before a span that warm up the state.
PAST = 256


def learns(model: SequenceModel, adapt: bool | None) -> bool:
    """Return whether a model is to go on learning.

    Args:
        model: The model.
        adapt: What the caller wants; None lets an adaptive model learn.

    Raises:
        ConfigError: adapt is True, and the model is not adaptive; or adapt is given to a model of adaptive filters.
    """
    if model.filtered and adapt is not None:
        what = f"adaptive filters always learn, in each sequence from its start on, got adapt={adapt}"
        raise ConfigError(what, fix="remove adapt")
    if adapt and not model.adaptive:
        name = model.description.name
        raise ConfigError(
            f"the model {name!r} does not go on learning here", fix="remove adapt, or fit the model counts or mixture"
        )
    return model.adaptive if adapt is None else adapt


class Learner:
    """An adaptive model on its way through sequences, in their order.

    What it has learned from one sequence serves the next.

    Attributes:
        model: The model, which stays as it is.
        state: The state, which holds what was learned.
    """

    def __init__(self, model: SequenceModel, *, learns: bool = True) -> None:
        """Start at what the model has learned.

        Args:
            model: An adaptive model.
            learns: Whether it goes on learning.
        """
        self.model = model
        self.state: State = model.initial_state(1, learns=learns)

    def nats(self, encoded: Encoded, spans: Iterable[Span]) -> Iterator[Tensor]:
        """Yield the nats (T, D) of the steps of all spans in model space, some steps at a time, and learn them.

        Args:
            encoded: Sequences in model space.
            spans: The spans, in the order in which they are learned. The steps before a span are its past, which is not
                learned again.
        """
        if isinstance(self.model.backbone, Counts):
            yield from self._surprisals_of_counts(self.model.backbone, encoded, spans)
            return
        for row, first, stop in spans:
            at = int(encoded.offsets[row])
            support = Support(*(s[row : row + 1] for s in (encoded.unit, encoded.low, encoded.high)))
            if first:
                self._pass(encoded.values[at + max(0, first - PAST) : at + first, None])
            window = window_of(self.model)
            for start in range(first, stop, window):
                x = encoded.values[at + start : at + min(start + window, stop), None]
                conditional, self.state = self.model.unroll(x, self.state, in_place=True)
                yield conditional.log_prob(x, support)[:, 0]
            self.state = self.model.next_sequence(self.state)

    def _surprisals_of_counts(self, counts: Counts, encoded: Encoded, spans: Iterable[Span]) -> Iterator[Tensor]:
        """Yield the nats of spans by counts alone, which need not compute what any other symbol had."""
        front, state = self.model.parts(self.state)
        rate, V = state[0], counts.output_size

        def symbols(a: int, z: int) -> Tensor:
            own = encoded.values[a:z]
            return torch.where(own < 0, V, own)

        for row, first, stop in spans:
            at, learns = int(encoded.offsets[row]), rate[:, 0].clone()
            rate[:, 0] = 0
            past = symbols(at + max(0, first - PAST), at + first)
            counts.settle_(torch.cat([past.new_tensor([[V]]), past]), state)
            rate[:, 0] = learns
            for a in range(first, stop, BLOCK):
                yield counts.settle_(symbols(at + a, at + min(a + BLOCK, stop)), state).float()
        self.state = (*front, *state)

    def _pass(self, x: Tensor) -> None:
        """Bring the state to the end of the steps x (T, 1, D) without learning them."""
        rate = self.model.parts(self.state).backbone[0]
        kept = rate[:, 0].clone()
        rate[:, 0] = 0
        _, self.state = self.model.unroll(x, self.state, in_place=True)
        rate[:, 0] = kept
