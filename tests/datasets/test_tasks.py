"""The classical tasks agree with their papers, and their baselines with constant guesses on many sequences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.datasets.tasks import AddingProblem, CopyMemory
from ostinato.errors import ConfigError

ROWS = 7
seeds = st.integers(0, 2**31 - 1)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(deadline=None)
@given(st.integers(2, 60), seeds)
def test_one_number_in_each_half_is_marked_and_y_is_their_sum(steps: int, seed: int) -> None:
    task = AddingProblem(steps)
    x, y = task.batch(ROWS, seeded(seed))
    assert x.shape == (steps, ROWS, task.inputs)
    for row in range(ROWS):
        first, second = (i for i in range(steps) if x[i, row, 1])
        assert first < steps // 2 <= second
        assert float(y[row]) == pytest.approx(float(x[first, row, 0] + x[second, row, 0]))


def test_always_saying_one_costs_the_baseline() -> None:
    task = AddingProblem(20)
    x, y = task.batch(200_000, seeded(0))
    assert float((y - 1).square().mean()) == pytest.approx(task.baseline, rel=0.02)
    marks = x[..., 1].argmax(0).float()
    assert task.steps - float(marks.mean()) == pytest.approx(task.lag, abs=1)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 9), seeds)
def test_each_letter_is_repeated_after_the_lag(silence: int, symbols: int, letters: int, seed: int) -> None:
    task = CopyMemory(silence, symbols, letters)
    x, said = task.batch(ROWS, seeded(seed))
    heard = x.argmax(-1)
    assert x.shape == (task.steps, ROWS, task.inputs)
    assert torch.equal(x.sum(-1), torch.ones(task.steps, ROWS))
    for row in range(ROWS):
        for i in range(symbols):
            assert int(said[i + task.lag, row]) == int(heard[i, row]) < letters
    assert (heard[symbols:] >= letters).all()
    assert (said[: task.lag] == letters).all()
    # the sign comes once, just before the word is to be said
    assert (heard == letters + 1).sum(0).tolist() == [1] * ROWS
    assert (heard[task.lag - 1] == letters + 1).all()


def test_the_memoryless_guess_has_the_baseline_for_its_log_likelihood() -> None:
    task = CopyMemory(30)
    _, said = task.batch(4, seeded(1))
    guess = torch.full((task.steps, 4, task.outputs), -math.inf)
    guess[: task.lag, :, task.letters] = 0.0
    guess[task.lag :, :, : task.letters] = -math.log(task.letters)
    nats = guess.gather(-1, said[..., None]).sum(0).squeeze(-1)
    torch.testing.assert_close(nats, torch.full((4,), task.baseline))


@pytest.mark.parametrize("task", [AddingProblem(50), CopyMemory(50)], ids=str)
def test_the_same_seed_makes_the_same_batch(task: AddingProblem | CopyMemory) -> None:
    one, again, other = (task.batch(ROWS, seeded(s)) for s in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], other[0])


@pytest.mark.parametrize("make", [lambda: AddingProblem(1), lambda: CopyMemory(0), lambda: CopyMemory(5, letters=0)])
def test_invalid_task_sizes_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ConfigError, match="must be at least"):
        make()
