"""The fit of the ladder: a set of sequences in, the best of its models out."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch

from ostinato.choices import unknown
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import Part, split
from ostinato.device import WORTH, Device, asked, decide, in_bf16, on_device
from ostinato.errors import ConfigError, DataError
from ostinato.fits.budget import Budget
from ostinato.fits.fields import LadderFields, with_fields
from ostinato.fits.progress import TrainingProgress
from ostinato.fits.record import refit_notes, run_facts
from ostinato.fits.result import Fit
from ostinato.forecasting.table import some_of
from ostinato.gradients.methods import AdaptiveBPTT, Method
from ostinato.layers.ar import AR
from ostinato.layers.build import BACKBONES, BARE, SMOOTHED
from ostinato.layers.markov import Markov
from ostinato.model import SequenceModel
from ostinato.model_file import load_model, save_model
from ostinato.record import LadderRecord, Rung
from ostinato.threads import Threads, engine_limit, in_threads
from ostinato.training.adaptive import adapted, counts_of, fit_mixture
from ostinato.training.build import (
    Base,
    Material,
    adaptive_filter,
    build,
    closed_form,
    closed_form_name,
    material_of,
    smoothing,
)
from ostinato.training.checkpoint import Checkpoint, fingerprint
from ostinato.training.config import ADAPTIVE, FILTERED, LadderOptions, defaults, ladder_of, method_for
from ostinato.training.evidence import ahead, how_few
from ostinato.training.objective import BLOCK, evaluate
from ostinato.training.refit import Refit, more_data
from ostinato.training.trainer import Trainer, judged_pieces
from ostinato.training.truncation import describe
from ostinato.training.vocabulary import in_vocabulary
from ostinato.training.within import Within
from ostinato.training.workers import WorkerGroup, current


def models() -> tuple[str, ...]:
    """Return the names of the models that ``fit`` takes, also of cells that were added since."""
    return "auto", *BARE, "direct", *ADAPTIVE, *BACKBONES


@in_threads
@on_device
def fit_ladder(  # noqa: PLR0913, PLR0914 - each argument is one that ostinato.fit passes on
    data: SequenceSet | Any,
    options: LadderOptions | None = None,
    *,
    model: str = "auto",
    budget: Budget | float | None = None,
    held_out: float | str = 0.1,
    method: Method | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 10.0,
    threads: Threads = "auto",
    device: Device = "auto",
    precision: str = "float32",
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_rung: Callable[[Rung], None] | None = None,
    **fields: Unpack[LadderFields],
) -> Fit:
    """Fit the models of the ladder and judge them on the held-out part.

    Args:
        data: A SequenceSet, or anything that ``read`` takes.
        options: The options of the models and their training. None chooses them by the data.
        model: "auto" for the whole ladder, of which the likeliest model is kept, or the name of one model. A network is
            always judged together with the closed form.
        budget: The seconds of the whole fit, or a Budget. None allows two minutes.
        held_out: The share of the data that is held out, or a pattern of ids.
        method: How the error is sent back through time. None chooses by the length of the sequences.
        checkpoint: The folder that a stopped fit continues from.
        checkpoint_every: The seconds from a checkpoint to the next.
        threads: The number of threads that compute, or "auto" for the decision by the machine.
        device: Where the model computes: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a card if a timed step
            says that it pays.
        precision: "float32", or "bf16" for the products of a training on a card.
        on_progress: Called after every optimiser step.
        on_rung: Called with the row of each model when it is fitted.
        **fields: Single fields of ``options``.

    Returns:
        The model that was kept, the held-out table and the notes.

    Raises:
        ConfigError: An option is unknown or out of its range, or the checkpoint belongs to another fit.
        DataError: The data cannot be fitted.
        NonFiniteLossError: The training diverges.
    """
    data = data if isinstance(data, SequenceSet) else read(data)
    limits = Budget.of(budget, Budget().seconds)
    options = with_fields(options or defaults(data, limits), fields, "a fit of the ladder")
    if not len(data.values):
        raise DataError(
            "the data have 0 steps, expected at least 3", where=data.meta.get("source"), fix="give a longer sequence"
        )
    if options.season is not None and model not in SMOOTHED:
        raise ConfigError(
            f"a fit of {model} has no option 'season', got {options.season}",
            fix="remove the season, or use the model ets or theta, or direct with a horizon",
        )
    names = _names(model, data)  # what cannot be fitted is refused before anything is
    data, spelled = in_vocabulary(data, options.vocabulary, held_out)
    cut = split(data, held_out)
    material = material_of(data, cut, options.support, Within.of(limits))
    _check_observed(material)
    begun = time.monotonic()
    base, notes = closed_form(material, options)
    chosen_method = method or method_for(data, base.order)
    bf16 = in_bf16(precision)
    mark = fingerprint(data, cut, options, limits, held_out, method, threads)
    keep = Checkpoint(Path(checkpoint), mark, checkpoint_every) if checkpoint else None
    workers = current()
    if keep and workers.leads:
        keep.claim()
    ladder = Ladder(material, base, begun, options, chosen_method, keep, workers, on_progress, bf16, "mixture" in names)
    climbed = list(ladder.climb(names, limits, on_rung))
    kept, best = max(climbed, key=lambda pair: pair[0].held_out) if model == "auto" else climbed[-1]
    if model == "auto" and best is not climbed[0][1] and not ahead(best, climbed[0][1], material):
        kept, best = climbed[0]
    there = "cpu" if best.on_processor else best.device if asked() == "auto" else asked()
    best = best.cpu()
    own, refitted = best.description.ladder_record, None
    if options.refit:
        again = Refit(material, base, options, chosen_method, keep, workers, on_progress, bf16)
        best, refitted = again(best, _left(limits, sum(rung.seconds for rung, _ in climbed)), there)
        # what the fit of the known part said and the one of all data says too is said once
        ladder.noted[:] = dict.fromkeys([*ladder.noted, *again.noted])
    record = LadderRecord(
        **run_facts(data, options, options.seed, cut.words(data)),
        held_out=held_out,
        threads=engine_limit(),
        budget=asdict(limits),
        refit=options.refit,
        refitted=refitted,
        method=repr(chosen_method),
        table=tuple(rung for rung, _ in climbed),
        curves={rung.name: curve for rung, m in climbed if (curve := m.description.ladder_record.curve) is not None},
        fingerprint=mark,
    )
    best.description.record.update(record.to_json())
    said = [*data.notes, *spelled, *_support(material, options), *notes, *_covariates_left_out(data), cut.words(data)]
    said += [*ladder.noted, *ladder.placed, *_precision(bf16, names)]
    if material.within is not None:
        said.append(material.within.note(len(data.values)))
    said += filter(None, (own.truncation, own.moved, never_improved(record, base), how_few(material)))
    return Fit(best.eval(), kept, record.table, (*said, *refit_notes(kept.name, refitted)))


def _precision(bf16: bool, names: tuple[str, ...]) -> list[str]:
    """Return a note on the precision of the products, if it is not that of the weights."""
    if not bf16:
        return []
    if not any(name in BACKBONES for name in names):
        return ["precision bf16 has no use: no network is trained, and all else is computed on the CPU"]
    return ["products of the training were computed in bf16 where it ran on a card; all likelihoods are of float32"]


def _left(limits: Budget, spent: float) -> Budget:
    """Return what a fit has left of its budget after some seconds."""
    return limits if limits.seconds is None else Budget(max(limits.seconds - spent, 1e-3), limits.steps)


def never_improved(record: LadderRecord, base: AR | Markov) -> str:
    """Return a note on the networks that training found no better weights for; empty if there are none."""
    names = [rung.name for rung in record.table if record.never_improved(rung.name)]
    if not names:
        return ""
    start = f"the closed form {closed_form_name(base)}" if isinstance(base, AR) else "an untrained network"
    one = len(names) == 1
    return (
        f"training did not improve {', '.join(names)}: {'it is' if one else 'each of them is'} still {start} "
        f"that it started from"
    )


def _check_observed(material: Material) -> None:
    """Raise DataError if every value of a part of the data is missing."""
    observed, at = material.encoded.observed, material.encoded.offsets
    parts: dict[Part, str] = {"train": "training", "validation": "validation", "held-out": "held-out"}
    for part, name in parts.items():
        spans = ((at[b] + i, at[b] + min(i + BLOCK, z)) for b, a, z in material.spans(part) for i in range(a, z, BLOCK))
        if not any(bool(observed[first:stop].any()) for first, stop in spans):
            raise DataError(
                f"the {name} part has no observed value: every value there is missing",
                where=material.data.meta.get("source"),
                fix="hold out another share with --held-out, or remove the stretch without values",
            )


def _support(material: Material, options: LadderOptions) -> list[str]:
    """Return a note on channels that were never below 0, if the data alone decided that they cannot be."""
    least = np.isfinite(material.encoding.least())
    if options.support is not None or not least.any():
        return []
    names = [name for name, bound in zip(material.data.channels, least, strict=True) if bound]
    which = "no value is" if all(least) else f"no value of {some_of(names)} is"
    return [f"{which} below 0, so the models give no probability to such values; --support real lets them"]


def _covariates_left_out(data: SequenceSet) -> list[str]:
    """Return a note on covariates, which only a direct model uses."""
    if not data.covariates:
        return []
    columns = ", ".join(data.covariates.columns.all)
    return [f"covariates that the models of the ladder do not use: {columns}; fit a direct model to use them"]


def _names(model: str, data: SequenceSet) -> tuple[str, ...]:
    """Return the models to fit, the closed form first."""
    known = [name for name in models() if name != "direct"]
    if model not in known:
        raise unknown("model", model, known)
    if model == "filter" and (data.count or not data.traits.numeric):
        kind = "counts" if data.count else data.kind
        raise ConfigError(
            f"adaptive filters are for sound and continuous values, and the data are {kind}", fix="use --model auto"
        )
    if model in SMOOTHED and not data.traits.tabular:
        raise ConfigError(
            f"exponential smoothing is for series and prices, and the data are {data.kind}", fix="use --model auto"
        )
    if model in ADAPTIVE and data.kind != "text":
        raise ConfigError(f"the model {model!r} is for text, and the data are {data.kind}", fix="use --model auto")
    if model == "auto":
        names = ladder_of(data.kind)
    elif model == "mixture":
        names = ("ar", "counts", "lstm", "mixture")
    else:
        names = ("ar",) if model == "ar" else ("ar", model)
    if data.kind in FILTERED and "filter" not in names and model != "ar":
        names = ("ar", "filter", *names[1:])
    return names


@dataclass(frozen=True)
class Ladder:
    """The data and the options that all models of one fit share."""

    material: Material
    base: AR | Markov
    begun: float  # when the closed form was begun, which belongs to its rung
    options: LadderOptions
    method: Method
    keep: Checkpoint | None
    workers: WorkerGroup
    on_progress: Callable[[TrainingProgress], None] | None
    bf16: bool
    #: whether a mixture of the likeliest network and counts follows
    mixes: bool = False
    #: where each network was trained and why, if a card was thought of
    placed: list[str] = field(default_factory=list)
    #: notes of the models that were fitted
    noted: list[str] = field(default_factory=list)

    def climb(
        self, names: tuple[str, ...], limits: Budget, on_rung: Callable[[Rung], None] | None
    ) -> Iterator[tuple[Rung, SequenceModel]]:
        """Fit the models one after another. The networks share the seconds that nothing else needs."""
        # the refit of a network is a part of the last model's share, by the optimiser steps that it makes
        networks: list[tuple[Rung, SequenceModel]] = []
        spent, counted = 0.0, 0.0
        later = more_data(self.material) if self.options.refit and names[-1] in BACKBONES else 0.0
        for i, name in enumerate(names):
            share = limits
            if limits.seconds is not None and name in BACKBONES:
                # the mixture makes counts once more, and they learn each part as often as the rung of the counts did
                left = limits.seconds - spent - (counted if "mixture" in names[i:] else 0.0)
                share = Budget(max(left / (sum(n in BACKBONES for n in names[i:]) + later), 1e-3), limits.steps)
            rung, model = self._rung(name, share, max(networks, key=lambda pair: pair[0].held_out, default=None))
            if name in BACKBONES:
                networks.append((rung, model))
            spent, counted = spent + rung.seconds, rung.seconds if name == "counts" else counted
            if on_rung:
                on_rung(rung)
            yield rung, model

    def _rung(self, name: str, budget: Budget, best: tuple[Rung, SequenceModel] | None) -> tuple[Rung, SequenceModel]:
        """Fit one model, or load it from the checkpoint folder if it is finished there.

        Args:
            name: The model.
            budget: The limits of its training.
            best: The likeliest network so far, which a mixture is made with.
        """
        keep, workers = self.keep, self.workers
        done = keep.path / f"{name}.ost" if keep else None
        if done and workers.first(done.exists()):
            finished = load_model(done).likelihood("resume")
            row = finished.description.ladder_record.rung
            assert row is not None
            return Rung(**row), finished
        torch.manual_seed(self.options.seed)
        begun = self.begun if name == "ar" else time.monotonic()
        base = self._base_of(name)
        if name == "mixture":
            assert best is not None
            model = fit_mixture(best[1], self.material, self.base, self.options)
        else:
            memory = counts_of(self.material) if name in ADAPTIVE else None
            model = build(name, self.material, base, self.options, memory=memory)
        model.to(self._device(model, budget))
        steps, seconds = 0, 0.0
        if name not in (*BARE, *ADAPTIVE):
            steps, seconds = self._train(model, self._kept_for_judging(model, budget))
        static = None
        if model.adaptive:
            static = adapted(model, self.material, learns=False).per_step
            held = adapted(model, self.material)
        else:
            pieces = judged_pieces(self.material, "held-out", model.front.reach)
            held = evaluate(model, self.material.encoded, pieces, workers)
        seconds = max(seconds, workers.first(time.monotonic() - begun))
        size = sum(p.numel() for p in model.parameters() if p.requires_grad)
        detail = closed_form_name(base) if name in BARE else ""
        rung = Rung(name, held.per_step, seconds, steps, size, detail, static)
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
        pieces = judged_pieces(self.material, "held-out", model.front.reach)
        total, sample = sum(p.stop - p.first for p in pieces), pieces[: max(1, len(pieces) // 16)]
        times = total / sum(p.stop - p.first for p in sample)
        if self.mixes:
            times *= 4 + sum(z - a for _, a, z in self.material.spans("validation")) / total
        begun = time.monotonic()
        evaluate(model, self.material.encoded, sample, self.workers)
        seconds = self.workers.first(time.monotonic() - begun) * times
        return Budget(max(budget.seconds - seconds, budget.seconds / 2), budget.steps)

    def _base_of(self, name: str) -> Base:
        """Return what a model stands on: a network on adaptive filters where they are a rung below it."""
        if name in SMOOTHED:
            found, notes = smoothing(self.material, self.options, name)
            self.noted.extend(notes)
            return found
        filtered = self.material.data.kind in FILTERED and name != "ar"
        return adaptive_filter(self.material) if filtered or name == "filter" else self.base

    def _device(self, model: SequenceModel, budget: Budget) -> str:
        """Return where a model is trained and judged, and keep a note if a card was thought of."""
        if model.on_processor:
            if asked() not in ("auto", "cpu"):
                self.placed.append(
                    f"{model.description.name} was computed on the CPU, not on {asked()}: a model that counts, filters "
                    f"or smooths computes there alone"
                )
            return "cpu"
        network = model.backbone is not None and self.workers.size == 1
        enough = budget.seconds is None or budget.seconds >= WORTH
        count = float(budget.steps or math.inf) if enough else 0.0
        # the dropout of a step that is timed must not move the random numbers of the training
        with torch.random.fork_rng([]):
            found = decide(model.device, partial(self._first_step, model) if network else None, count)
        if found.considered:
            self.placed.append(f"{model.description.name} was trained on {found}")
        return found.device

    def _first_step(self, model: SequenceModel, device: str) -> Callable[[], None]:
        """Return a function that computes the first step of the training with a copy of a model on a device."""
        trial = copy.deepcopy(model).to(device)
        trial.bf16 = self.bf16
        return Trainer(trial, self.material, self.method, self.options).first_step()

    def _train(self, model: SequenceModel, budget: Budget) -> tuple[int, float]:
        """Train a network, record how, and return its optimiser steps and seconds."""
        name, workers = model.description.name, self.workers
        if workers.size > 1:
            workers.seed(self.options.seed)
        model.bf16 = self.bf16
        trainer = Trainer(model, self.material, self.method, self.options, workers)
        running = replace(self.keep, path=self.keep.path / f"{name}.running") if self.keep else None
        run = trainer.fit(budget, self.on_progress, running)
        adaptive = self.method if isinstance(self.method, AdaptiveBPTT) else None
        record = LadderRecord(
            curve=run.curve,
            moved=f"{name}: {run.moved}" if run.moved else None,
            windows=run.windows if adaptive else None,
            truncation=describe(name, adaptive, run.windows) if adaptive else None,
        )
        model.description.record.update(record.to_json())
        return run.step, run.elapsed
