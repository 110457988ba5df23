"""The command ``ostinato token``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import options, screen


def command(
    name: Annotated[str, typer.Argument(help="Whose token it is. An earlier token of the same name becomes invalid.")],
    tokens: Annotated[Path, typer.Option(help="The file of tokens. It holds only their hashes.")] = Path("tokens.json"),
    rate: Annotated[
        float | None,
        typer.Option(
            help="The largest number of events and other requests a second, on average. Default: no limit.", min=0.001
        ),
    ] = None,
    streams: Annotated[
        int | None,
        typer.Option(
            help="The number of streams of the server from which on the token starts no new one. Default: no limit.",
            min=0,
        ),
    ] = None,
    body: Annotated[
        int | None, typer.Option(help="The largest request, in bytes. Default: the limit of the server.", min=1000)
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Make a token for ostinato serve, and print it. It cannot be shown again.

    Example: ostinato token sensors --tokens tokens.json --rate 1000
    """
    from ostinato.serve.auth import add

    secret = add(tokens, name, rate, streams, body)
    screen.say(f"note: {tokens} keeps a hash of the token; a running server reads it within a second")
    if as_json:
        from ostinato.cli.render import answer

        answer({"name": name, "token": secret, "tokens": str(tokens)})
        return
    print(secret)
