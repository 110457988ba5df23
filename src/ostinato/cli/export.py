"""The command ``ostinato export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import options, screen
from ostinato.numbers import counted


def command(
    model: options.Model,
    onnx: Annotated[Path, typer.Option("--onnx", help="The ONNX file to write.", rich_help_panel=options.OUTPUT)],
    level: Annotated[
        list[float] | None,
        typer.Option(help="The coverage of the intervals in the output in percent: --level 80 95. Default: 80 95."),
    ] = None,
    unique_id: Annotated[
        str, typer.Option(help="The id of the series, if the model scales each series of a panel by its own values.")
    ] = "stream",
    as_json: options.Json = False,
) -> None:
    """Write one step of a model as an ONNX graph, for devices and programs without Python.

    The graph takes a raw value and the state, and returns the surprisal, the
    expected value, the quantiles and the next state. It is written only if
    onnxruntime gives the same answers as the model.

    Example: ostinato export sensor.ost --onnx sensor.onnx
    """
    import hashlib

    from ostinato.cli.render import answer
    from ostinato.export.verb import export_onnx
    from ostinato.model_file import load_model

    options.writable(onnx)
    screen.doing(f"exporting {model}, and running the graph to check it")
    fitted = load_model(model)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    done = export_onnx(fitted, onnx, level=level or (80, 95), unique_id=unique_id, digest=digest)
    for note in done.notes:
        screen.say(f"note: {note}")
    if as_json:
        found = {"states": len(done.states), "steps": done.steps, "worst": done.worst, "notes": done.notes}
        answer({"onnx": str(onnx)} | found)
    screen.say(
        f"wrote {onnx}: {len(done.states)} tensors of state; onnxruntime gives the surprisals of the model on "
        f"{counted(done.steps, 'step')} within {done.worst:.1g}"
    )
