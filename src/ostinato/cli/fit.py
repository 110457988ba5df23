"""ostinato fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import fit_dispatch, options, panels


def command(
    ctx: typer.Context,
    data: options.Data,
    output: options.Output = None,
    report: Annotated[Path | None, typer.Option(help="Also write a report on the model to this HTML file.")] = None,
    model: Annotated[
        str, typer.Option(help="auto (the whole ladder), ar, linear, rnn, gru, lstm, conv, direct ...")
    ] = "auto",
    horizon: Annotated[
        int | None,
        typer.Option("--horizon", "-n", help="Direct: the number of steps to forecast; auto with a horizon is direct."),
    ] = None,
    season: options.Season = None,
    networks: Annotated[
        int | None, typer.Option(min=0, help="Direct: the number of networks to average; 0 leaves them out.")
    ] = None,
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
        typer.Option(
            help="Exact gradients of whole sequences from checkpoints: segments (32), or a memory limit (200MB)."
        ),
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
        bool, typer.Option("--each", help="Fit an autoregression to each series of a Parquet panel, into a folder.")
    ] = False,
    search: Annotated[
        int | None, typer.Option(min=1, help="Try this many backbones, widths and rates; the budget is that of all.")
    ] = None,
    on: options.On = None,
    workers: options.Workers = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a fit that was stopped.")] = False,
    checkpoint_every: Annotated[str, typer.Option(help="Time between checkpoints.")] = "10s",
    threads: options.Threads = 1,
) -> None:
    """Fit a model to a file of sequences and write it to one file.

    A direct model forecasts all steps up to a horizon at once. Put lists of columns after the data:
    ostinato fit sales.csv --model direct --horizon 48 --known promotion holiday --static store -o sales.ost

    Example: ostinato fit sales.csv --budget 2m -o sales.ost
    """
    if each:
        place = panels.Destination(output, on, workers, threads)
        panels.run("fit_each", place, data, season=season, kind=kind, id_col=id_col, time_col=time_col, target=target)
        return
    path = output or Path(Path(data).name.split(".")[0] + ".ost")
    request = fit_dispatch.FitRequest(
        command=("ostinato", *ctx.obj),
        data=data,
        reading=fit_dispatch.Reading(
            kind=kind,
            id_col=id_col,
            time_col=time_col,
            target=target[0] if target and len(target) == 1 else target or None,
            channel=channel,
            alphabet=alphabet,
            per_line=per_line,
            known=tuple(known or ()),
            past=tuple(past or ()),
            static=tuple(static or ()),
        ),
        output=path,
        report=report,
        model=model,
        horizon=horizon,
        season=season,
        networks=networks,
        window=window,
        gradient_checkpoints=gradient_checkpoints,
        hidden=hidden,
        depth=depth,
        dropout=dropout,
        learning_rate=learning_rate,
        max_order=max_order,
        emission=emission,
        seed=seed,
        budget=None if budget is None and steps is None else options.limits(budget, steps),
        held_out=options.share(held_out),
        search=search,
        cluster=panels.Destination(output, on, workers, threads).cluster(),
        threads=threads,
        resume=resume,
        checkpoint_every=options.seconds(checkpoint_every) or 0.0,
    )
    for file in (path, report):
        if file:
            options.writable(file)
    fit_dispatch.run(request)
