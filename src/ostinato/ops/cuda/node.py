"""The recurrence in autograd: the large products by cuBLAS, the steps by our kernels.

The kernels compute gradients of the first order; a gradient that must itself be differentiable is computed by the
reference, in operators of torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.ops.cuda import recurrence
from ostinato.ops.cuda.contract import CELLS, CellTraits, Variant
from ostinato.ops.cuda.rows import Rows
from ostinato.ops.engine.call import Call
from ostinato.ops.engine.decomposed import by_reference, gradients_of
from ostinato.ops.engine.places import Places


class Plan(NamedTuple):
    """How a call is run.

    Attributes:
        variant: The variant of the kernels.
        rows: The layout of the rows, on the device.
        places: The layout as it was given.
    """

    variant: Variant
    rows: Rows
    places: Places


class _Tf32(AbstractContextManager[None]):
    """Lets cuBLAS use TF32, as cuDNN does for the products of a recurrence by torch's default."""

    def __enter__(self) -> None:
        self._before = torch._C._get_cublas_allow_tf32()
        if not self._before:
            torch._C._set_cublas_allow_tf32(True)

    def __exit__(self, *_: object) -> None:
        if not self._before:
            torch._C._set_cublas_allow_tf32(False)


def _products(dtype: torch.dtype) -> AbstractContextManager[None]:
    """Return the context of the large products."""
    return _Tf32() if dtype == torch.float32 else nullcontext()


def run(plan: Plan, tensors: Sequence[Any], *, save: bool = False) -> tuple[Tensor, Tensor, Tensor | None, Any]:
    """Run a call without autograd; see ``recurrence.forward``. The outputs have the axes of x.

    Args:
        plan: The plan of the call.
        tensors: Its tensors: x, h0, c0, w_ih, w_hh, b_ih and b_hh.
        save: Whether to save what backward needs.
    """
    x, h0, c0, w_ih, w_hh, b_ih, b_hh = tensors
    flat = x.reshape(-1, x.shape[-1])
    with _products(x.dtype):
        gx = torch.mm(flat, w_ih.t()) if b_ih is None else torch.addmm(b_ih, flat, w_ih.t())
    h0, c0 = h0.contiguous(), None if c0 is None else c0.contiguous()
    w_hh, b_hh = w_hh.contiguous(), None if b_hh is None else b_hh.contiguous()
    y, h_n, c_n, saved = recurrence.forward(plan.variant, gx, h0, c0, w_hh, b_hh, plan.rows, save=save)
    return y.view(*x.shape[:-1], -1), h_n, c_n, saved


class Unrolled(torch.autograd.Function):
    """The node of a call. Backward can run more than once, and after the outputs were changed in place."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> tuple[Tensor | None, ...]:
        """Return y, h_n and c_n, given x, h0, c0, w_ih, w_hh, b_ih and b_hh, and then the plan."""
        *tensors, plan = args
        y, h_n, c_n, saved = run(plan, tensors, save=True)
        ctx.plan = plan
        ctx.save_for_backward(*tensors, *saved)
        ctx.set_materialize_grads(False)
        return y, h_n, c_n

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Any, ...]:
        """Return the gradients of the tensors, given those of y, h_n and c_n, or None for zero."""
        kept = ctx.saved_tensors
        tensors, saved = kept[:7], recurrence.Saved(*kept[7:])
        needed = ctx.needs_input_grad[:7]
        if torch.is_grad_enabled() or torch._C._are_functorch_transforms_active():
            count = 2 if tensors[2] is None else 3
            return *gradients_of(_reference_of(ctx.plan), tensors, given[:count], needed), None
        return *gradients(ctx.plan, tensors, saved, given, needed), None


def gradients(
    plan: Plan, tensors: Sequence[Any], saved: recurrence.Saved, given: Sequence[Tensor | None], needed: Sequence[bool]
) -> tuple[Tensor | None, ...]:
    """Return the gradients of x, h0, c0, w_ih, w_hh, b_ih and b_hh, None where they are not needed.

    Args:
        plan: The plan of the call.
        tensors: The tensors of the call, in this order.
        saved: What forward saved.
        given: The gradients of y, h_n and c_n, None for zero.
        needed: For each tensor whether its gradient is needed.
    """
    x, h0, _, w_ih, w_hh, *_ = tensors
    H, dtype, traits = h0.shape[-1], x.dtype, CELLS[plan.variant.cell]
    of_outputs = [None if t is None else t.to(dtype).contiguous() for t in given]
    dg, db, dh0, dc0 = recurrence.backward(plan.variant, saved, w_hh.contiguous(), of_outputs, plan.rows)
    of_input = dg[:, : traits.gates * H] if traits.apart else dg
    with _products(dtype):
        dx = torch.mm(of_input, w_ih).view(x.shape) if needed[0] else None
        dw_ih = torch.mm(of_input.t(), _steps_of(x, plan.rows)) if needed[3] else None
        dw_hh = _of_recurrent_weights(traits, dg, saved) if needed[4] else None
    db_ih, db_hh = _of_biases(traits, db, dtype) if needed[5] or needed[6] else (None, None)
    return dx, dh0, dc0, dw_ih, dw_hh, db_ih, db_hh


def _of_recurrent_weights(traits: CellTraits, dg: Tensor, saved: recurrence.Saved) -> Tensor:
    """Return the gradient of the recurrent weights, (GH, H), given those of the gates, (places, GH or more)."""
    h, H = saved.h_before, saved.h_before.shape[-1]
    if not (traits.apart or traits.late):
        return torch.mm(dg.t(), h)
    # the last gate has a gradient, or an operand, of its own
    dw = h.new_empty(traits.gates * H, H)
    torch.mm(dg[:, : 2 * H].t(), h, out=dw[: 2 * H])
    torch.mm(dg[:, -H:].t(), saved.m if traits.late else h, out=dw[2 * H :])
    return dw


def _of_biases(traits: CellTraits, db: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the gradients of the two biases, (GH,), given the sums of those of the gates over each row."""
    sums = db.sum(0).to(dtype)
    if not traits.apart:
        return sums, sums
    H = len(sums) // 4
    return sums[: 3 * H], torch.cat([sums[: 2 * H], sums[3 * H :]])


def _steps_of(x: Tensor, rows: Rows) -> Tensor:
    """Return the inputs as (places, D), zero where a row has ended: there, they can be anything."""
    padding = rows.padding()
    return (x if padding is None else x.masked_fill(padding[..., None], 0)).reshape(-1, x.shape[-1])


def _reference_of(plan: Plan) -> Callable[..., tuple[Tensor, ...]]:
    """Return the reference of a call as a function of its tensors."""
    lengths, base, column = (
        None if t is None else t.cpu() for t in (plan.places.lengths, plan.places.base, plan.places.column)
    )

    def run_reference(*tensors: Tensor | None) -> tuple[Tensor, ...]:
        return by_reference(Call._make((plan.variant.cell, *tensors, None, lengths, base, column, plan.places.reverse)))

    return run_reference
