"""The drop-ins are instances of torch.nn's classes for every tool that looks for these."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from ostinato import nn
from ostinato.ops.engine import extension

NAMES = ["RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"]


class Model(torch.nn.Module):
    """A network between two linear layers, as users write it."""

    def __init__(self, home: Any = nn, name: str = "LSTM") -> None:
        super().__init__()
        self.net, self.out = getattr(home, name)(3, 4, num_layers=2), torch.nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Any:
        y, _ = self.net(x)
        return self.out(y)


@pytest.mark.parametrize("name", NAMES)
def test_they_are_subclasses(name: str) -> None:
    assert issubclass(getattr(nn, name), getattr(torch.nn, name))
    assert isinstance(getattr(nn, name)(3, 4), getattr(torch.nn, name))


def test_a_loop_of_initial_values_finds_them() -> None:
    model = Model()
    for m in model.modules():
        if isinstance(m, torch.nn.LSTM | torch.nn.GRU):
            for key, w in m.named_parameters():
                torch.nn.init.constant_(w, 0.5 if "weight" in key else 0.0)
    assert all((w == (0.5 if "weight" in key else 0)).all() for key, w in model.net.named_parameters())


@pytest.mark.filterwarnings("ignore")
def test_quantization_warns_and_takes_the_torch_form() -> None:
    quantize: Any = torch.ao.quantization.quantize_dynamic
    model, x = Model().eval(), torch.randn(5, 2, 3)
    with pytest.warns(UserWarning, match="to_torch"):
        kept = quantize(model)
    assert type(kept.net) is nn.LSTM
    plain = nn.to_torch(copy.deepcopy(model))
    assert type(plain.net) is torch.nn.LSTM
    torch.testing.assert_close(plain(x), model(x))
    quantized = quantize(plain)
    assert "quantized" in type(quantized.net).__module__
    torch.testing.assert_close(quantized(x), model(x), rtol=0.1, atol=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_to_torch_shares_the_parameters(name: str) -> None:
    net = getattr(nn, name)(3, 4)
    twin = nn.to_torch(net)
    assert type(twin) is getattr(torch.nn, name)
    assert all(a is b for a, b in zip(net.parameters(), twin.parameters(), strict=True))
    twin.weight_new = torch.nn.Parameter(torch.zeros(1))
    assert "weight_new" not in dict(net.named_parameters())


def test_to_torch_refuses_what_torch_does_not_have() -> None:
    with pytest.raises(ValueError, match="reset_after"):
        nn.to_torch(torch.nn.Sequential(nn.GRU(3, 4, reset_after=False)))


def test_fx_keeps_them_as_one_node() -> None:
    model, x = Model(), torch.randn(5, 2, 3)
    traced = torch.fx.symbolic_trace(model)
    assert [n.target for n in traced.graph.nodes if n.op == "call_module"] == ["net", "out"]
    torch.testing.assert_close(traced(x), model(x))


@pytest.mark.skipif(extension.ABSENT is not None, reason=extension.ABSENT or "")
@pytest.mark.filterwarnings("ignore")
def test_compile_traces_ours_and_export_too() -> None:
    x = torch.randn(5, 2, 3)
    graphs: list[Any] = []

    def backend(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph

    torch.compiler.reset()
    model = Model()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    torch.testing.assert_close(compiled(x), model(x))
    with torch.no_grad():
        model.net.weight_ih_l0.mul_(2)
    torch.testing.assert_close(compiled(x), model(x))
    assert len(graphs) == 1
    with pytest.raises(RuntimeError, match=r"LSTM"):
        torch.compile(Model(torch.nn), fullgraph=True, backend=backend)(x)
    for strict in (True, False):
        exported = torch.export.export(model.eval(), (x,), strict=strict).module()
        torch.testing.assert_close(exported(x), model(x))
