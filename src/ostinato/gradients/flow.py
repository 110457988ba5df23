"""What comes back through time: the gradient's norm by lag, and how fast differences between states grow.

Both follow one trajectory of a memory, given as its inputs, so neither knows a model or data.
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
    """The norm of dL/dh_{T-k} in each layer of memory, (T, B) each: row k - 1 is the hidden state k - 1 steps back.

    inputs (T, B, D), state before the first of them; loss: h (B, H) of the last step -> L (B,), a row a sequence.

    The derivative is the total one, through the layer's own future and through the layers above. The hidden state of an
    RNN, GRU or LSTM is all that it carries, so of an LSTM h and c together; of a linear RNN it is s, and what it gives
    at the last step; of a convolution what it gives, for it carries only inputs.
    """
    stack = (
        recurrence if isinstance(recurrence, Stack) else Stack([recurrence], residual=False).train(recurrence.training)
    )
    hidden: list[list[tuple[Tensor, ...]]] = [[] for _ in stack.each()]
    # a step at a time, so that every hidden state is a tensor of its own; a convolution's are not made from each other
    windows = all(isinstance(layer, CausalConv) for layer in stack.each())
    h = inputs
    with torch.enable_grad():
        # so that there is a graph where the weights are frozen too
        state = tuple(s.detach().requires_grad_() for s in state)
        for x in torch.split(inputs.detach(), len(inputs) if windows else 1):
            h, left = x, list(state)
            carried: list[Tensor] = []
            for layer, size, seen in zip(stack.each(), stack.sizes, hidden, strict=True):
                out, last = layer.unroll(h, tuple(left[:size]))
                if isinstance(layer, Cell):
                    out = last[0][None]  # one tensor for both ways that it goes on: upwards and into the next step
                seen.append(_hidden(layer, last, out))
                h = stack.above(layer, h, out)
                left, carried = left[size:], [*carried, *last]
            state = tuple(carried)
        flat = [t for seen in hidden for parts in seen for t in parts]
        found = iter(torch.autograd.grad(loss(h[-1]).sum(), flat, allow_unused=True, materialize_grads=True))
    return tuple(
        torch.cat([_norms([next(found) for _ in parts]) for parts in seen]).flip(0).detach() for seen in hidden
    )


def lyapunov(recurrence: Recurrence, inputs: Tensor, state: State, *, chunk: int = 16, seed: int = 0) -> Tensor:
    """Growth of a difference in the state along the trajectory, nats a step: (T // chunk, B), last steps first.

    The mean of the later rows tends to the largest Lyapunov exponent (Benettin, Galgani, Giorgilli, Strelcyn 1980): a
    vector is carried along by the Jacobians of the steps, and its growth noted whenever it is brought back to length 1.
    Here it is carried backwards by their transposes, which have the same exponents (Oseledets 1968) and are what
    backpropagation computes. -inf where nothing is carried any more.

    inputs (T, B, D); state before the first of them. Memory is one chunk's, and a state a chunk.
    """
    chunks = [inputs[i : i + chunk] for i in range(0, len(inputs) - chunk + 1, chunk)]
    starts = [state]
    with torch.no_grad():
        for steps in chunks[:-1]:
            starts.append(recurrence.unroll(steps, starts[-1])[1])
    generator = torch.Generator().manual_seed(seed)
    w = [torch.randn(s.shape, generator=generator, dtype=s.dtype) for s in state]
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
    """What a layer's hidden state is, as the tensors that the loss was computed from."""
    if isinstance(layer, Cell):
        return state
    return (out,) if isinstance(layer, CausalConv) else (*state, out)


def _norms(parts: list[Tensor]) -> Tensor:
    """(B, ...) of one step or (T, B, ...) of all -> (T, B), of all of them together."""
    whole = [p if p.dim() == 3 else p[None] for p in parts]
    return torch.cat(whole, dim=2).square().sum(dim=2).sqrt()


def _norm(parts: list[Tensor]) -> Tensor:
    """(B, ...) each -> (B,), of all of them together."""
    return torch.cat([p.flatten(1) for p in parts], dim=1).square().sum(dim=1).sqrt()


def _unit(parts: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Each row brought to length 1, and what its length was (B,); a row of zeros stays one."""
    norm = _norm(parts)
    scale = torch.where(norm > 0, norm, torch.ones_like(norm))
    return [p / scale.view(-1, *[1] * (p.dim() - 1)) for p in parts], norm
