"""ostinato fit."""

from __future__ import annotations

import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from ostinato.cli import fit_dispatch, options, panels
from ostinato.cli.checkpoint import checkpoint


def command(
    ctx: typer.Context,
    data: options.Data,
    output: options.Output = None,
    report: Annotated[Path | None, typer.Option(help="Write a report on it to this HTML file.")] = None,
    model: Annotated[
        str, typer.Option(help="auto (the whole ladder), ar, linear, rnn, gru, lstm, conv, direct ...")
    ] = "auto",
    horizon: Annotated[
        int | None, typer.Option("--horizon", "-n", help="Steps ahead, of a direct model; auto with it is direct.")
    ] = None,
    season: options.Season = None,
    networks: Annotated[int | None, typer.Option(min=0, help="Direct: networks to average; 0 leaves them out.")] = None,
    budget: Annotated[str | None, typer.Option(help="Time for the whole fit: 60s, 3m, 1h.")] = None,
    steps: Annotated[
        int | None, typer.Option("--max-steps", "--steps", help="Optimiser steps for each model, instead of a time.")
    ] = None,
    held_out: Annotated[str, typer.Option(help="Share to hold out (0.1), or a pattern of ids ('*_[0-4]').")] = "0.1",
    window: Annotated[
        str | None,
        typer.Option(
            "--truncation-window",
            "--lookback",
            "--window",
            help="Truncation window of BPTT: steps, or auto. Direct model: the lookback in steps.",
        ),
    ] = None,
    gradient_checkpoints: Annotated[
        str | None,
        typer.Option(help="Exact gradients of whole sequences from checkpoints: segments (32), or a memory (200MB)."),
    ] = None,
    hidden: Annotated[int | None, typer.Option(help="Hidden units.")] = None,
    depth: Annotated[int | None, typer.Option(help="Layers.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Dropout between layers and before the head.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    max_order: Annotated[int | None, typer.Option(help="Greatest order of the autoregression.")] = None,
    emission: Annotated[
        str | None, typer.Option(help="normal, student_t, negative_binomial, zero_inflated, ...")
    ] = None,
    seed: options.Seed = 0,
    kind: options.Kind = None,
    id_col: options.IdCol = None,
    time_col: options.TimeCol = None,
    target: options.Target = None,
    known: options.Known = None,
    past: options.Past = None,
    static: options.Static = None,
    channel: options.Channel = None,
    alphabet: options.Alphabet = "characters",
    per_line: options.PerLine = None,
    each: Annotated[
        bool, typer.Option("--each", help="An autoregression for each series of a Parquet panel, into a folder.")
    ] = False,
    search: Annotated[
        int | None, typer.Option(min=1, help="Fits of other memories, widths, rates; the budget is that of all.")
    ] = None,
    on: options.On = None,
    workers: options.Workers = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from where a killed fit was.")] = False,
    checkpoint_every: Annotated[str, typer.Option(help="Time between checkpoints.")] = "10s",
    threads: options.Threads = 1,
) -> None:
    """Fit a model to a file of sequences and write it to one file.

    Of a direct model, which forecasts all steps up to a horizon at once, put lists of columns after the data:
    ostinato fit sales.csv --model direct --horizon 48 --known promotion holiday --static store -o sales.ost

    Example: ostinato fit sales.csv --budget 2m -o sales.ost
    """
    if each:
        place = panels.Destination(output, on, workers, threads)
        panels.run("fit_each", place, data, season=season, kind=kind, id_col=id_col, time_col=time_col, target=target)
        return
    cluster = panels.Destination(output, on, workers, threads).cluster()
    limits = options.limits(budget, steps)
    path = output or Path(Path(data).name.split(".")[0] + ".ost")
    for file in (path, report):
        if file:
            options.writable(file)
    from ostinato.cli.progress import LadderDisplay
    from ostinato.data.read import read
    from ostinato.inference.describe import verdict
    from ostinato.model_file import save_model
    from ostinato.training.workers import restarts, started

    reading: dict[str, Any] = {
        "kind": kind,
        "id_col": id_col,
        "time_col": time_col,
        "target": (target[0] if len(target) == 1 else target) if target else None,
        "channel": channel,
        "alphabet": alphabet,
        "per_line": per_line,
        "known": known or (),
        "past": past or (),
        "static": static or (),
    }
    sequences = read(data, **reading)
    direct = model == "direct" or (model == "auto" and horizon is not None and sequences.kind in ("series", "prices"))
    given: dict[str, Any] = {
        "hidden": hidden,
        "depth": depth,
        "dropout": dropout,
        "learning_rate": learning_rate,
        "max_order": max_order,
        "emission": emission,
        "horizon": horizon,
        "season": season,
        "networks": networks,
    }
    asked: dict[str, Any] = {"model": model, "checkpoint_every": options.seconds(checkpoint_every) or 0.0}
    whole: dict[str, Any] = {"held_out": options.share(held_out), "seed": seed}
    if budget is not None or steps is not None or not direct:
        whole["budget"] = limits
    if direct:
        fit_dispatch.check_direct(cluster is not None or bool(search), gradient_checkpoints)
        given["window"] = None if window is None else fit_dispatch.steps(window)
        del asked["checkpoint_every"]
    else:
        given["method"] = fit_dispatch.method(window, gradient_checkpoints)
    asked.update((name, value) for name, value in given.items() if value is not None)
    way = fit_dispatch.Way(path, reading, search, cluster, threads)
    resume = resume or restarts() > 0
    with started() as joined, nullcontext() if direct else checkpoint(path, resume=resume, leads=joined.leads) as spot:
        with LadderDisplay(sequences.kind, shown=joined.leads) as ladder:
            result = fit_dispatch.run(data, sequences, spot, ladder, way, asked, whole)
        if not joined.leads:
            return
        result.model.description.record["command"] = shlex.join(["ostinato", *ctx.obj])
        save_model(result.model, path)
    for note in result.notes:
        options.say(f"note: {note}")
    ladder.table(result)
    record = result.model.description.record
    print(record["verdict"] if direct else verdict(result.model.description))
    print(f"model: {path}")
    if report:
        from ostinato.report.page import write_report

        write_report(result.model, sequences, report, seed=seed)
        print(f"report: {report}")
