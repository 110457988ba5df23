"""The time of a single step, next to torch's cells, and of a whole update of a public Stream.

Run from the repository root: python benchmarks/one_step.py

Steps have B = 1 and H = 64 and are compared with torch's cell first. They are timed in turn, in blocks of 200 calls on
the clock of this thread, and the median block counts. An update encodes a value, runs a step, and computes the
expectation of the distribution and the surprisal.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import ostinato
from ostinato.ops.engine.step import Step
from ostinato.ops.weights import Weights

H, CALLS = 64, 200


def medians(tasks: dict[str, Callable[[], Any]], blocks: int = 60) -> dict[str, float]:
    """Return the microseconds per call."""
    found: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(blocks):
        for name, task in tasks.items():
            task()
            start = time.thread_time_ns()
            for _ in range(CALLS):
                task()
            found[name].append((time.thread_time_ns() - start) / CALLS / 1e3)
    return {name: statistics.median(times) for name, times in found.items()}


def steps(cell: str) -> dict[str, float]:
    """Return the times of torch's cell, of our step with tensors, and of our step on NumPy arrays."""
    torch.manual_seed(0)
    module = {"gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}[cell](H, H)
    step = Step(cell, Weights(module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh))
    x, states = torch.randn(1, H), [torch.randn(1, H) for _ in range(step.states)]
    given: Any = tuple(states) if cell == "lstm" else states[0]
    with torch.no_grad():
        after = module(x, given)
    true = after if cell == "lstm" else (after,)
    own, arrays = [s.clone() for s in states], [s.numpy().copy() for s in states]
    bound = step.bound(x.numpy(), *arrays)
    step(x, *own)
    bound()
    for one, other, wanted in zip(own, arrays, true, strict=True):
        torch.testing.assert_close(one, wanted, rtol=0, atol=1e-5)
        np.testing.assert_allclose(other, wanted.numpy(), rtol=0, atol=1e-5)

    def theirs() -> None:
        with torch.no_grad():
            module(x, given)

    return medians({"torch": theirs, "tensors": lambda: step(x, *own), "NumPy": bound})


def _number(stream: ostinato.Stream, values: Iterator[float]) -> Callable[[], object]:
    return lambda: stream.update([next(values)])


def _character(stream: ostinato.Stream, characters: Iterator[str]) -> Callable[[], object]:
    return lambda: stream.update(next(characters))


def updates() -> dict[str, float]:
    """Return the times of an update with a number and with a character; the models are barely trained."""
    rng = np.random.default_rng(0)
    wave = (np.sin(np.arange(2000) / 5) + 0.3 * rng.standard_normal(2000)).tolist()
    text = "the same phrase again and again " * 200
    tasks: dict[str, Callable[[], Any]] = {}
    for backbone in ("ar", "rnn", "gru", "lstm"):
        kept = ostinato.fit(np.array(wave), model=backbone, budget=ostinato.Budget(None, 20), hidden=H, threads=1).model
        stream, values = ostinato.Stream(kept), iter(wave * 1000)
        tasks[f"numbers, {backbone}"] = _number(stream, values)
    for backbone in ("gru", "lstm"):
        data = ostinato.read([text] * 4, kind="text")
        kept = ostinato.fit(data, model=backbone, budget=ostinato.Budget(None, 20), hidden=H, threads=1).model
        stream, characters = ostinato.Stream(kept), iter(text * 1000)
        tasks[f"text, {backbone}"] = _character(stream, characters)
    return medians(tasks)


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    print(f"one step, B = 1, H = {H}: microseconds")
    for cell in ("gru", "lstm"):
        print(f"  {cell:5}", "  ".join(f"{name} {time_:.2f}" for name, time_ in steps(cell).items()))
    print(f"one update of a Stream, H = {H}: microseconds")
    for name, time_ in updates().items():
        print(f"  {name:15} {time_:.1f}")


if __name__ == "__main__":
    main()
