"""The request of the command ``fit`` as one value, and its fit: in this process, on a cluster, or as a search."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ostinato.cli import screen
from ostinato.cli.checkpoint import checkpoint
from ostinato.device import computing_on
from ostinato.errors import ConfigError

if TYPE_CHECKING:
    from ostinato.cli.progress import LadderDisplay
    from ostinato.data.sequences import SequenceSet
    from ostinato.fits.budget import Budget
    from ostinato.fits.result import Fit
    from ostinato.fitting import FitFields
    from ostinato.gradients.methods import Method
    from ostinato.scale.cluster import Cluster
    from ostinato.threads import Threads

#: The default seconds from a checkpoint to the next.
CHECKPOINT_EVERY = 10.0


#: The fields of FitRequest that are options of the model and its training, under the names that ``fit`` gives them.
_MODEL_OPTIONS = (
    "season",
    "networks",
    "lookback",
    "hidden",
    "depth",
    "dropout",
    "learning_rate",
    "max_order",
    "emission",
    "support",
    "vocabulary",
)


@dataclass(frozen=True)
class FitRequest:
    """The options of one call of ``ostinato fit``. A value is None if its option was not given.

    Attributes:
        command: The command line, which the model file keeps.
        data: The file, folder or pattern.
        reading: The arguments of ``read``.
        output: The model file.
        report: The file of the report.
        model: The name of the model, "auto" or "direct".
        horizon: The number of steps that a direct model forecasts.
        season: The steps of a season, for a direct model and exponential smoothing.
        networks: The number of networks of a direct model.
        lookback: The number of past steps that a forecast of a direct model uses.
        truncation_window: The truncation window of a model of the ladder in steps, or "auto".
        window: The earlier option for the one of ``lookback`` and ``truncation_window`` that the model uses.
        gradient_checkpoints: The number of segments, or the memory limit, of checkpointed gradients.
        hidden: The number of hidden units.
        depth: The number of layers.
        dropout: The share of values that dropout sets to 0.
        learning_rate: The peak of the learning rate.
        max_order: The greatest order of the autoregression.
        emission: The name of the distribution of a step.
        support: "real" or "nonnegative", the set in which continuous values lie.
        vocabulary: What one symbol of a text is.
        seed: The seed of the fit.
        budget: The limits of the fit.
        held_out: The share to hold out, or a pattern of ids.
        refit: Whether the kept model is fitted again to all of the data.
        search: The number of trials of a search.
        cluster: The Ray cluster to fit on.
        threads: The number of threads that compute, or "auto".
        device: Where networks are trained, or "auto".
        precision: "float32" or "bf16".
        resume: Whether the fit continues from its checkpoint.
        checkpoint_every: The seconds from a checkpoint to the next.
    """

    command: tuple[str, ...]
    data: str
    reading: dict[str, Any]
    output: Path
    report: Path | None
    model: str
    horizon: int | None
    season: int | None
    networks: int | None
    lookback: int | None
    truncation_window: str | None
    window: str | None
    gradient_checkpoints: str | None
    hidden: int | None
    depth: int | None
    dropout: float | None
    learning_rate: float | None
    max_order: int | None
    emission: str | None
    support: str | None
    vocabulary: str | None
    seed: int
    budget: Budget | None
    held_out: float | str
    refit: bool
    search: int | None
    cluster: Cluster | None
    threads: Threads
    resume: bool
    checkpoint_every: float
    device: str = "auto"
    precision: str = "float32"

    @property
    def fields(self) -> FitFields:
        """The options of the model that were given, as keywords of ``fit``."""
        options = {name: getattr(self, name) for name in _MODEL_OPTIONS}
        return cast("FitFields", {name: value for name, value in options.items() if value is not None})


def run(request: FitRequest, *, as_json: bool = False) -> None:
    """Read the data, fit the model, write its file and its report, and print the table and the verdict.

    Args:
        request: The options of the command.
        as_json: Whether the result is printed as JSON.
    """
    from ostinato.cli.progress import LadderDisplay
    from ostinato.cli.render import answer
    from ostinato.data.database import without_password
    from ostinato.data.read import read
    from ostinato.fitting import is_direct
    from ostinato.inference.describe import verdict
    from ostinato.model_file import save_model
    from ostinato.training.workers import restarts, started

    screen.doing(f"reading {request.data}")
    sequences = read(request.data, **request.reading)
    direct = is_direct(request.model, request.horizon, sequences.kind)
    request = _without_window(request, direct)
    if direct:
        _check_direct(request)
    elif request.search:
        _check_searched(request)
    else:
        _check_ladder(request)
    resume = request.resume or restarts() > 0
    with computing_on(request.device), started() as worker, _folder(request, direct, resume, worker.leads) as folder:
        with LadderDisplay(sequences.kind, shown=worker.leads) as display:
            screen.doing("fitting")
            result = _fit(request, sequences, folder, display)
        if not worker.leads:
            return
        result.model.description.record["command"] = shlex.join(map(without_password, request.command))
        save_model(result.model, request.output)
    for note in result.notes:
        screen.say(f"note: {note}")
    description = result.model.description
    words = description.direct_record.verdict if direct else verdict(description)
    if as_json:
        table, kept = [asdict(row) for row in result.table], result.kept.name
        document = {"model": str(request.output), "kept": kept, "verdict": words, "table": table, "notes": result.notes}
        answer(document)
    else:
        display.table(result)
        print(words)
        print(f"model: {request.output}")
    if request.report:
        from ostinato.report.page import write_report

        screen.doing("writing the report")
        write_report(result.model, sequences, request.report, seed=request.seed)
        screen.say(f"report: {request.report}") if as_json else print(f"report: {request.report}")


@contextmanager
def _folder(request: FitRequest, direct: bool, resume: bool, leads: bool) -> Iterator[Path | None]:
    """Yield the folder of the checkpoint; None for a direct fit, which has no checkpoint."""
    if direct:
        yield None
        return
    with checkpoint(request.output, resume=resume, leads=leads) as folder:
        yield folder


def _fit(request: FitRequest, sequences: SequenceSet, folder: Path | None, display: LadderDisplay) -> Fit:
    """Fit in this process, on a cluster, or by a search.

    Args:
        request: The options of the command.
        sequences: The data.
        folder: The folder of the checkpoint; None for a direct fit, which has no checkpoint.
        display: The progress bar.
    """
    from ostinato import scale
    from ostinato.fitting import fit

    fields: FitFields = {**request.fields, "seed": request.seed, "refit": request.refit}
    if folder is None:
        return fit(
            sequences,
            model=request.model,
            horizon=request.horizon,
            budget=request.budget,
            held_out=request.held_out,
            threads=request.threads,
            device=request.device,
            precision=request.precision,
            on_progress=display.progress,
            on_rung=display.rung,
            **fields,
        )
    if request.search:
        return _search(request, request.search, sequences, folder, display)
    gradient_method = method(request.truncation_window, request.gradient_checkpoints)
    if request.cluster:
        _check_on_the_cpu(request)
        return scale.fit(
            request.data,
            request.output,
            on=request.cluster,
            reading=request.reading,
            model=request.model,
            horizon=request.horizon,
            budget=request.budget,
            held_out=request.held_out,
            method=gradient_method,
            checkpoint=str(folder),
            checkpoint_every=request.checkpoint_every,
            on_progress=display.progress,
            on_rung=display.rung,
            **fields,
        )
    return fit(
        sequences,
        model=request.model,
        horizon=request.horizon,
        budget=request.budget,
        held_out=request.held_out,
        method=gradient_method,
        checkpoint=folder,
        checkpoint_every=request.checkpoint_every,
        threads=request.threads,
        device=request.device,
        precision=request.precision,
        on_progress=display.progress,
        on_rung=display.rung,
        **fields,
    )


def _search(request: FitRequest, trials: int, sequences: SequenceSet, folder: Path, display: LadderDisplay) -> Fit:
    """Fit several models with other options and return the likeliest one."""
    from ostinato import scale
    from ostinato.training.search import search

    if not request.cluster:
        return search(
            sequences,
            trials,
            folder,
            budget=request.budget,
            held_out=request.held_out,
            seed=request.seed,
            refit=request.refit,
            threads=request.threads,
            device=request.device,
            precision=request.precision,
            on_trial=display.trial,
        )[0]
    _check_on_the_cpu(request)
    best, rows = scale.search(
        request.data,
        trials,
        folder,
        on=request.cluster,
        reading=request.reading,
        budget=request.budget,
        held_out=request.held_out,
        seed=request.seed,
        refit=request.refit,
    )
    for row in rows:
        display.trial(row)
    return best


def _without_window(request: FitRequest, direct: bool) -> FitRequest:
    """Return the request with the value of the earlier option --window in the option that the model uses.

    Raises:
        ConfigError: The new option is given, too, or the value is no number of steps for a direct model.
    """
    if request.window is None:
        return request
    name = "--lookback" if direct else "--truncation-window"
    for other, value in (("--lookback", request.lookback), ("--truncation-window", request.truncation_window)):
        if value is not None:
            raise ConfigError(
                f"--window {request.window} and {other} {value} are both given; --window is the earlier name of {name}",
                fix=f"give {name} alone",
            )
    if direct:
        return replace(request, window=None, lookback=_steps(request.window, "--window", "a number of steps"))
    return replace(request, window=None, truncation_window=request.window)


def _check_direct(request: FitRequest) -> None:
    """Raise ConfigError for an option that a direct fit does not use."""
    unused = {
        "--on": request.cluster is not None,
        "--search": bool(request.search),
        "--truncation-window": request.truncation_window is not None,
        "--gradient-checkpoints": request.gradient_checkpoints is not None,
        "--resume": request.resume,
        "--checkpoint-every": request.checkpoint_every != CHECKPOINT_EVERY,
    }
    given = [name for name, is_given in unused.items() if is_given]
    if given:
        fix = f"remove {', '.join(given)}"
        if request.truncation_window is not None:
            fix += "; a direct model takes --lookback"
        raise ConfigError(f"a direct fit does not use {', '.join(given)}", fix=fix)


def _check_ladder(request: FitRequest) -> None:
    """Raise ConfigError for an option that only a direct fit uses, or only exponential smoothing too."""
    from ostinato.layers.build import SMOOTHED

    only_direct = {
        "--lookback": request.lookback is not None,
        "--season": request.season is not None and request.model not in SMOOTHED,
        "--networks": request.networks is not None,
    }
    given = [name for name, is_given in only_direct.items() if is_given]
    if given:
        fix = f"remove {', '.join(given)}, or fit a direct model with --model direct --horizon STEPS"
        if request.lookback is not None:
            fix += "; the truncation window of BPTT is --truncation-window"
        raise ConfigError(f"a fit of {request.model} does not use {', '.join(given)}", fix=fix)


def _check_searched(request: FitRequest) -> None:
    """Raise ConfigError for an option that a search chooses itself."""
    chosen = {
        "--model": request.model != "auto",
        "--horizon": request.horizon is not None,
        "--truncation-window": request.truncation_window is not None,
        "--gradient-checkpoints": request.gradient_checkpoints is not None,
        "--checkpoint-every": request.checkpoint_every != CHECKPOINT_EVERY,
    }
    given = [name for name, is_given in chosen.items() if is_given]
    given += [f"--{name.replace('_', '-')}" for name in request.fields]
    if given:
        raise ConfigError(
            f"a search chooses {', '.join(given)} itself", fix=f"remove {', '.join(given)}, or remove --search"
        )


def _check_on_the_cpu(request: FitRequest) -> None:
    """Raise ConfigError for a card or a precision of one, which workers of Ray do not use."""
    given = [f"--device {request.device}"] * (request.device not in ("auto", "cpu"))
    given += [f"--precision {request.precision}"] * (request.precision != "float32")
    if given:
        raise ConfigError(
            f"the workers of Ray compute on the CPU in float32, got {' '.join(given)}",
            fix="remove it; with torchrun, several processes train on a card each",
        )


def method(truncation_window: str | None, checkpoints: str | None) -> Method | None:
    """Return the gradient method that two options of the command line name.

    Args:
        truncation_window: "auto" for AdaptiveBPTT, or the steps of a truncation window.
        checkpoints: The number of segments of CheckpointedBPTT, or its memory limit, such as "200MB".

    Returns:
        The method; None if neither option was given, so that the length of the sequences decides.

    Raises:
        ConfigError: Both options are given, or one of them cannot be read.
    """
    from ostinato.gradients.methods import AdaptiveBPTT, CheckpointedBPTT, TruncatedBPTT

    if checkpoints is not None:
        if truncation_window is not None:
            raise ConfigError(
                f"--truncation-window {truncation_window} and --gradient-checkpoints {checkpoints} are both given, and "
                "they are two ways to compute a gradient",
                fix="give --truncation-window or --gradient-checkpoints, not both",
            )
        if checkpoints.isdecimal():
            return CheckpointedBPTT(segments=int(checkpoints))
        return CheckpointedBPTT(memory_limit=checkpoints)
    if truncation_window is None:
        return None
    if truncation_window == "auto":
        return AdaptiveBPTT()
    return TruncatedBPTT(_steps(truncation_window, "--truncation-window", "a number of steps or auto"))


def _steps(text: str, option: str, expected: str) -> int:
    """Return the number of steps that an option gives."""
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{option} must be {expected}, got {text!r}", fix=f"give {expected}") from None
