"""The command ``ostinato score``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostinato.cli import options, panels, reading, screen, unused
from ostinato.cli.model_data import opened
from ostinato.errors import ConfigError
from ostinato.numbers import counted

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from ostinato.data.sequences import SequenceSet
    from ostinato.inference.scores import ScoredStep, Scores
    from ostinato.model import SequenceModel


def command(
    ctx: typer.Context,
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
    by: Annotated[
        str | None,
        typer.Option(
            help="Print the surprisal of every word, line, sentence or symbol of a text as CSV, or write it with -o.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(
            help="With --by: a text in which the words, lines or sentences are counted. Adds the number of their "
            "letters, and their frequency in a million; of words without regard to case and to marks at their ends.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    adapt: options.Adapt = None,
    robust: options.Robust = None,
    *,
    columns: reading.Columns,
    sound: reading.Sound,
    place: panels.Place,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Print the log-likelihood of sequences in nats and bits a step, and the steps that surprise the model most.

    Example: ostinato score sales.ost new-sales.csv --top 10
    """
    if place.in_parts:
        unused.refuse_in_parts(ctx, ("model", "device"), "a score of a panel in parts")
        _score_in_parts(model, data, place.to(output), columns)
        return
    if corpus is not None and by is None:
        raise ConfigError("--corpus counts the units of --by", fix="add --by word, or remove --corpus")
    if output:
        options.writable(output)
    from ostinato.cli.render import answer
    from ostinato.inference.score import score
    from ostinato.storage import atomic_write

    fitted, sequences = opened(model, data, **reading.arguments(columns, sound))
    # a corpus that cannot be read is refused before the score, which may take long
    known = None if corpus is None else _corpus(corpus)
    screen.doing(f"scoring {counted(len(sequences), 'sequence')}")
    device = options.device(place.device)
    scores = score(fitted, sequences, adapt=adapt, robust=robust, threads=place.count, device=device)
    if by is not None:
        _write_units(scores, by, known, output, fitted.likelihood("score"), as_json=as_json)
        return
    places = scores.most_surprising(top)
    if as_json:
        answer(_document(scores, places))
    else:
        _say(scores, places, fitted.likelihood("score"))
    if output:
        atomic_write(output, _rows(scores))
        print(f"surprisals: {output}") if not as_json else screen.say(f"surprisals: {output}")


def _score_in_parts(model: Path, data: str, destination: panels.Destination, columns: reading.Columns) -> None:
    """Score a panel, one part after the other, and print the mean over all of its steps."""
    with panels.running(destination) as panel:
        from ostinato import scale

        outcome = scale.score(model, data, panel.output, on=panel.cluster, on_progress=panel.show, **columns.in_parts())
    panel.summarise(outcome)
    sums = outcome.sums
    print(f"{-sums['log_prob'] / max(sums['scored'], 1):.4f} nats a step over {counted(sums['scored'], 'step')}")


def _document(scores: Scores, places: list[ScoredStep]) -> dict[str, Any]:
    """Return the scores as one JSON document.

    Args:
        scores: The scores.
        places: The steps with the greatest surprisal.
    """
    from ostinato.data.describe import when

    judged = scores.data.traits.judged
    return {
        "nats_per_step": scores.nats_per_step,
        "bits_per_step": scores.bits_per_step,
        f"nats_per_{judged}": scores.nats_per_unit,
        f"bits_per_{judged}": scores.bits_per_unit,
        "log_prob": float(scores.log_prob.sum()),
        "steps": int(scores.steps.sum()),
        "adapted": scores.adapted,
        "sequences": [
            {"unique_id": key, "log_prob": nats, "steps": count}
            for key, nats, count in zip(scores.data.ids, scores.log_prob, scores.steps, strict=True)
        ],
        "most_surprising": [
            {"unique_id": key, "step": step + 1, "when": when(scores.data, row, step) or None}
            | {"value": scores.label(row, step), "surprisal": nats}
            for key, step, nats, row in places
        ],
    }


def _rows(scores: Scores) -> Iterator[bytes]:
    """Yield the surprisal of every step as CSV, some steps at a time, with the time of the step if it has one."""
    import numpy as np
    import polars as pl

    from ostinato.data.corpus import blocks
    from ostinato.data.ids import id_column
    from ostinato.data.time_form import TimeForm

    times, form = scores.data.times, scores.data.time_form or TimeForm()
    yield f"unique_id,step,surprisal{'' if times is None else ',ds'}\n".encode()
    offsets, at = scores.offsets, 0
    for block in blocks(scores.surprisal):
        ends: NDArray[np.int64] = np.clip(offsets, at, at + len(block))
        lengths = ends[1:] - ends[:-1]
        step = np.arange(at, at + len(block)) - np.repeat(offsets[:-1], lengths)
        ids = id_column(scores.data.ids, lengths, scores.data.meta)
        frame = pl.DataFrame({"unique_id": ids, "step": step + 1, "surprisal": block.astype(np.float64)})
        if times is not None:
            frame = frame.with_columns(ds=form.written(form.column(times[at : at + len(block)])))
        yield frame.write_csv(include_header=False).encode()
        at += len(block)


def _say(scores: Scores, places: list[ScoredStep], model: SequenceModel) -> None:
    """Print the likelihood of the data, and the steps that surprise most."""
    from ostinato.data.describe import when

    unit, judged = model.description.traits.unit, model.description.traits.judged
    bits = f"{scores.bits_per_unit:.4f} bits a {judged}"
    print(f"{scores.nats_per_unit:.4f} nats a {judged}, {bits}{_how(scores, model)}")
    total, steps = scores.log_prob.sum(), int(scores.steps.sum())
    symbols = f" ({counted(steps, unit)})" if steps != scores.units else ""
    among = counted(len(scores.data), "sequence")
    print(f"log P = {total:.2f} nats over {counted(scores.units, judged)}{symbols} in {among}")
    if spaced := scores.spaced:
        print(spaced)
    if len(scores.data) <= 12 and len(scores.data) > 1:
        for key, nats, count in zip(scores.data.ids, scores.log_prob, scores.steps, strict=True):
            print(f"  {key}: {nats:.2f} nats" + (f", {-nats / count:.4f} nats a {unit}" if count else ""))
    if places:
        print("most surprising:")
    for key, step, nats, row in places:
        time = when(scores.data, row, step)
        place = f"{key}, {unit} {step + 1}{time and f' ({time})'}"
        print(f"  {place}: {scores.label(row, step)}, {nats:.2f} nats ({nats / math.log(2):.1f} bits)")


def _how(scores: Scores, model: SequenceModel) -> str:
    """Return whether the model learned from what it scored; "" if it never does."""
    if model.adaptive or scores.adapted:
        return " (adaptive: the model went on learning)" if scores.adapted else " (frozen: the model did not learn)"
    return " (adaptive: the model learned in each sequence, from its start on)" if model.filtered else ""


def _corpus(source: str) -> SequenceSet:
    """Read the text in which the units of another are counted."""
    from ostinato.data.read import read

    screen.doing(f"reading {source}")
    return read(source, kind="text")


def _write_units(
    scores: Scores, by: str, corpus: SequenceSet | None, output: Path | None, model: SequenceModel, *, as_json: bool
) -> None:
    """Write the surprisal of the units of a text to a file or to the screen, there as CSV or as JSON."""
    from ostinato.cli.render import answer, as_table, printed
    from ostinato.inference.units import units
    from ostinato.storage import atomic_write

    if corpus is not None:
        screen.doing("counting units in the corpus")
    count, tables = 0, units(scores, by, corpus)

    def counting() -> Iterator[pl.DataFrame]:
        nonlocal count
        for table in tables:
            count += len(table)
            yield table

    made: Iterable[pl.DataFrame] = list(counting()) if as_json else counting()
    if output:
        atomic_write(output, (as_table(table, header=not i).encode() for i, table in enumerate(made)))
    elif not as_json:
        for i, table in enumerate(made):
            printed(table, header=not i)
    per = f"{scores.nats_per_unit:.4f} nats a character{_how(scores, model)}"
    learned = "; --frozen keeps one text from teaching it the next" if model.adaptive and scores.adapted else ""
    screen.say(f"note: {counted(count, 'unit')} of {per}{learned}")
    if as_json:
        from polars import concat

        answer({"by": by, "units": concat(made)})
    if output:
        screen.say(f"surprisals: {output}") if as_json else print(f"surprisals: {output}")
