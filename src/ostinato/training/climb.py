"""The models of one fit, one after the other: each is made, trained within its share of the budget, and judged."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import torch

from ostinato import randomness
from ostinato.device import WORTH, asked, decide
from ostinato.fits.budget import Budget
from ostinato.gradients.methods import AdaptiveBPTT, Method
from ostinato.layers.ar import AR
from ostinato.layers.build import BACKBONES, BARE, SMOOTHED
from ostinato.layers.markov import Markov
from ostinato.model import SequenceModel
from ostinato.model_file import load_model, save_model
from ostinato.record import LadderRecord, Rung
from ostinato.training.adaptive import adapted, counts_of, fit_mixture
from ostinato.training.build import build
from ostinato.training.checkpoint import reading
from ostinato.training.closed_form import Base, adaptive_filter, closed_form_name, smoothing
from ostinato.training.config import ADAPTIVE, FILTERED
from ostinato.training.epochs import judged_pieces
from ostinato.training.objective import evaluate
from ostinato.training.refit import Refit, more_data
from ostinato.training.setup import Setup
from ostinato.training.trainer import Trainer
from ostinato.training.truncation import describe


@dataclass(frozen=True)
class Ladder:
    """The models of one fit, and what each of them begins with.

    Attributes:
        setup: The data and the options of the fit.
        base: The closed form that the models correct, except for those with filters or smoothing.
        begun: When the fit of the closed form began, by ``time.monotonic``.
        method: How the error is sent back through time.
        mixes: Whether a mixture of the likeliest network and counts follows.
        placed: Where each network was trained and why, if a GPU was considered.
        noted: Notes of the models that were fitted.
    """

    setup: Setup
    base: AR | Markov
    begun: float
    method: Method
    mixes: bool = False
    placed: list[str] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)

    def climb(
        self, names: tuple[str, ...], limits: Budget, on_rung: Callable[[Rung], None] | None
    ) -> Iterator[tuple[Rung, SequenceModel]]:
        """Fit the models one after another. The networks share the seconds that nothing else needs."""
        # the refit of a network is a part of the last model's share, by the optimiser steps that it makes
        networks: list[tuple[Rung, SequenceModel]] = []
        spent, counted = 0.0, 0.0
        later = more_data(self.setup.material) if self.setup.options.refit and names[-1] in BACKBONES else 0.0
        for i, name in enumerate(names):
            share = limits
            if limits.seconds is not None and name in BACKBONES:
                # the mixture makes counts once more, which takes as long as it did for the model of counts
                left = limits.seconds - spent - (counted if "mixture" in names[i:] else 0.0)
                share = Budget(max(left / (sum(n in BACKBONES for n in names[i:]) + later), 1e-3), limits.steps)
            rung, model = self._rung(name, share, max(networks, key=lambda pair: pair[0].held_out, default=None))
            if name in BACKBONES:
                networks.append((rung, model))
            spent, counted = spent + rung.seconds, rung.seconds if name == "counts" else counted
            if on_rung:
                on_rung(rung)
            yield rung, model

    def refit(self, kept: SequenceModel, budget: Budget, device: torch.device | str) -> tuple[SequenceModel, str]:
        """Return the kept model fitted to all of the data, and how it was fitted, in words (see ``Refit``).

        Args:
            kept: The model that was kept, on the CPU.
            budget: What is left of the budget.
            device: Where a network is trained.
        """
        again = Refit(self.setup, self.base, self.method)
        best, words = again(kept, budget, device)
        # a note on the closed form of the known part that holds for that of all data too is given once
        self.noted[:] = dict.fromkeys([*self.noted, *again.noted])
        return best, words

    def _rung(self, name: str, budget: Budget, best: tuple[Rung, SequenceModel] | None) -> tuple[Rung, SequenceModel]:
        """Fit one model, or load it from the checkpoint folder if it is finished there.

        Args:
            name: The model.
            budget: The limits of its training.
            best: The likeliest network so far, which a mixture is made with.
        """
        material, options, keep, workers = self.setup.material, self.setup.options, self.setup.keep, self.setup.workers
        done = keep.path / f"{name}.ost" if keep else None
        if done and workers.first(done.exists()):
            with reading():
                finished = load_model(done).likelihood("resume")
            row = finished.description.ladder_record.rung
            assert row is not None
            return Rung(**row), finished
        randomness.seed(options.seed)
        begun = self.begun if name == "ar" else time.monotonic()
        base = self.base_of(name)
        if name == "mixture":
            assert best is not None
            model = fit_mixture(best[1], material, self.base, options)
        else:
            memory = counts_of(material) if name in ADAPTIVE else None
            model = build(name, material, base, options, memory=memory)
        model.to(self._device(model, budget))
        steps, seconds = 0, 0.0
        if name not in (*BARE, *ADAPTIVE):
            steps, seconds = self._train(model, self._kept_for_judging(model, budget))
        static, judged_share = None, material.share("held-out")
        if model.adaptive:
            static = adapted(model, material, learns=False).per_step
            held = adapted(model, material)
        else:
            pieces = judged_pieces(material, "held-out", model.front.reach)
            held = evaluate(model, material.encoded, pieces, workers, error=judged_share < 1)
        seconds = max(seconds, workers.first(time.monotonic() - begun))
        # the more of the part was looked at, the less the rest can change (Cochran 1977, the finite population)
        error = None if held.error is None else held.error * math.sqrt(1 - judged_share)
        detail = closed_form_name(base) if name in BARE else ""
        rung = Rung(name, held.per_step, seconds, steps, _size(model), detail, static, error)
        if keep and done and workers.leads:
            model.description.record["rung"] = asdict(rung)
            save_model(model, done)
            (keep.path / f"{name}.running").unlink(missing_ok=True)
        return rung, model

    def _kept_for_judging(self, model: SequenceModel, budget: Budget) -> Budget:
        """Return a budget less the seconds that judging a network after its training takes, by a timed sample.

        A network of text is also run over the validation part and the held-out part to be mixed with counts.
        """
        if budget.seconds is None:
            return budget
        pieces = judged_pieces(self.setup.material, "held-out", model.front.reach)
        total, sample = sum(p.stop - p.first for p in pieces), pieces[: max(1, len(pieces) // 16)]
        times = total / sum(p.stop - p.first for p in sample)
        if self.mixes:
            times *= 4 + sum(z - a for _, a, z in self.setup.material.spans("validation")) / total
        begun = time.monotonic()
        evaluate(model, self.setup.material.encoded, sample, self.setup.workers)
        seconds = self.setup.workers.first(time.monotonic() - begun) * times
        return Budget(max(budget.seconds - seconds, budget.seconds / 2), budget.steps)

    def base_of(self, name: str) -> Base:
        """Return the closed form that a model corrects: for a network, adaptive filters where the ladder has them."""
        if name in SMOOTHED:
            found, notes = smoothing(self.setup.material, self.setup.options, name)
            self.noted.extend(notes)
            return found
        filtered = self.setup.material.data.kind in FILTERED and name != "ar"
        return adaptive_filter(self.setup.material) if filtered or name == "filter" else self.base

    def _device(self, model: SequenceModel, budget: Budget) -> str:
        """Return where a model is trained and judged, and keep a note if a GPU was considered."""
        if model.on_processor:
            if asked() not in ("auto", "cpu"):
                self.placed.append(
                    f"{model.description.name} was computed on the CPU, not on {asked()}: a model that counts, filters "
                    f"or smooths computes there alone"
                )
            return "cpu"
        network = model.backbone is not None and self.setup.workers.size == 1
        enough = budget.seconds is None or budget.seconds >= WORTH
        count = float(budget.steps or math.inf) if enough else 0.0
        # the dropout of a step that is timed must not move the random numbers of the training
        with randomness.fork():
            found = decide(model.device, partial(self._first_step, model) if network else None, count)
        if found.considered:
            self.placed.append(f"{model.description.name} was trained on {found}")
        return found.device

    def _first_step(self, model: SequenceModel, device: str) -> Callable[[], None]:
        """Return a function that computes the first step of the training with a copy of a model on a device."""
        trial = copy.deepcopy(model).to(device)
        trial.bf16 = self.setup.bf16
        return Trainer(trial, self.setup, self.method).first_step()

    def _train(self, model: SequenceModel, budget: Budget) -> tuple[int, float]:
        """Train a network, record how, and return its optimiser steps and seconds."""
        name, setup = model.description.name, self.setup
        if setup.workers.size > 1:
            setup.workers.seed(setup.options.seed)
        model.bf16 = setup.bf16
        trainer = Trainer(model, setup, self.method)
        running = replace(setup.keep, path=setup.keep.path / f"{name}.running") if setup.keep else None
        run = trainer.fit(budget, setup.on_progress, running)
        adaptive = self.method if isinstance(self.method, AdaptiveBPTT) else None
        record = LadderRecord(
            curve=run.curve,
            moved=f"{name}: {run.moved}" if run.moved else None,
            windows=run.windows if adaptive else None,
            truncation=describe(name, adaptive, run.windows) if adaptive else None,
        )
        model.description.record.update(record.to_json())
        return run.step, run.elapsed


def _size(model: SequenceModel) -> int:
    """Return the number of weights that are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
