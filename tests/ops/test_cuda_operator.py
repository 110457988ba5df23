"""The kernels for GPUs as an operator of torch.compile: traced here with the reference in their place, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

import ostinato.nn
from ostinato.nn import on_cuda
from ostinato.nn.drop_in import DropIn
from ostinato.ops.cuda import operator
from ostinato.ops.cuda.contract import CELLS
from ostinato.ops.engine.call import Call
from ostinato.ops.engine.decomposed import by_reference, gradients_of

NAMES = sorted(CELLS)


def by_call(call: Call, *tensors: Any) -> tuple[Tensor, ...]:
    """Return the results of the reference."""
    return by_reference(Call._make((call.cell, *tensors, None, *call.layout, call.reverse)))


def forward(*args: Any) -> tuple[Tensor, ...]:
    call = operator.call_of(args)
    found = by_call(call, *call.tensors[:7])
    # the shapes of what is saved are those that the tracer is given
    like = operator._fake_forward(*args)
    return *(t.clone() for t in found), *(torch.zeros(t.shape, dtype=t.dtype) for t in like[len(found) :])


def backward(*args: Any) -> tuple[Tensor, ...]:
    call = operator.call_of(args)
    ends = args[17:20] if call.c0 is not None else args[17:19]
    with torch.enable_grad():
        leaves = [None if t is None else t.detach().requires_grad_() for t in call.tensors[:7]]
        found = gradients_of(lambda *t: by_call(call, *t), leaves, ends, [t is not None for t in leaves])
    return tuple(call.x.new_empty(0) if d is None else d.detach().clone() for d in found)


@pytest.fixture
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the operators run on the CPU, by the reference, and return what ran."""
    ran: list[str] = []

    def noted(name: str, run: Any) -> Any:
        def call(*args: Any) -> Any:
            ran.append(name)
            return run(*args)

        return call

    library: Any = torch.library.Library("ostinato", "IMPL")  # type: ignore[no-untyped-call]
    library.impl("recurrence_on_card", noted("forward", forward), "CPU")
    library.impl("recurrence_on_card_backward", noted("backward", backward), "CPU")
    monkeypatch.setattr(on_cuda, "on_card", lambda x: True)
    monkeypatch.setattr(operator, "compiled", lambda cell, hidden, dtype: True)
    monkeypatch.setattr(DropIn, "engine_runs", lambda self, x: False)
    monkeypatch.setattr("ostinato.nn.traced.engine_cell", lambda *_: None)
    torch.compiler.reset()
    yield ran
    library._destroy()
    torch.compiler.reset()


def given_of(cell: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> tuple[Any, ...]:
    """Return arguments of the operator: T=5, B=3, D=2, H=4."""
    form, g = CELLS[cell], torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        if device != "cpu":  # a build of torch without CUDA lets no graph hold a tensor of CUDA
            return torch.empty(shape, dtype=dtype, device=device)
        return torch.randn(shape, generator=g).to(dtype).requires_grad_()

    weights = draw(form.gates * 4, 2), draw(form.gates * 4, 4), draw(form.gates * 4), draw(form.gates * 4)
    return cell, draw(5, 3, 2), draw(3, 4), draw(3, 4) if form.cell_state else None, *weights, None, None, None, False


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.filterwarnings("ignore")
def test_a_network_on_a_card_compiles_as_one_graph(kind: str, on_the_cpu: list[str]) -> None:
    torch.manual_seed(0)
    theirs = getattr(nn, kind)(3, 5, num_layers=2, bidirectional=True, batch_first=True)
    ours = getattr(ostinato.nn, kind)(3, 5, num_layers=2, bidirectional=True, batch_first=True)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(4, 7, 3)
    compiled: Any = torch.compile(ours, fullgraph=True, backend="aot_eager")
    y, last = compiled(x)
    expected, ends = theirs(x)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(last, ends)
    found = torch.autograd.grad(y.square().sum(), list(ours.parameters()))
    wanted = torch.autograd.grad(expected.square().sum(), list(theirs.parameters()))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert on_the_cpu == ["forward"] * 4 + ["backward"] * 4


@pytest.mark.parametrize("cell", NAMES)
@pytest.mark.filterwarnings("ignore")
def test_the_operator_keeps_the_rules_of_torch(cell: str, on_the_cpu: list[str]) -> None:
    tests = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
    torch.library.opcheck(torch.ops.ostinato.recurrence_on_card, given_of(cell), test_utils=tests)


@pytest.mark.parametrize("cell", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shapes_and_gradients_on_a_fake_card(cell: str, dtype: torch.dtype) -> None:
    with FakeTensorMode():
        args = given_of(cell, dtype, "cuda")
        y, h_n, c_n, *saved = torch.ops.ostinato.recurrence_on_card(*args)
        assert y.shape == (5, 3, 4)
        assert h_n.shape == (3, 4)
        assert c_n.shape == ((3, 4) if CELLS[cell].cell_state else (0,))
        assert saved[0].shape == (15, CELLS[cell].kept * 4)
        assert {t.device.type for t in (y, h_n, c_n, *saved)} == {"cuda"}
        gradients = operator._fake_backward(*args, *saved, y, None, None)
        for t, d in zip(args[1:8], gradients, strict=True):
            assert d.shape == ((0,) if t is None else t.shape)
            assert d.dtype == dtype


def test_the_question_whether_the_kernels_run_is_answered_without_a_card() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert not operator.compiled("lstm", 64, torch.float32)
