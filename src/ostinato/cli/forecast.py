"""The command ``ostinato forecast``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostinato.cli import options, panels, reading, screen, unused
from ostinato.cli.forecast_dispatch import ForecastOptions, source_of
from ostinato.cli.options import MODEL, OUTPUT

if TYPE_CHECKING:
    from ostinato.cli.forecast_dispatch import Source
    from ostinato.forecasting.table import Forecast


def command(
    ctx: typer.Context,
    first: Annotated[
        str,
        typer.Argument(
            metavar="DATA_OR_MODEL",
            help="The data whose next steps are forecast: a file, a folder or a pattern of files (CSV, Parquet, Excel, "
            "JSON, text, WAV and others). Or a model file that ostinato fit wrote.",
        ),
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="After a model file: the data to forecast. Default: the data that the model was fitted to.",
        ),
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(
            "--horizon",
            "-n",
            max=1_000_000,
            help="The number of steps to forecast. Default: two seasons, or 12 without one; with a model file, the "
            "horizon of the model, or 12.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Without a model file, the method that is fitted to each series: auto (the best of them, or their "
            "combination), ets, theta, ar, direct, naive, seasonal_naive and others. Default: auto.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    season: Annotated[
        int | None,
        typer.Option(
            "--season",
            "--season-length",
            help="Without a model file: the number of steps in a season. Default: from the frequency of each series.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    future: Annotated[
        str | None,
        typer.Option(
            help="A file with the future covariates of the steps to forecast, if the model was fitted with any.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    paths: Annotated[
        int,
        typer.Option(
            "--n-paths",
            "--paths",
            max=1_000_000,
            help="With a model file: the number of sample paths of each series. A direct model draws none.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = 500,
    seed: Annotated[
        int,
        typer.Option(
            help="With a model file: the seed of the sample paths; the same seed gives the same result.",
            min=0,
            max=2**63 - 1,
            rich_help_panel=options.ADVANCED,
        ),
    ] = 0,
    level: options.Level = None,
    output: options.PartsOutput = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw the forecast to this PNG file. Needs pip install 'ostinato[plot]'.", rich_help_panel=OUTPUT
        ),
    ] = None,
    *,
    clock: reading.Clock,
    columns: reading.Columns,
    sound: reading.Sound,
    place: panels.Place,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Forecast the steps after the end of each series, with intervals: one command, and no model file is needed.

    Example: ostinato forecast sales.csv --horizon 12 --plot forecast.png -o forecast.csv
    """
    source = source_of(first, data, model)
    in_parts = source.in_parts or place.in_parts
    source.check(unused.given(ctx), in_parts=in_parts)
    if in_parts:
        how = {"horizon": horizon, "level": level or (80, 95), "season": season, "n_paths": paths, "seed": seed}
        _forecast_in_parts(source, place.to(output), how, columns)
        return
    for path in (output, plot):
        if path:
            options.writable(path)
    result = source.forecast(
        ForecastOptions(
            horizon,
            tuple(level or (80, 95)),
            season,
            future,
            sampling={"n_paths": paths, "seed": seed},
            reading=reading.arguments(columns),
            clock=reading.arguments(clock),
            sound=reading.arguments(sound),
            threads=place.count,
            device=options.device(place.device),
        )
    )
    if as_json:
        from ostinato.cli.render import answer

        answer({"horizon": result.horizon, "level": result.level, "notes": result.notes, "forecast": result.frame})
    _write(result, output, plot, as_json=as_json)


def _forecast_in_parts(
    source: Source, destination: panels.Destination, how: dict[str, Any], columns: reading.Columns
) -> None:
    """Forecast a panel, one part after the other."""
    data = source.given_data()
    with panels.running(destination) as panel:
        from ostinato import scale

        outcome = scale.forecast(
            source.model,
            data,
            panel.output,
            on=panel.cluster,
            on_progress=panel.show,
            **how,
            **columns.in_parts(),
        )
    panel.summarise(outcome)


def _write(result: Forecast, output: Path | None, plot: Path | None, *, as_json: bool) -> None:
    """Write the table to a file or to the screen, and draw the picture."""
    from ostinato.cli.render import as_table, printed
    from ostinato.storage import atomic_write

    if output:
        atomic_write(output, as_table(result.frame, result.history.time_form).encode())
        _name("forecast", output, aside=as_json)
    elif not as_json:
        printed(result.frame, result.history.time_form)
    if plot:
        from ostinato.data.drawing import MOST
        from ostinato.report.fan import draw

        draw(result, plot)
        if (count := len(result.history) * len(result.history.channels)) > MOST:
            screen.say(f"note: the picture shows the first {MOST} of {count:,} series; the table has all of them")
        _name("picture", plot, aside=as_json or not output)  # a table on standard output stays a table


def _name(what: str, path: Path, *, aside: bool) -> None:
    """Print the name of a file that was written; aside from a table or JSON on standard output."""
    line = f"{what}: {path}"
    screen.say(line) if aside else print(line)
