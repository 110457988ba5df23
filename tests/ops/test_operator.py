"""The engine as an operator of torch: compiled, exported, under functional transforms and autocast."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ostinato.errors import ConfigError
from ostinato.layers.cell import Cell
from ostinato.layers.gru import GRU
from ostinato.layers.lstm import LSTM
from ostinato.layers.rnn import RNN
from ostinato.ops.engine import extension

if extension.ABSENT:
    pytest.skip(extension.ABSENT, allow_module_level=True)

LAYERS = {"rnn": RNN, "gru": GRU, "lstm": LSTM}
layers = pytest.mark.parametrize("name", LAYERS)


@pytest.fixture(autouse=True)
def _nothing_compiled_before() -> None:
    torch.compiler.reset()


class Net(nn.Module):
    """A layer with a linear map of its outputs."""

    def __init__(self, name: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer: Cell = LAYERS[name](3, 5, implementation="native")
        self.head = nn.Linear(5, 2)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        h, last = self.layer.unroll(x, None, lengths)
        y: Tensor = self.head(h) + last[0].sum()
        return y


def sample(T: int = 7, B: int = 4) -> Tensor:
    return torch.randn(T, B, 3, generator=torch.Generator().manual_seed(1))


@layers
@pytest.mark.parametrize("lengths", [None, torch.tensor([7, 0, 3, 5])], ids=["whole", "ragged"])
@pytest.mark.filterwarnings("ignore")
def test_compiles_as_one_graph(name: str, lengths: Tensor | None) -> None:
    net, x = Net(name), sample()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    expected = torch.autograd.grad(net(x, lengths).square().sum(), list(net.parameters()))
    y = compiled(x, lengths)
    torch.testing.assert_close(y, net(x, lengths))
    for one, other in zip(torch.autograd.grad(y.square().sum(), list(net.parameters())), expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.filterwarnings("ignore")
def test_compiles_for_any_batch_and_number_of_steps() -> None:
    net = Net("lstm")
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager", dynamic=True)
    for T, B in ((7, 4), (3, 5), (20, 2)):
        torch.testing.assert_close(compiled(sample(T, B)), net(sample(T, B)))


@layers
@pytest.mark.filterwarnings("ignore")
def test_exports_as_one_node(name: str) -> None:
    net, x = Net(name).eval(), sample()
    exported = torch.export.export(net, (x,))
    names = [str(node.target) for node in exported.graph.nodes if node.op == "call_function"]
    assert sum("ostinato.recurrence" in n for n in names) == 1
    torch.testing.assert_close(exported.module()(x), net(x))


@layers
def test_the_operators_keep_torchs_rules(name: str) -> None:
    net = Net(name)
    layer, x = net.layer, sample()
    c0 = torch.zeros(4, 5) if name == "lstm" else None
    weights = layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0
    cell = "rnn_tanh" if name == "rnn" else name
    call = (cell, x.requires_grad_(), torch.zeros(4, 5, requires_grad=True), c0, *weights, *[None] * 4, False)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(torch.ops.ostinato.recurrence.default, (*call, True), test_utils=tests)


@pytest.mark.parametrize("change", ["row", "type", "axis", "other"])
@pytest.mark.parametrize("name", ["y", "saved", "dy", "dh_n", "dc_n"])
def test_the_backward_pass_refuses_what_no_forward_pass_gave(name: str, change: str) -> None:
    draw = [torch.randn(*shape) for shape in ((4, 3, 2), (3, 5), (3, 5), (20, 2), (20, 5), (20,), (20,))]
    call = ("lstm", *draw, *[None] * 4, False)
    y, h_n, c_n, saved = torch.ops.ostinato.recurrence(*call, True)
    given = {"y": y, "saved": saved, "dy": y, "dh_n": h_n, "dc_n": c_n}
    changes = {"row": given[name][:-1], "type": given[name].double(), "axis": given[name][None], "other": -saved}
    given[name] = changes[change]
    with pytest.raises(ConfigError):
        torch.ops.ostinato.recurrence_backward(*call, *given.values(), True, True)


@layers
def test_functional_call(name: str) -> None:
    net, x = Net(name), sample()
    doubled = {k: (2 * v).detach().requires_grad_() for k, v in net.named_parameters()}
    y = torch.func.functional_call(net, doubled, (x,))
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(2)
    expected = torch.autograd.grad(net(x).square().sum(), list(net.parameters()))
    for one, other in zip(torch.autograd.grad(y.square().sum(), list(doubled.values())), expected, strict=True):
        torch.testing.assert_close(one, other)


@layers
def test_autocast_computes_in_float32(name: str) -> None:
    net, x = Net(name), sample()
    expected, _ = net.layer.unroll(x)
    with torch.autocast("cpu", torch.bfloat16):
        h, _ = net.layer.unroll(x.bfloat16())
    assert h.dtype == torch.float32
    torch.testing.assert_close(h, expected, rtol=0.02, atol=0.02)
