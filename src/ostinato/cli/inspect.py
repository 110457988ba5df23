"""The command ``ostinato inspect``."""

from __future__ import annotations

from typing import Annotated

import typer

from ostinato.cli import options, screen


def command(
    path: Annotated[str, typer.Argument(help="A model file or a data file.")],
    kind: options.Kind = None,
    id_col: options.IdCol = None,
    time_col: options.TimeCol = None,
    zone: options.Zone = None,
    day_first: options.DayFirst = None,
    target: options.Target = None,
    decimal: options.Decimal = None,
    channel: options.Channel = None,
    mix: options.Mix = False,
    sheet: options.Sheet = None,
    query: options.Query = None,
    alphabet: options.Alphabet = "characters",
    per_line: options.PerLine = None,
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

        data = read(
            path,
            kind=kind,
            id_col=id_col,
            time_col=time_col,
            target=target,
            decimal=decimal,
            channel=channel,
            mix=mix,
            sheet=sheet,
            query=query,
            alphabet=alphabet,
            per_line=per_line,
            zone=zone,
            day_first=day_first,
        )
        lines = describe(data)
    if as_json:
        answer({"facts": lines})
        return
    print("\n".join(lines))
