"""A comparison of torch.compile with eager mode, for a bare recurrence and for a whole model.

The whole model has operations that a compiler can fuse. The results of both modes are compared first. Then both are
timed in turn on the clock of this thread (which also runs autograd's backward pass of CPU tensors); the table shows
medians. The last lines time an operator that does nothing, as an autograd function and compiled. This is the cost that
torch itself adds to each node.
Run from the repository root: python benchmarks/compiled.py
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ostinato import nn as ours

SIZES = ((20, 1, 32), (100, 1, 64), (100, 32, 64), (100, 64, 128))
#: The sizes on a card: T, B and H.
ON_CARD = ((100, 32, 64), (100, 32, 128), (100, 64, 128), (256, 64, 256))
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
    """An embedding, a recurrence, a linear head and the cross entropy of symbols y given symbols x."""

    def __init__(self, hidden: int, kind: Callable[..., nn.Module] = ours.GRU) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, hidden)
        self.recurrence = kind(hidden, hidden)
        self.head = nn.Linear(hidden, VOCABULARY)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h, _ = self.recurrence(self.embedding(x))
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


def wall(tasks: dict[str, Callable[[], Any]], turns: int = 60, calls: int = 5) -> dict[str, float]:
    """Return the milliseconds of a call on a card, of the host and the card together: medians of turns of calls."""
    found: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(turns):
        for name, task in tasks.items():
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(calls):
                task()
            torch.cuda.synchronize()
            found[name].append(1e3 * (time.perf_counter() - start) / calls)
    return {name: statistics.median(times) for name, times in found.items()}


def on_card() -> None:
    """Print the table of a training step of the whole model on a card, after comparing the gradients."""
    print(f"milliseconds of a training step, torch {torch.__version__}, {torch.cuda.get_device_name()}\n")
    print(f"{'':26} {'eager':>8} {'compiled':>9} {'graphs':>8} {'torch.nn':>9}   eager / graphs")
    for name in ("GRU", "LSTM"):
        for steps, rows, hidden in ON_CARD:
            torch.compiler.reset()
            net = Whole(hidden, getattr(ours, name)).cuda()
            peer = Whole(hidden, getattr(nn, name)).cuda()
            x, y = torch.randint(VOCABULARY, (2, steps, rows), device="cuda")
            weights = list(net.parameters())
            replay = training(torch.compile(net, fullgraph=True, mode="reduce-overhead"), weights, x, y)

            def graphs(replay: Callable[[], list[Any]] = replay) -> list[Any]:
                torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
                return replay()

            tasks = {
                "eager": training(net, weights, x, y),
                "compiled": training(torch.compile(net, fullgraph=True), weights, x, y),
                "graphs": graphs,
                "torch.nn": training(peer, list(peer.parameters()), x, y),
            }
            exact = [g.clone() for g in tasks["eager"]()]
            for way in ("compiled", "graphs"):
                for _ in range(3):  # the first calls record the graph
                    found = tasks[way]()
                torch.testing.assert_close(found, exact, rtol=1e-3, atol=1e-5)
            a, b, c, d = wall(tasks).values()
            print(f"{name + f' T={steps} B={rows} H={hidden}':26} {a:8.2f} {b:9.2f} {c:8.2f} {d:9.2f} {a / c:16.2f}")


def main() -> None:
    """Print the table."""
    torch.manual_seed(0)
    if "cuda" in sys.argv[1:]:
        on_card()
        return
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
