"""Optimiser steps that the host starts without looking: by graphs, and with what becomes of a loss that is not finite.

No card is needed: ``record`` is replaced by one that runs the step again at each replay, and the rest is the real code.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from losses_of_workers import material
from torch import Tensor

import ostinato
from ostinato.data.batching import Batch
from ostinato.errors import NonFiniteLossError
from ostinato.fits.budget import Budget
from ostinato.gradients.methods import FullBPTT, Method, TruncatedBPTT
from ostinato.training import objective, replay
from ostinato.training import trainer as training
from ostinato.training.build import build
from ostinato.training.closed_form import closed_form
from ostinato.training.config import LadderOptions as Config
from ostinato.training.replay import Replay
from ostinato.training.setup import Setup
from ostinato.training.trainer import Trainer
from ostinato.training.update import StepSettings, Update
from pretend_card import pretend_card
from zoo import made

METHODS = [FullBPTT(), TruncatedBPTT(16)]


class Again:
    """A graph that runs its step again, and writes what it returns to the tensors that it returned at first."""

    def __init__(self, run: Callable[[], Any], found: Any) -> None:
        self.run, self.found = run, found

    def replay(self) -> None:
        (outcome, after), (new, new_after) = self.found, self.run()
        outcome.copy_(new)
        for a, b in zip(after or (), new_after or (), strict=True):
            a.copy_(b)


class Modes(list[str]):
    """The modes that were asked for."""


def trainer_of(method: Method, **options: Any) -> Trainer:
    """Return a trainer of a small GRU."""
    given, config = material(torch.float32), Config(hidden=6, batch_steps=250, patience=1000, **options)
    base, _ = closed_form(given, config)
    torch.manual_seed(0)
    return Trainer(build("gru", given, base, config), Setup(given, config), method)


def update_of(trainer: Trainer) -> Update:
    """Return the optimiser step of a trainer."""
    run, carries = trainer.run, not isinstance(trainer.method, FullBPTT)
    return Update(trainer.model, trainer._loss, run.optimizer, run.average, 1.0, carries=carries)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Modes:
    """Let Replay run without a card, and return the modes in which torch was to watch the waiting."""
    modes = Modes()

    def record(run: Callable[[], Any], pool: Any, stream: Any) -> tuple[Any, Any]:
        update: Update = run.__closure__[-1].cell_contents._update  # type: ignore[index]
        # to record changes nothing
        kept = [*update.model.parameters(), *update._average.values(), update.broken]
        kept += [t for slots in update.optimizer.state.values() for t in slots.values()]
        before = [t.detach().clone() for t in kept]
        found = run()
        with torch.no_grad():
            for t, old in zip(kept, before, strict=True):
                t.copy_(old)
        return Again(run, found), found

    monkeypatch.setattr(replay, "record", record)
    monkeypatch.setattr(replay, "pinned", lambda size: torch.empty(size, dtype=torch.uint8))
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: "default")
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    return modes


def fitted(method: Method, monkeypatch: pytest.MonkeyPatch, step: Callable[[Update], Any]) -> tuple[Trainer, Any]:
    """Return a trainer after 40 steps, and what ran its steps."""
    used: list[Any] = []

    def fastest(update: Update, *, alone: bool) -> Any:
        assert alone
        used.append(step(update))
        return used[-1]

    monkeypatch.setattr(training, "fastest", fastest)
    trainer = trainer_of(method)
    trainer.fit(Budget(None, 40))
    return trainer, used[0]


@pytest.mark.parametrize("method", METHODS)
def test_graphs_make_the_steps_that_are_made_without_them(
    method: Method, graphs: Modes, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = fitted(method, monkeypatch, lambda update: update)
    by_graphs, used = fitted(method, monkeypatch, Replay)
    assert used._graphs
    assert not used.refused
    assert graphs == ["error", "default"]  # one step is watched, and then none
    assert plain.run.curve[-1][2:] == by_graphs.run.curve[-1][2:]
    for a, b in zip(plain.model.parameters(), by_graphs.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_step_that_waits_is_made_again_without_a_graph(graphs: Modes, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Update.on_device

    def waiting(self: Update, *given: Any) -> Any:
        if graphs and graphs[-1] == "error":
            raise RuntimeError("called a synchronizing CUDA operation")
        return original(self, *given)

    monkeypatch.setattr(Update, "on_device", waiting)
    plain, _ = fitted(FullBPTT(), monkeypatch, lambda update: update)
    by_graphs, used = fitted(FullBPTT(), monkeypatch, Replay)
    assert used.refused == "called a synchronizing CUDA operation"
    assert not used._graphs
    assert graphs == ["error", "default"]
    assert plain.run.curve[-1][2:] == by_graphs.run.curve[-1][2:]


def test_a_block_holds_what_was_sent(graphs: Modes) -> None:
    trainer = trainer_of(TruncatedBPTT(16))
    batch, other, *_ = trainer._epoch()
    block = replay._Block(batch, torch.zeros(3), torch.device("cpu"))
    same = replace(batch, x=torch.nan_to_num(other.x[:, : batch.x.shape[1]], 5.0), weight=~batch.weight)
    block.send(same, torch.tensor([1.0, 2.0, 3.0]))
    for name in ("x", "weight", "reset", "unit", "low", "high"):
        assert torch.equal(getattr(block.batch, name), getattr(same, name)), name
    assert block.settings.tolist() == [1, 2, 3]


def weights_of(update: Update) -> list[Tensor]:
    """Return copies of the weights and of their averages."""
    return [t.detach().clone() for t in (*update.model.parameters(), *update._average.values())]


def spoil(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """Make one loss NaN: that of this call, the first being 1."""
    real, calls = objective.Loss.forward, [0]

    def spoilt(self: Any, batch: Batch, state: Any) -> Any:
        calls[0] += 1
        loss, after = real(self, batch, state)
        return (loss * torch.nan if calls[0] == call else loss), after

    monkeypatch.setattr(objective.Loss, "forward", spoilt)


def test_after_a_loss_that_is_not_finite_no_step_changes_a_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, 2)
    trainer = trainer_of(FullBPTT())
    update, batch = update_of(trainer), next(trainer._epoch())
    settings = StepSettings(0.01, 1 / int(batch.weight.sum()), 0.5)
    update(batch, None, settings)
    before = weights_of(update)
    outcome, _ = update(batch, None, settings)
    assert not outcome.isfinite().all()
    update(batch, None, settings)
    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(update), strict=True))


def test_a_batch_in_which_nothing_counts_changes_no_weight() -> None:
    trainer = trainer_of(FullBPTT())
    update, batch = update_of(trainer), next(trainer._epoch())
    settings = StepSettings(0.01, 1 / int(batch.weight.sum()), 0.5)
    update(batch, None, settings)
    before = weights_of(update)
    update(replace(batch, weight=torch.zeros_like(batch.weight)), None, settings._replace(scale=0.0))
    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(update), strict=True))
    update(batch, None, settings)
    assert not all(torch.equal(a, b) for a, b in zip(before, weights_of(update), strict=True))


def test_a_look_some_steps_later_names_the_step_and_keeps_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SECONDS_AHEAD", 1e9)  # as far ahead as the host may run
    how: dict[str, Any] = {"model": "gru", "hidden": 3, "budget": Budget(None, 12), "evaluate_every": 100}
    looks: list[int] = []
    original = Trainer._look

    def look(self: Trainer) -> None:
        looks.append(len(self._started))
        original(self)

    monkeypatch.setattr(Trainer, "_look", look)
    found = []
    for device in ("cpu", "cuda"):
        with monkeypatch.context() as patched:
            spoil(patched, 5)
            with pretend_card(), pytest.raises(NonFiniteLossError) as caught:
                ostinato.fit(made("series").take([0, 2]), **how, device=device)
        found.append(str(caught.value))
    assert max(looks) > 4  # on the card, the host looked later
    assert "step 5 of gru" in found[0]
    assert found[0] == found[1]


def test_the_sum_of_an_evaluation_is_that_of_its_batches() -> None:
    trainer = trainer_of(FullBPTT())
    found = objective.evaluate(trainer.model, trainer.material.encoded, trainer.watched)
    each = [objective.evaluate(trainer.model, trainer.material.encoded, [p]) for p in trainer.watched]
    assert found.steps == sum(e.steps for e in each)
    np.testing.assert_allclose(found.nats, sum(e.nats for e in each), rtol=1e-5)
