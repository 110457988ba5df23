"""ostinato forecast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import options, panels
from ostinato.errors import ConfigError


def command(
    model: Annotated[
        Path, typer.Argument(help="A model file that fit wrote, or ar: an autoregression for each series.")
    ],
    data: Annotated[
        str | None, typer.Argument(help="The history to forecast from; default: the data the model was fitted to.")
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(
            "--horizon", "-n", max=1_000_000, help="Steps to forecast; default: 12, or all of a direct model."
        ),
    ] = None,
    future: Annotated[
        str | None, typer.Option(help="A file with the future covariates of the steps to forecast.")
    ] = None,
    level: Annotated[
        list[float] | None, typer.Option(help="Coverage of the intervals, in percent: --level 80 95.")
    ] = None,
    paths: Annotated[
        int, typer.Option("--n-paths", "--paths", max=1_000_000, help="Sample paths drawn for each series.")
    ] = 500,
    output: options.Output = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the forecast to this PNG (needs ostinato[plot]).")] = None,
    seed: options.Seed = 0,
    id_col: options.IdCol = None,
    time_col: options.TimeCol = None,
    target: options.Target = None,
    channel: options.Channel = None,
    season: Annotated[
        int | None,
        typer.Option("--season", "--season-length", help="For ar: steps in a season; default: from the frequency."),
    ] = None,
    on: options.On = None,
    workers: options.Workers = None,
    threads: options.Threads = 1,
) -> None:
    """Forecast with intervals from the training history or a new one, without fitting again.

    Example: ostinato forecast sales.ost --horizon 24 --level 80 95 -o forecast.csv --plot forecast.png
    """
    if panels.asked(on, workers, model):
        if data is None:
            raise ConfigError("a panel is named after the model", fix="ostinato forecast ar panel/ -o out/")
        if future is not None:
            raise ConfigError("a panel in parts takes no future rows", fix="leave out --future, or --on")
        panels.run(
            "forecast",
            panels.Destination(output, on, workers, threads),
            "ar" if str(model) == "ar" else model,
            data,
            horizon=horizon,
            level=level or (80, 95),
            season=season,
            n_paths=paths,
            seed=seed,
            id_col=id_col,
            time_col=time_col,
            target=target,
        )
        return
    options.use_threads(threads)
    for path in (output, plot):
        if path:
            options.writable(path)
    from ostinato.cli.render import as_table
    from ostinato.forecasting.inputs import as_sequences
    from ostinato.inference.forecast import forecast
    from ostinato.model_file import load_model
    from ostinato.storage import atomic_write

    fitted = load_model(model)
    source = options.source(fitted, data)
    history = as_sequences(fitted, source, id_col=id_col, time_col=time_col, target=target, channel=channel)
    result = forecast(fitted, history, horizon, level or (80, 95), future=future, n_paths=paths, seed=seed)
    for note in result.notes:
        options.say(f"note: {note}")
    if output:
        atomic_write(output, as_table(result.frame).encode())
        print(f"forecast: {output}")
    else:
        print(as_table(result.frame), end="")
    if plot:
        from ostinato.report.fan import draw

        draw(result, plot)
        print(f"picture: {plot}")
