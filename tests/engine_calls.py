"""Calls of the compiled engine with random numbers, and their comparison with the references in float64."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ostinato.ops.engine import extension
from ostinato.ops.engine.places import Places

if extension.ABSENT:
    pytest.skip(extension.ABSENT, allow_module_level=True)

from ostinato.ops.engine import _engine
from ostinato.ops.engine.call import Call
from ostinato.ops.engine.decomposed import by_reference
from ostinato.ops.engine.unroll import unroll

CELLS = {"rnn_tanh": 1, "rnn_relu": 1, "rnn_identity": 1, "gru": 3, "gru_before": 3, "lstm": 4, "lstm_projected": 4}
cells = pytest.mark.parametrize("cell", CELLS)

Exact = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
_KEPT: OrderedDict[bytes, Exact] = OrderedDict()
MOST_KEPT = 64


def problem(
    cell: str,
    T: int,
    B: int,
    D: int,
    H: int,
    dtype: torch.dtype = torch.float64,
    places: Places | None = None,
    seed: int = 0,
) -> Call:
    """Random inputs, states and weights; x is as long as its places need. A projection is two thirds as wide."""
    g, G = torch.Generator().manual_seed(seed), CELLS[cell]
    draw: Callable[..., Tensor] = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64).to(dtype)  # noqa: E731
    places = places or Places()
    x = draw(T, B, D) if places.base is None else draw(T, D)
    P = max(1, 2 * H // 3) if cell == "lstm_projected" else H
    c0 = draw(B, H) if cell.startswith("lstm") else None
    weights = draw(G * H, D) / H**0.5, draw(G * H, P) / H**0.5, draw(G * H) / 2, draw(G * H) / 2
    w_hr = draw(P, H) / H**0.5 if cell == "lstm_projected" else None
    return Call(cell, x, draw(B, P), c0, *weights, w_hr, places.lengths, places.base, places.column, places.reverse)


def engine(call: Call) -> tuple[Tensor, ...]:
    """Return h of every step and the last state from the engine."""
    state = (call.h0,) if call.c0 is None else (call.h0, call.c0)
    places = Places(call.lengths, call.base, call.column, call.reverse)
    h, last = unroll(call.cell, call.x, state, call.weights, places)
    return (h, *last)


def with_gradients(compute, call: Call) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:  # type: ignore[no-untyped-def]
    """Results, and all gradients of a fixed random functional of them."""
    fresh = [t.detach().requires_grad_() if isinstance(t, Tensor) and t.is_floating_point() else t for t in call]
    call = Call._make(fresh)
    results = compute(call)
    g = torch.Generator().manual_seed(1)
    loss = sum((r * torch.randn(r.shape, generator=g, dtype=torch.float64).to(r.dtype)).sum() for r in results)
    leaves = [t for t in fresh if isinstance(t, Tensor) and t.is_floating_point()]
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
    return tuple(r.detach() for r in results), gradients


def _digest(call: Call) -> bytes:
    """Return a digest of all that a call is given."""
    found = hashlib.sha256()
    for part in call:
        found.update(repr((part.shape, part.dtype) if isinstance(part, Tensor) else part).encode())
        if isinstance(part, Tensor):
            found.update(part.detach().numpy().tobytes())
    return found.digest()


def reference_of(call: Call) -> Exact:
    """Return results and gradients of the specification in float64, which are computed on one thread.

    They take most of the time of a test, and do not depend on what the tests of the engine vary: the number of threads,
    how they share a call, and the instruction set. So the latest ones are kept.
    """
    key = _digest(call)
    if key not in _KEPT:
        exact = Call._make(t.double() if isinstance(t, Tensor) and t.is_floating_point() else t for t in call)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            _KEPT[key] = with_gradients(by_reference, exact)
        finally:
            torch.set_num_threads(threads)
        if len(_KEPT) > MOST_KEPT:
            _KEPT.popitem(last=False)
    _KEPT.move_to_end(key)
    return _KEPT[key]


def assert_is_reference(call: Call) -> None:
    """Results and gradients within the type's precision of the specification in float64."""
    ours, true = with_gradients(engine, call), reference_of(call)
    tolerance = 1e-11 if call.x.dtype == torch.float64 else 3e-5
    for mine, reference in zip(ours[0] + ours[1], true[0] + true[1], strict=True):
        size = max(1.0, float(reference.abs().max())) if reference.numel() else 1.0
        torch.testing.assert_close(mine.double() / size, reference / size, rtol=0, atol=tolerance)


def long_row(cell: str, T: int, H: int, places: Places | None = None, seed: int = 0) -> Call:
    """Return a single row that is long enough for several threads, D = H."""
    return problem(cell, T, 1, H, H, places=places, seed=seed)


def assert_is_reference_and_repeats(cell: str, steps: int, hidden: int, lengths: list[int]) -> None:
    """Full rows and rows of these lengths in both directions: the results are the reference's, and the same again."""
    n = torch.tensor(lengths)
    for places in (Places(), Places(n), Places(n, reverse=True)):
        call = problem(cell, steps, len(lengths), 3, hidden, places=places)
        assert_is_reference(call)
        one, other = with_gradients(engine, call), with_gradients(engine, call)
        assert all(torch.equal(a, b) for a, b in zip(one[0] + one[1], other[0] + other[1], strict=True))


@contextmanager
def shared_by(parts: int, team: int) -> Iterator[None]:
    """Let calls be shared by so many parts and threads of a team, in place of the cost model; (0, 0) leaves it."""
    _engine.force_grid(parts, team)
    try:
        yield
    finally:
        _engine.force_grid(0, 0)


def output_of(script: str, **environment: str) -> str:
    """Run a script in a process of its own, which finds this module, and return what it prints.

    Under ``make sanitize`` Python runs without ``site`` (-S), and so must this process, to import the sanitized engine.
    """
    done = subprocess.run(
        [sys.executable, *["-S"] * sys.flags.no_site, "-c", script],
        cwd=Path(__file__).parent,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
