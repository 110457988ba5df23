"""The command ``ostinato forecast``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import options, panels
from ostinato.cli.options import OUTPUT
from ostinato.errors import ConfigError


def command(
    model: Annotated[
        Path,
        typer.Argument(
            help="A model file that ostinato fit wrote; or ar, to fit an AR to each series of a Parquet file or folder."
        ),
    ],
    data: Annotated[
        str | None,
        typer.Argument(help="The data whose next steps are forecast. Default: the data that the model was fitted to."),
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(
            "--horizon",
            "-n",
            max=1_000_000,
            help="The number of steps to forecast. Default: 12, or the horizon of a direct forecaster.",
        ),
    ] = None,
    future: Annotated[
        str | None,
        typer.Option(
            help="A file with the future covariates of the steps to forecast, if the model was fitted with any."
        ),
    ] = None,
    level: options.Level = None,
    paths: options.Paths = 500,
    output: options.PartsOutput = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw the forecast to this PNG file. Needs pip install ostinato[plot].", rich_help_panel=OUTPUT
        ),
    ] = None,
    seed: options.Seed = 0,
    id_col: options.IdCol = None,
    time_col: options.TimeCol = None,
    target: options.Target = None,
    decimal: options.Decimal = None,
    channel: options.Channel = None,
    mix: options.Mix = False,
    sheet: options.Sheet = None,
    query: options.Query = None,
    season: Annotated[
        int | None,
        typer.Option(
            "--season",
            "--season-length",
            help="For the model ar: the number of steps in a season. Default: from the frequency of the data.",
        ),
    ] = None,
    on: options.On = None,
    workers: options.Workers = None,
    threads: options.Threads = "auto",
) -> None:
    """Forecast the steps after the end of each series, with intervals. The model is not fitted again.

    Example: ostinato forecast sales.ost --horizon 24 --level 80 95 -o forecast.csv --plot forecast.png
    """
    count = options.threads(threads)
    if panels.in_parts(on, workers, model):
        if data is None:
            raise ConfigError("no data given", fix="give the data after the model: ostinato forecast ar panel/ -o out/")
        if future is not None:
            raise ConfigError(
                f"a panel in parts takes no future covariates, got --future {future}", fix="remove --future or --on"
            )
        with panels.running(panels.Destination(output, on, workers, count)) as panel:
            from ostinato import scale

            outcome = scale.forecast(
                "ar" if str(model) == "ar" else model,
                data,
                panel.output,
                horizon=horizon,
                level=level or (80, 95),
                on=panel.cluster,
                season=season,
                n_paths=paths,
                seed=seed,
                on_progress=panel.show,
                id_col=id_col,
                time_col=time_col,
                target=target,
            )
        panel.summarise(outcome)
        return
    for path in (output, plot):
        if path:
            options.writable(path)
    from ostinato.cli.render import as_table, printed
    from ostinato.forecasting.inputs import as_sequences
    from ostinato.inference.forecast import forecast
    from ostinato.model_file import load_model
    from ostinato.storage import atomic_write

    fitted = load_model(model)
    source = options.source(fitted, data)
    history = as_sequences(
        fitted,
        source,
        id_col=id_col,
        time_col=time_col,
        target=target,
        channel=channel,
        decimal=decimal,
        mix=mix or None,
        sheet=sheet,
        query=query,
    )
    result = forecast(
        fitted, history, horizon, level or (80, 95), future=future, n_paths=paths, seed=seed, threads=count
    )
    for note in result.notes:
        options.say(f"note: {note}")
    if output:
        atomic_write(output, as_table(result.frame, result.history.time_form).encode())
        print(f"forecast: {output}")
    else:
        printed(result.frame, result.history.time_form)
    if plot:
        from ostinato.report.fan import draw

        draw(result, plot)
        print(f"picture: {plot}")
