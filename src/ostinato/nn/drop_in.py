"""What the networks and the cells have in common: the choice between the engine and torch.nn, and the way back."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import copy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence

from ostinato.nn.sizes import state_of_packed, unchecked
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.engine.gate import outside_of_tracing_and_autocast
from ostinato.ops.selection import prefers_native
from ostinato.ops.variables import is_named

_TWINS: tuple[type[nn.Module], ...] = nn.RNN, nn.GRU, nn.LSTM, nn.RNNCell, nn.GRUCell, nn.LSTMCell
#: The errors of torch.nn that are given better words. Their subclasses, such as out of memory, are left alone.
_ERRORS: tuple[type[Exception], ...] = RuntimeError, ValueError, TypeError, IndexError, AttributeError

#: The types that the engine computes in.
_COMPUTED = torch.float32, torch.float64


class DropIn(nn.Module):
    """A subclass of a network or cell of torch.nn whose calls the engine takes over where it can.

    Whatever the engine does not take goes to the forward method of torch.nn: other devices and types, autocast,
    TorchScript, and every input that torch.nn refuses. So results, types and errors there are those of torch.nn.

    Attributes:
        reset_after: False if the reset gate of a GRU acts before the product. torch.nn has no such cell.
    """

    reset_after: bool = True

    @property
    def engine_cell(self) -> str:
        """The name of the cell in the engine."""
        raise NotImplementedError

    def engine_runs(self, x: Tensor) -> bool:
        """Return whether the engine runs this module on inputs of the device and the type of x."""
        if x.is_nested:
            return False  # it has no sizes to look at
        usual = not torch.compiler.is_compiling() and not ABSENT and x.dtype in _COMPUTED and x.is_cpu
        if usual and outside_of_tracing_and_autocast() and not is_named():
            return True  # the checks that follow would pass too, and take longer
        facts: dict[str, Any] = {} if self.reset_after else {"reset_after": False}
        return (
            prefers_native(self.engine_cell.split("_", 1)[0], device=x.device.type, dtype=x.dtype, **facts)
            and not (self.reset_after and torch.is_autocast_enabled("cpu"))
            and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        )

    def __prepare_scriptable__(self) -> nn.Module:
        """Return the module that torch.jit.script compiles in place of this one: that of torch.nn.

        torch puts it into the model that it was given, too.
        """
        return to_torch(self)

    @property
    def qconfig(self) -> Any:
        """The configuration that the quantization of torch.ao has set, if it has set one.

        Raises:
            AttributeError: None is set.
        """
        try:
            return vars(self)["qconfig"]
        except KeyError:
            raise AttributeError("qconfig") from None

    @qconfig.setter
    def qconfig(self, value: Any) -> None:
        # quantize_dynamic looks for the exact types of torch.nn, and passes over all others without a word
        if value is None:
            name = type(self).__name__
            warnings.warn(
                f"{name} of ostinato.nn stays as it is: quantization replaces modules whose type is exactly "
                f"torch.nn.{name}. To quantize it too, give ostinato.nn.to_torch(model) to the function",
                stacklevel=2,
            )
        vars(self)["qconfig"] = value

    @qconfig.deleter
    def qconfig(self) -> None:
        del vars(self)["qconfig"]


def to_torch(module: nn.Module) -> nn.Module:
    """Replace every network and cell of ostinato.nn in a model by that of torch.nn, with the same parameters.

    Use it before tools that look for the exact types of torch.nn, such as torch.ao.quantization.quantize_dynamic.

    Args:
        module: The model. Its submodules are replaced in place, as in torch.nn.SyncBatchNorm.convert_sync_batchnorm.

    Returns:
        The model, or the module of torch.nn if the model itself is a network or cell of ostinato.nn.

    Raises:
        ValueError: A module has reset_after=False, which torch.nn does not have, or is parametrized.
    """
    for name, child in module.named_children():
        setattr(module, name, to_torch(child))
    if not isinstance(module, DropIn):
        return module
    if not module.reset_after:
        raise ValueError(f"{module} has no counterpart in torch.nn: make it with reset_after=True")
    if parametrize.is_parametrized(module):
        raise ValueError(f"{module} is parametrized: call torch.nn.utils.parametrize.remove_parametrizations first")
    twin = next(cls for cls in _TWINS if isinstance(module, cls))
    made = twin.__new__(twin)
    # containers are copied, so that a parameter that one of them replaces later stays in the other
    vars(made).update({k: copy(v) if isinstance(v, dict | list) else v for k, v in vars(module).items()})
    return made


def by_torch(module: DropIn, forward: Callable[..., Any], inputs: Any, hx: Any) -> Any:
    """Run the forward method of torch.nn. Its errors keep their type, and name the tensor that does not fit.

    Args:
        module: The module.
        forward: Its forward method in torch.nn.
        inputs: The input, as it was given.
        hx: The state, as it was given.
    """
    if isinstance(inputs, Proxy) and inputs.tracer.root is not module:  # type: ignore[attr-defined]
        # torch.fx traces into modules from outside torch.nn; this one is a node of the graph, as those of torch.nn are
        tracer = cast("torch.fx.Tracer", inputs.tracer)
        return tracer.create_proxy("call_module", tracer.path_of_module(module), (inputs, hx), {})
    if not torch.compiler.is_compiling() and not torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        reason = unchecked(module, inputs, hx)
        if reason is not None:
            raise RuntimeError(f"{type(module).__name__}: {reason}")
    try:
        return forward(inputs, hx)
    except _ERRORS as error:
        reason = misfit(module, inputs, hx) if type(error) in _ERRORS else None
        if reason is None:
            raise
        raise type(error)(f"{type(module).__name__}: {reason} (torch.nn: {error})") from error


def misfit(module: DropIn, inputs: Any, hx: Any) -> str | None:
    """Return which argument of a call is of the wrong kind, type or device, as a clause; None if all are right.

    Other sizes than those of the states of packed inputs are not looked at: the errors of torch.nn name them.
    """
    data = inputs.data if isinstance(inputs, PackedSequence) else inputs
    if not isinstance(data, Tensor):
        return f"the input must be a tensor, got {_kind(inputs)}"
    pair = isinstance(module, nn.LSTM | nn.LSTMCell)
    states = () if hx is None else tuple(hx) if pair and isinstance(hx, tuple | list) else (hx,)
    if hx is not None and (len(states) != 1 + pair or not all(isinstance(s, Tensor) for s in states)):
        wanted = "a pair of tensors (h_0, c_0)" if pair else "one tensor, h_0"
        return f"the state hx must be {wanted}, got {_kind(hx)}"
    if isinstance(inputs, PackedSequence) and isinstance(module, nn.RNNBase):
        # torch.nn sorts the rows of the states before it looks at their sizes
        reason = state_of_packed(module, inputs, states)
        if reason is not None:
            return reason
    weights = {name: w for name, w in module.named_parameters(recurse=False) if w is not None}
    named = {"the input": data, **dict(zip(("h_0", "c_0"), states, strict=False)), **weights}
    first = next(iter(weights), None)
    for name, t in named.items() if first else ():
        w = weights[first or ""]
        for what, one, other in (("type", t.dtype, w.dtype), ("device", t.device, w.device)):
            if one != other:
                return f"{name} has the {what} {one}, and {first} has {other}: convert one of them"
    return None


def _kind(value: Any) -> str:
    """Return what a value is, in a few words."""
    if isinstance(value, Tensor):
        return f"one tensor of the shape {tuple(value.shape)}"
    kind = type(value).__name__
    return f"a {kind} of {len(value)}" if isinstance(value, tuple | list) else kind
