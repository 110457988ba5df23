"""ostinato inspect."""

from __future__ import annotations

from typing import Annotated

import typer

from ostinato.cli import options


def command(
    path: Annotated[str, typer.Argument(help="A model file or a data file.")],
    kind: options.Kind = None,
    id_col: options.IdCol = None,
    time_col: options.TimeCol = None,
    target: options.Target = None,
) -> None:
    """Say in words what a model or a data file is.

    Example: ostinato inspect sales.csv
    """
    if path.endswith(".ost"):
        from ostinato.inference.describe import describe_model
        from ostinato.model_file import load_model

        lines = describe_model(load_model(path))
    else:
        from ostinato.data.describe import describe
        from ostinato.data.read import read

        lines = describe(read(path, kind=kind, id_col=id_col, time_col=time_col, target=target or None))
    print("\n".join(lines))
