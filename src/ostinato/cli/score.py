"""The command ``ostinato score``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import options, panels
from ostinato.cli.model_data import opened


def command(
    model: options.Model,
    data: options.Data,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The CSV file for the surprisal of every step in nats, or the folder with --on. Default: no file.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="The number of steps with the greatest surprisal to print.")] = 5,
    id_col: options.IdCol = None,
    time_col: options.TimeCol = None,
    target: options.Target = None,
    decimal: options.Decimal = None,
    channel: options.Channel = None,
    mix: options.Mix = False,
    sheet: options.Sheet = None,
    query: options.Query = None,
    on: options.On = None,
    workers: options.Workers = None,
    threads: options.Threads = "auto",
) -> None:
    """Print the log-likelihood of sequences in nats and bits a step, and the steps that surprise the model most.

    Example: ostinato score sales.ost new-sales.csv --top 10
    """
    if panels.in_parts(on, workers):
        with panels.running(panels.Destination(output, on, workers, options.threads(threads))) as panel:
            from ostinato import scale

            outcome = scale.score(
                model,
                data,
                panel.output,
                on=panel.cluster,
                on_progress=panel.show,
                id_col=id_col,
                time_col=time_col,
                target=target,
            )
        panel.summarise(outcome)
        sums = outcome.sums
        print(f"{-sums['log_prob'] / max(sums['scored'], 1):.4f} nats a step over {sums['scored']:,} steps")
        return
    if output:
        options.writable(output)
    import polars as pl

    from ostinato.data.ids import id_column
    from ostinato.inference.score import score
    from ostinato.storage import atomic_write

    fitted, sequences = opened(
        model,
        data,
        id_col=id_col,
        time_col=time_col,
        target=target,
        channel=channel,
        decimal=decimal,
        mix=mix,
        sheet=sheet,
        query=query,
    )
    scores = score(fitted, sequences, threads=options.threads(threads))
    unit = fitted.description.traits.unit
    print(f"{scores.nats_per_step:.4f} nats a {unit}, {scores.bits_per_step:.4f} bits a {unit}")
    total, steps = scores.log_prob.sum(), int(scores.steps.sum())
    if fitted.likelihood("score").adaptive:
        print(
            "the model went on learning, in each sequence from its start on, and asserted each value before it saw it"
        )
    print(f"log P = {total:.2f} nats over {steps:,} {unit}s in {len(scores.data):,} sequences")
    if len(scores.data) <= 12 and len(scores.data) > 1:
        for key, nats, count in zip(scores.data.ids, scores.log_prob, scores.steps, strict=True):
            print(f"  {key}: {nats:.2f} nats" + (f", {-nats / count:.4f} nats a {unit}" if count else ""))
    places = scores.most_surprising(top)
    if places:
        print("most surprising:")
    for key, step, nats, row in places:
        print(f"  {key}, {unit} {step + 1}: {scores.label(row, step)}, {nats:.2f} nats ({nats / math.log(2):.1f} bits)")
    if output:
        lengths = scores.offsets[1:] - scores.offsets[:-1]
        frame = pl.DataFrame(
            {
                "unique_id": id_column(scores.data.ids, lengths, scores.data.meta),
                "step": [t + 1 for n in lengths for t in range(n)],
                "surprisal": scores.surprisal,
            }
        )
        atomic_write(output, frame.write_csv().encode())
        print(f"surprisals: {output}")
