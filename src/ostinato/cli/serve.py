"""The command ``ostinato serve``."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.choices import unknown
from ostinato.cli import options, screen
from ostinato.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.inference.alarm_rule import AlarmRule
    from ostinato.model_file import Model


def command(
    model: options.Model,
    store: Annotated[
        str,
        typer.Option(
            help="Where states are kept: a folder, for SQLite; the URL of Redis, Valkey or PostgreSQL; or none, for "
            "the memory of the process alone.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = "streams",
    host: Annotated[
        str, typer.Option(help="The address to listen on. Any but a loopback address needs --tokens.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 takes a free one.", min=0, max=65_535)] = 8000,
    tokens: Annotated[
        Path | None, typer.Option(help="The file of the tokens that clients need, which ostinato token writes.")
    ] = None,
    alarm: Annotated[
        float | None,
        typer.Option(help="Give an alarm at this rate of ordinary values: --alarm 1e-3 for one in a thousand."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="Data that the model was not fitted to, for the threshold of the alarm. Default: the held-out part of "
            "the data that the model was fitted to.",
            rich_help_panel=options.DATA,
        ),
    ] = None,
    demo: Annotated[
        Path | None,
        typer.Option(
            help="A file whose rows are pushed again and again, to see the page at work.", rich_help_panel=options.DATA
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(help="The steps a second of --demo.", min=0.1, max=1000, rich_help_panel=options.ADVANCED),
    ] = 10.0,
    events: Annotated[
        str | None,
        typer.Option(
            help="The address of Redis or Valkey, if events come from a stream there too: redis://HOST:PORT/DB. "
            "Servers that share a group need one store, which --store names by its URL.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    events_stream: Annotated[
        str, typer.Option(help="The key of the stream of --events.", rich_help_panel=options.ADVANCED)
    ] = "ostinato:events",
    events_group: Annotated[
        str,
        typer.Option(
            help="The consumer group of --events, which all servers of one store share.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = "ostinato",
    late: Annotated[
        int,
        typer.Option(
            help="The number of events or steps that may be missing while later ones wait for them.",
            min=0,
            max=1000,
            rich_help_panel=options.ADVANCED,
        ),
    ] = 0,
    history: Annotated[
        int,
        typer.Option(
            help="The number of events of each stream that a new model may be shown again.",
            min=16,
            max=65_536,
            rich_help_panel=options.ADVANCED,
        ),
    ] = 512,
    new_model: Annotated[
        str,
        typer.Option(
            help="What becomes of a stream whose state belongs to another model: replay its history, or start fresh.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = "replay",
    adapt: Annotated[
        bool | None,
        typer.Option(
            "--adapt/--frozen",
            help="Whether an adaptive model goes on learning, in each new stream for itself. Default: it does.",
            show_default=False,
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    resident: Annotated[
        int,
        typer.Option(
            help="The most streams in memory; the others wait in the store.", min=1, rich_help_panel=options.ADVANCED
        ),
    ] = 200_000,
    idle: Annotated[
        float,
        typer.Option(
            help="The seconds without an event after which a stream leaves memory; its next event brings it back.",
            min=1,
            rich_help_panel=options.ADVANCED,
        ),
    ] = 3600.0,
    body: Annotated[
        int, typer.Option(help="The largest request, in bytes.", min=1000, rich_help_panel=options.ADVANCED)
    ] = 8_000_000,
    timeout: Annotated[
        float, typer.Option(help="The most seconds of a request.", min=0.1, rich_help_panel=options.ADVANCED)
    ] = 30.0,
) -> None:
    """Serve live streams, each with a state of its own, over HTTP and WebSocket, with a page to watch them.

    Push events to a stream; the answer says how surprising each was. An answered
    event is kept in the store, and survives a crash. Open the address in a
    browser to see the streams. Every route: /openapi.json.

    Example: ostinato serve sensor.ost --alarm 1e-3
    """
    lacking = [name for name in ("httptools", "msgspec", "starlette", "uvicorn") if find_spec(name) is None]
    if lacking:
        raise ConfigError(f"serve needs {', '.join(lacking)}", fix="pip install 'ostinato[serve]'")
    from ostinato.serve.run import Events, Options, build, check_host, serve

    check_host(host, guarded=tokens is not None)
    if new_model not in ("replay", "fresh"):
        raise unknown("value of --new-model", new_model, ("replay", "fresh"))

    asked = Options(
        late=late,
        history=history,
        resident=resident,
        idle=idle,
        replay=new_model == "replay",
        adapt=adapt,
        body=body,
        timeout=timeout,
    )
    taken = None
    if events is not None:
        taken = Events(events, events_stream, events_group, f"{gethostname()}:{port or os.getpid()}")
    load = _loader(model, alarm, reference)
    app = build(load, store=store, tokens=tokens, options=asked, demo=demo, speed=speed, events=taken)
    screen.doing("")  # from here on the command waits for requests
    serve(app, host, port)


def _loader(path: Path, alarm: float | None, reference: str | None) -> Callable[[], tuple[Model, AlarmRule | None]]:
    """Return what reads the model and makes the rule of its alarms."""

    def load() -> tuple[Model, AlarmRule | None]:
        from ostinato.model_file import load_model

        screen.doing(f"reading {path}")
        fitted = load_model(path)
        if alarm is None:
            return fitted, None
        from ostinato.inference.alarm_verb import alarm_rule

        record = fitted.description.ladder_record
        data = options.source(fitted, None) if reference is None else reference
        held_out = (0.1 if record.held_out is None else record.held_out) if reference is None else None
        rule = alarm_rule(fitted, alarm, data, held_out=held_out)
        screen.say(f"note: {rule.words()}")
        return fitted, rule

    return load
