"""The causal dilated convolution, tap by tap: the reference (van den Oord et al. 2016, section 2.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.shapes import State


def unroll(
    x: Tensor, state: State, weight: Tensor, bias: Tensor, dilation: int, lengths: Tensor | None = None
) -> tuple[Tensor, State]:
    """Compute y_t = b + sum_k W_k x_{t - (kernel - 1 - k) dilation}: all positions share one kernel.

    Args:
        x: The inputs, (T, B, D).
        state: The last R = (kernel - 1) dilation inputs before x, oldest first: one tensor (B, R, D).
        weight: The kernel, (H, D, kernel).
        bias: The bias, (H,).
        dilation: The distance in steps between two taps of the kernel.
        lengths: The number of steps of each row, (B,), or None if every row has T steps.

    Returns:
        The outputs, (T, B, H), and the last R inputs of each row.
    """
    past = state[0].transpose(0, 1)
    path, steps = torch.cat([past, x]), len(x)
    y = bias.expand(steps, x.shape[1], -1)
    for k in range(weight.shape[2]):
        y = y + path[k * dilation : k * dilation + steps] @ weight[:, :, k].t()
    return y, (after(path, past.shape[0], lengths),)


def after(path: Tensor, reach: int, lengths: Tensor | None) -> Tensor:
    """Return the last inputs of each row, which are the state for its next step.

    Args:
        path: The state before the first step, followed by the inputs, (R + T, B, D).
        reach: The number of inputs in a state, R.
        lengths: The number of steps of each row, (B,), or None if every row has T steps.

    Returns:
        The last R inputs of each row, oldest first, (B, R, D).
    """
    if lengths is None:
        return path[len(path) - reach :].transpose(0, 1)
    index = lengths.to(path.device)[:, None] + torch.arange(reach, device=path.device)
    return path[index, torch.arange(path.shape[1], device=path.device)[:, None]]
