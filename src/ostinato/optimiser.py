"""torch's Adam and AdamW without the tracer of ``torch.compile``, which takes half as long to load as torch itself.

torch wraps the methods of its optimisers, so that the tracer leaves them out, and each wrapper loads the tracer. No
optimiser step of ostinato is compiled, so the methods beneath the wrappers are called.
"""

from __future__ import annotations

from inspect import unwrap
from typing import Any

import torch


class _Untraced(torch.optim.Optimizer):
    add_param_group: Any = unwrap(torch.optim.Optimizer.add_param_group)
    load_state_dict: Any = unwrap(torch.optim.Optimizer.load_state_dict)
    state_dict: Any = unwrap(torch.optim.Optimizer.state_dict)
    zero_grad: Any = unwrap(torch.optim.Optimizer.zero_grad)


class Adam(_Untraced, torch.optim.Adam):
    """Adam; Kingma and Ba (2015)."""

    step: Any = torch.no_grad()(unwrap(torch.optim.Adam.step))


class AdamW(_Untraced, torch.optim.AdamW):
    """Adam with decoupled weight decay; Loshchilov and Hutter (2019)."""

    step: Any = torch.no_grad()(unwrap(torch.optim.AdamW.step))
