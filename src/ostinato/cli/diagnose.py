"""The command ``ostinato diagnose``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ostinato.cli import options, reading, screen
from ostinato.cli.model_data import opened
from ostinato.numbers import counted

if TYPE_CHECKING:
    from ostinato.diagnosis.result import Diagnosis


def command(
    model: options.Model,
    data: options.Data,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The JSON file for all measurements. Default: no file.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    max_lag: Annotated[int, typer.Option(help="The largest lag to measure, in steps.")] = 512,
    positions: Annotated[
        int, typer.Option(max=1_000_000, help="The number of steps of the held-out part to measure at.")
    ] = 512,
    held_out: Annotated[
        str, typer.Option(help="The value of --held-out in the fit: a share, or a pattern of ids.")
    ] = "0.1",
    seed: options.Seed = 0,
    *,
    columns: reading.Columns,
    sound: reading.Sound,
    threads: options.Threads = "auto",
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure how many past steps a model uses.

    Three measures: the gradient by lag, the score when earlier inputs are removed, and a sparse AR as a reference.

    Example: ostinato diagnose sales.ost sales.csv -o flow.json
    """
    if output:
        options.writable(output)
    from ostinato.cli.render import answer
    from ostinato.diagnosis.diagnose import diagnose
    from ostinato.storage import atomic_write

    fitted, sequences = opened(model, data, **reading.arguments(columns, sound))
    screen.doing("measuring how far back the model reaches")
    found = diagnose(
        fitted,
        sequences,
        max_lag=max_lag,
        positions=positions,
        held_out=options.share(held_out),
        seed=seed,
        threads=options.threads(threads),
        device=options.device(device),
    )
    if output:
        atomic_write(output, (json.dumps(found.to_dict(), indent=1, allow_nan=False) + "\n").encode())
    if as_json:
        answer(found.to_dict())
        return
    Console().print(_table(found))
    for line in _lines(found):
        print(line)
    if output:
        print(f"diagnosis: {output}")


def _table(found: Diagnosis) -> Table:
    """Return the table by lag: the gradient, the score of the model and the score of the reference."""
    table = Table(title="by lag in steps; scores in nats a step, higher is better", title_justify="left")
    table.add_column("lag", justify="right")
    for flow in found.flows:
        table.add_column(f"gradient, {flow.layer}: median (quartiles)", justify="right")
    table.add_column("score without earlier inputs", justify="right")
    table.add_column("reference score", justify="right")
    shown = {cut for cut in found.cuts if cut < 4} | set(found.cuts[::-2])
    for cut, score, error, reward in zip(found.cuts, found.scores, found.errors, found.rewards, strict=True):
        if cut in shown:
            flows = [_quartiles(f.lower[cut - 1], f.median[cut - 1], f.upper[cut - 1]) for f in found.flows if cut]
            empty = [] if cut else [""] * len(found.flows)
            table.add_row(
                str(cut), *empty, *flows, f"{score:.4f} ± {error:.4f}", f"{found.reference_score + reward:.4f}"
            )
    return table


def _quartiles(lower: float, median: float, upper: float) -> str:
    return f"{median:.1e} ({lower:.1e} {upper:.1e})"


def _lines(found: Diagnosis) -> list[str]:
    """Return the lines below the table, with the verdict as the last one."""
    from ostinato.diagnosis.result import layers_for

    lines = [f"score with all past inputs: {found.score:.4f} nats a step"]
    if found.lyapunov is not None:
        lines.append(f"largest Lyapunov exponent: {found.lyapunov:+.4f} ± {found.lyapunov_error:.4f} nats a step")
    if found.flows:
        whole = (
            f"lag {found.effective_memory}"
            if found.effective_memory
            else f"more than {counted(len(found.lags), 'lag')}"
        )
        lines.append(f"effective memory (99 % of the gradient): {whole}")
    if found.window is not None:
        lines.append(f"the model sees {counted(found.window, 'lag')}")
    lines.append(f"reference: {found.reference}; lags used: {', '.join(map(str, found.picked)) or 'none'}")
    far = found.reach
    if far:
        depth = layers_for(far)
        lines.append(
            f"to use lag {far}: an AR of order {far}, a convolution of {counted(depth, 'layer')}, or a "
            f"truncation window of {far}"
        )
    return [*lines, f"sampled: {found.sampled}", f"verdict: {found.verdict}"]
