"""What a call keeps for the next one must never make it wrong: every change between two calls, against torch.nn."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

from ostinato import nn
from ostinato.layers.gru import GRU
from ostinato.ops.engine import extension

if extension.ABSENT:
    pytest.skip(extension.ABSENT, allow_module_level=True)

from ostinato.ops.engine import _engine

Change = Callable[[Any], Any]


def _data(make: Callable[[Tensor], Tensor]) -> Change:
    """Return a change that gives the recurrent weights other data."""

    def change(net: Any) -> Any:
        net.weight_hh_l0.data = make(net.weight_hh_l0.data)
        return net

    return change


def _set(name: str, make: Callable[[Tensor], Any]) -> Change:
    """Return a change that replaces a parameter."""

    def change(net: Any) -> Any:
        setattr(net, name, make(getattr(net, name)))
        return net

    return change


def _in_place(net: Any) -> Any:
    with torch.no_grad():
        net.bias_hh_l0.add_(1.0)
    return net


def _swapped(net: Any) -> Any:
    net.bias_ih_l0, net.bias_hh_l0 = net.bias_hh_l0, net.bias_ih_l0
    return net


def _copied(net: Any) -> Any:
    return _in_place(copy.deepcopy(net))


CHANGES: dict[str, Change] = {
    "nothing": lambda net: net,
    "in place": _in_place,
    "data of other values": _data(lambda w: 2 * w),
    "data without its order": _data(lambda w: w.t().contiguous().t()),
    "data that lie further apart": _data(lambda w: w.repeat_interleave(2, 1)[:, ::2]),
    "data with a sign to apply": _data(torch._neg_view),
    "another parameter": _set("weight_ih_l0", lambda w: Parameter(w.detach() + 1)),
    "biases that change places": _swapped,
    "a copy that changes": _copied,
    "float64": lambda net: net.double(),
    "without gradients": lambda net: net.requires_grad_(False),
}


def results(net: Any, x: Tensor, *hx: Any) -> list[Tensor]:
    """Return outputs, last states and all gradients."""
    x = x.to(net.weight_hh_l0.dtype).detach().requires_grad_()
    y, last = net(x, *hx)
    loss = y.square().sum() + sum(s.sum() for s in (last if isinstance(last, tuple) else (last,)))
    leaves = [x, *[p for p in net.parameters() if p.requires_grad]]
    return [y, *(last if isinstance(last, tuple) else (last,)), *torch.autograd.grad(loss, leaves)]


def pair(name: str) -> tuple[Any, Any]:
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(4, 4)
    ours = getattr(nn, name)(4, 4)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_between_two_calls_is_seen(name: str, change: str) -> None:
    ours, theirs = pair(name)
    x = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(1))
    for net in (ours, theirs):
        results(net, x)
    ours, theirs = CHANGES[change](ours), CHANGES[change](theirs)
    for _ in range(2):  # also what the first call after the change has kept
        for one, other in zip(results(ours, x), results(theirs, x), strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_calls_of_other_shapes_and_states_take_turns(name: str) -> None:
    ours, theirs = pair(name)
    g = torch.Generator().manual_seed(1)
    for T, B, given in ((5, 3, False), (5, 3, True), (7, 3, False), (5, 2, False), (5, 3, False), (5, 3, True)):
        x, h = torch.randn(T, B, 4, generator=g), torch.randn(2, 1, B, 4, generator=g)
        hx = () if not given else ((h[0], h[1]),) if name == "LSTM" else (h[0],)
        strided = x.transpose(0, 1).contiguous().transpose(0, 1)
        expected = results(theirs, x, *hx)
        for one in (results(ours, x, *hx), results(ours, strided, *hx)):
            for mine, other in zip(one, expected, strict=True):
                torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_a_first_state_of_zeros_stays_zero(name: str) -> None:
    ours, _ = pair(name)
    x = torch.randn(1, 3, 4)
    before, last = ours(x)
    for s in last if name == "LSTM" else (last,):
        s.detach().fill_(1e6)  # the caller owns what it was given
    with torch.inference_mode():
        ours(x)
    torch.testing.assert_close(ours(x)[0], before)


def test_data_of_another_shape_before_the_backward_pass_are_refused() -> None:
    ours, _ = pair("GRU")
    y, _ = ours(torch.randn(5, 3, 4))
    ours.weight_hh_l0.data = torch.zeros(3, 1)
    with pytest.raises(RuntimeError, match="changed their shape or type"):
        y.sum().backward()


def test_functional_call_sees_its_weights_and_leaves_the_module() -> None:
    ours, theirs = pair("GRU")
    x = torch.randn(5, 3, 4)
    doubled = {k: 2 * v.detach() for k, v in ours.named_parameters()}
    before = ours(x)[0]
    torch.testing.assert_close(
        torch.func.functional_call(ours, doubled, (x,))[0], torch.func.functional_call(theirs, doubled, (x,))[0]
    )
    torch.testing.assert_close(ours(x)[0], before)


#: What the engine is told of a network, and whether its weights are those that torch.nn has listed.
LISTED: dict[str, tuple[Callable[[dict[str, Any], list[str], list[Any]], tuple[Any, Any, Any]], bool]] = {
    "as made": (lambda p, names, refs: (p, names, refs), True),
    "an equal name": (lambda p, names, refs: (p, ["".join(list(n)) for n in names], refs), True),
    "another tensor": (lambda p, names, refs: ({**p, "b": Parameter(p["b"].detach())}, names, refs), False),
    "None": (lambda p, names, refs: ({**p, "b": None}, names, refs), False),
    "one removed": (lambda p, names, refs: ({"a": p["a"]}, names, refs), False),
    "one added": (lambda p, names, refs: ({**p, "c": p["b"]}, names, refs), False),
    "another order": (lambda p, names, refs: ({"b": p["b"], "a": p["a"]}, names, refs), False),
    "another name": (lambda p, names, refs: ({"a": p["a"], "c": p["b"]}, names, refs), False),
    "never there": (lambda p, names, refs: (p, names, [refs[0], None]), False),
    "gone": (lambda p, names, refs: (p, names, [refs[0], weakref.ref(Parameter(torch.zeros(1)))]), False),
    "fewer references": (lambda p, names, refs: (p, names, refs[:1]), False),
    "no dict": (lambda p, names, refs: (list(p), names, refs), False),
    "no lists": (lambda p, names, refs: (p, tuple(names), tuple(refs)), False),
    "nothing": (lambda p, names, refs: ({}, [], []), True),
}


@pytest.mark.parametrize("case", LISTED)
def test_the_engine_knows_the_weights_that_torch_has_listed(case: str) -> None:
    parameters = {name: Parameter(torch.zeros(2)) for name in "ab"}
    given, expected = LISTED[case]
    told = given(parameters, list(parameters), [weakref.ref(p) for p in parameters.values()])
    assert _engine.listed(*told) is expected


def test_lengths_that_are_filled_anew_leave_the_gradients_of_the_call_before() -> None:
    layer, x, n = GRU(4, 6, implementation="native"), torch.randn(5, 3, 4), torch.tensor([2, 1, 4])
    expected = torch.autograd.grad(layer.unroll(x, lengths=n)[0].sum(), layer.weight_ih_l0)
    h, _ = layer.unroll(x, lengths=n)
    n.fill_(5)
    torch.testing.assert_close(torch.autograd.grad(h.sum(), layer.weight_ih_l0), expected)
