"""fit: a set of sequences in, the best model of the ladder out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ostinato.data.encoding import fit_encoding
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import Part, split
from ostinato.direct_fit.fit import fit_direct
from ostinato.errors import ConfigError, DataError
from ostinato.fits.budget import Budget
from ostinato.fits.record import record
from ostinato.fits.result import Fit, Rung
from ostinato.fits.threads import threads as use_threads
from ostinato.gradients.methods import AdaptiveBPTT, Method
from ostinato.layers.ar import AR
from ostinato.layers.build import BACKBONES
from ostinato.layers.markov import Markov
from ostinato.model import SequenceModel
from ostinato.model_file import load_model, save_model
from ostinato.training.build import Material, build, closed_form
from ostinato.training.checkpoint import Checkpoint, fingerprint
from ostinato.training.config import LADDER, Config, defaults, method_for
from ostinato.training.objective import evaluate
from ostinato.training.trainer import Trainer, TrainingProgress, judged_pieces
from ostinato.training.truncation import describe
from ostinato.training.workers import WorkerGroup, current


def fit(
    data: SequenceSet | Any,
    *,
    model: str = "auto",
    horizon: int | None = None,
    budget: Budget | float | None = None,
    held_out: float | str = 0.1,
    config: Config | None = None,
    method: Method | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 10.0,
    threads: int = 1,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_rung: Callable[[Any], None] | None = None,
    **options: Any,
) -> Fit:
    """Fit a model to data and judge it on what it was not shown.

    data      a SequenceSet, or anything that ``read`` takes
    model     "auto" climbs the ladder (AR, linear, RNN, GRU, LSTM, convolution) and keeps the likeliest; the name of a
              memory keeps that one, judged beside the AR; "direct", or "auto" with a horizon, is a direct forecaster,
              as ``fit_direct`` makes it
    horizon   steps ahead that a direct model forecasts; the others forecast any
    budget    seconds for the whole fit, or a Budget; a direct model needs none
    held_out  share of the data that is held out, or a pattern of ids; see ``split``
    method    FullBPTT(), CheckpointedBPTT(segments or memory), TruncatedBPTT(window) or AdaptiveBPTT(bias); follows
              from the length of the sequences
    checkpoint  a folder that a killed fit is taken up from, written every ``checkpoint_every`` seconds; removed by
                nobody but you. With a budget in steps the weights are bitwise those of a fit that was never killed
    threads   to compute with: one is best for small models; afterwards torch has its own number again
    options   fields of Config: hidden, depth, dropout, learning_rate, seed, ...; of a direct model what ``fit_direct``
              takes: season, window, memory, networks, ...

    Raises ConfigError (a checkpoint of other data or options too), DataError for what cannot be fitted,
    NonFiniteLossError where training diverges.
    """
    data = data if isinstance(data, SequenceSet) else read(data)
    if model == "direct" or (model == "auto" and horizon is not None and data.kind in ("series", "prices")):
        if config or method or checkpoint:
            raise ConfigError("a direct model takes no config, method or checkpoint", fix="leave them out")
        shared: dict[str, Any] = {"budget": budget, "held_out": held_out, "threads": threads, "on_rung": on_rung}
        found = fit_direct(data, horizon, **shared, **options)
        said = "auto: with a horizon, a direct forecaster; without one, the ladder of models with a likelihood"
        return found if model == "direct" else replace(found, notes=(said, *found.notes))
    if horizon is not None:
        raise ConfigError(f"{model} forecasts any horizon, and is fitted to none", fix="leave it out, or fit direct")
    names = _rungs(model)
    limits = budget if isinstance(budget, Budget) else Budget() if budget is None else Budget(float(budget))
    config = replace(config or defaults(data), **options)
    if not len(data.values):
        raise DataError("there is nothing in the data", where=data.meta.get("source"), fix="give at least two steps")
    cut = split(data, held_out)
    encoding = fit_encoding(cut.take("known", data), by_id=cut.by_time)
    material = Material(data, encoding.encode(data), encoding, cut)
    _check_observed(material)
    base, notes = closed_form(material, config)
    way = method or method_for(data)
    mark = fingerprint(data, config, limits, held_out, method, threads)
    keep = Checkpoint(Path(checkpoint), mark, checkpoint_every) if checkpoint else None
    workers = current()
    if keep and workers.leads:
        keep.claim()
    climbed: list[tuple[Rung, SequenceModel]] = []
    for i, name in enumerate(names):
        spent = sum(rung.seconds for rung, _ in climbed)
        share = limits
        if limits.seconds is not None:
            # what earlier rungs left over is shared among those to come
            share = Budget(max((limits.seconds - spent) / (len(names) - i), 1e-3), limits.steps)
        with use_threads(threads):
            climbed.append(_climb(name, material, base, config, share, way, keep, workers, on_progress))
        if on_rung:
            on_rung(climbed[-1][0])
    kept, chosen = max(climbed, key=lambda pair: pair[0].held_out) if model == "auto" else climbed[-1]
    table = tuple(rung for rung, _ in climbed)
    curves = {rung.name: m.description.record["curve"] for rung, m in climbed if "curve" in m.description.record}
    asked = {"held_out": held_out, "threads": threads, "budget": asdict(limits), "method": repr(way)}
    chosen.description.record.update(record(data, config, config.seed, asked, cut.words(data)))
    chosen.description.record.update(table=[asdict(r) for r in table], curves=curves, fingerprint=mark)
    if data.covariates:
        columns = ", ".join(data.covariates.columns.all)
        notes = (*notes, f"passed over: {columns}; of all models only a direct one takes covariates")
    words = [*notes, cut.words(data), *filter(None, map(chosen.description.record.get, ("truncation", "moved")))]
    return Fit(chosen.eval(), kept, table, (*data.notes, *words))


def _check_observed(material: Material) -> None:
    """Raises DataError where a part of the data has nothing observed in it."""
    observed, at = material.encoded.observed, material.encoded.offsets
    uses: dict[Part, str] = {"train": "learn from", "validation": "stop by", "held-out": "be judged on"}
    for part, use in uses.items():
        if not any(bool(observed[at[b] + a : at[b] + z].any()) for b, a, z in material.spans(part)):
            raise DataError(
                f"nothing is observed in the part to {use}: every value there is missing",
                where=material.data.meta.get("source"),
                fix="hold out another share with --held-out, or leave out the stretch without values",
            )


def _rungs(model: str) -> tuple[str, ...]:
    if model == "auto":
        return LADDER
    if model != "ar" and model not in BACKBONES:
        raise ConfigError(f"there is no model called {model!r}", fix=f"one of auto, ar, direct, {', '.join(BACKBONES)}")
    return ("ar",) if model == "ar" else ("ar", model)


def _climb(
    name: str,
    material: Material,
    base: AR | Markov,
    config: Config,
    budget: Budget,
    method: Method,
    keep: Checkpoint | None,
    workers: WorkerGroup,
    on_progress: Callable[[TrainingProgress], None] | None,
) -> tuple[Rung, SequenceModel]:
    """Train one rung, or take it from the checkpoint folder where it is done."""
    done = keep.path / f"{name}.ost" if keep else None
    if done and workers.first(done.exists()):
        finished = load_model(done).likelihood("be a rung of the ladder")
        return Rung(**finished.description.record["rung"]), finished
    torch.manual_seed(config.seed)
    begun = time.monotonic()
    model = build(name, material, base, config)
    steps, seconds = 0, 0.0
    if name != "ar":
        if workers.size > 1:
            torch.manual_seed(int(np.random.SeedSequence((config.seed, workers.rank)).generate_state(1)[0]))
        trainer = Trainer(model, material, method, config, workers)
        spot = replace(keep, path=keep.path / f"{name}.running") if keep else None
        run = trainer.fit(budget, on_progress, spot)
        steps, seconds = run.step, run.elapsed
        model.description.record["curve"] = run.curve
        if run.moved:
            model.description.record["moved"] = f"{name}: {run.moved}"
        if isinstance(method, AdaptiveBPTT):
            model.description.record["windows"] = run.windows
            model.description.record["truncation"] = describe(name, method, run.windows)
    held = evaluate(model, material.encoded, judged_pieces(material, "held-out"), workers)
    seconds = max(seconds, workers.first(time.monotonic() - begun))
    size = sum(p.numel() for p in model.parameters() if p.requires_grad)
    rung = Rung(name, held.per_step, seconds, steps, size, _detail(base) if name == "ar" else "")
    if keep and done and workers.leads:
        model.description.record["rung"] = asdict(rung)
        save_model(model, done)
        (keep.path / f"{name}.running").unlink(missing_ok=True)
    return rung, model


def _detail(base: AR | Markov) -> str:
    if isinstance(base, AR):
        return f"AR({base.order})" + ("" if base.volatility is None else "-GARCH(1,1)")
    return f"Markov({base.order})"
