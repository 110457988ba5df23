"""Whether the kernels run: the card, the types and the sizes they were checked for, and the way back if they fail."""

from __future__ import annotations

import os
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
from ostinato.ops.cuda.contract import FORMS, MOST, Variant
from ostinato.ops.cuda.recurrence import kernels
from ostinato.ops.variables import GPU_KERNELS

#: The capabilities of the cards on which benchmarks/gpu.py was run, with the name of the generation.
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
    """Return the compute capability of a device, or None if torch sees no card of NVIDIA."""
    if torch.version.cuda is None or not torch.cuda.is_available() or device >= torch.cuda.device_count():
        return None
    return torch.cuda.get_device_capability(device)


def _current() -> int:
    """Return the number of torch's current device, 0 if there is none."""
    return torch.cuda.current_device() if torch.cuda.is_available() else 0


def effective(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which tensors of this type are computed, autocast taken into account."""
    return torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else dtype


def refusal(facts: Mapping[str, Any]) -> str | None:
    """Return the reason why the kernels cannot run a cell, or None if they can.

    Args:
        facts: The device, the dtype and the number of hidden units, and the nonlinearity; "cpu", float32, any number and
            "tanh" if they are missing.

    Returns:
        The reason as a clause, or None.
    """
    return _card(facts, clusters=True) or _misfit(facts)


def linear_refusal(facts: Mapping[str, Any]) -> str | None:
    """Return the reason why the kernels cannot run the linear recurrence, or None if they can; see ``refusal``."""
    dtype = facts.get("dtype") or torch.float32
    if (reason := _card(facts, clusters=False)) is not None:
        return reason
    if dtype not in (torch.float32, torch.complex64):
        return f"the kernels for GPUs compute this in float32 and complex64, not in {str(dtype).removeprefix('torch.')}"
    return None


def _card(facts: Mapping[str, Any], *, clusters: bool) -> str | None:
    """Return why the kernels do not run on the device, or None; with clusters if they need clusters of blocks."""
    device = facts.get("device", "cpu")
    if device != "cuda":
        return f"the kernels for GPUs compute on cuda, not on {device}"
    switch = os.environ.get(GPU_KERNELS, "")
    if switch == "0":
        return f"{GPU_KERNELS}=0 switches the kernels off"
    if _failed:
        return _failed[0]
    found = capability(_current())
    if found is None:
        return "torch sees no card of NVIDIA"
    if clusters and found[0] < _CLUSTERS:
        return f"a card of compute capability {found[0]}.{found[1]} has no clusters of blocks, they came with 9.0"
    if found not in CHECKED and switch != "1":
        return f"not checked on compute capability {found[0]}.{found[1]}, {GPU_KERNELS}=1 tries them"
    return None


def _misfit(facts: Mapping[str, Any]) -> str | None:
    """Return what about the types and sizes the kernels do not take, or None."""
    dtype, hidden = effective(facts.get("dtype") or torch.float32), facts.get("hidden", 1)
    if dtype not in (torch.float32, torch.bfloat16):
        return f"the kernels for GPUs compute in float32 and bfloat16, not in {str(dtype).removeprefix('torch.')}"
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
    """Return the dispatch keys of a plain tensor on a card, and those of a thread."""
    with torch.inference_mode(inference):
        return torch._C._dispatch_keys(torch.empty(0, device="cuda")), torch._C._dispatch_tls_local_include_set()


def common(tensors: Sequence[Tensor | None]) -> list[Tensor | None] | None:
    """Return the tensors of a call in one type, or None if the kernels may not take their addresses.

    Under autocast they are converted to its type. Otherwise they must have one type, and lie on one card as plain
    tensors: a kernel sees nothing of what torch keeps apart from the bytes of a tensor.
    """
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return None
    if any(not isinstance(mode, DeviceContext) for mode in _get_current_function_mode_stack()):
        return None
    first = tensors[0]
    if first is None or first.device.type != "cuda":
        return None
    states = _plain(False), _plain(True)
    if torch._C._dispatch_tls_local_include_set() not in [thread for _, thread in states]:
        return None
    keys = [key for key, _ in states]
    for t in tensors:
        if t is not None and (torch._C._dispatch_keys(t) not in keys or t.device != first.device):
            return None
    dtype = effective(first.dtype)
    if torch.is_autocast_enabled("cuda"):
        return [None if t is None else t.to(dtype) for t in tensors]
    if any(t is not None and t.dtype is not dtype for t in tensors):
        return None
    return list(tensors)


def cells() -> list[str]:
    """Return the names of the cells that have kernels."""
    return list(FORMS)
