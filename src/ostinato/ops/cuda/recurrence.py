"""The kernels of recurrence.cu on tensors: one launch for all steps forward, and one backward."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.ops.cuda.binaries import binary
from ostinato.ops.cuda.contract import BACKWARD, CELLS, FORWARD, Variant
from ostinato.ops.cuda.driver import Binary
from ostinato.ops.cuda.rows import Rows


class Saved(NamedTuple):
    """What forward keeps for backward, at the places of the steps.

    Attributes:
        kept: What the cell keeps of each step, (places, KH).
        h_before: The hidden state before each step, (places, H).
        c_before: The cell state before each step, (places, H) float32; empty for a cell of one state.
        m: r h, (places, H), for a GRU with the reset before the product; else empty.
        c_last: The cell state after the last step, (B, H) float32; empty for a cell of one state.
    """

    kept: Tensor
    h_before: Tensor
    c_before: Tensor
    m: Tensor
    c_last: Tensor


class Kernels:
    """The three kernels of a variant on one device.

    Args:
        variant: The variant.
        device: The number of the device.

    Raises:
        UnavailableError: The kernels cannot be compiled or loaded.
    """

    def __init__(self, variant: Variant, device: int) -> None:
        major, minor = torch.cuda.get_device_capability(device)
        self._binary = Binary(binary("recurrence.cu", variant.definitions, f"sm_{major}{minor}"), device)
        self._variant, self._device = variant, device
        self._shared = variant.shared(backward=False), variant.shared(backward=True)
        self._run = tuple(self._binary.function(name, self._shared[0]) for name in ("run", "run_and_save"))
        self._differentiate = self._binary.function("differentiate", self._shared[1])

    def forward(self, arguments: bytes, rows: int, *, save: bool) -> None:
        """Launch the forward kernel for so many rows."""
        self._launch(self._run[save], rows, self._shared[0], arguments)

    def backward(self, arguments: bytes, rows: int) -> None:
        """Launch the backward kernel for so many rows."""
        self._launch(self._differentiate, rows, self._shared[1], arguments)

    def _launch(self, function: int, rows: int, shared: int, arguments: bytes) -> None:
        """Launch a kernel on torch's current stream."""
        v = self._variant
        stream = torch._C._cuda_getCurrentRawStream(self._device)
        self._binary.launch(function, v.grid(rows), v.threads, shared, stream, arguments)


@cache
def kernels(variant: Variant, device: int) -> Kernels:
    """Return the kernels of a variant on a device, compiled at the first call.

    Raises:
        UnavailableError: The kernels cannot be compiled or loaded.
    """
    return Kernels(variant, device)


def _address(t: Tensor | None) -> int:
    """Return the address of a tensor, 0 for None."""
    return 0 if t is None else t.data_ptr()


def forward(
    variant: Variant,
    gx: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    w_hh: Tensor,
    b_hh: Tensor | None,
    rows: Rows,
    *,
    save: bool,
) -> tuple[Tensor, Tensor, Tensor | None, Saved | None]:
    """Run the recurrence.

    Args:
        variant: The variant that runs it.
        gx: The products of the inputs with their bias, (places, GH).
        h0: The hidden state before the first step, (B, H).
        c0: The cell state before the first step, (B, H); None for a cell of one state.
        w_hh: The recurrent weights, (GH, H).
        b_hh: The recurrent bias, (GH,), or None.
        rows: The layout of the rows.
        save: Whether to save what backward needs.

    Returns:
        The outputs, (places, H), zero at places that hold no step; h and c after the last step of each row, (B, H), c
        None for a cell of one state; and what backward needs, or None. All tensors are contiguous.

    Raises:
        UnavailableError: The kernels cannot be compiled, loaded or launched.
    """
    traits, (places, _), (count, H) = CELLS[variant.cell], gx.shape, h0.shape
    run = kernels(variant, gx.device.index)
    # no step is written where a row has ended
    make = gx.new_empty if rows.lengths is None else gx.new_zeros
    y, h_n = make(places, H), torch.empty_like(h0)
    c_n = None if c0 is None else torch.empty_like(c0)
    none, wide = gx.new_empty(0), torch.float32
    saved = None
    if save:
        two = traits.cell_state
        saved = Saved(
            gx.new_empty(places, traits.kept * H),
            make(places, H),
            gx.new_empty((places, H), dtype=wide) if two else none,
            make(places, H) if traits.late else none,
            gx.new_empty((count, H), dtype=wide) if two else none,
        )
    tensors = (gx, w_hh, b_hh, h0, c0, y, h_n, c_n, *(saved or (None,) * 5))
    arguments = FORWARD.pack(*map(_address, tensors), *rows.arguments(places))
    run.forward(arguments, count, save=save)
    return y, h_n, c_n, saved


def backward(
    variant: Variant,
    saved: Saved,
    w_hh: Tensor,
    given: Sequence[Tensor | None],
    rows: Rows,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Run the recurrence backwards.

    Args:
        variant: The variant that ran forward.
        saved: What forward saved.
        w_hh: The recurrent weights, (GH, H).
        given: The gradients of the outputs, (places, H), and of the last states h and c, (B, H); contiguous, or None
            for zero.
        rows: The layout of the rows.

    Returns:
        The gradients of the gates, (places, GH), then H columns of the last recurrent sum if that is apart;
        their sums over the steps of each row, (B, ...) float32; and the gradients of h0 and c0, (B, H).

    Raises:
        UnavailableError: The kernels cannot be loaded or launched.
    """
    traits, (places, H), count = CELLS[variant.cell], saved.h_before.shape, rows.number
    run = kernels(variant, w_hh.device.index)
    width = traits.gradients * H
    make = w_hh.new_empty if rows.lengths is None else w_hh.new_zeros
    dg, db = make(places, width), w_hh.new_empty((count, width), dtype=torch.float32)
    dh0 = w_hh.new_empty(count, H)
    dc0 = w_hh.new_empty(count, H) if traits.cell_state else None
    tensors = (*given, w_hh, saved.kept, saved.h_before, saved.c_before, saved.c_last, dg, db, dh0, dc0)
    run.backward(BACKWARD.pack(*map(_address, tensors), *rows.arguments(places)), count)
    return dg, db, dh0, dc0
