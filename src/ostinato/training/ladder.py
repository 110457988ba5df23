"""The fit of the ladder: a set of sequences in, the best of its models out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import Part, split
from ostinato.device import Device, asked, in_bf16, on_device
from ostinato.errors import DataError
from ostinato.fits.budget import CHECKPOINT_EVERY, Budget
from ostinato.fits.fields import LadderFields, with_fields
from ostinato.fits.progress import TrainingProgress
from ostinato.fits.record import refit_notes, run_facts
from ostinato.fits.result import Fit
from ostinato.forecasting.table import some_of
from ostinato.gradients.methods import Method
from ostinato.layers.ar import AR
from ostinato.layers.build import BACKBONES
from ostinato.layers.markov import Markov
from ostinato.model import SequenceModel
from ostinato.randomness import own_draws
from ostinato.record import LadderRecord, Rung
from ostinato.settings import undisturbed
from ostinato.threads import Threads, engine_limit, in_threads
from ostinato.training.checkpoint import Checkpoint, fingerprint
from ostinato.training.climb import Ladder
from ostinato.training.closed_form import closed_form, closed_form_name
from ostinato.training.closed_form_steps import closed_form_steps
from ostinato.training.closed_form_steps import note as closed_form_note
from ostinato.training.config import LadderOptions, defaults, method_for
from ostinato.training.cost import affordable
from ostinato.training.evidence import chosen, note_on_few_held_out, note_on_repeats
from ostinato.training.judging import judged_within
from ostinato.training.material import MOST_STEPS, Material, material_of
from ostinato.training.objective import BLOCK
from ostinato.training.rungs import names_of, smoothing_left_out
from ostinato.training.setup import Setup
from ostinato.training.vocabulary import in_vocabulary
from ostinato.training.within import Within
from ostinato.training.workers import current
from ostinato.wording import option


@own_draws
@undisturbed
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
    checkpoint_every: float = CHECKPOINT_EVERY,
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
        device: Where the model computes: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a GPU if a timed step
            is faster there.
        precision: "float32", or "bf16" for the products of a training on a GPU.
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
    left_open = options is None
    options = with_fields(options or defaults(data, limits), fields, "a fit of the ladder")
    _check_not_empty(data)
    # first, so that a model that cannot be fitted is refused before any time is spent
    names = names_of(model, data, options.season)
    data, spelled = in_vocabulary(data, options.vocabulary, held_out)
    if left_open and options.vocabulary is not None:
        # the network follows the number of symbols, which is another one in this vocabulary
        options = with_fields(defaults(data, limits), fields, "a fit of the ladder")
    cut = split(data, held_out)
    material = material_of(data, cut, options.support, Within.of(limits) if data.on_disk else None)
    mark = fingerprint(data, cut, options, limits, held_out, method, threads)
    keep = Checkpoint(Path(checkpoint), mark, checkpoint_every) if checkpoint else None
    workers = current()
    if keep and workers.leads:
        keep.claim()
    begun = time.monotonic()
    bf16 = in_bf16(precision)
    setup = Setup(material, options, workers, keep, on_progress, bf16)
    if not data.on_disk:
        material = replace(material, within=affordable(setup, names, limits))
    _check_observed(material)
    material = replace(material, fitted_steps=closed_form_steps(replace(setup, material=material), limits))
    base, notes = closed_form(material, options)
    chosen_method = method or method_for(data, base.order)
    setup = replace(setup, material=material)
    ladder = Ladder(setup, base, begun, chosen_method, "mixture" in names)
    judged = judged_within(setup, ladder.base_of, names, limits)
    held = sum(z - a for _, a, z in material.spans("held-out"))
    material = replace(material, judged=judged)
    ladder = replace(ladder, setup=replace(setup, material=material))
    climbed = list(ladder.climb(names, limits, on_rung))
    kept, best = chosen(climbed, material) if model == "auto" else climbed[-1]
    refit_device = "cpu" if best.on_processor else best.device if asked() == "auto" else asked()
    best = best.cpu()
    own, refitted = best.description.ladder_record, None
    if options.refit:
        best, refitted = ladder.refit(best, _left(limits, sum(rung.seconds for rung, _ in climbed)), refit_device)
    record = _record(ladder, climbed, budget=limits, held_out=held_out, fingerprint=mark, refitted=refitted)
    best.description.record.update(record.to_json())
    said = [*data.notes, *spelled, *_support(material, options), *notes, *_covariates_left_out(data), cut.words(data)]
    said += [*ladder.noted, *ladder.placed, *_precision(bf16, names)]
    said += _budget_notes(material, held, climbed)
    if model == "auto":
        said += filter(None, [smoothing_left_out(data, options.season)])
    said += filter(None, (own.truncation, own.moved, no_time_left(record, limits.seconds)))
    said += filter(None, (never_improved(record, base), note_on_few_held_out(material), note_on_repeats(material)))
    return Fit(best.eval(), kept, record.table, (*said, *refit_notes(kept.name, refitted)))


def _record(
    ladder: Ladder,
    climbed: list[tuple[Rung, SequenceModel]],
    *,
    budget: Budget,
    held_out: float | str,
    fingerprint: str,
    refitted: str | None,
) -> LadderRecord:
    """Return the record of a fit, which the file of the model keeps."""
    setup = ladder.setup
    data, options = setup.material.data, setup.options
    return LadderRecord(
        **run_facts(data, options, options.seed, setup.material.split.words(data)),
        held_out=held_out,
        threads=engine_limit(),
        budget=asdict(budget),
        refit=options.refit,
        refitted=refitted,
        method=repr(ladder.method),
        table=tuple(rung for rung, _ in climbed),
        curves={rung.name: curve for rung, m in climbed if (curve := m.description.ladder_record.curve) is not None},
        fingerprint=fingerprint,
    )


def _precision(bf16: bool, names: tuple[str, ...]) -> list[str]:
    """Return a note on the precision of the products, if it is not that of the weights."""
    if not bf16:
        return []
    if not any(name in BACKBONES for name in names):
        return ["precision bf16 has no effect: no network is trained, and all else is computed on the CPU"]
    return ["products of the training were computed in bf16 where it ran on a GPU; all likelihoods are of float32"]


def _budget_notes(material: Material, held: int, climbed: list[tuple[Rung, SequenceModel]]) -> list[str]:
    """Return notes on what the budget left out, and how exact the figures of a part of the held-out part are.

    Args:
        material: The data of the fit.
        held: The steps of the held-out part.
        climbed: The rows of the table with their models.
    """
    said = []
    if material.within is not None:
        said.append(material.within.note(len(material.data.values)))
    if material.fitted_steps < MOST_STEPS:
        said.append(closed_form_note(material.fitted_steps, sum(z - a for _, a, z in material.spans("known"))))
    if material.judged is not None:
        said.append(material.judged.note(held))
    errors = [f"{rung.error:.2g} for {rung.name}" for rung, _ in climbed if rung.error is not None]
    if errors:
        said.append(
            f"the figures are estimates from a part of the held-out steps (standard error: {', '.join(errors)} nats)"
        )
    return said


def _left(limits: Budget, spent: float) -> Budget:
    """Return what a fit has left of its budget after some seconds."""
    return limits if limits.seconds is None else Budget(max(limits.seconds - spent, 1e-3), limits.steps)


def no_time_left(record: LadderRecord, seconds: float | None) -> str:
    """Return a note if what came before the networks, which no budget stops, took the whole budget; else "".

    Args:
        record: The record of the fit.
        seconds: The seconds of its budget; None without a limit.
    """
    networks = [rung.name for rung in record.table if rung.name in BACKBONES]
    before = list(takewhile(lambda rung: rung.name not in BACKBONES, record.table))
    spent = sum(rung.seconds for rung in before)
    if seconds is None or not networks or spent < seconds:
        return ""
    return (
        f"no time was left to train {some_of(networks)}, because {some_of([rung.name for rung in before])} took "
        f"{spent:.3g} s of a budget of {seconds:g} s: give a larger budget"
    )


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


def _check_not_empty(data: SequenceSet) -> None:
    """Raise DataError if the data have no step."""
    if not len(data.values):
        raise DataError(
            "the data have 0 steps, expected at least 3", where=data.meta.get("source"), fix="give a longer sequence"
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
                fix=f"hold out another share with {option('--held-out')}, or remove the stretch without values",
            )


def _support(material: Material, options: LadderOptions) -> list[str]:
    """Return notes on channels that were never below 0, or are shares, if the data alone decided their bounds."""
    if options.support is not None:
        return []
    channels, notes = material.data.channels, []
    least, most = np.isfinite(material.encoding.least()), material.encoding.greatest()
    if least.any():
        names = [name for name, bound in zip(channels, least, strict=True) if bound]
        which = "no value is" if all(least) else f"no value of {some_of(names)} is"
        notes.append(
            f"{which} below 0, so the models give negative values no probability; {option('--support', 'real')} allows "
            "negative values"
        )
    for end in np.unique(most[np.isfinite(most)]):
        names = [name for name, one in zip(channels, most, strict=True) if one == end]
        which = "no value is" if len(names) == len(channels) else f"no value of {some_of(names)} is"
        notes.append(
            f"{which} above {end:g}, and several are equal to it, as in shares or percentages: forecasts and samples "
            f"are cut off at {end:g} ({option('--support', 'real')} turns this off)"
        )
    return notes


def _covariates_left_out(data: SequenceSet) -> list[str]:
    """Return a note on covariates, which only a direct model uses."""
    if not data.covariates:
        return []
    columns = ", ".join(data.covariates.columns.all)
    return [f"covariates that the models of the ladder do not use: {columns}; fit a direct model to use them"]
