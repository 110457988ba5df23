"""The command ``ostinato backtest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostinato.cli import options, panels, reading, screen, unused
from ostinato.cli.options import BUDGET, OUTPUT
from ostinato.errors import ConfigError
from ostinato.numbers import counted, shown

if TYPE_CHECKING:
    import polars as pl

#: The parameters that a backtest of a panel in parts uses, besides those of every command over such panels.
_USED_IN_PARTS = (
    "model",
    "horizon",
    "windows",
    "step",
    "level",
    "season",
    "paths",
    "kind",
    "zone",
    "day_first",
    "device",
)


def command(
    ctx: typer.Context,
    data: options.Data,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="auto, local (what ostinato forecast uses by default), ets, theta or another of its methods, direct, "
            "another model of ostinato fit, or a model file; repeat the option for several. Default: auto, the best of "
            "all of these and the baselines.",
            rich_help_panel=options.MODEL,
        ),
    ] = None,
    horizon: Annotated[
        int,
        typer.Option(
            "--horizon",
            "-n",
            max=1_000_000,
            help="The number of steps to forecast from each cutoff.",
            rich_help_panel=options.MODEL,
        ),
    ] = 12,
    windows: Annotated[
        int,
        typer.Option("--n-windows", "--windows", help="The number of cutoffs. A forecast starts after each of them."),
    ] = 1,
    step: Annotated[
        int | None,
        typer.Option(
            "--step-size",
            "--step",
            help="The number of steps from one cutoff to the next. Default: the horizon.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    level: options.Level = None,
    season: options.Season = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit",
            help="Fit the models again at every cutoff, and not only before the first.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(
            help="The time limit of each fit: 60s, 3m or 1h. Default: 2m without --max-steps.", rich_help_panel=BUDGET
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--max-steps",
            "--steps",
            help="The limit of optimiser steps of each network. Default: no limit.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    paths: options.Paths = 500,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file for all forecasts, .csv or .parquet, or the folder with --on. Default: no file.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    seed: options.Seed = 0,
    *,
    clock: reading.Clock,
    columns: reading.Columns,
    covariates: reading.Covariates,
    place: panels.Place,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Forecast from several cutoffs in the past, and compare the errors with those of simple baselines.

    Example: ostinato backtest sales.csv --model auto --horizon 24 --n-windows 3 --level 80 95 -o cv.csv
    """
    how: dict[str, Any] = {
        "horizon": horizon,
        "n_windows": windows,
        "step_size": step,
        "level": level or (80, 95),
        "season": season,
        "n_paths": paths,
    }
    size = f"{counted(windows, 'window')} of {counted(horizon, 'step')}"
    if place.in_parts:
        unused.refuse_in_parts(ctx, _USED_IN_PARTS, "a backtest of a panel in parts")
        panels.check_times(clock.zone, clock.day_first)
        _check_model_of_parts(model or [])
        table = _in_parts(model[0] if model else None, data, place.to(output), {**how, "kind": clock.kind}, columns)
        _show(table, f"{size} (lower is better)")
        return
    limits = options.limits(budget, steps)
    if output:
        options.writable(output)
    from ostinato.cli.render import answer, as_bytes
    from ostinato.data.read import read
    from ostinato.evaluation.backtest import cross_validation
    from ostinato.storage import atomic_write

    screen.doing(f"reading {data}")
    sequences = read(data, **reading.arguments(clock, columns, covariates))
    screen.doing("fitting and forecasting")
    result = cross_validation(
        sequences,
        model or ["auto"],
        refit=refit,
        on_window=None if output else lambda frame: None,
        seed=seed,
        threads=place.count,
        device=options.device(place.device),
        budget=limits,
        **how,
    )
    *notes, verdict = result.notes
    for note in notes:
        screen.say(f"note: {note}")
    if as_json:
        answer({"table": result.table, "season": result.season, "notes": notes, "verdict": verdict})
    else:
        _show(result.table, f"{size} (lower is better; nats a step: higher; {_target(how['level'][0])})")
        print(verdict)
    if output:
        atomic_write(output, as_bytes(result.frame, output, sequences.time_form))
        screen.say(f"forecasts: {output}") if as_json else print(f"forecasts: {output}")


def _in_parts(
    model: str | None, data: str, destination: panels.Destination, how: dict[str, Any], columns: reading.Columns
) -> pl.DataFrame:
    """Backtest a panel, one part after the other, and return the table of measures."""
    with panels.running(destination) as panel:
        from ostinato import scale

        table, outcome = scale.cross_validation(
            model, data, panel.output, on=panel.cluster, on_progress=panel.show, **how, **columns.in_parts()
        )
    panel.summarise(outcome)
    return table


def _target(level: float) -> str:
    """Return what the share of values within an interval of this level should be."""
    return f"in {level:g}%: {level:g}"


def _check_model_of_parts(models: list[str]) -> None:
    """Raise ConfigError if a panel in parts cannot be judged by these models."""
    from ostinato.evaluation.choice import is_local

    if len(models) > 1 or any(not is_local(name) and not Path(name).is_file() for name in models):
        raise ConfigError(
            f"with --on a backtest takes one fitted model or one local method, got --model {' --model '.join(models)}",
            fix="give one model file (--model sales.ost) or method (--model local), or leave out --model",
        )


#: The heading of each column of the table and its significant digits. Every other column is a coverage, in percent.
_SHOWN = {
    "mase": ("MASE", 4),
    "smape": ("sMAPE", 4),
    "owa": ("OWA", 4),
    "wql": ("wQL", 4),
    "msis": ("MSIS", 4),
    "log_prob": ("nats", 5),
}


def _show(table: pl.DataFrame, title: str) -> None:
    """Print the table of measures, with the lowest wQL in bold."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    columns = [name for name in table.columns[1:] if name != "seconds"]
    forms = {name: _SHOWN.get(name, (name.replace("coverage-", "in ") + "%", 3)) for name in columns}
    for heading in ("model", *(heading for heading, _ in forms.values()), "seconds"):
        grid.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
    least = table["wql"].drop_nans().min()
    for row in table.iter_rows(named=True):
        cells = [
            shown(row[name] if name in _SHOWN else 100 * row[name], digits, keep=True)
            for name, (_, digits) in forms.items()
        ]
        grid.add_row(row["model"], *cells, f"{row['seconds']:.1f}", style="bold" if row["wql"] == least else "")
    console = Console()
    console.width = max(console.width, 30 + 10 * len(forms))  # no number is cut off, even if the lines wrap
    console.print(title, highlight=False, soft_wrap=True)
    console.print(grid)
