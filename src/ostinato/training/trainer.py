"""The training loop of one model: batches in, gradient steps, evaluations, and the best weights out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ostinato.data.batching import Batch
from ostinato.fits.budget import Budget
from ostinato.fits.progress import TrainingProgress
from ostinato.gradients.methods import AdaptiveBPTT, FullBPTT, Method
from ostinato.model import SequenceModel
from ostinato.optimiser import AdamW
from ostinato.shapes import Span, State
from ostinato.training.checkpoint import Checkpoint
from ostinato.training.config import VALIDATED
from ostinato.training.epochs import Epochs, judged_pieces
from ostinato.training.objective import Loss, check_finite, evaluate, mean_measure, steps_per_unit
from ostinato.training.replay import Step, fastest
from ostinato.training.run import Run
from ostinato.training.setup import Setup
from ostinato.training.truncation import choose
from ostinato.training.update import StepSettings, Update

#: A checkpoint is written so seldom that writing takes at most this share of the time; every 0 writes each step.
WRITING = 0.01
#: The optimiser step of AdaptiveBPTT's first measurement, and the factor from the step of a measurement to that of the
#: next. One measurement costs as much as some hundred steps.
FIRST_MEASUREMENT, MEASUREMENT_FACTOR = 256, 8
#: The training steps that the unit of the loss on the screen is found from.
SHOWN = 2_000_000
#: The optimiser steps of the warm-up of the learning rate.
WARM_UP = 30
#: The fewest rows that AdaptiveBPTT's window leaves in a batch; with fewer the engine is slow.
FEWEST_ROWS = 4
#: On a GPU, the host starts steps without waiting for their losses: at most this many steps, and this many seconds of
#: them.
AHEAD, SECONDS_AHEAD = 32, 0.05


class Started(NamedTuple):
    """A step that was started, whose loss the host has not looked at.

    Attributes:
        step: Its number.
        batch: Its batch.
        counted: The number of values that count.
        outcome: The loss and the norm of its gradient, (2,), on the device.
    """

    step: int
    batch: Batch
    counted: int
    outcome: Tensor


class Trainer:
    """The training of one model.

    Args:
        model: The model.
        setup: The data and the options of the fit. Each of its workers computes its own rows of every batch, and
            together they compute what one process would compute with all rows.
        method: How the error is sent back through time.
        again: The optimiser steps of a refit, which goes on from the weights of the model and evaluates nothing. None
            trains until the budget is spent or nothing improves on the validation part.
        seen: The spans that the weights of the model were trained on already. Each epoch of a refit draws what is not
            in them first, because it may end before it has drawn everything.
    """

    def __init__(
        self,
        model: SequenceModel,
        setup: Setup,
        method: Method,
        *,
        again: int | None = None,
        seen: list[Span] | None = None,
    ) -> None:
        material, options = setup.material, setup.options
        if isinstance(method, AdaptiveBPTT):
            most = max(method.window, min(method.longest, options.batch_steps // FEWEST_ROWS))
            method = replace(method, longest=most)
        self.model, self.material, self.method, self.options = model, material, method, options
        self.workers, self.again = setup.workers, again
        self.epochs = Epochs(material, method, options, model.front.reach, seen or [])
        total = self.epochs.steps
        watched = judged_pieces(material, "validation", model.front.reach)
        self.watched = watched[:: max(1, sum(p.stop - p.counted for p in watched) // VALIDATED)]
        #: nats a step from model space to the units of the data
        shown = self.epochs.pieces[:: max(1, total // SHOWN)]
        self.measure = mean_measure(material.encoded, shown)
        #: the symbols of a character of text, so that loss and validation are for the same unit
        self.each = steps_per_unit(material.encoded, shown)
        #: optimiser steps from an evaluation to the next
        self.interval = options.evaluate_every or min(max(total // options.batch_steps, 20), 200)
        self._loss = self.workers.wrap(Loss(model, method))
        groups, on_card = self._decay_groups(), model.device.type == "cuda"
        optimizer = AdamW(groups, lr=options.learning_rate, fused=True, capturable=on_card)
        self.run = Run(optimizer, self._trainable())
        self._started: list[Started] = []
        #: the steps that may be started before the host looks at their losses, and when it looked last
        self._ahead, self._looked = 1, time.monotonic()

    def first_step(self) -> Callable[[], None]:
        """Return a function that makes a step on the first batch, to time it. It changes the weights."""
        batch, advance = next(self._epoch()), self._advance()
        settings = StepSettings(self._rate(0.0), 1 / max(int(batch.weight.sum()), 1), 0.0)

        def run() -> None:
            advance(batch, None, settings)

        return run

    def fit(
        self,
        budget: Budget,
        on_progress: Callable[[TrainingProgress], None] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Run:
        """Train until the budget is spent or nothing improves. The model ends with the best weights.

        A refit ends with the average of the weights after its last step.

        Args:
            budget: The limits of the training.
            on_progress: Called after every optimiser step.
            checkpoint: The file to continue from and to save the state to.

        Returns:
            The state at the end.

        Raises:
            NonFiniteLossError: The loss or its gradient is not finite. The weights are those before that step.
        """
        if checkpoint and checkpoint.path.exists():
            self.run.load(checkpoint.path, self.model, self.workers)
        run, saved, pause = self.run, self.run.elapsed, 0.0
        begun = time.monotonic() - run.elapsed
        advance = self._advance()
        if not run.weights and self.again is None:
            self._judge()  # so that a network that training does not improve keeps its first weights
        while self._spent(budget) < 1 and run.bad < self.options.patience:
            for batch in self._epoch():
                self._step(advance, batch, self._spent(budget))
                self._adapt()
                run.elapsed = self.workers.first(time.monotonic() - begun)
                share = self._spent(budget)
                if self.again is None and (run.step % self.interval == 0 or share >= 1):
                    self._judge()
                if on_progress:
                    last = run.curve[-1][3] if run.curve else math.nan
                    rate = run.step / max(run.elapsed, 1e-9)
                    on_progress(TrainingProgress(self._name(), run.step, share, run.recent, last, rate))
                if checkpoint and run.elapsed - saved > max(checkpoint.every, pause):
                    before = time.monotonic()
                    self._look()
                    run.save(checkpoint.path, self.model, self.workers, len(batch.rows))
                    saved, writing = run.elapsed, self.workers.first(time.monotonic() - before)
                    pause = writing / WRITING if checkpoint.every else 0.0
                if share >= 1 or run.bad >= self.options.patience:
                    break
            else:
                run.epoch, run.position, run.carried = run.epoch + 1, 0, None
        self._look()
        run.optimizer.zero_grad(set_to_none=True)  # they lie in the memory of the graphs
        if run.weights or self.again is not None:
            self.model.load_state_dict(run.weights or run.average, strict=False)
        self.model.eval()
        return run

    def _advance(self) -> Step:
        """Return what makes an optimiser step, with the model ready to be trained."""
        run, carries = self.run, not isinstance(self.method, FullBPTT)
        self.model.train()
        update = Update(self.model, self._loss, run.optimizer, run.average, self.options.clip, carries=carries)
        return fastest(update, alone=self.workers.size == 1)

    def _name(self) -> str:
        """Return the backbone, and whether it is fitted again."""
        return self.model.description.name + ("" if self.again is None else " again")

    def _spent(self, budget: Budget) -> float:
        """Return the share of the training that is done: 1 and more at its end."""
        share = budget.spent(self.run.elapsed, self.run.step)
        return share if self.again is None else max(share, self.run.step / self.again)

    def _rate(self, share: float) -> float:
        """Return the learning rate; that of a refit starts at half of the peak, as in the middle of a training."""
        if self.again is None:
            return self.options.learning_rate * schedule(share, self.run.step)
        warm_up = max(1, min(WARM_UP, self.again // 4))
        return self.options.learning_rate * schedule((1 + share) / 2, self.run.step, warm_up)

    def _epoch(self) -> Iterator[Batch]:
        """Return the batches that are left of this epoch."""
        run = self.run
        begun = run.step - run.position
        return self.epochs.batches(run.epoch, run.position, lambda i: self._window(begun + i))

    def _window(self, step: int) -> int:
        """Return the truncation window at a step; when it changes, the carried state stays."""
        assert not isinstance(self.method, FullBPTT)
        return next((window for at, window, _ in reversed(self.run.windows) if at <= step), self.method.window)

    def _adapt(self) -> None:
        """Measure the bias of the window if a measurement is due, and choose the next window."""
        step, method = self.run.step, self.method
        if not isinstance(method, AdaptiveBPTT) or step not in {
            FIRST_MEASUREMENT * MEASUREMENT_FACTOR**i for i in range(12)
        }:
            return
        # a generator of its own, so that the training draws the same numbers with and without a measurement
        rng = np.random.default_rng((self.options.seed, step))
        spans = self.material.spans("train")
        found = choose(self.model, self.material.encoded, spans, method, self._window(step), rng)
        self.run.windows.append((step, *found))

    def _step(self, advance: Step, batch: Batch, share: float) -> None:
        """Start one optimiser step on one batch, from the carried state."""
        run, workers = self.run, self.workers
        run.position, run.step = run.position + 1, run.step + 1
        count = int(batch.weight.sum())
        keep = min(0.998, (1 + run.step) / (10 + run.step))
        # the gradients are averaged over the workers
        settings = StepSettings(self._rate(share), workers.size / count if count else 0.0, 1 - keep)
        own = workers.share(batch)
        outcome, run.carried = advance(own, self._carried(len(own.rows)), settings)
        if count:
            self._started.append(Started(run.step, batch, count, outcome))
        if len(self._started) >= self._ahead:
            self._look()

    def _look(self) -> None:
        """Look at the losses of the steps that were started, and decide how far the host may run ahead of the GPU."""
        run, ids, name = self.run, self.material.data.ids, self.model.description.name
        if not self._started:
            return
        outcomes = torch.stack([s.outcome for s in self._started]).tolist()
        for s, (loss, norm) in zip(self._started, outcomes, strict=True):
            value = self.workers.total(loss)[0] / s.counted
            check_finite(value, s.batch, ids, f"step {s.step} of {name}")
            check_finite(norm, s.batch, ids, f"step {s.step} of {name} (its gradient)")
            nats = (value * self.model.channels - self.measure) * self.each
            run.recent = nats if s.step == 1 else 0.98 * run.recent + 0.02 * nats
        now = time.monotonic()
        if self.model.device.type == "cuda" and self.workers.size == 1:
            each = max(now - self._looked, 1e-6) / len(outcomes)
            self._ahead = int(min(max(SECONDS_AHEAD / each, 1), AHEAD))
        self._looked, self._started = now, []

    def _carried(self, rows: int) -> State | None:
        """Return the state that the rows of this process carry into a batch; None at the start of an epoch."""
        carried = self.run.carried
        if carried is None or len(carried[0]) == rows:
            return carried
        # a change of the window removes or adds rows at the end; added rows start from the initial state
        initial = self.model.initial_state(rows)
        return tuple(torch.cat([c[:rows], i[len(c) :]]) for c, i in zip(carried, initial, strict=True))

    def _judge(self) -> None:
        """Evaluate the averaged weights, and keep them if they are the best so far."""
        self._look()
        run, live = self.run, self._trainable()
        self.model.load_state_dict(run.average, strict=False)
        reached = evaluate(self.model, self.material.encoded, self.watched, self.workers).per_step
        if reached > run.best:
            run.best, run.bad, run.weights = reached, 0, self._trainable()
        else:
            run.bad += 1
        self.model.load_state_dict(live, strict=False)
        run.curve.append((run.step, run.elapsed, run.recent if run.step else None, reached))

    def _trainable(self) -> dict[str, Tensor]:
        return {k: p.detach().clone() for k, p in self.model.named_parameters() if p.requires_grad}

    def _decay_groups(self) -> list[dict[str, object]]:
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        matrices = [p for p in parameters if p.dim() > 1]
        rest = [p for p in parameters if p.dim() <= 1]
        return [
            {"params": matrices, "weight_decay": self.options.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]


def schedule(share: float, step: int, warm_up: int = WARM_UP) -> float:
    """Return the learning rate as a share of its peak: a linear warm-up, then a cosine over the budget down to 2 %.

    Args:
        share: The share of the budget that is used up.
        step: The optimiser step.
        warm_up: The number of steps of the warm-up.
    """
    cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    return min(1.0, step / warm_up) * cosine
