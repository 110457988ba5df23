"""The training loop of one model: batches in, gradient steps, evaluations, and the best weights out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ostinato.data.batching import WARM, Batch, Piece, aligned, bucketed, pieces, whole
from ostinato.data.split import Part
from ostinato.fits.budget import Budget
from ostinato.fits.progress import TrainingProgress
from ostinato.gradients.methods import AdaptiveBPTT, FullBPTT, Method
from ostinato.model import SequenceModel
from ostinato.shapes import State
from ostinato.training.build import Material
from ostinato.training.checkpoint import Checkpoint
from ostinato.training.config import SHORT, VALIDATED, LadderOptions
from ostinato.training.objective import Loss, check_finite, evaluate, mean_measure, steps_per_unit
from ostinato.training.run import Run
from ostinato.training.truncation import choose
from ostinato.training.workers import WorkerGroup

#: A checkpoint is written so seldom that writing takes at most this share of the time; every 0 writes each step.
WRITING = 0.02
#: The greatest number of judged steps in a piece, and the fewest steps before them.
LONGEST, LEAST_PAST = 2048, 256
#: The optimiser step of AdaptiveBPTT's first measurement, and the factor from the step of a measurement to that of the
#: next. One measurement costs as much as some hundred steps.
FIRST_MEASUREMENT, MEASUREMENT_FACTOR = 256, 8
#: The training steps that the unit of the loss on the screen is found from.
SHOWN = 2_000_000
#: The optimiser steps of the warm-up of the learning rate.
WARM_UP = 30
#: The fewest rows that AdaptiveBPTT's window leaves in a batch; with fewer the engine is slow.
FEWEST_ROWS = 4


class Trainer:
    """The training of one model.

    Args:
        model: The model.
        material: The data of the fit.
        method: How the error is sent back through time.
        config: The options of the training.
        workers: The processes that train together. Each computes its own rows of every batch, and together they compute
            what one process would compute with all rows.
        again: The optimiser steps of a refit, which goes on from the weights of the model and evaluates nothing. None
            trains until the budget is spent or nothing improves on the validation part.
    """

    def __init__(
        self,
        model: SequenceModel,
        material: Material,
        method: Method,
        config: LadderOptions,
        workers: WorkerGroup | None = None,
        again: int | None = None,
    ) -> None:
        if isinstance(method, AdaptiveBPTT):
            most = max(method.window, min(method.longest, config.batch_steps // FEWEST_ROWS))
            method = replace(method, longest=most)
        self.model, self.material, self.method, self.config = model, material, method, config
        self.workers, self.again = workers or WorkerGroup(), again
        #: the steps that warm up the state of a piece: at least those that the closed form needs
        self.warm = max(WARM, model.front.reach)
        spans = material.spans("train")
        total = sum(z - a for _, a, z in spans)
        if isinstance(method, FullBPTT):
            longest = max(SHORT, *(z - a for _, a, z in spans))
        else:
            # enough rows to fill the batch, but no row that is mostly warm-up; and none so long that training hardly
            # meets the start that each judged piece has, because a state that is carried for ever drifts away from it
            least = method.shortest if isinstance(method, AdaptiveBPTT) else method.window
            longest = max(4 * self.warm, min(-(-total * least // config.batch_steps), LONGEST - self.warm))
        self.train = pieces(spans, longest, self.warm)
        watched = judged_pieces(material, "validation", model.front.reach)
        self.watched = watched[:: max(1, sum(p.stop - p.counted for p in watched) // VALIDATED)]
        #: nats a step from model space to the units of the data
        shown = self.train[:: max(1, total // SHOWN)]
        self.measure = mean_measure(material.encoded, shown)
        #: the symbols of a character of text, so that loss and validation are for the same unit
        self.each = steps_per_unit(material.encoded, shown)
        #: optimiser steps from an evaluation to the next
        self.interval = config.evaluate_every or min(max(total // config.batch_steps, 20), 200)
        self._loss = self.workers.wrap(Loss(model, method))
        groups = self._decay_groups()
        self.run = Run(torch.optim.AdamW(groups, lr=config.learning_rate, fused=True), self._trainable())

    def first_step(self) -> Callable[[], None]:
        """Return a function that computes the loss of the first batch and its gradient, to time it."""
        batch = next(self._epoch()).to(self.model.device)
        self.model.train()

        def run() -> None:
            state = None if isinstance(self.method, FullBPTT) else self._state(batch)
            self._loss(batch, state)[0].backward()

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
        self.model.train()
        if not run.weights and self.again is None:
            self._judge()  # so that a network that training does not improve keeps its first weights
        while self._spent(budget) < 1 and run.bad < self.config.patience:
            for batch in self._epoch():
                self._step(batch, self._spent(budget))
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
                    run.save(checkpoint.path, self.model, self.workers, len(batch.rows))
                    saved, writing = run.elapsed, self.workers.first(time.monotonic() - before)
                    pause = writing / WRITING if checkpoint.every else 0.0
                if share >= 1 or run.bad >= self.config.patience:
                    break
            else:
                run.epoch, run.position, run.carried = run.epoch + 1, 0, None
        if run.weights or self.again is not None:
            self.model.load_state_dict(run.weights or run.average, strict=False)
        self.model.eval()
        return run

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
            return self.config.learning_rate * schedule(share, self.run.step)
        warm_up = max(1, min(WARM_UP, self.again // 4))
        return self.config.learning_rate * schedule((1 + share) / 2, self.run.step, warm_up)

    def _epoch(self) -> Iterator[Batch]:
        """Yield the remaining batches of this epoch; their order follows from the seed and the epoch alone."""
        rng = np.random.default_rng((self.config.seed, self.run.epoch))
        if isinstance(self.method, FullBPTT):
            batches = bucketed(self.train, self.config.batch_steps, rng)[self.run.position :]
            yield from (whole(self.material.encoded, b) for b in batches)
            return
        order = [self.train[i] for i in rng.permutation(len(self.train))]
        begun = self.run.step - self.run.position
        steps = self.config.batch_steps
        chunks = aligned(self.material.encoded, order, steps, lambda i: self._window(begun + i), self.warm)
        for i, chunk in enumerate(chunks):
            if i >= self.run.position:
                yield chunk

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
        rng = np.random.default_rng((self.config.seed, step))
        spans = self.material.spans("train")
        found = choose(self.model, self.material.encoded, spans, method, self._window(step), rng)
        self.run.windows.append((step, *found))

    def _step(self, batch: Batch, share: float) -> None:
        """Make one optimiser step on one batch, from the carried state."""
        run, config, workers = self.run, self.config, self.workers
        count, own_rows = int(batch.weight.sum()), workers.share(batch).to(self.model.device)
        loss, after = self._loss(own_rows, None if isinstance(self.method, FullBPTT) else self._state(own_rows))
        run.carried = None if after is None else tuple(s.detach() for s in after)
        run.position, run.step = run.position + 1, run.step + 1
        if not count:
            return
        value = workers.total(float(loss.detach()))[0] / count
        ids = self.material.data.ids
        check_finite(value, batch, ids, f"step {run.step} of {self.model.description.name}")
        run.optimizer.zero_grad(set_to_none=True)
        (loss * (workers.size / count)).backward()  # the gradients are averaged over the workers
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        check_finite(float(norm), batch, ids, f"step {run.step} of {self.model.description.name} (its gradient)")
        for group in run.optimizer.param_groups:
            group["lr"] = self._rate(share)
        run.optimizer.step()
        nats = (value * self.model.channels - self.measure) * self.each
        run.recent = nats if run.step == 1 else 0.98 * run.recent + 0.02 * nats
        keep = min(0.998, (1 + run.step) / (10 + run.step))
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if name in run.average:
                    run.average[name].lerp_(parameter, 1 - keep)

    def _state(self, batch: Batch) -> State:
        initial = self.model.initial_state(len(batch.rows))
        if self.run.carried is None:
            return initial
        # a change of the window removes or adds rows at the end; added rows start from the initial state
        carried = [torch.cat([c[: len(i)], i[len(c) :]]) for c, i in zip(self.run.carried, initial, strict=True)]
        fresh = [batch.reset.view(-1, *[1] * (s.dim() - 1)) for s in initial]
        return tuple(torch.where(f, i, c) for f, i, c in zip(fresh, initial, carried, strict=True))

    def _judge(self) -> None:
        """Evaluate the averaged weights, and keep them if they are the best so far."""
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
            {"params": matrices, "weight_decay": self.config.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]


def judged_pieces(material: Material, part: Part, reach: int) -> list[Piece]:
    """Return the steps of a part in pieces, each with the steps before it as its past.

    Args:
        material: The data of the fit.
        part: The part of the data.
        reach: The number of steps before a step that the closed form of the model needs.
    """
    return pieces(material.spans(part), LONGEST, max(LEAST_PAST, reach + WARM))


def schedule(share: float, step: int, warm_up: int = WARM_UP) -> float:
    """Return the learning rate as a share of its peak: a linear warm-up, then a cosine over the budget down to 2 %.

    Args:
        share: The share of the budget that is used up.
        step: The optimiser step.
        warm_up: The number of steps of the warm-up.
    """
    cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    return min(1.0, step / warm_up) * cosine
