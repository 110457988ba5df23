"""The command ``ostinato inspect``."""

from __future__ import annotations

from typing import Annotated

import typer

from ostinato.cli import options, reading, screen


def command(
    path: Annotated[str, typer.Argument(help="A model file or a data file.")],
    *,
    clock: reading.Clock,
    columns: reading.Columns,
    sound: reading.Sound,
    symbols: reading.Symbols,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Print a description of a model file or a data file.

    Example: ostinato inspect sales.csv
    """
    from ostinato.cli.render import answer
    from ostinato.storage import is_bundle

    screen.doing(f"reading {path}")
    if path.endswith(".ost") or is_bundle(path):
        from ostinato.inference.describe import describe_model
        from ostinato.model_file import load_model

        lines = describe_model(load_model(path))
    else:
        from ostinato.data.describe import describe
        from ostinato.data.read import read

        data = read(path, **reading.arguments(clock, columns, sound, symbols))
        lines = describe(data)
    if as_json:
        answer({"facts": lines})
        return
    print("\n".join(lines))
