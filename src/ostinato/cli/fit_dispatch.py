"""Run the fit of the command ``fit``: in this process, on a cluster, or as a search."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ostinato.cli import fit_options, screen
from ostinato.cli.checkpoint import alone, checkpoint
from ostinato.device import computing_on

if TYPE_CHECKING:
    from ostinato.cli.fit_request import FitRequest
    from ostinato.cli.progress import LadderDisplay
    from ostinato.data.sequences import SequenceSet
    from ostinato.dispatch.fit import FitFields
    from ostinato.fits.result import Fit
    from ostinato.scale.cluster import Cluster


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
    from ostinato.dispatch.fit import is_direct
    from ostinato.inference.describe import verdict
    from ostinato.model_file import save_model
    from ostinato.training.workers import restarts, started

    screen.doing(f"reading {request.data}")
    sequences = read(request.data, **request.reading)
    direct = is_direct(request.model, request.horizon, sequences.kind)
    request = fit_options.checked(request, direct)
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
        with alone(request.output):
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
    from ostinato.dispatch.fit import fit

    if folder is not None and request.search:
        return _search(request, request.search, sequences, folder, display)
    if folder is not None and request.cluster:
        return _fit_on_cluster(request, request.cluster, folder, display)
    fit_here = partial(
        fit,
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
        **_fields(request),
    )
    if folder is None:
        return fit_here()
    method = fit_options.method(request.truncation_window, request.gradient_checkpoints)
    return fit_here(method=method, checkpoint=folder, checkpoint_every=request.checkpoint_every)


def _fields(request: FitRequest) -> FitFields:
    """Return the options of the model and its training as keywords of ``fit``."""
    return {**request.options.given(), "seed": request.seed, "refit": request.refit}


def _fit_on_cluster(request: FitRequest, cluster: Cluster, folder: Path, display: LadderDisplay) -> Fit:
    """Fit on the workers of a Ray cluster."""
    from ostinato import scale

    method = fit_options.method(request.truncation_window, request.gradient_checkpoints)
    fit_options.check_on_the_cpu(request)
    return scale.fit(
        request.data,
        request.output,
        on=cluster,
        reading=request.reading,
        model=request.model,
        horizon=request.horizon,
        budget=request.budget,
        held_out=request.held_out,
        method=method,
        checkpoint=str(folder),
        checkpoint_every=request.checkpoint_every,
        on_progress=display.progress,
        on_rung=display.rung,
        **_fields(request),
    )


def _search(request: FitRequest, trials: int, sequences: SequenceSet, folder: Path, display: LadderDisplay) -> Fit:
    """Fit several models with other options and return the likeliest one."""
    from ostinato import scale
    from ostinato.fits.budget import Budget
    from ostinato.training.search import SearchPlan, search

    if not request.cluster:
        plan = SearchPlan(
            trials, request.budget or Budget(), request.held_out, request.seed, request.refit, request.threads
        )
        on, precision = request.device, request.precision
        return search(sequences, plan, folder, device=on, precision=precision, on_trial=display.trial)[0]
    fit_options.check_on_the_cpu(request)
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
