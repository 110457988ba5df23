"""The server as a process: what it opens, how it listens, and how it ends."""

from __future__ import annotations

import errno
import gc
import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ostinato.errors import ConfigError
from ostinato.inference.alarm_rule import AlarmRule
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.serve import demo as play
from ostinato.serve.app import make_app
from ostinato.serve.auth import Tokens
from ostinato.serve.batcher import Batcher
from ostinato.serve.calls import unfinished
from ostinato.serve.gate import Gate, Limits
from ostinato.serve.leaving import let_leave
from ostinato.serve.live import MESSAGE
from ostinato.serve.store import open_store
from ostinato.serve.streams import Streams

#: The longest that one thread keeps the interpreter while another waits, in seconds.
_TURN = 0.0005
#: The seconds that requests which have arrived may take at the end. With those for what they wait for (``END`` in
#: ``access``, twice) the server ends within 25 seconds, before the 30 after which a service manager kills it.
_GRACE = 15


@dataclass(frozen=True)
class Options:
    """How a server behaves.

    Attributes:
        late: The number of events or steps that may be missing while later ones wait for them.
        history: The number of events of each stream that are kept.
        resident: The most streams in memory.
        idle: The seconds without an event after which a stream leaves memory for the store.
        replay: Whether a stream of another model has its history replayed; otherwise it begins afresh.
        adapt: Whether a new stream of an adaptive model goes on learning; None lets it.
        body: The most bytes of a body.
        timeout: The most seconds of a request.
    """

    late: int = 0
    history: int = 512
    resident: int = 200_000
    idle: float = 3600.0
    replay: bool = True
    adapt: bool | None = None
    body: int = 8_000_000
    timeout: float = 30.0


@dataclass(frozen=True)
class Events:
    """The Redis stream that events come from.

    Attributes:
        url: The address of Redis.
        stream: The key of the stream.
        group: The name of the consumer group.
        name: The name of this server in the group. A server that starts again under the same name goes on at once with
            the events that it had taken.
    """

    url: str
    stream: str
    group: str
    name: str


def build(
    load: Callable[[], tuple[Model, AlarmRule | None]],
    *,
    store: str = "none",
    tokens: Path | None = None,
    options: Options | None = None,
    demo: Path | None = None,
    speed: float = 10.0,
    events: Events | None = None,
) -> Gate:
    """Return the server of a model as an ASGI application.

    Args:
        load: What reads the model and the rule of its alarms, now and when the model is swapped.
        store: A folder, a URL, or "none".
        tokens: The file of tokens; None lets everybody in who reaches the loopback.
        options: Everything else.
        demo: A file whose rows are pushed again and again.
        speed: The steps a second of the demonstration.
        events: Where events come from besides; None for nowhere.

    Raises:
        ConfigError: The model has no likelihood, or an option cannot be used.
        StoreError: The store cannot be opened.
    """
    options = options or Options()

    def again() -> tuple[SequenceModel, AlarmRule | None]:
        model, rule = load()
        return model.likelihood("serve streams"), rule

    streams = Streams(*again(), late=options.late, history=options.history, replay=options.replay, adapt=options.adapt)
    batcher = Batcher(streams, open_store(store), resident=options.resident)
    limits = Limits(None if tokens is None else Tokens(tokens), options.body, options.timeout)
    batcher.companions.append(lambda: let_leave(batcher, options.idle))
    if demo is not None:
        data = play.load(batcher, demo)
        batcher.companions.append(lambda: play.play(batcher, data, speed))
    if events is not None:
        from ostinato.serve.consume_redis import check, consume

        check(events.url)
        batcher.companions.append(
            lambda: consume(batcher, events.url, stream=events.stream, group=events.group, name=events.name)
        )
    return make_app(batcher, limits, again)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_host(host: str, *, guarded: bool) -> None:
    """Check that other machines cannot reach a server without tokens.

    Raises:
        ConfigError: They can.
    """
    if not guarded and not is_loopback(host):
        raise ConfigError(
            f"{host} is reached by other machines, and there are no tokens",
            fix="make one with ostinato token NAME and give --tokens, or listen on 127.0.0.1",
        )


def listening(host: str, port: int) -> list[socket.socket]:
    """Return a socket for each address of a host, all with one port; port 0 becomes a free one.

    Raises:
        ConfigError: The host has no address here, or another program has the port.
    """
    sockets: list[socket.socket] = []
    try:
        for family, *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
            one = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            taken = sockets[0].getsockname()[1] if len(sockets) > 1 else port
            one.bind((address[0], taken, *address[2:]))
            one.listen()  # so that a second server is refused here, before it has loaded its model
    except OSError as error:
        for one in sockets:
            one.close()
        free = "stop the program that has it, or name another with --port; --port 0 takes a free one"
        raise ConfigError(
            f"cannot listen on port {port} of {host}: {error.strerror or error}",
            fix=free if error.errno == errno.EADDRINUSE else "check --host and --port",
        ) from error
    return sockets


def _in_one_line(record: logging.LogRecord) -> bool:
    """Keep the line about a text frame that is not UTF-8 without a traceback: the client's fault, closed with 1007."""
    if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError) and str(record.msg).startswith("Invalid"):
        record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
    return True


def serve(app: Gate, host: str, port: int) -> None:
    """Serve until SIGTERM, SIGHUP or Ctrl-C, then answer the requests that have arrived; this ends within 25 seconds.

    Raises:
        ConfigError: The server cannot listen on the port.
    """
    import uvicorn

    from ostinato.serve.ending import Ending, ending_at_hangup
    from ostinato.serve.heads import bounded

    torch.set_num_threads(1)  # a batch is small: a second thread costs more than it brings
    # a save that is done waits for the interpreter by turns of this length, and its answers with it
    sys.setswitchinterval(_TURN)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)  # a batch makes thousands of objects that no cycle holds
    sockets = listening(host, port)
    port = sockets[0].getsockname()[1]
    print(f"ostinato serves http://{host if ':' not in host else f'[{host}]'}:{port}/", file=sys.stderr, flush=True)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=bounded(app.limits.seconds),
        access_log=False,
        log_level="warning",
        server_header=False,
        ws_max_size=4 * MESSAGE,
        ws_per_message_deflate=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_GRACE,
        limit_concurrency=20_000,
    )
    logging.getLogger("uvicorn.error").addFilter(_in_one_line)
    # uvicorn ends in order and then raises the signal again: an end that was asked for is a success
    signal.signal(signal.SIGTERM, lambda *_: None)
    server = Ending(config)
    with ending_at_hangup(server):
        server.run(sockets)
        if unfinished():  # a call of the store that hangs, or a long forecast, which Python would end in the middle of
            logging.shutdown()
            sys.stderr.flush()
            os._exit(0)
