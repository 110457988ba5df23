"""The adding problem and copy memory: which memory, trained by which gradient, solves which length.

Each line is one training: plain AdamW on batches made from a seed, ended when the task is solved or the steps are spent.
``error`` is the test's (adding: squared, 0.167 without a memory; copying: share of letters said wrong); ``came back`` is
the norm of dL/dh at the task's lag over that at the last step, before the training and after it.
Run from the repository root: python benchmarks/classical_tasks.py [--only adding] [--lengths 50 200] [--memories gru lstm]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ostinato.datasets.tasks import AddingProblem, CopyMemory
from ostinato.gradients.flow import gradient_norms
from ostinato.layers.build import build_memory

Task: TypeAlias = AddingProblem | CopyMemory
Batch: TypeAlias = tuple[Tensor, Tensor]

#: Hidden units, rows of a batch, and steps between two looks at the test.
HIDDEN, ROWS, LOOK = 64, 32, 50
#: Adding is solved below this squared error, copying above this share of letters.
ADDED, COPIED = 0.01, 0.99


class Net(nn.Module):
    """A memory of the package and a linear head. A method of training is a window for each batch."""

    def __init__(self, memory: str, task: Task) -> None:
        super().__init__()
        self.task = task
        # a linear memory of one layer cannot multiply a value by its mark
        self.memory = build_memory(memory, task.inputs, HIDDEN, depth=2 if memory == "linear" else 1)
        self.head = nn.Linear(HIDDEN, task.outputs)
        self._start(memory)

    @torch.no_grad()
    def _start(self, memory: str) -> None:
        """Each memory's best known start for a lag of which the order is known."""
        if memory == "linear":
            return
        cell = self.memory.layers[0]
        if memory == "rnn":
            nn.init.orthogonal_(cell.weight_hh_l0)  # nothing shrinks but by tanh
            return
        # gates that forget at rates between 1 and 1 / T (Tallec and Ollivier 2018, eq. 16)
        keeps = torch.log(1 + torch.rand(HIDDEN) * (self.task.steps - 2))
        cell.bias_ih_l0.zero_()
        cell.bias_hh_l0.zero_()
        cell.bias_ih_l0[HIDDEN : 2 * HIDDEN] = keeps
        if memory == "lstm":
            cell.bias_ih_l0[:HIDDEN] = -keeps

    def loss(self, h: Tensor, y: Tensor, at: slice) -> Tensor | None:
        """The loss (B,) of the steps ``at``, from h there; None where the task asks nothing of them."""
        if isinstance(self.task, CopyMemory):
            return cross_entropy(self.head(h).movedim(-1, 1), y[at], reduction="none").sum(0)
        return (self.head(h[-1])[:, 0] - y).square() if at.stop == self.task.steps else None

    def backward(self, batch: Batch, window: int) -> None:
        """The gradient, cut where a chunk of ``window`` steps begins; the last chunk is a whole one."""
        x, y = batch
        state = self.memory.initial_state(x.shape[1])
        for at in chunks(self.task.steps, window):
            asked = isinstance(self.task, CopyMemory) or at.stop == self.task.steps
            with torch.set_grad_enabled(asked):
                h, state = self.memory.unroll(x[at], state)
                loss = self.loss(h, y, at)
            if loss is not None:
                loss.mean().backward()
            state = tuple(s.detach() for s in state)

    @torch.no_grad()
    def error(self, batch: Batch) -> float:
        """Squared, of sums; the share of wrong letters, of words."""
        x, y = batch
        h, _ = self.memory.unroll(x)
        if isinstance(self.task, CopyMemory):
            said = self.head(h[-self.task.symbols :]).argmax(-1)
            return float((said != y[-self.task.symbols :]).float().mean())
        return float((self.head(h[-1])[:, 0] - y).square().mean())

    def norms(self, batch: Batch) -> Tensor:
        """The norm of dL/dh of the last step's loss by lag (T,): of all layers together, mean over rows."""
        x, y = batch
        start = self.memory.initial_state(x.shape[1])
        last = slice(self.task.steps - 1, self.task.steps)
        layers = gradient_norms(self.memory, x, start, lambda h: self.loss(h[None], y, last))
        return torch.stack(layers).square().sum(0).sqrt().mean(1)


def chunks(steps: int, window: int) -> Iterator[slice]:
    """Slices of window steps that end with the sequence; what is left over comes first."""
    stops = [*range(steps, 0, -window)][::-1]
    return (slice(max(0, stop - window), stop) for stop in stops)


def full(net: Net, batch: Batch) -> int:
    """All the steps."""
    return net.task.steps


def fixed(net: Net, batch: Batch) -> int:
    """Twenty steps, fewer than any lag here."""
    return 20


METHODS: dict[str, Callable[[], Callable[[Net, Batch], int]]] = {
    "full": lambda: full,
    "TBPTT(20)": lambda: fixed,
}


@dataclass
class Outcome:
    """A line of the table."""

    solved: bool = False
    error: float = float("inf")
    steps: int = 0
    seconds: float = 0.0
    windows: list[int] = field(default_factory=list)
    before: float = 0.0
    after: float = 0.0


def train(memory: str, task: Task, window: Callable[[Net, Batch], int], steps: int, rate: float) -> Outcome:
    """Until the test is passed, or the steps are spent."""
    torch.manual_seed(0)
    net, made = Net(memory, task), torch.Generator().manual_seed(1)
    test = task.batch(256, torch.Generator().manual_seed(2))
    few = tuple(t[..., :16, :] if t.dim() == 3 else t[..., :16] for t in test)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.0, fused=True)
    found = Outcome(before=came_back(net, few))
    for _ in range(steps):
        begun = time.perf_counter()
        batch = task.batch(ROWS, made)
        found.windows.append(window(net, batch))
        optimizer.zero_grad()
        net.backward(batch, found.windows[-1])
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (found.steps + 1) / 50)
        optimizer.step()
        found.steps += 1
        found.seconds += time.perf_counter() - begun
        if found.steps % LOOK == 0:
            found.error = net.error(test)
            found.solved = found.error < (ADDED if isinstance(task, AddingProblem) else 1 - COPIED)
            if found.solved:
                break
    found.after = came_back(net, few)
    return found


def came_back(net: Net, batch: Batch) -> float:
    """The gradient's norm at the task's lag over that at the last step."""
    norms = net.norms(batch)
    return float(norms[net.task.lag] / norms[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["adding", "copying"], nargs="+", default=["adding", "copying"])
    parser.add_argument("--lengths", type=int, nargs="+", default=[50, 200, 1000])
    parser.add_argument("--memories", nargs="+", default=["rnn", "gru", "lstm", "linear"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=1e-2)
    parser.add_argument("--letters", type=int, default=8)
    parser.add_argument("--symbols", type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'task':8} {'T':>5} {'memory':7} {'method':10} {'solved':6} {'error':>7} {'steps':>6} {'seconds':>8} {'window':>7} came back")
    for name in args.only:
        for length in args.lengths:
            task = AddingProblem(length) if name == "adding" else CopyMemory(length, args.symbols, args.letters)
            for memory in args.memories:
                for method in args.methods:
                    found = train(memory, task, METHODS[method](), args.steps, args.rate)
                    print(
                        f"{name:8} {length:5} {memory:7} {method:10} {'yes' if found.solved else 'no':6} {found.error:7.4f} "
                        f"{found.steps:6} {found.seconds:8.1f} {sorted(found.windows)[len(found.windows)//2]:7} {found.before:.1e} -> {found.after:.1e}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
