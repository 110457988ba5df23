"""A layer of two directions is one call of the engine: it equals two calls, whatever number of threads it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from ostinato import nn
from ostinato.errors import ConfigError
from ostinato.ops.engine import extension
from ostinato.ops.engine.places import Places

if extension.ABSENT:
    pytest.skip(extension.ABSENT, allow_module_level=True)

from engine_calls import cells, problem, shared_by
from ostinato.ops.engine import _engine
from ostinato.ops.engine.buffers import pooled
from ostinato.ops.engine.call import LARGE
from ostinato.ops.engine.decomposed import by_reference
from ostinato.ops.engine.gate import PLAIN_THREAD
from ostinato.ops.engine.layer import LayerForm, joined
from ostinato.ops.engine.unroll import run_layer

THREADS = 1, 2, 3, 7, 16
LENGTHS = torch.tensor([12, 1, 0, 9, 12, 11, 7])
OFFSETS = torch.cat((torch.zeros(1, dtype=torch.int64), LENGTHS.cumsum(0)))
LAYOUTS = {"padded": Places(), "lengths": Places(LENGTHS), "ragged": Places.ragged(OFFSETS)}


def _layer(cell: str, places: Places, hidden: int = 21) -> tuple[list[Tensor | None], LayerForm]:
    """Return the tensors of a random layer of two directions, as leaves, and its form."""
    steps = int(OFFSETS[-1]) if places.base is not None else 12
    one, other = (problem(cell, steps, len(LENGTHS), 5, hidden, places=places, seed=seed) for seed in (0, 1))
    states = [
        None if a is None or b is None else torch.stack((a, b)) for a, b in ((one.h0, other.h0), (one.c0, other.c0))
    ]
    tensors = [one.x, *states, *one.weights, *other.weights]
    leaves = [None if t is None else t.requires_grad_() for t in tensors]
    return leaves, LayerForm(cell, (places.lengths, places.base, places.column), (False, True))


def _both(
    compute: Any, tensors: list[Tensor | None], form: LayerForm, dy: Any = None
) -> tuple[list[Tensor], list[Tensor]]:
    """Return results, and the gradients of a fixed random functional of them."""
    results = [r for r in compute(tuple(tensors), form) if r is not None and r.numel()]
    g = torch.Generator().manual_seed(2)
    owed = [torch.randn(r.shape, generator=g, dtype=r.dtype) for r in results]
    if dy is not None:
        owed[0] = dy(results[0])
    leaves = [t for t in tensors if t is not None]
    gradients = torch.autograd.grad(results, leaves, owed, allow_unused=True, materialize_grads=True)
    return [r.detach() for r in results], list(gradients)


def _reference(tensors: tuple[Tensor | None, ...], form: LayerForm) -> tuple[Tensor, ...]:
    return joined([by_reference(call) for call in form.calls(tensors)])


def _close(found: Any, true: Any, tolerance: float = 1e-11) -> None:
    for one, other in zip([*found[0], *found[1]], [*true[0], *true[1]], strict=True):
        size = max(1.0, float(other.abs().max()))
        torch.testing.assert_close(one / size, other / size, rtol=0, atol=tolerance)


@pytest.fixture(params=[(0, 0), (2, 2)], ids=["by the model", "forced"])
def grid(request: pytest.FixtureRequest) -> Iterator[None]:
    """Share calls by the cost model, and as teams of two."""
    with shared_by(*request.param):
        yield


@cells
@pytest.mark.usefixtures("grid")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layer_is_the_reference_and_repeats_itself_on_any_number_of_threads(cell: str, layout: str) -> None:
    tensors, form = _layer(cell, LAYOUTS[layout])
    true = _both(_reference, tensors, form)
    for threads in THREADS:
        torch.set_num_threads(threads)
        found, again = _both(run_layer, tensors, form), _both(run_layer, tensors, form)
        _close(found, true)
        assert all(torch.equal(a, b) for a, b in zip(found[0] + found[1], again[0] + again[1], strict=True))
        with torch.no_grad():
            scored = [r for r in run_layer(tuple(tensors), form) if r is not None and r.numel()]
        assert all(torch.equal(a, b) for a, b in zip(scored, found[0], strict=True))


NETWORKS: dict[str, tuple[type[torch.nn.Module], dict[str, Any]]] = {
    "rnn": (nn.RNN, {}),
    "gru": (nn.GRU, {}),
    "gru before": (nn.GRU, {"reset_after": False}),
    "lstm": (nn.LSTM, {}),
    "projected": (nn.LSTM, {"proj_size": 17}),
}
#: Steps, rows, units, layers and whether it runs both ways: enough work for several threads.
SIZES = {
    "rows": (9, 120, 64, 1, False),
    "few rows": (40, 17, 100, 1, True),
    "layers": (20, 33, 48, 2, True),
    "one row": (150, 1, 160, 1, True),
    "columns": (6, 8, 330, 1, False),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", SIZES)
def test_numbers_of_threads_differ_by_rounding_alone(name: str, size: str) -> None:
    T, B, H, layers, both = SIZES[size]
    kind, options = NETWORKS[name]
    torch.manual_seed(0)
    net = kind(6, H, num_layers=layers, bidirectional=both, **options)
    x = torch.randn(T, B, 6).requires_grad_()
    leaves = [x, *net.parameters()]

    def step() -> list[Tensor]:
        y, _ = net(x)
        return [y.detach(), *torch.autograd.grad(y, leaves, torch.ones_like(y))]

    torch.set_num_threads(1)
    one = step()
    for threads in THREADS[1:]:
        torch.set_num_threads(threads)
        found = step()
        assert all(torch.equal(a, b) for a, b in zip(found, step(), strict=True))
        for a, b in zip(found, one, strict=True):
            size_of = max(1.0, float(b.abs().max()))
            torch.testing.assert_close(a / size_of, b / size_of, rtol=0, atol=2e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_unusual_ways_through_a_layer_give_the_same_gradients(threads: int) -> None:
    torch.set_num_threads(threads)
    tensors, form = _layer("lstm", LAYOUTS["padded"])
    expanded = lambda y: torch.ones((), dtype=y.dtype).expand_as(y)  # noqa: E731
    _close(_both(run_layer, tensors, form, expanded), _both(_reference, tensors, form, expanded))
    leaves = [t for t in tensors if t is not None]

    def twice(compute: Any) -> list[Tensor]:
        y, h_n, c_n = compute(tuple(tensors), form)
        loss = (y * y.detach().cos()).sum() + h_n.sum() + c_n.exp().sum()
        torch.autograd.grad(loss, leaves, retain_graph=True)
        return list(torch.autograd.grad(loss, leaves))

    for a, b in zip(twice(run_layer), twice(_reference), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_a_changed_output_and_a_second_order_are_the_reference() -> None:
    torch.set_num_threads(2)
    tensors, form = _layer("gru", LAYOUTS["padded"], hidden=3)
    leaves = [t for t in tensors if t is not None]

    def changed(compute: Any) -> list[Tensor]:
        y, _, _ = (*compute(tuple(tensors), form), None)[:3]
        loss = (y * 2.0).sum()
        with torch.no_grad():
            y.zero_()
        return list(torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True))

    def second(compute: Any) -> list[Tensor]:
        y, *_ = compute(tuple(tensors), form)
        first = torch.autograd.grad(y.square().sum(), leaves, create_graph=True)
        return list(torch.autograd.grad(torch.stack([g.square().sum() for g in first]).sum(), leaves))

    for way in (changed, second):
        for a, b in zip(way(run_layer), way(_reference), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-9 * max(1.0, float(b.abs().max())))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_length_that_does_not_fit_is_refused_in_every_thread(threads: int) -> None:
    torch.set_num_threads(threads)
    tensors, form = _layer("gru", Places(LENGTHS), hidden=200)
    wrong = LENGTHS.clone()
    wrong[3] = 13
    with pytest.raises(ConfigError, match="0 to T steps"):
        run_layer(tuple(tensors), form._replace(layout=(wrong, None, None)))


@cells
def test_without_the_table_of_dlpack_the_attributes_of_tensors_say_the_same(cell: str) -> None:
    tensors, form = _layer(cell, LAYOUTS["ragged"])
    true = _both(run_layer, tensors, form)
    table = getattr(Tensor, "__dlpack_c_exchange_api__", None)
    assert table is not None or tuple(map(int, torch.__version__.split(".")[:2])) < (2, 10)
    # the engine itself passes plain tensors by the table, and never without it
    assert _engine.gate((torch.zeros(1),), ()) == (table is not None)
    _engine.use_torch(None, torch, pooled, LARGE, tuple(PLAIN_THREAD))
    try:
        assert _engine.gate((torch.zeros(1),), ()) == 0
        found = _both(run_layer, tensors, form)
    finally:
        _engine.use_torch(table, torch, pooled, LARGE, tuple(PLAIN_THREAD))
    assert all(torch.equal(a, b) for a, b in zip(found[0] + found[1], true[0] + true[1], strict=True))
