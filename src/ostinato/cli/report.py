"""The command ``ostinato report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import options, reading, screen
from ostinato.cli.model_data import opened


def command(
    model: options.Model,
    data: Annotated[
        str | None,
        typer.Argument(help="The data to evaluate the model on. Default: the data that the model was fitted to."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The HTML file to write. Default: the name of the model with .html.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    future: Annotated[
        str | None,
        typer.Option(
            help="A file with the future covariates of the steps after the data, if the model was fitted with any. "
            "Without it, the page shows the held-out part only."
        ),
    ] = None,
    seed: options.Seed = 0,
    *,
    columns: reading.Columns,
    sound: reading.Sound,
    threads: options.Threads = "auto",
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write an HTML page about a model: its scores, forecasts or samples, calibration and training.

    Example: ostinato report sales.ost sales.csv -o report.html
    """
    path = output or model.with_suffix(".html")
    options.writable(path)
    from ostinato.report.page import write_report

    fitted, sequences = opened(model, data, **reading.arguments(columns, sound))
    screen.doing("writing the report")
    write_report(
        fitted,
        sequences,
        path,
        future=future,
        seed=seed,
        threads=options.threads(threads),
        device=options.device(device),
    )
    if as_json:
        from ostinato.cli.render import answer

        answer({"report": str(path)})
        return
    print(f"report: {path}")
