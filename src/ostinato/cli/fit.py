"""ostinato fit."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostinato.cli import options, panels
from ostinato.cli.checkpoint import checkpoint
from ostinato.errors import ConfigError

if TYPE_CHECKING:
    from ostinato.gradients.methods import Method


def command(
    ctx: typer.Context,
    data: options.Data,
    output: options.Output = None,
    report: Annotated[Path | None, typer.Option(help="Write a report on it to this HTML file.")] = None,
    model: Annotated[str, typer.Option(help="auto (the whole ladder), ar, linear, rnn, gru, lstm, conv ...")] = "auto",
    budget: Annotated[str | None, typer.Option(help="Time for the whole fit: 60s, 3m, 1h.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps a model, instead of a time.")] = None,
    held_out: Annotated[str, typer.Option(help="Share to hold out (0.1), or a pattern of ids ('*_[0-4]').")] = "0.1",
    window: Annotated[
        str | None,
        typer.Option(help="Truncation window of BPTT: steps, or auto (it follows the bias); follows the data."),
    ] = None,
    hidden: Annotated[int | None, typer.Option(help="Hidden units.")] = None,
    depth: Annotated[int | None, typer.Option(help="Layers.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Dropout between layers and before the head.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    max_order: Annotated[int | None, typer.Option(help="Greatest order of the autoregression.")] = None,
    emission: Annotated[str | None, typer.Option(help="normal, student_t, negative_binomial, ...")] = None,
    seed: options.Seed = 0,
    kind: options.Kind = None,
    id_col: options.IdCol = None,
    time_col: options.TimeCol = None,
    target: options.Target = None,
    channel: options.Channel = None,
    alphabet: options.Alphabet = "characters",
    per_line: options.PerLine = None,
    each: Annotated[
        bool, typer.Option("--each", help="An autoregression for each series of a Parquet panel, into a folder.")
    ] = False,
    search: Annotated[
        int | None, typer.Option(min=1, help="Fits of other memories, widths, rates; the budget is that of all.")
    ] = None,
    season: Annotated[int | None, typer.Option(help="Of --each: steps of a season; from the frequency.")] = None,
    on: options.On = None,
    workers: options.Workers = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from where a killed fit was.")] = False,
    checkpoint_every: Annotated[str, typer.Option(help="Time between checkpoints.")] = "10s",
    threads: options.Threads = 1,
) -> None:
    """Fit a model to a file of sequences and write it to one file.

    Example: ostinato fit sales.csv --budget 2m -o sales.ost
    """
    if each:
        place = panels.Place(output, on, workers, threads)
        panels.run("fit_each", place, data, season=season, kind=kind, id_col=id_col, time_col=time_col, target=target)
        return
    cluster = panels.Place(output, on, workers, threads).cluster()
    limits = options.seconds(budget)
    path = output or Path(Path(data).name.split(".")[0] + ".ost")
    for file in (path, report):
        if file:
            options.writable(file)
    from ostinato import scale
    from ostinato.cli.progress import Ladder
    from ostinato.data.read import read
    from ostinato.inference.describe import verdict
    from ostinato.model_file import save_model
    from ostinato.training.config import Budget
    from ostinato.training.fit import fit
    from ostinato.training.search import search as find
    from ostinato.training.workers import started

    reading: dict[str, Any] = {
        "kind": kind,
        "id_col": id_col,
        "time_col": time_col,
        "target": (target[0] if len(target) == 1 else target) if target else None,
        "channel": channel,
        "alphabet": alphabet,
        "per_line": per_line,
    }
    sequences = read(data, **reading)
    given: dict[str, Any] = {
        "hidden": hidden,
        "depth": depth,
        "dropout": dropout,
        "learning_rate": learning_rate,
        "max_order": max_order,
        "emission": emission,
    }
    asked: dict[str, Any] = {
        "model": model,
        "method": None if window is None else _method(window),
        "checkpoint_every": options.seconds(checkpoint_every) or 0.0,
        **{k: v for k, v in given.items() if v is not None},
    }
    whole: dict[str, Any] = {
        "budget": Budget(limits if limits is not None or steps is not None else 120.0, steps),
        "held_out": options.share(held_out),
        "seed": seed,
    }
    with started() as joined, checkpoint(path, resume=resume, leads=joined.leads) as spot:
        with Ladder(sequences.kind, shown=joined.leads) as ladder:
            if search:
                _check_searched(asked)
                if cluster:
                    result, rows = scale.search(data, search, spot, on=cluster, reading=reading, **whole)
                    for row in rows:
                        ladder.trial(row)
                else:
                    result, _ = find(sequences, search, spot, threads=threads, on_trial=ladder.trial, **whole)
            elif cluster:
                result = scale.fit(data, path, on=cluster, reading=reading, checkpoint=str(spot), **whole, **asked)
            else:
                shown: dict[str, Any] = {"on_progress": ladder.progress, "on_rung": ladder.rung}
                result = fit(sequences, checkpoint=spot, threads=threads, **shown, **whole, **asked)
        if not joined.leads:
            return
        result.model.description.record["command"] = shlex.join(["ostinato", *ctx.obj])
        save_model(result.model, path)
    for note in result.notes:
        options.say(f"note: {note}")
    ladder.table(result.table, result.kept)
    print(verdict(result.model.description))
    print(f"model: {path}")
    if report:
        from ostinato.report.page import write_report

        write_report(result.model, sequences, report, seed=seed)
        print(f"report: {report}")


def _check_searched(asked: dict[str, Any]) -> None:
    """Raises ConfigError for an option that the search chooses itself."""
    chosen = {"model": "auto", "method": None, "checkpoint_every": 10.0}
    given = [name for name, value in asked.items() if value != chosen.get(name)]
    if given:
        raise ConfigError(f"a search chooses {', '.join(given)} itself", fix="leave it out, or leave out --search")


def _method(window: str) -> Method:
    """ "auto" -> AdaptiveBPTT(), "64" -> TruncatedBPTT(64)."""
    from ostinato.gradients.methods import AdaptiveBPTT, TruncatedBPTT

    if window == "auto":
        return AdaptiveBPTT()
    try:
        return TruncatedBPTT(int(window))
    except ValueError:
        raise ConfigError(f"{window!r} is no truncation window", fix="give a number of steps, or auto") from None
