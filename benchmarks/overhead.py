"""What a call of ostinato.nn costs besides its kernels, part by part, against an autograd function that does nothing.

The problem is small, GRU T=100 B=1 D=1 H=32, forward and backward. The function that does nothing takes the same
tensors, saves them, and makes the same results and gradients without a value in them. All parts take turns in one
process, on the clock of this thread. The table shows the lowest tenth of the times in microseconds, which a busy
machine changes least. The parts are measured one by one, so their sum is not exactly the whole: in the whole, each of
them meets a cache that the others have used.
Run from the repository root: python benchmarks/overhead.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ostinato import nn
from ostinato.ops.engine import _engine, extension
from ostinato.ops.engine.buffers import gradients, results
from ostinato.ops.engine.call import Call, sizes_of
from ostinato.ops.engine.gate import addresses
from ostinato.ops.engine.unroll import unroll
from ostinato.ops.weights import Weights

T, B, D, H = 100, 1, 1, 32


class Nothing(torch.autograd.Function):
    """A node with the tensors of a call, its results and its gradients, and without their values."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)
        return tensors[0].new_empty(T, B, H), torch.empty_like(tensors[1])

    @staticmethod
    def backward(ctx: Any, *_: Tensor | None) -> tuple[Tensor | None, ...]:
        made = zip(ctx.saved_tensors, ctx.needs_input_grad, strict=True)
        return tuple([torch.empty_like(t) if need else None for t, need in made])


def interleaved(tasks: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Return the lowest tenth of the microseconds of each task; of 60 runs a turn, the first 20 are not counted."""
    found: dict[str, list[float]] = {name: [] for name in tasks}
    until = time.perf_counter() + seconds
    while not found[next(iter(tasks))] or time.perf_counter() < until:
        for name, task in tasks.items():
            for i in range(60):
                start = time.thread_time_ns()
                task()
                if i >= 20:
                    found[name].append((time.thread_time_ns() - start) / 1e3)
    return {name: statistics.quantiles(times, n=10)[0] for name, times in found.items()}


def parts(seconds: float) -> dict[str, float]:
    """Return the microseconds of one training step, of its parts, and of the function that does nothing."""
    net = nn.GRU(D, H)
    x, dy = torch.randn(T, B, D).requires_grad_(), torch.randn(T, B, H)
    h0, weights = torch.zeros(1, B, H), list(net.parameters())
    leaves = [x, *weights]
    call = Call("gru", x, h0, None, weights[0], weights[1], weights[2], weights[3])
    sizes = sizes_of(call)
    with torch.no_grad():
        y, h_n, _, kept = results(call, True)
        made = gradients(call, True, True)

    def training(run: Callable[[], Any]) -> Callable[[], None]:
        def step() -> None:
            for t in leaves:
                t.grad = None
            run()[0].backward(dy)

        return step

    # the arguments are looked up once, so that nothing but the kernels is timed
    places, five = addresses(*call.layout), addresses(*call.weights)
    inputs, moved = addresses(x, h0, None), addresses(dy, None, None)
    dx, dh0, dc0, *dw = addresses(*made)
    forward = "gru", sizes.description, places, five, 1, *inputs, *addresses(y, h_n, None), kept.data_ptr()
    backward = "gru", sizes.description, places, five, *inputs, *addresses(y, kept), *moved, dx, dh0, dc0, tuple(dw)

    def kernels() -> None:
        _engine.forward32(*forward)
        _engine.backward32(*backward)

    def checks() -> None:
        _engine.gate(call.tensors, call.layout)
        _engine.gate((dy, None, None), ())

    def allocation() -> None:
        x.new_empty((T, B, H)), torch.empty_like(h0)
        for t in leaves:
            torch.empty_like(t)

    nothing = training(lambda: Nothing.apply(x, h0, *weights))  # type: ignore[no-untyped-call]
    tasks: dict[str, Callable[[], object]] = {
        "whole": training(lambda: net(x)),
        "without module": training(lambda: unroll("gru", x, (h0,), Weights(*weights))),
        "kernels": kernels,
        "checks": checks,
        "allocation": allocation,
        "nothing": nothing,
    }
    return interleaved(tasks, seconds)


def show(seconds: float = 4.0) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    t = parts(seconds)
    module, other = t["whole"] - t["without module"], t["whole"] - t["kernels"]
    print(f"\na call of nn.GRU in training, T={T} B={B} D={D} H={H}, microseconds of one thread")
    rows = {
        "the whole step": t["whole"],
        "  kernels": t["kernels"],
        "  module: attributes, form of the input, first state": module,
        "  checks: modes, classes, addresses, shapes, types": t["checks"],
        "  allocation: results and gradients": t["allocation"],
        "  autograd and the rest": other - module - t["checks"] - t["allocation"],
        "an autograd function that does nothing": t["nothing"],
    }
    for name, value in rows.items():
        print(f"{name:56} {value:7.1f}")
    print(
        f"all but the kernels, as multiples of the function that does nothing: {other / t['nothing']:.2f}", flush=True
    )


def main() -> None:
    """Print the table if the engine is installed."""
    if extension.ABSENT:
        raise SystemExit(extension.ABSENT)
    show()


if __name__ == "__main__":
    main()
