"""A comparison of torch.compile with eager mode, for a bare recurrence and for a whole model.

The whole model has operations that a compiler can fuse. The results of both modes are compared first. Then both are
timed in turn on the clock of this thread (which also runs autograd's backward pass of CPU tensors); the table shows
medians. The last lines time an operator that does nothing, as an autograd function and compiled. This is the cost that
torch itself adds to each node.
Run from the repository root: python benchmarks/compiled.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ostinato import nn as ours

SIZES = ((20, 1, 32), (100, 1, 64), (100, 32, 64), (100, 64, 128))
VOCABULARY = 100


class Bare(nn.Module):
    """A GRU and the sum of its output."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gru = ours.GRU(hidden, hidden)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h, _ = self.gru(x)
        total: Tensor = h.sum()
        return total


class Whole(nn.Module):
    """An embedding, a GRU, a linear head and the cross entropy of symbols y given symbols x."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, hidden)
        self.gru = ours.GRU(hidden, hidden)
        self.head = nn.Linear(hidden, VOCABULARY)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h, _ = self.gru(self.embedding(x))
        return cross_entropy(self.head(h).flatten(0, 1), y.flatten())


class Nothing(torch.autograd.Function):
    """An autograd function that does nothing, which shows the cost of an eager node."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return x.new_empty(x.shape)

    @staticmethod
    def backward(ctx: Any, *owed: Tensor) -> tuple[Tensor, Tensor]:
        x, w = ctx.saved_tensors
        return x.new_empty(x.shape), w.new_empty(w.shape)


LIBRARY: Any = torch.library.Library("nothing", "DEF")  # type: ignore[no-untyped-call]
LIBRARY.define("forward(Tensor x, Tensor w) -> Tensor")
LIBRARY.define("backward(Tensor x, Tensor w, Tensor owed) -> (Tensor, Tensor)")
LIBRARY.impl("forward", lambda x, w: x.new_empty(x.shape), "CPU")
LIBRARY.impl("backward", lambda x, w, owed: (x.new_empty(x.shape), w.new_empty(w.shape)), "CPU")
torch.library.register_fake("nothing::forward", lambda x, w: x.new_empty(x.shape), lib=LIBRARY)
torch.library.register_fake(
    "nothing::backward", lambda x, w, owed: (x.new_empty(x.shape), w.new_empty(w.shape)), lib=LIBRARY
)
torch.library.register_autograd(
    "nothing::forward",
    lambda ctx, owed: torch.ops.nothing.backward(*ctx.saved_tensors, owed),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
    lib=LIBRARY,
)


def interleaved(tasks: dict[str, Callable[[], Any]], seconds: float = 1.5) -> dict[str, float]:
    """Return the microseconds per call: medians of the last three of four calls per turn."""
    found: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for name, task in tasks.items():
            for i in range(4):
                start = time.thread_time_ns()
                task()
                if i:
                    found[name].append((time.thread_time_ns() - start) / 1e3)
    return {name: statistics.median(times) for name, times in found.items()}


def training(model: Callable[..., Tensor], weights: Sequence[Tensor], *given: Tensor) -> Callable[[], list[Any]]:
    """Return a function that runs forward and backward once and returns the gradients of the weights."""

    def step() -> list[Any]:
        for w in weights:
            w.grad = None
        torch.autograd.backward(model(*given))
        return [w.grad for w in weights]

    return step


def scoring(model: Callable[..., Tensor], *given: Tensor) -> Callable[[], Tensor]:
    """Return a function that runs forward without a graph."""

    def run() -> Tensor:
        with torch.no_grad():
            return model(*given)

    return run


def compare(name: str, net: nn.Module, *given: Tensor) -> None:
    """Verify one task, then time it and print its line of the table."""
    torch.compiler.reset()
    compiled, weights = torch.compile(net, fullgraph=True), list(net.parameters())
    tasks = {
        "eager": scoring(net, *given),
        "compiled": scoring(compiled, *given),
        "eager training": training(net, weights, *given),
        "compiled training": training(compiled, weights, *given),
    }
    torch.testing.assert_close(tasks["eager"](), tasks["compiled"](), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(tasks["eager training"](), tasks["compiled training"](), rtol=1e-3, atol=1e-3)
    a, b, c, d = interleaved(tasks).values()
    print(f"{name:26} {a:9.1f} {b:9.1f} {a / b:6.2f} {c:11.1f} {d:9.1f} {c / d:6.2f}", flush=True)


def main() -> None:
    """Print the table."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    print(f"microseconds, torch {torch.__version__}; ratio: eager / compiled, one thread\n")
    print(f"{'':29} forward  compiled  ratio   training  compiled  ratio")
    for steps, rows, hidden in SIZES:
        symbols = torch.randint(VOCABULARY, (2, steps, rows))
        size = f"T={steps} B={rows} H={hidden}"
        compare(f"GRU {size}", Bare(hidden), torch.randn(steps, rows, hidden), symbols[1])
        compare(f"model {size}", Whole(hidden), symbols[0], symbols[1])
    x, w = torch.randn(4, 4), torch.randn(4, 4, requires_grad=True)

    @torch.compile(fullgraph=True)
    def compiled(x: Tensor) -> Tensor:
        total: Tensor = torch.ops.nothing.forward(x, w).sum()
        return total

    def eager(x: Tensor) -> Tensor:
        return Nothing.apply(x, w).sum()  # type: ignore[no-untyped-call, no-any-return]

    a, b = interleaved({"eager": training(eager, [w], x), "compiled": training(compiled, [w], x)}).values()
    print(f"\na node that does nothing, training: eager {a:.1f}, compiled {b:.1f}")


if __name__ == "__main__":
    main()
