"""SequenceModel: P(x_1..x_T) = prod P(x_t | x_<t), as what is remembered and what is asserted."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ostinato.data.encoded import Encoding
from ostinato.description import Description
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.coupling import Coupling
from ostinato.emissions.emission import Emission
from ostinato.layers.front import Front
from ostinato.layers.recurrence import Recurrence
from ostinato.shapes import State


class SequenceModel(nn.Module):
    """Recurrence + emission + how its inputs were encoded. It holds no training state, and no state of a sequence.

    Its own state, as a recurrence's, goes in and comes out: the front's pending tensors, then the memory's.
    Without a memory it is the closed-form autoregression alone, with constant parameters of the emission.
    """

    def __init__(
        self,
        encoding: Encoding,
        front: Front,
        backbone: Recurrence | None,
        emission: Emission,
        start: Tensor,
        description: Description,
        coupling: Coupling | None = None,
    ) -> None:
        """Start (D, P): the emission's parameters before anything is learned; the head begins as this constant.

        coupling: of the channels of a step, where they are several and continuous.
        """
        super().__init__()
        self.encoding, self.front, self.backbone, self.emission = encoding, front, backbone, emission
        self.description = description
        self.constant = nn.Parameter(start.clone())
        self.head: nn.Linear | None = None
        if backbone is not None:
            self.head = nn.Linear(backbone.output_size, start.numel(), bias=False)
            nn.init.zeros_(self.head.weight)
        self.coupling = coupling

    @property
    def channels(self) -> int:
        """D."""
        return int(self.constant.shape[0])

    def initial_state(self, batch: int) -> State:
        """The state before the first step, (B, ...) each."""
        backbone = () if self.backbone is None else self.backbone.initial_state(batch)
        return (*self.front.initial_state(batch), *backbone)

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Conditional, State]:
        """X (T, B, D) in model space -> P(x_t | x_<t) of each of these steps (T, B, ...), and the state after them."""
        state = self.initial_state(x.shape[1]) if state is None else state
        front, backbone = self.parts(state)
        inputs, loc, scale, front = self.front.unroll(x, front, lengths)
        if self.backbone is None:
            return self.conditional(None, loc, scale, x.shape[:2]), front
        h, backbone = self.backbone.unroll(inputs, backbone, lengths)
        return self.conditional(h, loc, scale, x.shape[:2]), (*front, *backbone)

    def predict(self, state: State) -> tuple[Conditional, State]:
        """P(x_t | x_<t) of the next step (B, ...), and what ``observe`` needs to take x_t in."""
        front, backbone = self.parts(state)
        inputs, loc, scale = self.front.pending(front)
        if self.backbone is None:
            return self.conditional(None, loc, scale, inputs.shape[:1]), state
        backbone, h = self.backbone.step(backbone, inputs)
        return self.conditional(h, loc, scale, inputs.shape[:1]), (*front, *backbone)

    def observe(self, state: State, x: Tensor) -> State:
        """X (B, D), the value of the step just predicted -> the state after it."""
        front, backbone = self.parts(state)
        return (*self.front.unroll(x[None], front)[3], *backbone)

    def parts(self, state: State) -> tuple[State, State]:
        """The front's part of a state, and the memory's."""
        cut = len(state) - (0 if self.backbone is None else len(self.backbone.initial_state(1)))
        return state[:cut], state[cut:]

    def conditional(self, h: Tensor | None, loc: Tensor | None, scale: Tensor | None, shape: torch.Size) -> Conditional:
        """The memory's h (*shape, H) and the front's loc and scale -> what is asserted, (*shape, ...)."""
        params = self.constant.expand(*shape, *self.constant.shape)
        if h is not None and self.head is not None:
            params = params + self.head(h).unflatten(-1, self.constant.shape)
        if self.emission.standardised:
            return Conditional(self.emission, params, loc, scale, self.coupling)
        return Conditional(self.emission, params if loc is None else self.emission.shifted(params, loc))
