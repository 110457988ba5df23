"""The command ``ostinato serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import options


def command(
    model: options.Model,
    store: Annotated[str, typer.Option(help="A folder for SQLite, the URL of another store, or none.")] = "streams",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65_535)] = 8000,
    tokens: Annotated[Path | None, typer.Option(help="The file of tokens.")] = None,
) -> None:
    """Serve live streams over HTTP and WebSocket."""
    from ostinato.model_file import load_model
    from ostinato.serve.run import build, serve

    app = build(load_model(model), store=store, tokens=tokens)
    serve(app, host, port, guarded=tokens is not None)
