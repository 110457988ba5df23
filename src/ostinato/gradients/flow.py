"""The flow of gradients through time: their norm by lag, and the growth rate of differences between states.

Both are computed along one trajectory of a backbone, given by its inputs, so neither needs a model or data.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ostinato.layers.cell import Cell
from ostinato.layers.conv import CausalConv
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.stack import Stack
from ostinato.shapes import State


def gradient_norms(
    recurrence: Recurrence, inputs: Tensor, state: State, loss: Callable[[Tensor], Tensor]
) -> tuple[Tensor, ...]:
    """Return the norm of the derivative of the last step's loss with respect to each hidden state, by layer.

    The derivative is the total one, through the layer's own future and through the layers above. The hidden state of an
    RNN, GRU or LSTM is its whole state, so h and c of an LSTM together. Of a linear RNN it is s and the output. Of a
    convolution it is the output, since its state holds only inputs.

    Args:
        recurrence: The backbone.
        inputs: Its inputs, (T, B, D).
        state: Its state before the first step.
        loss: The function from the last output (B, H) to the loss of each sequence (B,).

    Returns:
        Norms, (T, B) for each layer. Row k belongs to the hidden state k steps before the last.
    """
    stack = (
        recurrence if isinstance(recurrence, Stack) else Stack([recurrence], residual=False).train(recurrence.training)
    )
    hidden: list[list[tuple[Tensor, ...]]] = [[] for _ in stack.each()]
    # one step at a time, so that every hidden state is a separate tensor; the outputs of convolutions do not depend on
    # each other, so a stack of convolutions can run all steps at once
    at_once = all(isinstance(layer, CausalConv) for layer in stack.each())
    h = inputs
    with torch.enable_grad():
        # the state requires a gradient, so that there is a graph even if the weights are frozen
        state = tuple(s.detach().requires_grad_() for s in state)
        for x in torch.split(inputs.detach(), len(inputs) if at_once else 1):
            h, left = x, list(state)
            carried: list[Tensor] = []
            for layer, size, seen in zip(stack.each(), stack.sizes, hidden, strict=True):
                out, last = layer.unroll(h, tuple(left[:size]))
                if isinstance(layer, Cell):
                    out = last[0][None]  # the same tensor goes to the layer above and to the next step
                seen.append(_hidden(layer, last, out))
                h = stack.above(layer, h, out)
                left, carried = left[size:], [*carried, *last]
            state = tuple(carried)
        flat = [t for seen in hidden for parts in seen for t in parts]
        grads = iter(torch.autograd.grad(loss(h[-1]).sum(), flat, allow_unused=True, materialize_grads=True))
    return tuple(
        torch.cat([_norms([next(grads) for _ in parts]) for parts in seen]).flip(0).detach() for seen in hidden
    )


def lyapunov(recurrence: Recurrence, inputs: Tensor, state: State, *, chunk: int = 16, seed: int = 0) -> Tensor:
    """Return the growth rate of a difference between states along the trajectory.

    The mean of the later rows tends to the largest Lyapunov exponent (Benettin, Galgani, Giorgilli, Strelcyn 1980). A
    vector is multiplied by the Jacobians of the steps, and its growth is recorded each time it is scaled back to length
    1. Here it is multiplied by their transposes, from the last step backwards, which have the same exponents (Oseledets
    1968) and are what backpropagation computes. One chunk and one state per chunk are held at a time.

    Args:
        recurrence: The backbone.
        inputs: Its inputs, (T, B, D).
        state: Its state before the first step.
        chunk: The number of steps between two scalings.
        seed: The seed of the random start of the vector.

    Returns:
        Nats per step, (T // chunk, B), the last steps first; -inf once the vector has become 0.
    """
    chunks = [inputs[i : i + chunk] for i in range(0, len(inputs) - chunk + 1, chunk)]
    starts = [state]
    with torch.no_grad():
        for steps in chunks[:-1]:
            starts.append(recurrence.unroll(steps, starts[-1])[1])
    generator = torch.Generator().manual_seed(seed)
    w = [torch.randn(s.shape, generator=generator, dtype=s.dtype).to(s.device) for s in state]
    w, _ = _unit(w)
    growth = []
    for steps, start in zip(reversed(chunks), reversed(starts), strict=True):
        with torch.enable_grad():
            before = [s.detach().requires_grad_() for s in start]
            _, after = recurrence.unroll(steps.detach(), tuple(before))
            back = torch.autograd.grad(after, before, w, allow_unused=True, materialize_grads=True)
        w, norm = _unit(list(back))
        growth.append(norm.log() / chunk)
    return torch.stack(growth) if growth else inputs.new_zeros(0, inputs.shape[1])


def _hidden(layer: Recurrence, state: State, out: Tensor) -> tuple[Tensor, ...]:
    """Return the hidden state of a layer, as the tensors that the loss was computed from."""
    if isinstance(layer, Cell):
        return state
    return (out,) if isinstance(layer, CausalConv) else (*state, out)


def _norms(parts: list[Tensor]) -> Tensor:
    """Return the joint norm (T, B) of tensors (T, B, ...) of all steps or (B, ...) of one step."""
    by_step = [p if p.dim() == 3 else p[None] for p in parts]
    return torch.cat(by_step, dim=2).square().sum(dim=2).sqrt()


def _norm(parts: list[Tensor]) -> Tensor:
    """Return the joint norm (B,) of tensors (B, ...)."""
    return torch.cat([p.flatten(1) for p in parts], dim=1).square().sum(dim=1).sqrt()


def _unit(parts: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Return the rows scaled to length 1, and their lengths (B,); a row of zeros stays 0."""
    norm = _norm(parts)
    scale = torch.where(norm > 0, norm, torch.ones_like(norm))
    return [p / scale.view(-1, *[1] * (p.dim() - 1)) for p in parts], norm
