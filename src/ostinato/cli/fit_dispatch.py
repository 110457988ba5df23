"""What the command fit was asked for, as one value, and how it is done: here, on a cluster, or as a search."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.cli import options
from ostinato.cli.checkpoint import checkpoint
from ostinato.errors import ConfigError

if TYPE_CHECKING:
    from ostinato.cli.progress import LadderDisplay
    from ostinato.data.sequences import SequenceSet
    from ostinato.fits.budget import Budget
    from ostinato.fits.result import Fit
    from ostinato.fitting import FitFields
    from ostinato.gradients.methods import Method
    from ostinato.scale.cluster import Cluster

#: The default seconds from a checkpoint to the next.
CHECKPOINT_EVERY = 10.0


@dataclass(frozen=True)
class Reading:
    """How the data are read; the attributes are arguments of ``read``."""

    kind: str | None
    id_col: str | None
    time_col: str | None
    target: str | list[str] | None
    channel: int | None
    alphabet: str
    per_line: bool | None
    known: tuple[str, ...]
    past: tuple[str, ...]
    static: tuple[str, ...]


@dataclass(frozen=True)
class FitRequest:
    """What the command fit was asked for. A value is None if its option was not given.

    Attributes:
        command: The command line, for the record.
        data: The file, folder or pattern.
        reading: How the data are read.
        output: The model file.
        report: The file of the report.
        model: The name of the model, "auto" or "direct".
        horizon: The number of steps that a direct model forecasts.
        season: The steps of a season, for a direct model.
        networks: The number of networks of a direct model.
        window: The truncation window in steps, or "auto"; for a direct model the lookback in steps.
        gradient_checkpoints: The number of segments, or the memory limit, of checkpointed gradients.
        hidden: The number of hidden units.
        depth: The number of layers.
        dropout: The share of values that dropout sets to 0.
        learning_rate: The peak of the learning rate.
        max_order: The greatest order of the autoregression.
        emission: The name of the distribution of a step.
        seed: The seed of the fit.
        budget: The limits of the fit.
        held_out: The share to hold out, or a pattern of ids.
        search: The number of trials of a search.
        cluster: The Ray cluster to fit on.
        threads: The number of threads that compute.
        resume: Whether the fit continues from its checkpoint.
        checkpoint_every: The seconds from a checkpoint to the next.
    """

    command: tuple[str, ...]
    data: str
    reading: Reading
    output: Path
    report: Path | None
    model: str
    horizon: int | None
    season: int | None
    networks: int | None
    window: str | None
    gradient_checkpoints: str | None
    hidden: int | None
    depth: int | None
    dropout: float | None
    learning_rate: float | None
    max_order: int | None
    emission: str | None
    seed: int
    budget: Budget | None
    held_out: float | str
    search: int | None
    cluster: Cluster | None
    threads: int
    resume: bool
    checkpoint_every: float

    @property
    def fields(self) -> FitFields:
        """The options of the model that were given, as keywords of ``fit``."""
        given: FitFields = {}
        if self.season is not None:
            given["season"] = self.season
        if self.networks is not None:
            given["networks"] = self.networks
        if self.hidden is not None:
            given["hidden"] = self.hidden
        if self.depth is not None:
            given["depth"] = self.depth
        if self.dropout is not None:
            given["dropout"] = self.dropout
        if self.learning_rate is not None:
            given["learning_rate"] = self.learning_rate
        if self.max_order is not None:
            given["max_order"] = self.max_order
        if self.emission is not None:
            given["emission"] = self.emission
        return given


def run(request: FitRequest) -> None:
    """Read the data, fit the model, write its file and its report, and print the table and the verdict."""
    from ostinato.cli.progress import LadderDisplay
    from ostinato.data.read import read
    from ostinato.fitting import is_direct
    from ostinato.inference.describe import verdict
    from ostinato.model_file import save_model
    from ostinato.training.workers import restarts, started

    sequences = read(request.data, **vars(request.reading))
    direct = is_direct(request.model, request.horizon, sequences.kind)
    if direct:
        _check_direct(request)
    elif request.search:
        _check_searched(request)
    resume = request.resume or restarts() > 0
    with started() as worker, _folder(request, direct, resume, worker.leads) as folder:
        with LadderDisplay(sequences.kind, shown=worker.leads) as display:
            result = _fit(request, sequences, folder, display)
        if not worker.leads:
            return
        result.model.description.record["command"] = shlex.join(request.command)
        save_model(result.model, request.output)
    for note in result.notes:
        options.say(f"note: {note}")
    display.table(result)
    description = result.model.description
    print(description.direct_record.verdict if direct else verdict(description))
    print(f"model: {request.output}")
    if request.report:
        from ostinato.report.page import write_report

        write_report(result.model, sequences, request.report, seed=request.seed)
        print(f"report: {request.report}")


@contextmanager
def _folder(request: FitRequest, direct: bool, resume: bool, leads: bool) -> Iterator[Path | None]:
    """Yield the folder of the checkpoint; None for a direct fit, which has no checkpoint."""
    if direct:
        yield None
        return
    with checkpoint(request.output, resume=resume, leads=leads) as folder:
        yield folder


def _fit(request: FitRequest, sequences: SequenceSet, folder: Path | None, display: LadderDisplay) -> Fit:
    """Fit here, on a cluster, or by a search. ``folder`` is that of the checkpoint, None for a direct fit."""
    from ostinato import scale
    from ostinato.fitting import fit

    if request.search and folder is not None:
        return _search(request, request.search, sequences, folder, display)
    # the same whether the fit is made here or on a cluster
    asked: dict[str, Any] = {
        **request.fields,
        "model": request.model,
        "horizon": request.horizon,
        "budget": request.budget,
        "held_out": request.held_out,
        "seed": request.seed,
        "checkpoint_every": request.checkpoint_every,
        "on_progress": display.progress,
        "on_rung": display.rung,
    }
    if folder is None:
        return fit(sequences, threads=request.threads, lookback=_lookback(request.window), **asked)
    way = method(request.window, request.gradient_checkpoints)
    if request.cluster:
        reading = vars(request.reading)
        where: dict[str, Any] = {"on": request.cluster, "reading": reading, "checkpoint": str(folder)}
        return scale.fit(request.data, request.output, method=way, **where, **asked)
    return fit(sequences, threads=request.threads, method=way, checkpoint=folder, **asked)


def _search(request: FitRequest, trials: int, sequences: SequenceSet, folder: Path, display: LadderDisplay) -> Fit:
    """Fit several models with other options and return the likeliest."""
    from ostinato import scale
    from ostinato.training.search import search

    budget, held_out, seed = request.budget, request.held_out, request.seed
    if not request.cluster:
        return search(
            sequences,
            trials,
            folder,
            budget=budget,
            held_out=held_out,
            seed=seed,
            threads=request.threads,
            on_trial=display.trial,
        )[0]
    shared: dict[str, Any] = {"budget": budget, "held_out": held_out, "seed": seed}
    found, rows = scale.search(
        request.data, trials, folder, on=request.cluster, reading=vars(request.reading), **shared
    )
    for row in rows:
        display.trial(row)
    return found


def _check_direct(request: FitRequest) -> None:
    """Raise ConfigError for an option that a direct fit does not use."""
    unused = {
        "--on": request.cluster is not None,
        "--search": bool(request.search),
        "--gradient-checkpoints": request.gradient_checkpoints is not None,
        "--resume": request.resume,
        "--checkpoint-every": request.checkpoint_every != CHECKPOINT_EVERY,
    }
    given = [name for name, is_given in unused.items() if is_given]
    if given:
        raise ConfigError(f"a direct fit does not use {', '.join(given)}", fix=f"remove {', '.join(given)}")


def _check_searched(request: FitRequest) -> None:
    """Raise ConfigError for an option that a search chooses itself."""
    chosen = {
        "--model": request.model != "auto",
        "--horizon": request.horizon is not None,
        "--window": request.window is not None,
        "--gradient-checkpoints": request.gradient_checkpoints is not None,
        "--checkpoint-every": request.checkpoint_every != CHECKPOINT_EVERY,
    }
    given = [name for name, is_given in chosen.items() if is_given]
    given += [f"--{name.replace('_', '-')}" for name in request.fields]
    if given:
        raise ConfigError(
            f"a search chooses {', '.join(given)} itself", fix=f"remove {', '.join(given)}, or remove --search"
        )


def method(window: str | None, checkpoints: str | None) -> Method | None:
    """Return how the error is sent back, from the words of two options.

    Args:
        window: "auto" for AdaptiveBPTT, or the steps of a truncation window.
        checkpoints: The number of segments of CheckpointedBPTT, or its memory limit, such as "200MB".

    Returns:
        The method; None if neither option was given, so that the data decide.

    Raises:
        ConfigError: Both options are given, or one of them cannot be read.
    """
    from ostinato.gradients.methods import AdaptiveBPTT, CheckpointedBPTT, TruncatedBPTT

    if checkpoints is not None:
        if window is not None:
            raise ConfigError(
                "--window and --gradient-checkpoints are two ways to send the error back, and both are given",
                fix="give --window or --gradient-checkpoints, not both",
            )
        if checkpoints.isdecimal():
            return CheckpointedBPTT(segments=int(checkpoints))
        return CheckpointedBPTT(memory_limit=checkpoints)
    if window is None:
        return None
    return AdaptiveBPTT() if window == "auto" else TruncatedBPTT(_steps(window))


def _lookback(window: str | None) -> int | None:
    return None if window is None else _steps(window)


def _steps(window: str) -> int:
    """Return the number of steps of --window."""
    try:
        return int(window)
    except ValueError:
        raise ConfigError(
            f"--window must be a number of steps or auto, got {window!r}",
            fix="give a number of steps; or auto, for a model of the ladder",
        ) from None
