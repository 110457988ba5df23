"""The adding problem and the copy task: which backbone, trained with which gradient, solves which length.

Each line is one training run: plain AdamW on batches made from a seed, until the task is solved or the steps are used
up. Seconds are processor time. ``error`` is the error on the test: the squared error of sums (0.167 without a
backbone) or the share of wrong letters of words (0.875). ``gradient`` is the norm of dL/dh at the lag of the task,
divided by the norm at the last step, before and after the training.
Run from the repository root: python benchmarks/classical_tasks.py [--only adding] [--lengths 50 200] [--backbones gru]
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ostinato.datasets.tasks import AddingProblem, CopyMemory
from ostinato.gradients.flow import gradient_norms
from ostinato.layers.build import build_backbone

Task: TypeAlias = AddingProblem | CopyMemory
Batch: TypeAlias = tuple[Tensor, Tensor]

#: The hidden units, the rows of a batch, and the steps between two tests.
HIDDEN, ROWS, LOOK = 64, 32, 50
#: The letters of a word to copy; three letters are learned in a tenth of the time of ten.
SYMBOLS = 3
#: A training ends after this many optimiser steps, or this many steps of a batch's sequences.
MOST, STEPS = 3000, 700_000
#: The peak learning rate of each backbone.
RATES = {"rnn": 1e-3, "gru": 1e-2, "lstm": 1e-2, "linear": 5e-3}
#: Adding is solved below this squared error; copying is solved above this share of letters.
ADDED, COPIED = 0.01, 0.99


class Net(nn.Module):
    """A backbone of the package with a linear head; a method of training gives a window for each batch."""

    def __init__(self, backbone: str, task: Task) -> None:
        super().__init__()
        self.task = task
        # A linear backbone cannot multiply a value by its mark, so a layer of max(0, .) comes first.
        before = backbone == "linear"
        self.front = nn.Sequential(nn.Linear(task.inputs, HIDDEN), nn.ReLU()) if before else nn.Identity()
        self.backbone = build_backbone(backbone, HIDDEN if before else task.inputs, HIDDEN)
        self.head = nn.Linear(HIDDEN, task.outputs)
        self._start(backbone)

    @torch.no_grad()
    def _start(self, backbone: str) -> None:
        """Set the best known initial weights of each backbone, with memories of 1 to T steps."""
        layers: Any = self.backbone.layers  # of a type that the backbone's name decides
        cell = layers[0]
        if backbone == "rnn":
            nn.init.orthogonal_(cell.weight_hh_l0)  # only tanh shrinks the state
            return
        keeps = torch.log(1 + torch.rand(HIDDEN) * (self.task.steps - 2))
        if backbone == "linear":
            cell.nu.copy_(-keeps)
            if isinstance(self.task, AddingProblem):
                cell.theta -= math.log(self.task.steps)  # a sum does not depend on order
            return
        # Tallec and Ollivier 2018, eq. 16
        cell.bias_ih_l0.zero_()
        cell.bias_hh_l0.zero_()
        if isinstance(self.task, AddingProblem):
            cell.weight_hh_l0.mul_(0.1)  # a sum must not move the gates, but a word must, because its order matters
        cell.bias_ih_l0[HIDDEN : 2 * HIDDEN] = keeps
        if backbone == "lstm":
            cell.bias_ih_l0[:HIDDEN] = -keeps

    def loss(self, h: Tensor, y: Tensor, at: slice) -> Tensor | None:
        """Return the loss (B,) of the steps ``at`` from state h; None if the task has no loss there."""
        if isinstance(self.task, CopyMemory):
            return cross_entropy(self.head(h).movedim(-1, 1), y[at], reduction="none").sum(0)
        return (self.head(h[-1])[:, 0] - y).square() if at.stop == self.task.steps else None

    def backward(self, batch: Batch, window: int) -> None:
        """Compute the gradient, cut at the start of each chunk of ``window`` steps; the last chunk is full."""
        x, y = batch
        state = self.backbone.initial_state(x.shape[1])
        for at in chunks(self.task.steps, window):
            asked = isinstance(self.task, CopyMemory) or at.stop == self.task.steps
            with torch.set_grad_enabled(asked):
                h, state = self.backbone.unroll(self.front(x[at]), state)
                loss = self.loss(h, y, at)
            if loss is not None:
                torch.autograd.backward(loss.mean())
            state = tuple(s.detach() for s in state)

    def gradient(self, batch: Batch, window: int) -> Tensor:
        """Return the whole gradient (N,), with respect to N weights."""
        self.zero_grad()
        self.backward(batch, window)
        return torch.cat([p.grad.flatten() for p in self.parameters() if p.grad is not None])

    @torch.no_grad()
    def error(self, batch: Batch) -> float:
        """Return the squared error of sums, or the share of wrong letters of words."""
        x, y = batch
        h, _ = self.backbone.unroll(self.front(x))
        if isinstance(self.task, CopyMemory):
            said = self.head(h[-self.task.symbols :]).argmax(-1)
            return float((said != y[-self.task.symbols :]).float().mean())
        return float((self.head(h[-1])[:, 0] - y).square().mean())

    def norms(self, batch: Batch) -> Tensor:
        """Return the norm of dL/dh of the last step's loss by lag (T,), over all layers, averaged over rows."""
        x, y = batch
        start = self.backbone.initial_state(x.shape[1])
        last = slice(self.task.steps - 1, self.task.steps)

        def loss(h: Tensor) -> Tensor:
            found = self.loss(h[None], y, last)
            assert found is not None  # every task asks something of its last step
            return found

        layers = gradient_norms(self.backbone, self.front(x), start, loss)
        return torch.stack(layers).square().sum(0).sqrt().mean(1)


def chunks(steps: int, window: int) -> Iterator[slice]:
    """Return slices of ``window`` steps that end with the sequence; the first slice may be shorter."""
    stops = [*range(steps, 0, -window)][::-1]
    return (slice(max(0, stop - window), stop) for stop in stops)


def full(net: Net, batch: Batch) -> int:
    """Full BPTT: the window covers all steps."""
    return net.task.steps


def fixed(net: Net, batch: Batch) -> int:
    """Truncated BPTT with a window of twenty steps, which is shorter than any lag here."""
    return 20


class Adaptive:
    """The smallest window that keeps the relative bias of the gradient under a bound, by doubling and halving.

    The relative bias on a batch is ||g_W - g|| / ||g||, with g the gradient of whole sequences. AdaptiveBPTT keeps the
    same bound in `fit`, but it must estimate the part beyond its stretches. These sequences end, so here the bias is
    measured.
    """

    def __init__(self, bias: float = 0.05, shortest: int = 20, every: int = 25) -> None:
        self.bias, self.shortest, self.every = bias, shortest, every
        self.asked, self.window = 0, shortest

    def __call__(self, net: Net, batch: Batch) -> int:
        """Return the window for the next batch."""
        if self.asked % self.every == 0:
            whole = net.gradient(batch, net.task.steps)

            def found(window: int) -> float:
                return float((net.gradient(batch, window) - whole).norm() / whole.norm())

            while self.window < net.task.steps and found(self.window) > self.bias:
                self.window = min(2 * self.window, net.task.steps)
            while self.window > self.shortest and found(self.window // 2) <= self.bias:
                self.window //= 2
        self.asked += 1
        return self.window


METHODS: dict[str, Callable[[], Callable[[Net, Batch], int]]] = {
    "full": lambda: full,
    "TBPTT(20)": lambda: fixed,
    "adaptive": Adaptive,
}


@dataclass
class Outcome:
    """The result of one training: a line of the table."""

    solved: bool = False
    error: float = float("inf")
    steps: int = 0
    seconds: float = 0.0
    windows: list[int] = field(default_factory=list)
    before: float = 0.0
    after: float = 0.0


def train(backbone: str, task: Task, window: Callable[[Net, Batch], int], seed: int = 0) -> Outcome:
    """Train until the test is passed or the steps are used up."""
    torch.manual_seed(3 * seed)
    rate = RATES[backbone]
    net, made = Net(backbone, task), torch.Generator().manual_seed(3 * seed + 1)
    test = task.batch(256, torch.Generator().manual_seed(3 * seed + 2))
    few = some(test, 16)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.0, fused=True)
    found = Outcome(before=came_back(net, few))
    for _ in range(min(MOST, STEPS // task.steps)):
        begun = time.thread_time()
        batch = task.batch(ROWS, made)
        found.windows.append(window(net, batch))
        optimizer.zero_grad()
        net.backward(batch, found.windows[-1])
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (found.steps + 1) / 50)
        optimizer.step()
        found.steps += 1
        found.seconds += time.thread_time() - begun
        if found.steps % LOOK == 0:
            found.error = net.error(test)
            found.solved = found.error < (ADDED if isinstance(task, AddingProblem) else 1 - COPIED)
            if found.solved:
                break
    found.after = came_back(net, few)
    return found


def some(batch: Batch, rows: int) -> Batch:
    """Return the first rows of a batch."""
    x, y = batch
    return x[:, :rows], y[..., :rows]


def came_back(net: Net, batch: Batch) -> float:
    """Return the norm of the gradient at the task's lag, divided by the norm at the last step."""
    norms = net.norms(batch)
    return float(norms[net.task.lag] / norms[0])


def main() -> None:
    """Run the trainings that the command line asks for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["adding", "copying"], nargs="+", default=["adding", "copying"])
    parser.add_argument("--lengths", type=int, nargs="+", default=[50, 200, 1000])
    parser.add_argument("--backbones", nargs="+", default=list(RATES), choices=list(RATES))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument(
        "--seed", type=int, default=1, help="the seed; learning rates and initial weights were chosen with seed 0"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("task        T backbone method     solved   error steps seconds window  gradient")
    for name, length, backbone, method in product(args.only, args.lengths, args.backbones, args.methods):
        task = AddingProblem(length) if name == "adding" else CopyMemory(length, SYMBOLS)
        found = train(backbone, task, METHODS[method](), args.seed)
        solved, window = "yes" if found.solved else "no", round(statistics.median(found.windows))
        print(
            f"{name:8}{length:5} {backbone:7}{method:10}{solved:>7}{found.error:8.4f}{found.steps:6}"
            f"{found.seconds:8.1f}"
            f"{window:7}  {found.before:.1e} -> {found.after:.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
