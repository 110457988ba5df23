"""What torch.compile traces of a network on padded inputs: the operators of the engine and little else.

Before each call, a compiled program asks whether everything that its trace has read is still as it was. These guards
take longer than a small recurrence. So nothing is read here that does not decide the result: no table, no list beside
the weights themselves, few names of modules, and no environment variable but one (``variables.named``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, cat, is_grad_enabled
from torch.nn.functional import dropout

from ostinato.ops import variables
from ostinato.ops.engine import operator
from ostinato.ops.engine.gate import transformed
from ostinato.ops.selection import prefers_native
from ostinato.shapes import State

#: The operator itself: ``torch.ops.ostinato`` would be four more names to guard.
_recurrence: Any = torch.ops.ostinato.recurrence.default if operator.LIBRARY else None


def engine_cell(cell: str, reset_after: bool, device: str, dtype: torch.dtype) -> str | None:
    """Return the name of the cell in the engine; None where the operators of the engine must not be traced.

    The tracer takes the answer for a constant (``nn.compiling``). What it depends on besides the arguments, autocast
    and the transforms of torch.func, the tracer guards itself.

    Args:
        cell: The name of the cell, "gru" with both values of reset_after.
        reset_after: Whether the reset gate of a GRU acts after the product.
        device: The kind of the device of the inputs.
        dtype: The type of the inputs.
    """
    facts: dict[str, Any] = {"device": device, "dtype": dtype} | ({} if reset_after else {"reset_after": False})
    if transformed() or (reset_after and torch.is_autocast_enabled("cpu")):
        return None
    if not prefers_native(cell.split("_", 1)[0], **facts):
        return None
    return cell if reset_after else "gru_before"


def traced(network: Any, given: Any, hx: Any) -> Any:
    """Return the results of a network by the operators; None if another way must be taken, which knows the errors.

    Args:
        network: The network, one of ``ostinato.nn``.
        given: The input: (T, B, D), (B, T, D) if batch_first, or (T, D).
        hx: The initial state, each (layers * directions, B, H), without B for an input without it; None for zero.
    """
    if type(given) is not Tensor or variables.named or given.is_nested:
        return None
    batched = given.dim() == 3
    if not batched and given.dim() != 2:
        return None
    first = batched and network.batch_first
    x = given.transpose(0, 1) if first else given if batched else given[:, None]
    P, mode = network.proj_size, network.mode
    cell = engine_cell("lstm_projected" if P else mode.lower(), network.reset_after, x.device.type, x.dtype)
    steps, rows, width = x.shape
    if cell is None or width != network.input_size or not steps:
        return None
    if hx is None:
        h = x.new_zeros((network.num_layers * (2 if network.bidirectional else 1), rows, P or network.hidden_size))
        state = (h, x.new_zeros((*h.shape[:2], network.hidden_size)) if P else h) if mode == "LSTM" else (h,)
    else:
        state = network._start(x, rows, hx, batched=batched)
    results = None if state is None else _layers(network, cell, x, state)
    if results is None:
        return None
    y, last = results
    if not batched:
        y, last = y[:, 0], [s[:, 0] for s in last]
    return y.transpose(0, 1) if first else y, ((last[0], last[1]) if mode == "LSTM" else last[0])


def _layers(network: Any, cell: str, x: Tensor, state: State) -> Any:
    """Return the outputs of the last layer and the last states of all; None if a weight is missing.

    Args:
        network: The network.
        cell: The name of its cell in the engine.
        x: The inputs, (T, B, D).
        state: The initial states, each (layers * directions, B, H).
    """
    directions = 2 if network.bidirectional else 1
    count = network.num_layers * directions
    states = state if len(state) == 2 else (state[0], None)
    ends = []
    for layer in range(network.num_layers):
        if layer and network.dropout and network.training:
            x = dropout(x, network.dropout, training=True)
        outputs = []
        for i in range(layer * directions, (layer + 1) * directions):
            reverse = i % directions == 1
            weights = _weights(network, f"_l{layer}{'_reverse' if reverse else ''}")
            if weights is None:
                return None
            call = x, *[s if count == 1 or s is None else s[i : i + 1] for s in states], *weights
            save = False
            for t in call if is_grad_enabled() else ():
                save = save or (t is not None and t.requires_grad)
            y, h, c, _ = _recurrence(cell, *call, None, None, None, reverse, save)
            outputs.append(y)
            ends.append((h, c)[: len(state)])
        x = outputs[0] if directions == 1 else cat(outputs, -1)
    return x, (ends[0] if count == 1 else [cat([end[k] for end in ends]) for k in (0, 1)[: len(state)]])


def _weights(network: Any, suffix: str) -> list[Tensor | None] | None:
    """Return the weights of a layer in one direction in the order of the operator, None for all if one is missing.

    They are asked by name, as torch.nn does when it lists them; a list would be a second thing to guard for each.
    """
    weights: list[Tensor | None] = []
    for kind, exists in (
        ("weight_ih", True),
        ("weight_hh", True),
        ("bias_ih", network.bias),
        ("bias_hh", network.bias),
        ("weight_hr", network.proj_size),
    ):
        w = getattr(network, kind + suffix, None) if exists else None
        if exists and w is None:
            return None
        weights.append(w)
    return weights
