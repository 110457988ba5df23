"""The server as a process: what it opens, how it listens, and how it ends."""

from __future__ import annotations

import gc
import ipaddress
from pathlib import Path

import torch

from ostinato.errors import ConfigError
from ostinato.inference.alarm_rule import AlarmRule
from ostinato.model_file import Model
from ostinato.serve.app import make_app
from ostinato.serve.auth import Tokens
from ostinato.serve.batcher import Batcher
from ostinato.serve.gate import Gate, Limits
from ostinato.serve.operations import Operations
from ostinato.serve.store import open_store
from ostinato.serve.streams import Streams


def build(
    model: Model,
    rule: AlarmRule | None = None,
    *,
    store: str = "none",
    tokens: Path | None = None,
    late: int = 0,
    history: int = 512,
    resident: int = 200_000,
    body: int = 8_000_000,
    timeout: float = 30.0,
) -> Gate:
    """Return the server of a model as an ASGI application."""
    streams = Streams(model.likelihood("serve streams"), rule, late=late, history=history)
    batcher = Batcher(streams, open_store(store), resident=resident)
    limits = Limits(None if tokens is None else Tokens(tokens), body, timeout)
    return make_app(batcher, Operations(batcher), limits)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(app: Gate, host: str, port: int, *, guarded: bool) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that have arrived are answered first.

    Raises:
        ConfigError: Other machines could reach the server without a token.
    """
    import uvicorn

    if not guarded and not is_loopback(host):
        raise ConfigError(
            f"{host} is reached by other machines, and there are no tokens",
            fix="make one with ostinato token NAME and give --tokens, or listen on 127.0.0.1",
        )
    torch.set_num_threads(1)  # a batch is small: a second thread costs more than it brings
    gc.collect()
    gc.freeze()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        ws_max_size=1_000_000,
        ws_per_message_deflate=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=20,
        h11_max_incomplete_event_size=65_536,
        limit_concurrency=20_000,
    )
    uvicorn.Server(config).run()
