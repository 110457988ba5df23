"""Compiled networks: the results of eager calls, one compilation for one shape, and another when a fact changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrizations

from ostinato import nn
from ostinato.ops.engine import extension
from ostinato.ops.variables import IMPLEMENTATION

pytestmark = [
    pytest.mark.skipif(extension.ABSENT is not None, reason=extension.ABSENT or ""),
    pytest.mark.filterwarnings("ignore"),
]
D, H, T, B = 3, 4, 6, 2
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {"nonlinearity": "relu"}),
    ("GRU", {}),
    ("GRU", {"reset_after": False}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 2}),
]
FORMS: list[dict[str, Any]] = [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True, "bias": False}]
kinds = pytest.mark.parametrize(("name", "options"), KINDS, ids=str)
forms = pytest.mark.parametrize("form", FORMS, ids=str)
by_reference = pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 8),
    reason="torch 2.7 does not trace properties of named tuples",
)


@pytest.fixture(autouse=True)
def _nothing_compiled_before() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


class Counted:
    """A backend that runs graphs as they are, and keeps the names of their nodes."""

    def __init__(self) -> None:
        self.graphs: list[list[str]] = []

    def __call__(self, graph: Any, _: Any) -> Any:
        self.graphs.append([str(n.target) for n in graph.graph.nodes])
        return graph

    @property
    def by_engine(self) -> list[bool]:
        """For each graph, whether it has an operator of the engine."""
        return [any("ostinato" in target for target in graph) for graph in self.graphs]


def compiled(net: Callable[..., Any], backend: Any = "aot_eager", **options: Any) -> Callable[..., Any]:
    return torch.compile(net, fullgraph=True, backend=backend, **options)


def tensors(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else [t for v in value for t in tensors(v)]


def states(net: Any, *rows: int) -> Any:
    count = net.num_layers * (1 + net.bidirectional)
    h = torch.randn(count, *rows, net.proj_size or net.hidden_size, requires_grad=True)
    return (h, torch.randn(count, *rows, net.hidden_size, requires_grad=True)) if net.mode == "LSTM" else h


@kinds
@forms
def test_results_and_gradients_are_those_of_eager_calls(
    name: str, options: dict[str, Any], form: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    net = getattr(nn, name)(D, H, **options, **form)
    run = compiled(net)
    # each two of the form, the number of axes and whether a state is given come together
    for rows, given in (((B,), True), ((), False)) if form else (((B,), False), ((), True)):
        x = torch.randn(*((B, T) if rows and net.batch_first else (T, *rows)), D, requires_grad=True)
        hx = (states(net, *rows),) if given else ()
        found = []
        for call in (net, run):
            results = tensors(call(x, *hx))
            wanted = [x, *tensors(hx), *net.parameters()]
            found.append((results, torch.autograd.grad(torch.stack([t.square().sum() for t in results]).sum(), wanted)))
        torch.testing.assert_close(found[1], found[0])
    with torch.no_grad():
        torch.testing.assert_close(tensors(run(x)), tensors(net(x)))


def test_any_true_value_means_two_directions() -> None:
    options: dict[str, Any] = {"bidirectional": 2}
    net, x = nn.GRU(D, H, **options), torch.randn(T, B, D)
    torch.testing.assert_close(tensors(compiled(net, "eager")(x)), tensors(net(x)))


@kinds
def test_one_compilation_runs_any_number_of_steps_and_rows(name: str, options: dict[str, Any]) -> None:
    net, backend = getattr(nn, name)(D, H, **options), Counted()
    run = compiled(net, backend, dynamic=True)
    for steps, rows in ((5, 6), (7, 8), (9, 7)):
        x = torch.randn(steps, rows, D)
        torch.testing.assert_close(tensors(run(x)), tensors(net(x)))
    assert backend.by_engine == [True]


def test_the_variable_is_read_before_each_call_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    net, backend, x = nn.GRU(D, H), Counted(), torch.randn(T, B, D)
    run = compiled(net, backend)
    expected = tensors(net(x))
    monkeypatch.delenv(IMPLEMENTATION, raising=False)
    changes: tuple[tuple[Callable[[], object], list[bool]], ...] = (
        (lambda: None, [True]),
        (lambda: monkeypatch.setenv("OF_ANOTHER_PROGRAM", "1"), [True]),
        (lambda: monkeypatch.setenv(IMPLEMENTATION, "aten"), [True, False]),
        (lambda: monkeypatch.delenv(IMPLEMENTATION), [True, False]),
    )
    for change, graphs in changes:
        change()
        torch.testing.assert_close(tensors(run(x)), expected)
        assert backend.by_engine == graphs


def _first(net: Any) -> None:
    net.batch_first = True


def _replaced(net: Any) -> None:
    net.weight_hh_l0 = torch.nn.Parameter(torch.randn_like(net.weight_hh_l0))


def _in_place(net: Any) -> None:
    with torch.no_grad():
        net.weight_ih_l0.mul_(2)


def _frozen(net: Any) -> None:
    net.requires_grad_(requires_grad=False)


def _before(net: Any) -> None:
    net.reset_after = False


def _normed(net: Any) -> None:
    parametrizations.weight_norm(net, "weight_hh_l0")
    with torch.no_grad():
        net.parametrizations.weight_hh_l0.original0.mul_(2)


def _other_state(net: Any) -> None:
    net.load_state_dict(nn.GRU(D, D).state_dict())


@pytest.mark.parametrize("change", [_first, _replaced, _in_place, _frozen, _before, _normed, _other_state])
def test_a_change_after_the_compilation_counts(change: Callable[[Any], None]) -> None:
    torch.manual_seed(0)
    net, x = nn.GRU(D, D), torch.randn(D, D, D)
    run = compiled(net)
    first = tensors(run(x))
    torch.testing.assert_close(first, tensors(net(x)))
    change(net)
    torch.testing.assert_close(tensors(run(x)), tensors(net(x)))
    assert all(t.requires_grad == any(w.requires_grad for w in net.parameters()) for t in tensors(run(x)))
    if change is not _frozen:
        assert not torch.equal(first[0], run(x)[0])


@by_reference
def test_it_compiles_inside_of_vmap() -> None:
    net, x = nn.GRU(D, H), torch.randn(2, T, B, D)
    function = torch.func.vmap(lambda row: net(row)[0])
    torch.testing.assert_close(torch.compile(function, fullgraph=True, backend="aot_eager")(x), function(x))


@by_reference
def test_it_compiles_inside_of_grad() -> None:
    """The transform ends, and what the module lists as its weights is not left over from it."""
    net, x = nn.GRU(D, H), torch.randn(2, B, D)
    weights = {k: v.detach() for k, v in net.named_parameters()}

    def loss(w: dict[str, Tensor]) -> Tensor:
        y: Tensor = torch.func.functional_call(net, w, (x,))[0]
        return y.square().sum()

    gradient = torch.func.grad(loss)
    torch.testing.assert_close(compiled(gradient)(weights), gradient(weights))


def test_it_compiles_with_other_weights_and_under_autocast() -> None:
    torch.manual_seed(0)
    net, x = nn.GRU(D, H), torch.randn(T, B, D)
    weights = {k: 2 * v.detach() for k, v in net.named_parameters()}

    def function(w: dict[str, Tensor], given: Tensor) -> Tensor:
        y: Tensor = torch.func.functional_call(net, w, (given,))[0]
        return y

    run = torch.compile(function, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(run(weights, x), function(weights, x))
    run = compiled(net)
    plain = run(x)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert run(x)[0].dtype == net(x)[0].dtype
    torch.testing.assert_close(run(x)[0], plain)


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_dropout_acts_in_training_alone(name: str) -> None:
    torch.manual_seed(0)
    net, x = getattr(nn, name)(D, 32, num_layers=2, dropout=0.5), torch.randn(T, B, D)
    run = compiled(net)
    assert not torch.equal(run(x)[0], run(x)[0])
    net.eval()
    torch.testing.assert_close(tensors(run(x)), tensors(net(x)))


def test_guards_are_few() -> None:
    """What a call asks first: a compiled call of a small recurrence takes no longer than its guards."""
    from torch._dynamo.eval_frame import _debug_get_cache_entry_list

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.net, self.head = torch.nn.Embedding(5, D), nn.GRU(D, H), torch.nn.Linear(H, 5)

        def forward(self, x: Tensor) -> Any:
            return self.head(self.net(self.embedding(x))[0])

    compiled(Model())(torch.zeros(T, B, dtype=torch.int64))
    (entry,) = _debug_get_cache_entry_list(Model.forward.__code__)
    lines = str(entry.guard_manager).splitlines()
    assert not [line for line in lines if "environ" in line]
    assert len([line for line in lines if "ostinato" in line and "GuardManager" not in line]) < 70
