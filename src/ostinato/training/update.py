"""One optimiser step as a function of tensors, which the host starts without waiting for a number of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ostinato.data.batching import Batch
from ostinato.model import SequenceModel
from ostinato.shapes import State

#: The devices on which the kernel of AdamW divides the gradients, and leaves the weights as they are, where it is given
#: ``grad_scale`` and ``found_inf``. On Apple's GPUs it ignored both at first (pull request 186360 of torch).
KERNELS = ("cpu", "cuda")


class StepSettings(NamedTuple):
    """What differs from step to step.

    Attributes:
        rate: The learning rate.
        scale: What the loss is multiplied by, so that the gradient is that of a mean; 0 if no value of the batch
            counts, and then the weights stay.
        move: The share by which the averaged weights move to those of the step.
    """

    rate: float
    scale: float
    move: float


class Update:
    """The optimiser step of a model: loss, gradient, clipping, AdamW, and the average of the weights.

    A step whose loss or gradient is not finite changes no weight, and neither does any step after it. The host may
    therefore look at the outcomes some steps later, and finds the weights as they were before that step.

    Args:
        model: The model.
        loss: The module of the loss, which takes a batch and a state.
        optimizer: AdamW in one kernel, which takes its rate, and whether to do nothing, from tensors.
        average: The averaged weights by name.
        clip: The largest norm of a gradient.
        carries: Whether rows carry their state from batch to batch.
    """

    def __init__(
        self,
        model: SequenceModel,
        loss: nn.Module,
        optimizer: torch.optim.AdamW,
        average: dict[str, Tensor],
        clip: float,
        *,
        carries: bool,
    ) -> None:
        self.model, self.loss, self.optimizer, self.clip, self.carries = model, loss, optimizer, clip, carries
        self._average = average
        #: 1 from the first step on whose loss or gradient was not finite
        self.broken = torch.zeros((), device=model.device)

    def __call__(self, batch: Batch, carried: State | None, settings: StepSettings) -> tuple[Tensor, State | None]:
        """Make a step on a batch of the host; see ``on_device``."""
        device = self.model.device
        return self.on_device(batch.to(device), carried, self.numbers(settings).to(device, non_blocking=True))

    def numbers(self, settings: StepSettings) -> Tensor:
        """Return the settings in the type of the weights, (3,), on the host."""
        return torch.tensor(settings, dtype=self.model.constant.dtype)

    def on_device(self, batch: Batch, carried: State | None, settings: Tensor) -> tuple[Tensor, State | None]:
        """Make a step.

        Args:
            batch: The batch, on the device of the model.
            carried: The state of the rows, (B, ...) each; None if no row carries one.
            settings: The numbers of ``StepSettings``, (3,), on the device.

        Returns:
            The loss and the norm of its gradient, (2,); and the state after the batch.
        """
        rate, scale, move = settings.unbind()
        loss, after = self.loss(batch, self._state(batch, carried))
        self.optimizer.zero_grad(set_to_none=True)
        (loss * scale).backward()
        own = dict(self.model.named_parameters())
        norm = torch.nn.utils.get_total_norm([p.grad for p in own.values() if p.grad is not None])
        outcome = torch.stack([loss.detach(), norm])
        counts = scale != 0
        self.broken.copy_(torch.maximum(self.broken, (counts & ~outcome.isfinite().all()).to(self.broken)))
        idle = torch.maximum(self.broken, (~counts).to(self.broken))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self._step(idle, (norm / self.clip).clamp(min=1.0))
        with torch.no_grad():
            share = move * (1 - idle)
            for name, average in self._average.items():
                average.lerp_(own[name], share)
        return outcome, None if after is None else tuple(s.detach() for s in after)

    @torch.no_grad()
    def _step(self, idle: Tensor, excess: Tensor) -> None:
        """Make the step of AdamW with the gradients over ``excess``; where ``idle`` is 1, the weights stay.

        A kernel that can do both does them while it reads the gradients, so that neither takes a pass of its own.
        """
        if self.model.device.type in KERNELS:
            self.optimizer.found_inf, self.optimizer.grad_scale = idle, excess.float()  # type: ignore[attr-defined]
            self.optimizer.step()
            return
        moving = [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        before = [p.clone() for p in moving]
        torch._foreach_mul_([p.grad for p in moving], 1 / excess)
        self.optimizer.step()
        for p, kept in zip(moving, before, strict=True):
            p.copy_(torch.where(idle > 0, kept, p))

    def _state(self, batch: Batch, carried: State | None) -> State | None:
        """Return the state before a batch: the carried one, and the initial one of rows that start anew."""
        if not self.carries:
            return None
        initial = self.model.initial_state(len(batch.rows))
        if carried is None:
            return initial
        fresh = [batch.reset.view(-1, *[1] * (s.dim() - 1)) for s in initial]
        return tuple(torch.where(f, i, c) for f, i, c in zip(fresh, initial, carried, strict=True))
