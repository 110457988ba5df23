"""The gate before every kernel: may the addresses of these tensors be taken, and if not, what runs instead?

A kernel reads and writes bytes. It sees nothing of what torch keeps apart from the bytes of a tensor: a tangent, a
level of a transform, a sign that is still to be applied, another device. Therefore no address is taken before one of
two questions is answered. The engine answers the quick one (csrc/tensors.cpp): are all tensors of torch's own classes,
memory of the CPU by DLPack, with their sign applied, in a thread without modes? If not, ``way`` or ``require_bytes``
compares the dispatch keys of the tensors and of the thread with those of plain tensors. Every state that torch adds to
a tensor has a key, so a state that this module does not know is not plain.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor
from torch.autograd import forward_ad

from ostinato.ops.dispatch_keys import included as _included
from ostinato.ops.dispatch_keys import keys_of as _keys
from ostinato.ops.engine.extension import ABSENT

if not ABSENT:
    from ostinato.ops.engine import _engine


class Way(Enum):
    """How a call is computed.

    Attributes:
        KERNEL: By the kernel itself, on the addresses of the tensors.
        OPERATOR: By the operator of torch that holds the kernel, which tracers, modes and hooks can see.
        REFERENCE: By the reference, in operators of torch that every transform supports.
    """

    KERNEL = "kernel"
    OPERATOR = "operator"
    REFERENCE = "reference"


class ApartError(RuntimeError):
    """The tensors of a call lie on different devices."""


_excluded = torch._C._dispatch_tls_is_dispatch_key_excluded
_AUTOCAST = torch._C.DispatchKey.AutocastCPU
#: Returns the hooks that see the tensors saved for a gradient, or None. An older torch, such as 2.7, cannot tell: there
#: they may be set, so a call that saves is an operator, which they see.
_hooks = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", lambda _: True)


def _plain_states() -> tuple[list[Any], list[Any]]:
    """Return the keys that a plain tensor has, and those that a thread has, outside and inside of inference mode."""
    with torch.inference_mode(False):
        tensor, thread = _keys(torch.empty(0, device="cpu")), _included()
    with torch.inference_mode():
        return [tensor, _keys(torch.empty(0, device="cpu"))], [thread, _included()]


_PLAIN_KEYS, PLAIN_THREAD = _plain_states()


def inference_keys() -> tuple[int, int] | None:
    """Return what the engine reads as the keys of a thread in inference mode.

    It reads them from a variable of torch's library, which is no part of an interface. So they must be as expected in a
    plain thread, in inference mode and under autocast; if not, as in another torch, the answer is None.
    """
    found = []
    for mode in (torch.inference_mode(False), torch.inference_mode(), torch.autocast("cpu", enabled=True)):
        with mode:
            found.append(_engine.keys_of_thread())
    plain, inference, cast = found
    expected = plain == (0, 0) and cast is not None and inference is not None
    return inference if expected and plain != inference != cast != plain else None


def are_listed(network: torch.nn.RNNBase) -> bool:
    """Return whether the parameters of a network of torch.nn are those that it has listed, asked in a loop of C++."""
    return _engine.listed(network._parameters, network._flat_weights_names, network._flat_weight_refs)


#: The classes of tensors that no subclass of torch intercepts; for any other class the operators must be visible.
_PLAIN_TYPES = {Tensor, torch.nn.Parameter, type(None)}

#: The classes of the tracers of torch, for which an operator is one node.
_TRACED = (FakeTensor, FunctionalTensor)


def way(tensors: Sequence[Tensor | None], *, saves: bool = False) -> Way:
    """Return how a call on these tensors is computed.

    Args:
        tensors: The tensors of the call, its layout included; None where the call has none.
        saves: Whether the call saves tensors for its gradient, which the hooks for saved tensors must see.

    Returns:
        The way. It is KERNEL only if every tensor is a plain one: dense, on the CPU, with its values in its own bytes.

    Raises:
        ApartError: The tensors lie on different devices.
        RuntimeError: One of them is sparse, nested or quantized.
    """
    if torch.compiler.is_compiling():
        return Way.REFERENCE if torch._C._are_functorch_transforms_active() else Way.OPERATOR
    if (
        _included() in PLAIN_THREAD
        and _excluded(_AUTOCAST)
        and not torch._C._len_torch_function_stack()
        and forward_ad._current_level < 0
        and not (saves and _hooks(True))
    ):
        plain, keys = _PLAIN_KEYS, _keys
        for t in tensors:
            if t is not None and (keys(t) not in plain or type(t) not in _PLAIN_TYPES):
                break
        else:
            return Way.KERNEL
    return _other_way([t for t in tensors if t is not None])


def _other_way(tensors: list[Tensor]) -> Way:
    """Return how a call is computed whose tensors, or whose thread, are not plain."""
    for t in tensors:
        if t.layout is not torch.strided or t.is_quantized or t.is_nested:
            kind = "quantized" if t.is_quantized else "nested" if t.is_nested else f"of the layout {t.layout}"
            raise RuntimeError(f"a recurrence takes dense tensors, but one of them is {kind}: convert it first")
    require_one_device(tensors)
    if transformed() or not all(isinstance(t, _TRACED) or _visible(t) for t in tensors):
        return Way.REFERENCE
    return Way.OPERATOR


def require_one_device(tensors: Sequence[Tensor | None]) -> None:
    """Raise ApartError, in the words of torch.nn, unless all numbers lie on one device."""
    devices = sorted({str(t.device) for t in tensors if t is not None and (t.is_floating_point() or t.is_complex())})
    if len(devices) > 1:
        raise ApartError(
            f"Input and parameter tensors are not at the same device, found tensors on {' and '.join(devices)}: "
            "move the module, its inputs and its states to one device"
        )


def transformed() -> bool:
    """Return whether torch.func transforms the call, or whether tensors can have tangents of forward mode."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def _visible(t: Tensor) -> bool:
    """Return whether an operator of torch may be given the tensor: it is plain, apart from its class."""
    return _keys(t) in _PLAIN_KEYS


def is_plain(t: Tensor) -> bool:
    """Return whether a tensor is of torch's own class and has its values in its own bytes, on the CPU."""
    return type(t) in _PLAIN_TYPES and _keys(t) in _PLAIN_KEYS


def require_bytes(tensors: Sequence[Tensor | None]) -> None:
    """Raise RuntimeError unless the values of every tensor lie in its own bytes, on the CPU."""
    if transformed():
        raise RuntimeError(
            "the kernels of the engine cannot be transformed by torch.func or by forward mode: "
            "transform the module that calls them, not a traced graph or a live step"
        )
    for t in tensors:
        if t is not None and _keys(t) not in _PLAIN_KEYS:
            raise RuntimeError(
                "the kernels of the engine need dense tensors on the CPU with bytes of their own, got a "
                f"{type(t).__name__} on {t.device} with the keys {_keys(t)}: give plain tensors"
            )


def addresses(*tensors: Tensor | None) -> Any:
    """Return the address of each tensor, 0 for None and for an empty tensor.

    Raises:
        RuntimeError: The memory of a tensor has been freed.
    """
    return tuple([0 if t is None else t.data_ptr() or _without_memory(t) for t in tensors])


def _without_memory(t: Tensor) -> int:
    """Return 0, the address of an empty tensor, and raise RuntimeError for another one that has no memory."""
    if t.numel():
        raise RuntimeError(
            f"a tensor of the shape {tuple(t.shape)} has no memory: its storage was resized to 0, or it is "
            "on meta. Give tensors with values"
        )
    return 0


def outside_of_tracing_and_autocast() -> bool:
    """Return whether neither TorchScript traces nor autocast of the CPU acts, faster than by torch's public ways."""
    return _excluded(_AUTOCAST) and torch._C._get_tracing_state() is None
