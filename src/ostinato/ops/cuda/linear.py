"""The kernels of linear.cu on tensors, and their node in autograd."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, Final

import torch
from torch import Tensor

from ostinato.ops.cuda import support
from ostinato.ops.cuda.binaries import binary
from ostinato.ops.cuda.compiler import UnavailableError
from ostinato.ops.cuda.driver import Binary
from ostinato.ops.engine.decomposed import gradients_of
from ostinato.ops.linear import reference
from ostinato.shapes import State

#: The structure Arguments of the source: in, h, h0, a, dlast; out, end, da; lengths; T, B, H.
ARGUMENTS: Final = struct.Struct("=9Q3i4x")

#: The threads of a block: 16 chunks of 32 units.
THREADS: Final = 512


class Kernels:
    """The two kernels for one type of numbers on one device.

    Args:
        paired: Whether the numbers are complex.
        device: The number of the device.

    Raises:
        UnavailableError: The kernels cannot be compiled or loaded.
    """

    def __init__(self, paired: bool, device: int) -> None:
        major, minor = torch.cuda.get_device_capability(device)
        self._binary = Binary(binary("linear.cu", {"COMPLEX": int(paired)}, f"sm_{major}{minor}"), device)
        self._device = device
        self._functions = {name: self._binary.function(name, 0) for name in ("linear_forward", "linear_backward")}

    def launch(self, name: str, blocks: int, arguments: bytes) -> None:
        """Launch a kernel on torch's current stream."""
        stream = torch._C._cuda_getCurrentRawStream(self._device)
        self._binary.launch(self._functions[name], blocks, THREADS, 0, stream, arguments)


@cache
def kernels(paired: bool, device: int) -> Kernels:
    """Return the kernels for one type of numbers on a device, compiled at the first call."""
    return Kernels(paired, device)


def unroll(u: Tensor, state: State, a: Tensor, lengths: Tensor | None) -> tuple[Tensor, State] | None:
    """Unroll the recurrence; the arguments are those of the reference, and h is zero after the end of a row.

    Returns:
        The hidden states and the last state; None if the kernels cannot take this call.
    """
    tensors = support.common((u, state[0], a)) if u.dtype in (torch.float32, torch.complex64) else None
    if tensors is None or any(t is not None and (t.is_conj() or t.dtype is not u.dtype) for t in tensors):
        return None
    given: Any = tensors
    try:
        kernels(u.is_complex(), u.device.index)
        on_device = None if lengths is None else lengths.to(u.device, torch.int64).contiguous()
        if torch.is_grad_enabled() and any(t.requires_grad for t in given):
            h, last = Unrolled.apply(*given, on_device)  # type: ignore[no-untyped-call]
        else:
            u, h0, a = given
            h, last = forward(u, h0, a, on_device)
    except UnavailableError as error:
        support.step_back(error)
        return None
    return h, (last,)


def forward(u: Tensor, h0: Tensor, a: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the hidden states of all steps, (T, B, H), and the last states, (B, H); arguments as in the reference."""
    u, h0, a = u.contiguous(), h0.contiguous(), a.contiguous()
    h, last = torch.empty_like(u), torch.empty_like(h0)
    if not len(u):
        return h, h0.clone()
    _launch("linear_forward", u, (u, None, h0, a, None, h, last, None, lengths))
    return h, last


def backward(
    h0: Tensor, a: Tensor, lengths: Tensor | None, h: Tensor, dh: Tensor | None, dlast: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of u, (T, B, H), of h0, (B, H), and of a, (H,); those given may be None for zero."""
    h0, a, h = h0.contiguous(), a.contiguous(), h.contiguous()
    dh, dlast = (None if t is None else t.resolve_conj().contiguous() for t in (dh, dlast))
    du, dh0, da = torch.empty_like(h), torch.empty_like(h0), torch.empty_like(h0)
    if not len(h):
        return du, torch.zeros_like(h0) if dlast is None else dlast, torch.zeros_like(a)
    _launch("linear_backward", h, (dh, h, h0, a, dlast, du, dh0, da, lengths))
    return du, dh0, da.sum(0)


def _launch(name: str, like: Tensor, tensors: tuple[Tensor | None, ...]) -> None:
    """Launch a kernel: a block for 32 units of a row."""
    T, B, H = like.shape
    if B and H:
        addresses = (0 if t is None else t.data_ptr() for t in tensors)
        run = kernels(like.is_complex(), like.device.index)
        run.launch(name, B * -(-H // 32), ARGUMENTS.pack(*addresses, T, B, H))


class Unrolled(torch.autograd.Function):
    """The node of a call; a backward after h was changed in place runs forward again."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        """Return the hidden states and the last states, given u, h0, a and lengths."""
        u, h0, a, lengths = inputs
        h, last = forward(u, h0, a, lengths)
        ctx.save_for_backward(*inputs)
        # an alias counts the changes of h; as a saved tensor of autograd it would forbid them
        ctx.h, ctx.version = h.detach(), h._version
        ctx.set_materialize_grads(False)
        return h, last

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Any, ...]:
        """Return the gradients of u, h0 and a, given those of the results, or None for zero."""
        u, h0, a, lengths = ctx.saved_tensors
        if torch.is_grad_enabled():
            needed = *ctx.needs_input_grad[:3], False
            return tuple(gradients_of(_by_reference, (u, h0, a, lengths), given, needed))
        h = ctx.h if ctx.h._version == ctx.version else forward(u, h0, a, lengths)[0]
        return *backward(h0, a, lengths, h, *given), None


def _by_reference(u: Tensor, h0: Tensor, a: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return h, zero after the end of a row, and the last states by the reference."""
    h, (last,) = reference.unroll(u, (h0,), a, lengths)
    if lengths is not None:
        h = h * (torch.arange(len(u), device=u.device)[:, None] < lengths)[..., None]
    return h, last
