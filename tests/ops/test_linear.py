"""The diagonal linear recurrence by the engine, against the specification and the scan."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine import extension
from ostinato.ops.linear import reference, scan
from ostinato.shapes import State

if extension.ABSENT:
    pytest.skip(extension.ABSENT, allow_module_level=True)

from ostinato.ops.linear import native

DTYPES = (torch.float32, torch.float64, torch.complex64, torch.complex128)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: str(d).removeprefix("torch."))
doubles = pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=["real", "complex"])
#: by which a result of each type may be off the specification's in double precision, relative to its size
TOLERANCE = {torch.float32: 3e-6, torch.complex64: 3e-6, torch.float64: 1e-13, torch.complex128: 1e-13}


def problem(T: int, B: int, H: int, dtype: torch.dtype, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """u, h0 and a of absolute value below 1."""
    g = torch.Generator().manual_seed(seed)
    wide = torch.complex128 if dtype.is_complex else torch.float64
    draw: Callable[..., Tensor] = lambda *shape: torch.randn(*shape, generator=g, dtype=wide)  # noqa: E731
    a = draw(H)
    u, h0, a = draw(T, B, H), draw(B, H), a / a.abs() * (0.5 + 0.49 * torch.rand(H, generator=g))
    return u.to(dtype).requires_grad_(), h0.to(dtype).requires_grad_(), a.to(dtype).requires_grad_()


def with_gradients(run, given: tuple[Tensor, ...], lengths: Tensor | None) -> tuple[Tensor, ...]:  # type: ignore[no-untyped-def]
    """H within the rows, the last state, and the gradients of a random functional of both."""
    u, h0, a = (t.detach().requires_grad_() for t in given)
    h, (last,) = run(u, (h0,), a, lengths)
    if lengths is not None:
        h = torch.where((torch.arange(len(u))[:, None] < lengths)[..., None], h, 0)
    g = torch.Generator().manual_seed(1)
    wide = torch.complex128 if h.is_complex() else torch.float64
    weighed = [(r * torch.randn(r.shape, generator=g, dtype=wide).to(r.dtype)).sum() for r in (h, last)]
    loss = sum(w.real if w.is_complex() else w for w in weighed)
    return h.detach(), last.detach(), *torch.autograd.grad(loss, (u, h0, a), materialize_grads=True)


def assert_same(ours: tuple[Tensor, ...], true: tuple[Tensor, ...], tolerance: float) -> None:
    for mine, other in zip(ours, true, strict=True):
        size = max(1.0, float(other.abs().max())) if other.numel() else 1.0
        torch.testing.assert_close(mine.to(other.dtype) / size, other / size, rtol=0, atol=tolerance)


@dtypes
@pytest.mark.usefixtures("instruction_set")
@settings(deadline=None, max_examples=12)
@given(T=st.integers(0, 60), B=st.integers(1, 9), H=st.integers(1, 40), threads=st.integers(1, 3), data=st.data())
def test_any_size_is_the_reference(
    dtype: torch.dtype, T: int, B: int, H: int, threads: int, data: st.DataObject
) -> None:
    torch.set_num_threads(threads)
    lengths = data.draw(st.none() | st.lists(st.integers(0, T), min_size=B, max_size=B))
    n = None if lengths is None else torch.tensor(lengths)
    given = problem(T, B, H, dtype)
    wide = tuple(t.detach().to(torch.complex128 if dtype.is_complex else torch.float64) for t in given)
    assert_same(with_gradients(native.unroll, given, n), with_gradients(reference.unroll, wide, n), TOLERANCE[dtype])


@doubles
def test_long_rows_are_the_scan(dtype: torch.dtype) -> None:
    """The scan replaces the reference, which is slow for rows that need several threads."""
    torch.set_num_threads(3)
    for lengths in (None, torch.tensor([8_000, 3, 0, 5_555, 8_000])):
        given = problem(8_000, 5, 33, dtype)
        ours, again = (with_gradients(native.unroll, given, lengths) for _ in range(2))
        assert_same(ours, with_gradients(scan.unroll, given, lengths), 1e-11)
        assert all(torch.equal(one, other) for one, other in zip(ours, again, strict=True))


def test_a_long_sum_keeps_its_places() -> None:
    """A's gradient in float32, a million equal terms: in a single sum they would be off by parts in a thousand."""
    u = torch.zeros(1 << 18, 4, 1)
    h0, a = torch.full((4, 1), 0.1), torch.ones(1, requires_grad=True)
    _, (last,) = native.unroll(u, (h0,), a)
    slope = float(torch.autograd.grad(last.sum(), a)[0])
    assert slope == pytest.approx(0.1 * (1 << 20), rel=1e-4)


@doubles
@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("lengths", [None, [4, 0, 2]], ids=["whole", "ragged"])
def test_gradients_of_the_kernels_are_finite_differences(dtype: torch.dtype, lengths: list[int] | None) -> None:
    n = None if lengths is None else torch.tensor(lengths)
    given = problem(4, 3, 3, dtype)

    def f(u: Tensor, h0: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        h, (last,) = native.unroll(u, (h0,), a, n)
        return h, last

    assert torch.autograd.gradcheck(f, given)
    assert torch.autograd.gradgradcheck(f, given)


@dtypes
def test_chunks_are_one_pass(dtype: torch.dtype) -> None:
    u, h0, a = (t.detach() for t in problem(50, 3, 5, dtype))
    whole, last = native.unroll(u, (h0,), a)
    state: State = (h0,)
    pieces = []
    for start, end in itertools.pairwise([0, 0, 1, 17, 49, 50]):
        h, state = native.unroll(u[start:end], state, a)
        pieces.append(h)
    assert torch.equal(torch.cat(pieces), whole)
    assert torch.equal(state[0], last[0])


EXTREMES = (0.0, -0.0, 1e-42, -1e-42, 1e-20, 1e30, -1e30, torch.inf, -torch.inf, torch.nan)


@dtypes
@pytest.mark.usefixtures("instruction_set")
def test_extremes_go_through_as_in_the_reference(dtype: torch.dtype) -> None:
    """Each row of u has one extreme value. h and du are finite, infinite or NaN as in the reference.

    Of a complex number only whether it is finite is compared: torch adds infinity + 0i as infinity + NaN i.
    """
    u, h0, a = problem(4, len(EXTREMES), 7, dtype)
    with torch.no_grad():
        u[1, :, 0] = torch.tensor(EXTREMES, dtype=dtype)

    def seen(t: Tensor) -> Tensor:
        return torch.where(t.isfinite(), t, torch.nan) if dtype.is_complex else t

    for mine, true in zip(
        with_gradients(native.unroll, (u, h0, a), None)[:4],
        with_gradients(reference.unroll, (u, h0, a), None)[:4],
        strict=True,
    ):
        torch.testing.assert_close(seen(mine), seen(true), rtol=1e-4, atol=1e-5, equal_nan=True)


def test_conjugates_and_strides_are_taken_as_they_are() -> None:
    u, h0, a = (t.detach() for t in problem(6, 4, 5, torch.complex128))
    strided = u.transpose(0, 1).contiguous().transpose(0, 1).conj(), h0.t().contiguous().t().conj(), a.conj()
    expected, _ = reference.unroll(strided[0], (strided[1],), strided[2])
    torch.testing.assert_close(native.unroll(strided[0], (strided[1],), strided[2])[0], expected)


def test_eight_python_threads_at_once() -> None:
    torch.set_num_threads(2)
    given = [problem(300, 7, 33, torch.complex64, seed) for seed in range(8)]
    alone = [with_gradients(native.unroll, one, None) for one in given]
    together: list[tuple[Tensor, ...]] = [()] * 8

    def work(i: int) -> None:
        for _ in range(5):
            together[i] = with_gradients(native.unroll, given[i], None)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(one, other, strict=True))


@pytest.mark.parametrize(("dtype", "n"), [(torch.float64, None), (torch.complex64, torch.tensor([5, 0]))])
def test_the_operators_are_what_torch_expects(dtype: torch.dtype, n: Tensor | None) -> None:
    u, h0, a = problem(5, 2, 3, dtype)
    torch.library.opcheck(torch.ops.ostinato.linear, (u, h0, a, n))
    h, last = (t.detach() for t in torch.ops.ostinato.linear(u, h0, a, n))
    torch.library.opcheck(torch.ops.ostinato.linear_backward, (u, h0, a, n, h, h.clone(), last.clone()))


@pytest.mark.filterwarnings("ignore")
def test_compiles_as_one_graph() -> None:
    torch.compiler.reset()
    given = problem(7, 3, 4, torch.complex64)
    run = torch.compile(lambda u, h0, a: native.unroll(u, (h0,), a)[0].abs().sum(), fullgraph=True, backend="aot_eager")
    compiled = torch.autograd.grad(run(*given), given)
    eager = torch.autograd.grad(native.unroll(given[0], (given[1],), given[2])[0].abs().sum(), given)
    for one, other in zip(compiled, eager, strict=True):
        torch.testing.assert_close(one, other)


def test_autocast_computes_in_float32() -> None:
    """16-bit inputs are cast as in the other recurrences, and their gradients have the type of the inputs."""
    u, h0, a = (t.detach().bfloat16().requires_grad_() for t in problem(7, 3, 4, torch.float32))
    with torch.autocast("cpu", torch.bfloat16):
        h, (last,) = native.unroll(u, (h0,), a)
    assert h.dtype == last.dtype == torch.float32
    expected, _ = reference.unroll(u.float(), (h0.float(),), a.float())
    torch.testing.assert_close(h, expected)
    ours, true = (torch.autograd.grad(y.square().sum(), (u, h0, a)) for y in (h, expected))
    for one, other in zip(ours, true, strict=True):
        assert one.dtype == torch.bfloat16
        torch.testing.assert_close(one, other)


def test_arguments_of_wrong_shape_or_type_are_refused() -> None:
    u, h0, a = problem(4, 3, 2, torch.float64)
    for wrong in (
        (u[0], h0, a, None),
        (u, h0[:2], a, None),
        (u, h0, a[:1], None),
        (u, h0, a.float(), None),
        (u, h0, a, torch.tensor([4, 4])),
        (u, h0, a, torch.tensor([4, 4, 5])),
        (u, h0, a, torch.tensor([4, -1, 4])),
    ):
        with pytest.raises(ConfigError):
            native.unroll(wrong[0], (wrong[1],), wrong[2], wrong[3])


@pytest.mark.parametrize("place", range(7))
def test_the_backward_pass_refuses_what_does_not_fit(place: int) -> None:
    u, h0, a = (t.detach() for t in problem(4, 3, 2, torch.float64))
    h, last = torch.ops.ostinato.linear(u, h0, a, None)
    given = [u, h0, a, torch.tensor([4, 4, 4]), h, h, last]
    given[place] = given[place][:-1]
    with pytest.raises(ConfigError):
        torch.ops.ostinato.linear_backward(*given)


@pytest.mark.parametrize("place", range(3))
def test_data_of_another_shape_before_the_backward_pass_are_refused(place: int) -> None:
    given = problem(4, 3, 2, torch.float64)
    u, h0, a = given
    h, _ = native.unroll(u, (h0,), a)
    given[place].data = given[place].detach()[:1]
    with pytest.raises(ConfigError, match="must have the shape"):
        torch.autograd.backward(h.sum())
