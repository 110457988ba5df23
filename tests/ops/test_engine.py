"""The compiled kernels against float64 references: sizes, instruction sets, extremes, threads, layouts."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine_calls import (
    CELLS,
    assert_is_reference,
    assert_is_reference_and_repeats,
    cells,
    engine,
    long_row,
    output_of,
    problem,
    with_gradients,
)
from ostinato.errors import ConfigError
from ostinato.ops.engine import extension
from ostinato.ops.engine.places import Places

if extension.ABSENT:
    pytest.skip(extension.ABSENT, allow_module_level=True)

from ostinato.ops.engine.call import Call
from ostinato.ops.engine.decomposed import REFERENCES, by_reference
from ostinato.ops.engine.step import Step
from ostinato.ops.engine.unroll import unroll
from ostinato.ops.weights import Weights

sizes = st.tuples(*(st.integers(1, n) for n in (12, 19, 20, 40)))


@cells
@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@settings(deadline=None, max_examples=8)
@given(size=sizes, threads=st.integers(1, 4), reverse=st.booleans(), data=st.data())
def test_any_size_is_the_reference(
    cell: str, dtype: torch.dtype, size: tuple[int, ...], threads: int, reverse: bool, data: st.DataObject
) -> None:
    T, B, D, H = size
    lengths = data.draw(st.none() | st.lists(st.integers(0, T), min_size=B, max_size=B))
    torch.set_num_threads(threads)
    places = Places(None if lengths is None else torch.tensor(lengths), reverse=reverse)
    assert_is_reference(problem(cell, T, B, D, H, dtype, places))


@cells
@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize(("T", "B", "D", "H"), [(3, 64, 64, 64), (40, 9, 3, 130), (300, 1, 5, 33), (2, 200, 270, 17)])
def test_many_chunks_and_panels_are_the_reference(cell: str, T: int, B: int, D: int, H: int) -> None:
    assert_is_reference(problem(cell, T, B, D, H))


@cells
@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("D", [1, 2, 3, 4, 5])
def test_few_inputs_are_the_reference(cell: str, dtype: torch.dtype, D: int) -> None:
    """The gradient of up to a quarter of a vector of inputs has a kernel of its own: units of all remainders."""
    for B, H in (1, 1), (3, 15), (2, 16), (5, 33), (300, 8):
        assert_is_reference(problem(cell, 3, B, D, H, dtype, Places(torch.arange(B) % 4)))


@cells
@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_any_number_of_threads_is_the_reference(cell: str, threads: int) -> None:
    torch.set_num_threads(threads)
    assert_is_reference_and_repeats(cell, 60, 150, [60, 1, 0, 33, 60, 59, 7, 60, 60])


@cells
@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("lengths", [None, [2090]], ids=["whole", "ragged"])
def test_a_single_row_is_the_same_on_any_number_of_threads(cell: str, lengths: list[int] | None) -> None:
    n = None if lengths is None else torch.tensor(lengths)
    # two chunks of a row, of which the second is a short one
    call = long_row(cell, 2100, 110, Places(n, reverse=n is not None))
    torch.set_num_threads(1)
    (h, *last), true = with_gradients(engine, call)
    with torch.no_grad():
        scored = engine(call)
    for threads in (2, 3):
        torch.set_num_threads(threads)
        results, gradients = with_gradients(engine, call)
        again = with_gradients(engine, call)
        assert all(torch.equal(a, b) for a, b in zip(results + gradients, again[0] + again[1], strict=True))
        with torch.no_grad():
            unsaved = engine(call)
        for mine, one in zip(results + gradients + unsaved, (h, *last, *true, *scored), strict=True):
            size = max(1.0, float(one.abs().max()))
            torch.testing.assert_close(mine / size, one / size, rtol=0, atol=1e-11)


@cells
@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "ragged"])
def test_gradients_of_the_kernels_are_finite_differences(cell: str, ragged: bool) -> None:
    call = problem(cell, 3, 3, 2, 3, places=Places(torch.tensor([3, 0, 2])) if ragged else None)
    leaves = [t.requires_grad_() for t in call.tensors if isinstance(t, Tensor)]

    def f(*tensors: Tensor) -> tuple[Tensor, ...]:
        given = iter(tensors)
        return engine(
            Call._make(
                [call.cell, *(None if t is None else next(given) for t in call.tensors), *call.layout, call.reverse]
            )
        )

    assert torch.autograd.gradcheck(f, leaves)
    assert torch.autograd.gradgradcheck(f, leaves, fast_mode=True)


@cells
def test_values_and_offsets_are_taken_as_they_are(cell: str) -> None:
    offsets = torch.tensor([0, 4, 4, 5, 11])
    for reverse in (False, True):
        call = problem(cell, 11, 4, 3, 5, places=Places.ragged(offsets, reverse=reverse))
        assert_is_reference(call)
        y = engine(call)[0]
        for b, (a, z) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
            row = call._replace(
                x=call.x[a:z, None],
                h0=call.h0[b : b + 1],
                c0=None if call.c0 is None else call.c0[b : b + 1],
                lengths=None,
                base=None,
                column=None,
            )
            torch.testing.assert_close(y[a:z], engine(row)[0][:, 0], rtol=1e-12, atol=1e-12)


@cells
@pytest.mark.parametrize("reverse", [False, True])
def test_packed_by_steps(cell: str, reverse: bool) -> None:
    packed = torch.nn.utils.rnn.pack_sequence([torch.zeros(n, 2) for n in (7, 4, 4, 1)])
    places = Places.packed(packed.batch_sizes, reverse=reverse)
    assert places.lengths is not None
    assert places.lengths.tolist() == [7, 4, 4, 1]
    assert_is_reference(problem(cell, len(packed.data), 4, 2, 6, places=places))


EXTREMES = (0.0, -0.0, 1e-42, -1e-42, 1e-20, 88.0, -88.5, 104.0, -104.0, 1e30, -1e30, torch.inf, -torch.inf, torch.nan)


@cells
@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_extremes_go_through_as_in_the_reference(cell: str, dtype: torch.dtype) -> None:
    """Each row has one extreme value, at a different step. Results are finite, infinite or NaN as in the reference."""
    T, B, H = 4, len(EXTREMES), 19
    call = problem(cell, T, B, 1, H, dtype)
    call.x[1, :, 0] = torch.tensor(EXTREMES, dtype=dtype)

    def weighed(results: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(r[:, :] for r in results)

    ours, true = with_gradients(lambda c: weighed(engine(c)), call), with_gradients(by_reference, call)
    for mine, reference in zip(ours[0], true[0], strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-5, equal_nan=True)
    # dx, row by row: a weight's gradient is a sum over rows, and one NaN is all it holds
    torch.testing.assert_close(ours[1][0], true[1][0], rtol=1e-3, atol=1e-5, equal_nan=True)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm"])
def test_nonlinearities_are_exact_to_the_last_places(cell: str, dtype: torch.dtype) -> None:
    """Tanh by the plain network, sigmoid by the input gate of an LSTM whose c is 1: against float64."""
    a = torch.cat([torch.linspace(-30, 30, 6001), torch.logspace(-30, 2, 600), -torch.logspace(-30, 2, 600)]).to(dtype)
    one, none = torch.ones(1, 1, dtype=dtype), torch.zeros(1, 1, dtype=dtype)
    if cell == "rnn_tanh":
        h, _ = unroll(cell, a[None, :, None], (none.expand(len(a), 1),), Weights(one, none))
        true = torch.tanh(a.double())
    else:
        c0 = torch.ones(len(a), 1, dtype=dtype)
        w = torch.tensor([[0.0], [1.0], [0.0], [0.0]], dtype=dtype)  # f = sigmoid(a), g = 0: c = f
        _, (_, c) = unroll(cell, a[None, :, None], (none.expand(len(a), 1), c0), Weights(w, w * 0))
        h, true = c[None], torch.sigmoid(a.double())
    error = ((h[0, :, 0].double() - true) / true).abs()
    floor = 1e-36 if dtype == torch.float32 else 1e-300
    assert float(error[true.abs() > floor].max()) < 3 * torch.finfo(dtype).eps


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_sigmoid_is_0_and_1_exactly_far_from_0(dtype: torch.dtype) -> None:
    """Beyond the numbers whose exponential a type holds, up to the largest number, and for NaN."""
    far, largest = torch.linspace(90 if dtype == torch.float32 else 750, 3000, 500), torch.finfo(dtype).max
    a = torch.cat([far.to(dtype), torch.logspace(4, 38, 100, dtype=dtype), torch.tensor([largest], dtype=dtype)])
    a = torch.cat([a, -a, torch.tensor([float("nan")], dtype=dtype)])
    none, w = torch.zeros(len(a), 1, dtype=dtype), torch.tensor([[0.0], [1.0], [0.0], [0.0]], dtype=dtype)
    _, (_, c) = unroll("lstm", a[None, :, None], (none, none + 1), Weights(w, w * 0))
    half = (len(a) - 1) // 2
    assert bool((c[:half] == 1).all())
    assert bool((c[half:-1] == 0).all())
    assert bool(c[-1].isnan())


@cells
@pytest.mark.parametrize("rows", [7, 1])
def test_eight_python_threads_at_once(cell: str, rows: int) -> None:
    torch.set_num_threads(2)
    if rows == 1:
        calls = [long_row(cell, 250, 200, seed=seed) for seed in range(8)]
    else:
        calls = [problem(cell, 20, rows, 5, 33, seed=seed) for seed in range(8)]
    alone = [with_gradients(engine, call) for call in calls]
    together: list[object] = [None] * 8

    def work(i: int) -> None:
        for _ in range(10 if rows > 1 else 2):
            together[i] = with_gradients(engine, calls[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert isinstance(other, tuple)
        assert all(torch.equal(a, b) for a, b in zip(one[0] + one[1], other[0] + other[1], strict=True))


@cells
def test_backward_twice_gives_the_same(cell: str) -> None:
    call = problem(cell, 5, 3, 2, 7)
    call.x.requires_grad_()
    h = engine(call)[0].sum()
    first, second = (torch.autograd.grad(h, call.x, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


@cells
def test_frozen_weights_and_inputs_get_no_gradient(cell: str) -> None:
    call = problem(cell, 5, 3, 2, 7)
    for trained in ("x", "w_ih"):
        tensors: dict[str, Any] = {n: t.detach().clone() for n, t in call._asdict().items() if isinstance(t, Tensor)}
        tensors[trained].requires_grad_()
        names = [n for n, t in tensors.items() if t.is_floating_point()]
        all_gradients = dict(zip(names, with_gradients(engine, call)[1], strict=True))
        g = torch.Generator().manual_seed(1)
        results = engine(call._replace(**tensors))
        torch.autograd.backward([(r * torch.randn(r.shape, generator=g, dtype=torch.float64)).sum() for r in results])
        torch.testing.assert_close(tensors[trained].grad, all_gradients[trained])
        assert all(t.grad is None for n, t in tensors.items() if n != trained)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64, torch.complex64])
def test_types_without_a_kernel_are_refused(dtype: torch.dtype) -> None:
    x, h = torch.zeros(2, 3, 4, dtype=dtype), torch.zeros(3, 4, dtype=dtype)
    w, b = torch.zeros(12, 4, dtype=dtype), torch.zeros(12, dtype=dtype)
    call = Call("gru", x, h, None, w, w, b, b)
    with pytest.raises(ConfigError, match="float32 and float64"):
        unroll("gru", x, (h,), Weights(w, w, b, b))
    with pytest.raises(ConfigError, match="float32 and float64"):
        torch.ops.ostinato.recurrence(*call, False)


def test_arguments_of_wrong_shape_or_type_are_refused() -> None:
    call, projected = problem("gru", 4, 3, 2, 5), problem("lstm_projected", 4, 3, 2, 5)
    assert projected.c0 is not None
    wrong = [
        call._replace(h0=call.h0[:2]),
        call._replace(x=call.x[:, :, :1]),
        call._replace(w_hh=call.w_hh[:, :4]),
        call._replace(b_ih=call.b_ih.float() if call.b_ih is not None else None),
        call._replace(c0=call.h0),
        call._replace(w_hr=call.w_hh[:5]),
        projected._replace(w_hr=None),
        projected._replace(h0=projected.c0),
        projected._replace(w_hh=projected.w_hh[:, :2]),
        call._replace(cell="elman"),
        call._replace(lengths=torch.tensor([1, 2])),
        call._replace(lengths=torch.tensor([1, 2, 5])),
        call._replace(lengths=torch.tensor([1, -1, 4])),
        call._replace(x=call.x[0], base=torch.tensor([0, 3])),
        call._replace(x=call.x[0], base=torch.tensor([[0]])),
        # both numbers together are 0 in 64 bits
        call._replace(x=call.x[0], base=torch.tensor([-(2**63)]), column=torch.full((3,), -(2**63))),
        call._replace(x=call.x[0], base=torch.tensor([0, 1])),  # step 1 of row 0 would be step 0 of row 1
    ]
    for one in wrong:
        with pytest.raises(ConfigError):
            engine(one)


@cells
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_steps_by_packed_weights_are_an_unroll(cell: str, dtype: torch.dtype) -> None:
    call = problem(cell, 6, 1, 3, 21, dtype)
    step = Step(cell, call.weights)
    state = [s[0].clone() for s in (call.h0, call.c0) if s is not None]
    held, at = [s.numpy().copy() for s in state], call.x[0, 0].numpy().copy()
    bound = step.bound(at, *held)
    y, *last = engine(call)
    for t in range(6):
        step(call.x[t, 0], *state)
        torch.testing.assert_close(state[0], y[t, 0])
        at[:] = call.x[t, 0].numpy()
        bound()
        torch.testing.assert_close(torch.from_numpy(held[0]), y[t, 0])
    with pytest.raises(ConfigError):
        step.bound(at[:2], *held)
    for mine, true in zip(state, last, strict=True):
        torch.testing.assert_close(mine, true[0])
    for wrong in (call.x[0, 0, :2], call.x[0, 0].half()):
        with pytest.raises(ConfigError):
            step(wrong, *state)
    with pytest.raises(ConfigError):
        step(call.x[0, 0], state[0], state[0] if len(state) == 1 else None)


@cells
@pytest.mark.parametrize("rows", [0, 1, 2, 9, 70])
@pytest.mark.parametrize("threads", [1, 2])
def test_steps_of_many_rows_are_an_unroll(cell: str, rows: int, threads: int) -> None:
    """One thread steps by weights that are packed once; several threads share each call."""
    call = problem(cell, 4, rows, 3, 21, torch.float32)
    step = Step(cell, call.weights)
    held = [s.numpy().copy() for s in (call.h0, call.c0) if s is not None]
    at = call.x[0].numpy().copy()
    torch.set_num_threads(threads)
    bound = step.bound(at, *held)
    y, *last = engine(call)
    for t in range(4):
        at[:] = call.x[t].numpy()
        bound()
        torch.testing.assert_close(torch.from_numpy(held[0]), y[t])
    for mine, true in zip(held, last, strict=True):
        torch.testing.assert_close(torch.from_numpy(mine), true)


def test_every_cell_has_its_reference() -> None:
    from ostinato.ops.engine import _engine

    assert {name for name, *_ in _engine.cells()} == set(REFERENCES) == set(CELLS)


def test_the_engine_says_so_if_it_does_not_know_torch_yet() -> None:
    """Its module alone, before a module of ostinato tells it where torch is: an error in place of a null pointer."""
    script = """
from ostinato.ops.engine import _engine
for ask in lambda: _engine.gate((), ()), lambda: _engine.layer_forward(("gru", (None,) * 3, (False,)), (), 1, False):
    try:
        ask()
    except RuntimeError as error:
        print(str(error).split(":")[0])
"""
    assert output_of(script).splitlines() == ["the engine does not know torch yet"] * 2
