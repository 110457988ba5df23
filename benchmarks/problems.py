"""The catalogue of recurrences as modules and inputs, and the check that runs before every timing and in the tests."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from ostinato import nn

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


@dataclass(frozen=True)
class Problem:
    """One cell at one size: T steps, B rows, D inputs, H hidden units, projection to P; see problems.toml."""

    group: str
    cell: str
    T: int
    B: int
    D: int
    H: int
    P: int = 0
    layers: int = 1
    directions: int = 1
    ragged: bool = False
    forward: float = 0.0
    train: float = 0.0

    def __str__(self) -> str:
        extra = (
            f" P={self.P}" * (self.P > 0)
            + f" x{self.layers} layers" * (self.layers > 1)
            + " both ways" * (self.directions > 1)
        )
        return f"{self.cell} T={self.T} B={self.B} D={self.D} H={self.H}{extra}{' ragged' * self.ragged}"

    @property
    def lengths(self) -> list[int]:
        """Return the number of steps of each row."""
        if not self.ragged:
            return [self.T] * self.B
        # The lengths are evenly spaced between 1 and T on a logarithmic scale, in a fixed random order.
        spread = torch.logspace(0, torch.log10(torch.tensor(float(self.T))).item(), self.B).round().long()
        return spread[torch.randperm(self.B, generator=torch.Generator().manual_seed(0))].tolist()

    @property
    def operations(self) -> float:
        """Return the operations of the products of one forward pass; training takes three times as many."""
        h = self.P or self.H
        layers = [self.D, *[self.directions * h] * (self.layers - 1)]
        each = [2 * self.H * (GATES[self.cell] * (read + h) + self.P) * self.directions for read in layers]
        return float(sum(self.lengths) * sum(each))

    def modules(self, dtype: torch.dtype = torch.float32) -> tuple[torch.nn.Module, torch.nn.Module]:
        """Return our module and torch's module with the same weights."""
        torch.manual_seed(0)
        how: dict[str, Any] = {"num_layers": self.layers, "bidirectional": self.directions == 2}
        how |= {"proj_size": self.P} if self.P else {}
        theirs = getattr(torch.nn, self.cell.upper())(self.D, self.H, **how).to(dtype)
        ours = getattr(nn, self.cell.upper())(self.D, self.H, **how).to(dtype)
        ours.load_state_dict(theirs.state_dict())
        return ours, theirs

    def inputs(self, dtype: torch.dtype = torch.float32) -> tuple[Any, Tensor]:
        """Return the inputs of the modules, and a gradient for their output (for packed input, of its data)."""
        g = torch.Generator().manual_seed(1)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=g, dtype=torch.float64).to(dtype)

        width = self.directions * (self.P or self.H)
        if self.ragged:
            packed = pack_sequence([draw(n, self.D) for n in self.lengths], enforce_sorted=False)
            return PackedSequence(packed.data.requires_grad_(), *packed[1:]), draw(len(packed.data), width)
        return draw(self.T, self.B, self.D).requires_grad_(), draw(self.T, self.B, width)

    def short(self) -> Problem:
        """Return the same problem with few steps, for tests."""
        return replace(self, T=min(self.T, 12))


def catalogue() -> list[Problem]:
    """Return all problems of problems.toml."""
    groups = tomllib.loads(Path(__file__).with_name("problems.toml").read_text())["problem"]
    return [
        Problem(g["name"], cell, **shape, forward=g["forward"], train=g["train"])
        for g in groups
        for cell in g["cells"]
        for shape in g["shapes"]
    ]


def training_step(net: torch.nn.Module, x: Any, dy: Tensor) -> Callable[[], list[Tensor]]:
    """Return a function that runs forward and backward once and returns y, dx and the gradients of the weights."""
    leaf = x.data if isinstance(x, PackedSequence) else x
    leaves = [leaf, *net.parameters()]

    def step() -> list[Tensor]:
        for each in leaves:
            each.grad = None
        y, _ = net(x)
        data = y.data if isinstance(y, PackedSequence) else y
        data.backward(dy)
        return [data.detach(), *[each.grad for each in leaves if each.grad is not None]]

    return step


def text_step(net: torch.nn.Module, problem: Problem, symbols: int = 65) -> Callable[[], object]:
    """Return a function that takes one step of training of a language model around a recurrent module.

    The recurrence is one of many operators: embedding, dropout, head, cross-entropy, the norm of the gradients and the
    optimiser compute between its calls, on the threads of torch.
    """
    torch.manual_seed(2)
    table = torch.nn.Embedding(symbols, problem.D)
    head = torch.nn.Linear(problem.directions * (problem.P or problem.H), symbols)
    parameters = [*table.parameters(), *net.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3)
    text = torch.randint(symbols, (problem.T + 1, problem.B))
    functions = torch.nn.functional

    def step() -> object:
        optimiser.zero_grad()
        h, _ = net(functions.dropout(table(text[:-1]), 0.1))
        loss = functions.cross_entropy(head(functions.dropout(h, 0.1)).flatten(0, 1), text[1:].flatten())
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        return loss

    return step


def verify(problem: Problem) -> None:
    """Compare ours in float64 and float32 with torch in float64; raise AssertionError if they differ."""
    _, theirs = problem.modules(torch.float64)
    true = training_step(theirs, *problem.inputs(torch.float64))()
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
        ours, _ = problem.modules(dtype)
        found = training_step(ours, *problem.inputs(dtype))()
        for one, other in zip(found, true, strict=True):
            size = float(other.abs().max())
            torch.testing.assert_close(one.double() / size, other / size, rtol=0, atol=tolerance, msg=str(problem))
