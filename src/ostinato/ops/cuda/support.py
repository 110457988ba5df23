"""Whether the kernels run: the GPU, the types and the sizes they were checked for, and the way back if they fail."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

from ostinato.ops.cuda.compiler import UnavailableError
from ostinato.ops.cuda.contract import MOST, TYPES, Variant
from ostinato.ops.cuda.recurrence import kernels
from ostinato.ops.dispatch_keys import included, keys_of
from ostinato.ops.variables import GPU_KERNELS, gpu_kernels

#: The capabilities of the GPUs on which benchmarks/gpu.py was run, with the name of the generation.
CHECKED: Final = {(9, 0): "Hopper"}

#: Clusters of blocks that share their memory exist since this capability.
_CLUSTERS: Final = 9

_failed: list[str] = []


def step_back(error: UnavailableError) -> None:
    """Do without the kernels from now on, and say so once."""
    if not _failed:
        warnings.warn(f"the kernels for GPUs do not run here, torch's operators run instead: {error}", stacklevel=2)
        _failed.append(str(error))


@cache
def capability(device: int) -> tuple[int, int] | None:
    """Return the compute capability of a device, or None if torch sees no GPU of NVIDIA."""
    if torch.version.cuda is None or not torch.cuda.is_available() or device >= torch.cuda.device_count():
        return None
    return torch.cuda.get_device_capability(device)


def _current() -> int:
    """Return the number of torch's current device, 0 if there is none."""
    return torch.cuda.current_device() if torch.cuda.is_available() else 0


def effective(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which tensors of this type are computed, autocast taken into account."""
    return torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else dtype


def refusal(facts: Mapping[str, Any], *, traced: bool = False) -> str | None:
    """Return the reason why the kernels cannot run a cell, or None if they can.

    Args:
        facts: The device, the dtype and the number of hidden units, and the nonlinearity; "cpu", float32, any number
            and "tanh" if they are missing.
        traced: Whether the call goes through the operator that torch.compile sees.

    Returns:
        The reason as a clause, or None.
    """
    return _absence(facts, traced=traced) or _unknown_card(clusters=True) or _misfit(facts)


def linear_refusal(facts: Mapping[str, Any]) -> str | None:
    """Return the reason why the kernels cannot run the linear recurrence, or None if they can; see ``refusal``."""
    dtype = facts.get("dtype") or torch.float32
    if (reason := _absence(facts) or _unknown_card(clusters=False)) is not None:
        return reason
    if dtype not in (torch.float32, torch.complex64):
        return f"the kernels for GPUs compute this in float32 and complex64, not in {str(dtype).removeprefix('torch.')}"
    return None


def _absence(facts: Mapping[str, Any], *, traced: bool = False) -> str | None:
    """Return why the kernels are out of the question on the device, or None."""
    if (device := facts.get("device", "cpu")) != "cuda":
        return f"the kernels for GPUs compute on cuda, not on {device}"
    if torch.compiler.is_compiling() and not traced:
        return "torch.compile traces torch's operators"
    if gpu_kernels() == "0":
        return f"{GPU_KERNELS}=0 switches the kernels off"
    return _failed[0] if _failed else None


def _unknown_card(*, clusters: bool) -> str | None:
    """Return why the kernels do not run on torch's current GPU, or None; with clusters if they need them."""
    found = capability(_current())
    if found is None:
        return "torch sees no GPU of NVIDIA"
    name = f"{found[0]}.{found[1]}"
    if clusters and found[0] < _CLUSTERS:
        return f"a GPU of compute capability {name} has no clusters of blocks, which came with 9.0"
    if found not in CHECKED and gpu_kernels() != "1":
        return f"not checked on compute capability {name}, {GPU_KERNELS}=1 tries them"
    return None


def _misfit(facts: Mapping[str, Any]) -> str | None:
    """Return what about the types and sizes the kernels do not take, or None."""
    dtype, hidden = effective(facts.get("dtype") or torch.float32), facts.get("hidden", 1)
    if dtype not in TYPES:
        known = ", ".join(str(t).removeprefix("torch.") for t in TYPES)
        return f"the kernels for GPUs compute in {known}, not in {str(dtype).removeprefix('torch.')}"
    if dtype == torch.float32 and not torch._C._get_cudnn_allow_tf32():
        return "torch.backends.cudnn.allow_tf32 is off, and the kernels round float32 operands as TF32 does"
    if facts.get("nonlinearity", "tanh") not in ("tanh", "relu"):
        return f"the kernels for GPUs have no nonlinearity {facts['nonlinearity']!r}"
    if not 1 <= hidden <= MOST:
        return f"the kernels for GPUs take up to {MOST} hidden units, not {hidden}"
    return None


@cache
def prepare(variant: Variant, device: int) -> None:
    """Compile and load the kernels of a variant, or raise UnavailableError."""
    kernels(variant, device)


@cache
def _plain(inference: bool) -> tuple[Any, Any]:
    """Return the dispatch keys of a plain tensor on a GPU, and those of a thread."""
    with torch.inference_mode(inference):
        return keys_of(torch.empty(0, device="cuda")), included()


def common(tensors: Sequence[Tensor | None]) -> list[Tensor | None] | None:
    """Return the tensors of a call in one type, or None if the kernels may not take their addresses.

    Under autocast they are converted to its type. Otherwise they must have one type, and lie on one GPU as plain
    tensors: a kernel sees nothing of what torch keeps apart from the bytes of a tensor.
    """
    first = tensors[0]
    if first is None or first.device.type != "cuda" or _transformed():
        return None
    device, dtype = first.device, effective(first.dtype)
    (outside, thread), (inside, other_thread) = _plain(inference=False), _plain(inference=True)
    if included() not in (thread, other_thread):
        return None
    converts = torch.is_autocast_enabled("cuda")
    for t in tensors:
        if t is None:
            continue
        if keys_of(t) not in (outside, inside) or t.device != device:
            return None
        if not converts and t.dtype is not dtype:
            return None
    return [None if t is None else t.to(dtype) for t in tensors] if converts else list(tensors)


def _transformed() -> bool:
    """Return whether torch traces or transforms the call, or whether a mode wants to see its operators."""
    return (
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or (
            torch._C._len_torch_function_stack() > 0
            and any(not isinstance(mode, DeviceContext) for mode in _get_current_function_mode_stack())  # type: ignore[no-untyped-call]
        )
    )


def level(facts: Mapping[str, Any]) -> bool:
    """Return whether cuDNN, with so small a layer in one block, is as fast as our kernels for rows of one length.

    On an H200 and an H100, training took ours 1.0 to 1.2 times as long for an LSTM or a plain network of 64 units in
    float32, and for a GRU with a single row.
    """
    return effective(facts.get("dtype") or torch.float32) == torch.float32 and facts.get("hidden", MOST) <= 64


# a value that means nothing is an error on machines without a GPU too
gpu_kernels()
