"""ostinato report."""

from __future__ import annotations

from typing import Annotated

import typer

from ostinato.cli import options


def command(
    model: options.Model,
    data: Annotated[
        str | None, typer.Argument(help="The data to evaluate on; default: the data the model was fitted to.")
    ] = None,
    output: options.Output = None,
    seed: options.Seed = 0,
    id_col: options.IdCol = None,
    time_col: options.TimeCol = None,
    target: options.Target = None,
    channel: options.Channel = None,
    threads: options.Threads = 1,
) -> None:
    """Write an HTML report on a model: scores, forecasts or samples, calibration, training.

    Example: ostinato report sales.ost sales.csv -o report.html
    """
    options.use_threads(threads)
    path = output or model.with_suffix(".html")
    options.writable(path)
    from ostinato.forecasting.inputs import as_sequences
    from ostinato.model_file import load_model
    from ostinato.report.page import write_report

    fitted = load_model(model)
    source = options.source(fitted, data)
    sequences = as_sequences(fitted, source, id_col=id_col, time_col=time_col, target=target, channel=channel)
    write_report(fitted, sequences, path, seed=seed)
    print(f"report: {path}")
