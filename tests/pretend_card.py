"""A pretended card: tensors that say they are on ``cuda:0``, compute on the CPU, and never mix with others.

FakeTensorMode of torch checks devices too, but computes no numbers, so that no verb gets past its first question about
a value. Here every verb runs whole: a tensor on the card has real numbers, refuses NumPy, and raises the error of a
real card where it meets a tensor on the CPU. What it cannot show is what a real card rounds, and how fast it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch._decomp import decompositions
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from ostinato.gradients import checkpointed
from ostinato.ops.variables import GPU_KERNELS

CARD = torch.device("cuda:0")
_aten = torch.ops.aten
#: Operators that may take tensors of both devices: copies, and places on the CPU for a tensor on the card.
_MIXED = {
    _aten._to_copy.default,
    _aten.copy_.default,
    _aten.index.Tensor,
    _aten.index_put.default,
    _aten.index_put_.default,
    _aten._index_put_impl_.default,
    _aten._pack_padded_sequence.default,
}


class OnCard(torch.Tensor):
    """A tensor that says it is on the card; its numbers are in ``held``, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnCard:
        out = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            # a build of torch without CUDA lets no graph hold a tensor of CUDA, but one of this device
            device=torch.device("meta"),
            requires_grad=False,
        )
        out.held = held
        return out

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CARD

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return True

    def tolist(self) -> Any:
        return self.held.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnCard({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return _run(func, args, kwargs or {})


class _Factories(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives tensors that are made on the card, which no argument on the card announces."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    flat, spec = tree_flatten((args, kwargs))
    tensors = [t for t in flat if isinstance(t, Tensor)]
    cards = [t for t in tensors if isinstance(t, OnCard)]
    if cards and func not in _MIXED:
        for t in tensors:
            if not isinstance(t, OnCard) and t.dim():
                raise RuntimeError(f"{func}: tensors on cuda:0 and cpu, {[tuple(t.shape) for t in tensors]}")
    if func is _aten.copy_.default:
        target, source = args[0], args[1]
        (target.held if isinstance(target, OnCard) else target).copy_(
            source.held if isinstance(source, OnCard) else source
        )
        return target
    if func in (_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default) and cards:
        assert isinstance(args[0], OnCard), f"{func}: places on the card of a tensor on the CPU"
    wanted = kwargs.get("device")
    there = bool(cards) if wanted is None else torch.device(wanted).type in ("cuda", "meta")
    plain_args, plain = tree_unflatten([_held(t) if isinstance(t, OnCard) else t for t in flat], spec)
    if wanted is not None:
        plain = {**plain, "device": torch.device("cpu")}
    out = func(*plain_args, **plain)
    if func is _aten._local_scalar_dense.default or not isinstance(out, Tensor | tuple | list):
        return out
    # an operator in place, or with an output, returns the very tensor that it was given
    known = {id(t.held): t for t in cards}
    if func is _aten._pack_padded_sequence.default:
        return OnCard(out[0]), out[1]
    found, shape = tree_flatten(out)
    again = [_wrapped(t, known) if isinstance(t, Tensor) and there else t for t in found]
    return tree_unflatten(again, shape)


def _held(t: OnCard) -> Tensor:
    """Return the numbers of a tensor; torch marks a conjugate or a negative on the tensor itself."""
    held = t.held.conj() if t.is_conj() else t.held
    return torch._neg_view(held) if t.is_neg() else held


def _wrapped(t: Tensor, known: dict[int, OnCard]) -> Tensor:
    return known[id(t)] if id(t) in known else OnCard(t.resolve_conj().resolve_neg())


@contextmanager
def pretend_card() -> Iterator[None]:
    """Let torch find one card, on which tensors compute as described above."""
    state = torch.get_rng_state()
    facts = SimpleNamespace(name="a pretended card", total_memory=80e9, major=9, minor=0)
    patches: list[Any] = [
        patch.object(torch.cuda, "_lazy_init", lambda: None),
        patch.object(torch.cuda, "is_available", lambda: True),
        patch.object(torch.cuda, "device_count", lambda: 1),
        patch.object(torch.cuda, "current_device", lambda: 0),
        # a build of torch for CUDA would ask the driver whether an optimiser's step is captured in a graph
        patch.object(torch.accelerator, "current_accelerator", lambda check_available=False: None),
        # the kernels for GPUs need the driver of a real card
        patch.dict(os.environ, {GPU_KERNELS: "0"}),
        patch.object(torch.cuda, "get_device_properties", lambda device=None: facts),
        patch.object(torch.cuda, "synchronize", lambda device=None: None),
        # optimisers ask, and a torch for CUDA asks the driver, which may not be there
        patch.object(torch.cuda, "is_current_stream_capturing", lambda: False),
        patch.object(torch.cuda, "get_rng_state", lambda device=None: state),
        patch.object(torch.cuda, "set_rng_state", lambda new, device=None: None),
        # its dropout draws from the generator of the CPU
        patch.object(checkpointed, "get_device_states", lambda *tensors: ([], [])),
        # tensors of the pretended card cannot be made in inference mode
        patch.object(torch.inference_mode, "__enter__", _enter_no_grad),
        patch.object(torch.inference_mode, "__exit__", _exit_no_grad),
        # the operators of a real card are one kernel each; here they are taken apart
        patch.object(torch, "gru", _apart(torch.gru, decompositions.gru_impl)),
        patch.object(torch, "lstm", _apart(torch.lstm, _lstm)),
        patch.object(torch, "rnn_tanh", _apart(torch.rnn_tanh, decompositions.rnn_tanh_input)),
        patch.object(torch, "rnn_relu", _apart(torch.rnn_relu, decompositions.rnn_relu_input)),
    ]
    swapped = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    lifted = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    for one in patches:
        one.start()
    try:
        with _Factories():  # type: ignore[no-untyped-call]
            yield
    finally:
        torch.__future__.set_swap_module_params_on_conversion(swapped)
        torch._C._set_only_lift_cpu_tensors(lifted)
        for one in reversed(patches):
            one.stop()


def _lstm(x: Tensor, *rest: Any) -> Any:
    packed = isinstance(rest[0], Tensor)  # the sizes of the batches of packed rows
    starts = rest[1] if packed else rest[0]
    out, *last = (decompositions.lstm_data_impl if packed else decompositions.lstm_impl)(x, *rest)
    # taken apart by torch 2.7 to 2.10, the last state of rows of one length has an axis more than the operator gives
    return out, *(one.reshape(start.shape) for one, start in zip(last, starts, strict=True))


def _enter_no_grad(mode: Any) -> None:
    mode.before = torch.is_grad_enabled()
    if mode.mode:
        torch._C._set_grad_enabled(False)


def _exit_no_grad(mode: Any, *exception: object) -> None:
    torch._C._set_grad_enabled(mode.before)


def _apart(whole: Any, parts: Any) -> Any:
    def run(x: Tensor, *rest: Any) -> Any:
        return parts(x, *rest) if isinstance(x, OnCard) else whole(x, *rest)

    return run
