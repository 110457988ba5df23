"""Tensors without bytes of their own are refused, weights of every form count, and outputs may be changed in place."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from rows import Row
from torch import Tensor, func
from torch.autograd import forward_ad as fw
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils.rnn import pack_sequence
from transforms import B, D, H, T, pair, sample

from ostinato import nn
from ostinato.ops.engine import extension
from ostinato.ops.selection import IMPLEMENTATIONS
from ostinato.ops.weights import Weights

if extension.ABSENT:
    pytest.skip(extension.ABSENT, allow_module_level=True)

STATE, INPLACE = "a tensor's state", "in-place on outputs"
NETWORKS = ("RNN", "GRU", "LSTM")
MODULES = (*NETWORKS, "RNNCell", "GRUCell", "LSTMCell")


def given(name: str) -> Tensor:
    """An input of a module."""
    return sample(B, D) if name.endswith("Cell") else sample(T, B, D)


def flat(value: Any) -> list[Tensor]:
    return torch.utils._pytree.tree_leaves(value)


# -------------------------------------------------------------------------------- refused


def freed(t: Tensor) -> Tensor:
    t = t.clone()
    t.untyped_storage().resize_(0)
    return t


def _freed_weight(net: torch.nn.Module, x: Tensor) -> Any:
    list(net.parameters())[1].untyped_storage().resize_(0)
    return net(x)


def _changed_weight(net: torch.nn.Module, x: Tensor) -> Any:
    y = flat(net(x))[0].sum()
    with torch.no_grad():
        next(net.parameters()).mul_(2)
    return y.backward()


REFUSED: dict[str, Callable[[torch.nn.Module, Tensor], Any]] = {
    "weights on meta": lambda net, x: net.to("meta")(x),
    "weights on meta, compiled": lambda net, x: torch.compile(net.to("meta"), backend="eager")(x),
    "input on meta": lambda net, x: net(x.to("meta")),
    "freed input": lambda net, x: net(freed(x)),
    "freed weight": _freed_weight,
    "sparse input": lambda net, x: net(x.to_sparse()),
    "mkldnn input": lambda net, x: net(x.float().to_mkldnn()),
    "quantized input": lambda net, x: net(torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8)),
    "nested input": lambda net, x: net(torch.nested.nested_tensor([x, x])),
    "weight changed before backward": _changed_weight,
}


def refuses(name: str, act: Callable[[torch.nn.Module, Tensor], Any]) -> str:
    """Both modules refuse, ours by RuntimeError or ValueError."""
    ours, _ = pair(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((RuntimeError, ValueError)) as error:
            act(ours, given(name))
    return f"refused: {type(error.value).__name__}"


# -------------------------------------------------------------------------------- weights of every form


def _per_sample(net: torch.nn.Module, x: Tensor) -> Any:
    weights = dict(net.named_parameters())

    def loss(w: Any, row: Tensor) -> Tensor:
        return flat(func.functional_call(net, w, (row,)))[0].square().sum()

    rows = x.movedim(-2, 0).contiguous()
    try:
        return func.vmap(func.grad(loss), in_dims=(None, 0))(weights, rows)
    except RuntimeError:
        # torch.nn has no rule for it: row by row
        assert type(net).__module__.startswith("torch.nn")
        found = [func.grad(loss)(weights, row) for row in rows]
        return {name: torch.stack([g[name] for g in found]) for name in weights}


def _ensemble(net: torch.nn.Module, x: Tensor) -> Any:
    other = copy.deepcopy(net)
    for p in other.parameters():
        p.data.mul_(0.5)
    if type(net).__module__.startswith("torch.nn"):
        return torch.stack([flat(m(x))[0] for m in (net, other)])
    stacked, _ = func.stack_module_state([net, other])
    return func.vmap(lambda w: flat(func.functional_call(net, w, (x,)))[0])(stacked)


def _tangent_of_weights(net: torch.nn.Module, x: Tensor) -> Any:
    weights = {k: v.detach() for k, v in net.named_parameters()}
    directions = {k: torch.ones_like(v) for k, v in weights.items()}
    return func.jvp(lambda w: flat(func.functional_call(net, w, (x,))), (weights,), (directions,))


def _dual_weight(net: torch.nn.Module, x: Tensor) -> Any:
    weights = {k: v.detach() for k, v in net.named_parameters()}
    with torch.no_grad(), fw.dual_level():
        name = next(iter(weights))
        weights[name] = fw.make_dual(weights[name], torch.ones_like(weights[name]))
        y = flat(func.functional_call(net, weights, (x,)))[0]
        return fw.unpack_dual(y).tangent


def _hessian_of_weights(net: torch.nn.Module, x: Tensor) -> Any:
    name, weight = next(iter(net.named_parameters()))
    return func.hessian(lambda w: flat(func.functional_call(net, {name: w}, (x,)))[0].square().sum())(weight.detach())


def _gradients(net: torch.nn.Module, x: Tensor) -> Any:
    x = x.clone().requires_grad_()
    y = flat(net(x))
    sum(t.square().sum() for t in y).backward()  # type: ignore[union-attr]
    return y, x.grad, [p.grad for p in net.parameters() if p.grad is not None]


class Doubled(torch.nn.Module):
    """A parametrization."""

    def forward(self, w: Tensor) -> Tensor:
        return 2 * w


def _hidden_weight(net: torch.nn.Module) -> str:
    return next(name for name, _ in net.named_parameters() if name.startswith("weight_hh"))


def _parametrized(net: torch.nn.Module, x: Tensor) -> Any:
    parametrize.register_parametrization(net, _hidden_weight(net), Doubled())
    return _gradients(net, x)


def _normed(net: torch.nn.Module, x: Tensor) -> Any:
    return _gradients(parametrizations.weight_norm(net, _hidden_weight(net)), x)


def _pruned(net: torch.nn.Module, x: Tensor) -> Any:
    return _gradients(prune.l1_unstructured(net, _hidden_weight(net), 0.5), x)


def _frozen(net: torch.nn.Module, x: Tensor) -> Any:
    net.requires_grad_(False)
    return _gradients(net, x)


def _frozen_in_part(net: torch.nn.Module, x: Tensor) -> Any:
    next(net.parameters()).requires_grad_(False)
    return _gradients(net, x)


def _replaced_data(net: torch.nn.Module, x: Tensor) -> Any:
    p = next(net.parameters())
    p.data = p.data.t().contiguous().t() * 3
    return _gradients(net, x)


WEIGHTS: dict[str, Callable[[torch.nn.Module, Tensor], Any]] = {
    "gradients of each sample": _per_sample,
    "an ensemble by stack_module_state": _ensemble,
    "jvp of the weights": _tangent_of_weights,
    "a weight with a tangent, under no_grad": _dual_weight,
    "hessian of a weight": _hessian_of_weights,
    "parametrize": _parametrized,
    "weight_norm": _normed,
    "prune": _pruned,
    "frozen weights": _frozen,
    "one frozen weight": _frozen_in_part,
    "weight.data replaced": _replaced_data,
    "deepcopy": lambda net, x: _gradients(copy.deepcopy(net), x),
    "pickle": lambda net, x: _gradients(pickle.loads(pickle.dumps(net)), x),
    "shared weights": lambda net, x: _gradients(net.share_memory(), x),
}


def same(name: str, act: Callable[[torch.nn.Module, Tensor], Any], options: dict[str, Any]) -> str:
    """Both modules give the same."""
    ours, theirs = pair(name, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, right = flat(act(ours, given(name))), flat(act(theirs, given(name)))
    assert len(found) == len(right) > 0
    for one, other in zip(found, right, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
    return f"right: {float(found[-1].detach().sum()):.6g}"


# -------------------------------------------------------------------------------- in-place on outputs


def _relu(y: Tensor, _last: Tensor) -> None:
    torch.nn.ReLU(inplace=True)(y)


def _times(y: Tensor, _last: Tensor) -> None:
    y *= torch.arange(y.shape[-1], dtype=y.dtype)


def _assign(y: Tensor, _last: Tensor) -> None:
    y[2] = 0


def _view(y: Tensor, _last: Tensor) -> None:
    y.flatten()[1::2].mul_(3)


def _zero(y: Tensor, last: Tensor) -> None:
    y.zero_()
    last.add_(1)


def _fill(y: Tensor, _last: Tensor) -> None:
    y.masked_fill_(y > 0, 2.0)


def _dropout(y: Tensor, _last: Tensor) -> None:
    torch.manual_seed(0)
    torch.nn.functional.dropout(y, 0.5, inplace=True)


CHANGES = {
    "ReLU(inplace=True)": _relu,
    "out *= m": _times,
    "out[2] = 0": _assign,
    "a view of out": _view,
    "zero_, and the last state": _zero,
    "masked_fill_": _fill,
    "dropout(inplace=True)": _dropout,
}
FORMS: dict[str, dict[str, Any]] = {"": {}, "batch_first ": {"batch_first": True}, "deep ": {"num_layers": 2}}


def changed(change: Callable[[Tensor, Tensor], None], net: torch.nn.Module, x: Tensor) -> Any:
    """Change the outputs in place, and take first and second gradients."""
    leaf = x.clone().requires_grad_()
    y, last = net(leaf)
    last = flat(last)[0]
    change(y, last)
    loss = y.square().sum() + last.square().sum()
    first = torch.autograd.grad(loss, [leaf, *net.parameters()], retain_graph=True)
    (again,) = torch.autograd.grad(loss, leaf, create_graph=True)
    second = torch.autograd.grad(again.square().sum(), [leaf, *net.parameters()], allow_unused=True)
    return [y.detach().clone(), *first, *[t for t in second if t is not None]]


def _large(net: torch.nn.Module, x: Tensor) -> Any:
    """Outputs that lie in a buffer of the pool."""
    y, _ = net(x.repeat(300, 60, 1))
    y *= 0.5
    y[2] = 3
    return torch.autograd.grad(y.square().sum(), list(net.parameters()))


def _packed(net: torch.nn.Module, x: Tensor) -> Any:
    packed, _ = net(pack_sequence([x[:, 0], x[:2, 1]]))
    torch.relu_(packed.data)
    return torch.autograd.grad(packed.data.square().sum(), list(net.parameters()))


def _under_hooks(net: torch.nn.Module, x: Tensor) -> Any:
    with torch.autograd.graph.save_on_cpu():
        return changed(_relu, net, x)


def _linear_changed() -> str:
    """The linear recurrence against the same recurrence without a change of its own outputs."""
    u, a = sample(T, B, D).requires_grad_(), torch.tensor([0.9, -0.5], dtype=torch.float64, requires_grad=True)
    found = []
    for copied in (False, True):
        h, _ = IMPLEMENTATIONS["linear"]["native"](u, (u.new_zeros(B, D),), a)
        h = h.clone() if copied else h
        found.append(torch.autograd.grad(h.relu_().square().sum(), (u, a)))
    torch.testing.assert_close(*found)
    return f"right: {float(found[0][1].sum()):.6g}"


def _quiet(program: str) -> str:
    """A program that ends with tensors, graphs and steps alive prints nothing."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not done.stdout + done.stderr
    return "right: nothing printed"


QUIET = {
    "a graph": "import torch, ostinato.nn as on; y, h = on.GRU(3, 4)(torch.ones(5, 2, 3))",
    "a large graph": "import torch, ostinato.nn as on; y, h = on.LSTM(3, 64)(torch.ones(100, 20, 3))",
}


def _no_step(change: Callable[[Tensor], Tensor]) -> str:
    """A live step refuses a state that it could not replace in its bytes."""
    from ostinato.ops.engine.step import Step

    cell = nn.GRUCell(D, H).double()
    step = Step("gru", Weights(cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh))
    with pytest.raises(Exception, match=r"in place|bytes|memory|transform") as error:
        step(torch.zeros(D).double(), change(torch.zeros(H).double()))
    return f"refused: {type(error.value).__name__}"


def _no_bound() -> str:
    from ostinato.ops.engine.step import Step

    cell = nn.GRUCell(D, H).double()
    step = Step("gru", Weights(cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh))
    h = np.zeros(H)
    h.flags.writeable = False
    with pytest.raises(Exception, match="read-only") as error:
        step.bound(np.zeros(D), h)
    return f"refused: {type(error.value).__name__}"


ROWS = [
    *(
        Row(STATE, f"{what}: {m}", "torch.nn", partial(refuses, m, act))
        for what, act in REFUSED.items()
        for m in MODULES
    ),
    *(
        Row(STATE, f"{what}: {m}", "torch.nn", partial(same, m, act, {}))
        for what, act in WEIGHTS.items()
        for m in MODULES
    ),
    *(
        Row(INPLACE, f"{what} of {form}{m}", "torch.nn", partial(same, m, partial(changed, change), options))
        for what, change in CHANGES.items()
        for form, options in FORMS.items()
        for m in NETWORKS
    ),
    *(
        Row(INPLACE, f"{what}: {m}", "torch.nn", partial(same, m, act, {}))
        for what, act in {"a large output": _large, "packed": _packed, "under hooks": _under_hooks}.items()
        for m in NETWORKS
    ),
    Row(INPLACE, "linear recurrence", "a copy", _linear_changed),
    *(Row("leaks at exit", what, "nothing to print", partial(_quiet, program)) for what, program in QUIET.items()),
    Row(STATE, "step into a state with a gradient", "a rule", partial(_no_step, Tensor.requires_grad_)),
    Row(STATE, "step into a negated state", "a rule", partial(_no_step, torch._neg_view)),
    Row(STATE, "step into a freed state", "a rule", partial(_no_step, freed)),
    Row(STATE, "step into a read-only array", "a rule", _no_bound),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_bytes(row: Row) -> None:
    assert row.check()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.filterwarnings("ignore")
def test_one_graph_serves_all_lengths(name: str) -> None:
    ours, theirs = pair(name)
    graphs = []

    def counted(graph: torch.fx.GraphModule, _inputs: Any) -> Any:
        graphs.append(graph)
        return graph

    torch.compiler.reset()
    compiled = torch.compile(ours, backend=counted, dynamic=True, fullgraph=True)
    for steps in range(3, 20):
        x = sample(steps, B, D)
        torch.testing.assert_close(compiled(x)[0], theirs(x)[0], rtol=1e-9, atol=1e-11)
    assert len(graphs) <= 2


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.filterwarnings("ignore")
def test_gradcheck_in_every_mode(name: str) -> None:
    ours, _ = pair(name)
    x = given(name)[..., :2, :].clone().requires_grad_()

    def f(x: Tensor) -> Tensor:
        return flat(ours(x))[0]

    assert torch.autograd.gradcheck(
        f, x, check_batched_grad=True, check_forward_ad=True, check_batched_forward_grad=True, check_undefined_grad=True
    )
    assert torch.autograd.gradgradcheck(f, x, check_batched_grad=True, check_fwd_over_rev=True, check_rev_over_rev=True)
