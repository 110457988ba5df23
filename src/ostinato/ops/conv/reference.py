"""The causal dilated convolution, tap by tap: the specification (van den Oord et al. 2016, section 2.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.shapes import State


def unroll(
    x: Tensor, state: State, weight: Tensor, bias: Tensor, dilation: int, lengths: Tensor | None = None
) -> tuple[Tensor, State]:
    """y_t = b + sum_k W_k x_{t - (kernel - 1 - k) dilation}: one kernel shared by all positions.

    x (T, B, D), state (the last (kernel - 1) dilation inputs (B, R, D), oldest first,), weight (H, D, kernel), bias (H)
    -> y (T, B, H) and the last state.
    """
    past = state[0].transpose(0, 1)
    path, steps = torch.cat([past, x]), len(x)
    y = bias.expand(steps, x.shape[1], -1)
    for k in range(weight.shape[2]):
        y = y + path[k * dilation : k * dilation + steps] @ weight[:, :, k].t()
    return y, (after(path, past.shape[0], lengths),)


def after(path: Tensor, reach: int, lengths: Tensor | None) -> Tensor:
    """(R + T, B, D), R = reach -> the R inputs (B, R, D) that precede the step after each row's last."""
    if lengths is None:
        return path[len(path) - reach :].transpose(0, 1)
    index = lengths.to(path.device)[:, None] + torch.arange(reach, device=path.device)
    return path[index, torch.arange(path.shape[1], device=path.device)[:, None]]
