"""The window in the benchmark of the classical tasks agrees with autograd on the whole sequence."""

from __future__ import annotations

import pytest
import torch
from classical_tasks import Adaptive, Net, chunks
from hypothesis import given
from hypothesis import strategies as st

from ostinato.datasets.tasks import AddingProblem, CopyMemory

TASKS = [AddingProblem(30), CopyMemory(11, 2, 3)]


@given(st.integers(1, 50), st.integers(1, 60))
def test_chunks_cover_the_sequence_and_the_last_is_whole(steps: int, window: int) -> None:
    found = list(chunks(steps, window))
    assert [i for at in found for i in range(at.start, at.stop)] == list(range(steps))
    assert all(at.stop - at.start == min(window, steps) for at in found[1:] + found[-1:])


@pytest.mark.parametrize("task", TASKS, ids=str)
@pytest.mark.parametrize("backbone", ["rnn", "gru", "lstm", "linear"])
def test_a_window_of_the_whole_sequence_is_the_exact_gradient(backbone: str, task: AddingProblem | CopyMemory) -> None:
    torch.manual_seed(0)
    net, batch = Net(backbone, task), task.batch(4, torch.Generator().manual_seed(1))
    exact, cut = net.gradient(batch, task.steps), net.gradient(batch, 4)
    x, y = batch
    h, _ = net.backbone.unroll(net.front(x))
    loss = net.loss(h, y, slice(0, task.steps))
    assert loss is not None
    found = torch.autograd.grad(loss.mean(), list(net.parameters()))
    torch.testing.assert_close(exact, torch.cat([g.flatten() for g in found]), rtol=1e-4, atol=1e-6)
    assert not torch.allclose(cut, exact, rtol=1e-2)


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_the_norms_reach_from_the_last_step_to_the_first(task: AddingProblem | CopyMemory) -> None:
    torch.manual_seed(0)
    norms = Net("gru", task).norms(task.batch(4, torch.Generator().manual_seed(1)))
    assert norms.shape == (task.steps,)
    assert (norms > 0).all()
    assert task.lag < task.steps


def test_the_adaptive_window_is_the_least_that_keeps_the_bias() -> None:
    torch.manual_seed(0)
    task = AddingProblem(60)
    net, batch = Net("rnn", task), task.batch(8, torch.Generator().manual_seed(1))
    whole = net.gradient(batch, task.steps)
    bias = {w: float((net.gradient(batch, w) - whole).norm() / whole.norm()) for w in (2, 4, 8, 16, 32)}
    assert sorted(bias.values(), reverse=True) == list(bias.values())
    for bound in (0.9, 0.5, 0.2, 0.05):
        window = Adaptive(bound, shortest=2)(net, batch)
        assert window == min((w for w in bias if bias[w] <= bound), default=task.steps)
