"""The command ``ostinato fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostinato.arguments import seconds
from ostinato.cli import classify, fit_dispatch, options, panels, reading, unused
from ostinato.cli.fit_request import FitRequest
from ostinato.cli.model_options import ModelOptions
from ostinato.cli.options import ADVANCED, BUDGET, CLUSTER, DATA, MODEL, OUTPUT
from ostinato.errors import ConfigError


def command(
    ctx: typer.Context,
    data: options.Data,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The model file to write, or the folder with --each. Default: the name of the data with .ost.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a report on the model to this HTML file, too.", rich_help_panel=OUTPUT),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="ar, ets, theta, linear, rnn, gru, lstm or conv: this model and the AR. filter (series, sound), "
            "counts, mixture (text): models that go on learning while they are used. auto: the best of them on "
            "held-out data (ets for short or seasonal series), or with --horizon a direct model. direct: a direct "
            "model.",
            rich_help_panel=MODEL,
        ),
    ] = "auto",
    horizon: Annotated[
        int | None,
        typer.Option(
            "--horizon",
            "-n",
            help="The number of steps that the direct model forecasts. The other models forecast any number.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    *,
    model_options: ModelOptions,
    budget: Annotated[
        str | None,
        typer.Option(
            help="The time limit of the whole fit: 60s, 3m or 1h. Default: 2m without --max-steps; a direct "
            "model has no limit.",
            rich_help_panel=BUDGET,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--max-steps",
            "--steps",
            help="The limit of optimiser steps of each network. Default: no limit.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    held_out: Annotated[
        str,
        typer.Option(
            help="The data to judge the models on: a share of the data (0.1), or the series whose ids match a pattern "
            "('*_[0-4]').",
            rich_help_panel=DATA,
        ),
    ] = "0.1",
    refit: Annotated[
        bool,
        typer.Option(
            "--refit/--no-refit",
            help="Whether the kept model is fitted again to all of the data after the choice, the held-out part "
            "included. The table shows the figures from before.",
            rich_help_panel=ADVANCED,
        ),
    ] = True,
    truncation_window: Annotated[
        str | None,
        typer.Option(
            help="The number of steps that a gradient flows back in training (truncated BPTT), or auto to adapt it. "
            "Default: all steps up to 512; for longer sequences 128, for sound 256.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    window: Annotated[str | None, typer.Option(hidden=True)] = None,
    gradient_checkpoints: Annotated[
        str | None,
        typer.Option(
            help="Compute the exact gradients of whole sequences in less memory: a number of segments (32), or a "
            "memory limit (200MB). Default: off.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    seed: options.Seed = 0,
    label: Annotated[
        str | None,
        typer.Option(
            help="Fit a classifier: the column with the class of each sequence, or for sound and text files a regular "
            "expression for the class in the file name, such as '^([^_]+)_'.",
            rich_help_panel=options.READING,
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            help="With --label, P(class): counts (shares of the data), uniform, or weights such as a=0.2,b=0.8.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    clock: reading.Clock,
    columns: reading.Columns,
    covariates: reading.Covariates,
    sound: reading.Sound,
    symbols: reading.Symbols,
    each: Annotated[
        bool,
        typer.Option(
            "--each",
            help="Fit an AR of its own to each series of a Parquet file or folder, and write them to a folder.",
            rich_help_panel=ADVANCED,
        ),
    ] = False,
    search: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Try this many combinations of backbone, hidden units, learning rate and more, and keep the best. "
            "The budget is shared by all of them.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            help="Where to fit: here, ray (start or join a Ray cluster) or ray://HOST:PORT. Default: here.",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The number of workers with --on ray. Default: 2; with --each or --search, one for each processor.",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue a stopped fit from its last checkpoint.", rich_help_panel=BUDGET),
    ] = False,
    checkpoint_every: Annotated[
        str, typer.Option(help="The time between two checkpoints: 10s, 3m or 1h.", rich_help_panel=ADVANCED)
    ] = "10s",
    threads: options.Threads = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "float32",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fit a model to a file of sequences and write it to one file.

    Put options that take several columns after the data.

    Example: ostinato fit sales.csv --budget 2m -o sales.ost
    """
    count = options.threads(threads)
    if each:
        unused.refuse_in_parts(ctx, _USED_BY_EACH, "fit --each", "--each")
        _fit_each(data, panels.Destination(output, on, workers, count), model_options.season, clock, columns)
        return
    from ostinato.data.database import stem

    path = output or Path(f"{stem(data)}.ost")
    request = FitRequest(
        command=("ostinato", *ctx.obj),
        data=data,
        reading=reading.arguments(clock, columns, sound, symbols, covariates),
        output=path,
        report=report,
        model=model,
        horizon=horizon,
        options=model_options,
        truncation_window=truncation_window,
        window=window,
        gradient_checkpoints=gradient_checkpoints,
        seed=seed,
        budget=None if budget is None and steps is None else options.limits(budget, steps),
        held_out=options.share(held_out),
        refit=refit,
        search=search,
        cluster=panels.Destination(output, on, workers, count).cluster(),
        threads=count,
        device=options.device(device, said=False),
        precision=precision,
        resume=resume,
        checkpoint_every=seconds("checkpoint_every", checkpoint_every, zero=True),
    )
    if label is not None:
        unused.refuse(unused.given(ctx), classify.UNUSED, "a classifier", "or leave out --label")
        classify.fit(request, label, prior or "counts", as_json=as_json)
        return
    if prior is not None:
        raise ConfigError(f"--prior {prior} is for a classifier", fix="add --label COLUMN, or remove --prior")
    for file in (path, report):
        if file:
            options.writable(file)
    fit_dispatch.run(request, as_json=as_json)


#: The parameters of ``command`` that ``fit --each`` uses, besides those of the columns and of the cluster.
_USED_BY_EACH = ("each", "season", "kind", "zone", "day_first", "resume")


def _fit_each(
    data: str, destination: panels.Destination, season: int | None, clock: reading.Clock, columns: reading.Columns
) -> None:
    """Fit a model to each series of a panel, one part after the other."""
    panels.check_times(clock.zone, clock.day_first)
    with panels.running(destination) as panel:
        from ostinato import scale

        outcome = scale.fit_each(
            data,
            panel.output,
            on=panel.cluster,
            season=season,
            on_progress=panel.show,
            kind=clock.kind,
            **columns.in_parts(),
        )
    panel.summarise(outcome)
