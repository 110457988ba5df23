"""The command ``ostinato stream``."""

from __future__ import annotations

import hashlib
import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.cli import options, screen, stopping
from ostinato.cli.states import Keeper
from ostinato.device import computing_on
from ostinato.errors import ConfigError, DataError
from ostinato.threads import computing

if TYPE_CHECKING:
    from ostinato.cli.stream_formats import Format
    from ostinato.inference.monitor import Monitor
    from ostinato.model_file import Model

#: The share of the reference that is held out, if the model file does not say it.
_HELD_OUT = 0.1


def command(
    model: options.Model,
    unique_id: Annotated[
        str, typer.Option(help="The id of this series, if the model was fitted to several series.")
    ] = "stream",
    alarm: Annotated[
        float | None,
        typer.Option(
            help="Mark values at this rate of ordinary values: --alarm 1e-4 for one in ten thousand. Spikes, shifts, "
            "stuck sensors and lost seasons count; the rule is calibrated on data that the model was not fitted to."
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="Data that the model was not fitted to, for the threshold of the alarm. Default: the held-out part of "
            "the data that the model was fitted to."
        ),
    ] = None,
    level: Annotated[
        list[float] | None,
        typer.Option(help="The coverage of the intervals in the output in percent: --level 80 95. Default: none."),
    ] = None,
    robust: options.Robust = None,
    adapt: options.Adapt = None,
    forget: Annotated[
        float | None,
        typer.Option(
            help="The least rate at which an adaptive model moves towards the latest values: --forget 0.05 follows "
            "changes sooner. Default: that of the model, 0.016."
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="A file that keeps the states of all series, so that a new start goes on from them. It belongs to "
            "this model. It is written within 5 seconds of each answer and at the end, so a process that is killed "
            "(SIGKILL) loses the last 5 seconds: send those values again with their times. Default: none."
        ),
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Report an invalid line and go on. Default: stop with exit code 2."),
    ] = False,
    threads: options.Threads = "auto",
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Read a sequence from standard input while it grows, and print the surprisal of every step at once, in nats.

    Write one step on each line: one number, or one for each channel, with
    commas. Leave a missing value empty. The output is CSV with the value, its
    expected value and its surprisal. Lines of JSON such as
    {"unique_id": "a", "ds": "2024-01-31T13:00", "y": 5} may hold many series;
    the output is then JSON lines too. A model of text reads text, and prints one
    line for each character; if it was fitted to separate lines, a newline ends
    a sequence. The memory in use stays constant.

    Example: tail -f sensor.log | ostinato stream sensor.ost --alarm 1e-4
    """
    from ostinato.cli.stream_formats import Text
    from ostinato.model_file import load_model

    screen.doing(f"reading {model}")
    fitted = load_model(model)
    numeric = fitted.description.traits.numeric
    if not numeric and (alarm is not None or level or robust is not None):
        raise ConfigError("a stream of text takes no --alarm, --level or --robust", fix="remove the option")
    if numeric and (adapt or forget is not None):
        raise ConfigError("this model does not go on learning from a stream", fix="remove --adapt and --forget")
    with computing(options.threads(threads)), computing_on(options.device(device)), ExitStack() as stack:
        monitor = _monitor(fitted, alarm, reference, level, robust, (adapt, forget))
        form: Format | None = None if numeric else Text(monitor, unique_id)
        keeper = None if state is None else Keeper(monitor, state, hashlib.sha256(model.read_bytes()).hexdigest())
        if keeper is not None:
            stack.enter_context(keeper)
        _follow(form, monitor, unique_id, keeper, skip_bad=skip_bad)


def _follow(form: Format | None, monitor: Monitor, unique_id: str, keeper: Keeper | None, *, skip_bad: bool) -> None:
    """Answer the lines of standard input while they come.

    Args:
        form: The form of the lines; None for numbers, whose form is found from the first line.
        monitor: The series.
        unique_id: The id of a series without ids.
        keeper: The file of states, or None.
        skip_bad: Whether a line that cannot be used is reported, and the stream goes on.
    """
    from ostinato.cli.stream_formats import JsonLines, Numbers
    from ostinato.data.lines import line_blocks

    screen.doing("")  # from here on the command waits for its input
    if sys.stdin.isatty():
        screen.say("note: write one step on each line; Ctrl-D on an empty line ends the stream")
    number = 1
    due = None if keeper is None else keeper.due
    for raw, ended in line_blocks(stopping.arriving(sys.stdin.fileno(), due=due)):
        if form is None and any(line.strip() for line in raw):
            first = next(line for line in raw if line.strip())
            form = JsonLines(monitor) if first.lstrip().startswith(b"{") else Numbers(monitor, unique_id)
        with nullcontext() if keeper is None else keeper.answering():
            _answer(form, raw, number, ended=ended, skip_bad=skip_bad)
            sys.stdout.flush()
        number += len(raw)


def _answer(form: Format | None, raw: list[bytes], number: int, *, ended: bool, skip_bad: bool) -> None:
    """Print the answers to some lines; a line that cannot be used raises DataError after the lines before it."""
    if form is None:
        return
    if form.at_once:
        try:
            sys.stdout.writelines(form.block(raw, number, ended))
            return
        except DataError:
            pass
    # line by line, so that the lines before the bad one are answered
    for i, line in enumerate(raw):
        try:
            sys.stdout.writelines(form.block([line], number + i, ended))
        except DataError as given:
            error = _placed(given, number + i)
            sys.stdout.writelines(form.refused(error, number + i))
            if not skip_bad:
                sys.stdout.flush()
                raise error from given
            screen.say(f"skipped: {error.what}; {error.where}")


def _placed(error: DataError, number: int) -> DataError:
    """Return the error of a line with the number of the line."""
    where = error.where or ""
    if not where.startswith("line "):
        where = f"line {number} of standard input" + (f", {where}" if where else "")
    return DataError(error.what, where=where, fix=error.fix)


def _monitor(
    fitted: Model,
    alarm: float | None,
    reference: str | None,
    level: list[float] | None,
    robust: float | None,
    learning: tuple[bool | None, float | None],
) -> Monitor:
    """Return the monitor of the options, and say where the threshold of its alarm comes from."""
    from ostinato.inference.monitor import Monitor

    held_out: float | str | None = None
    if alarm is not None and reference is None:
        record = fitted.description.ladder_record
        held_out = _HELD_OUT if record.held_out is None else record.held_out
        reference = options.source(fitted, None)
    adapt, forget = learning
    monitor = Monitor(
        fitted,
        alarm=alarm,
        reference=reference,
        level=level or (),
        held_out=held_out,
        robust=robust,
        adapt=adapt,
        forget=forget,
    )
    if monitor.rule is not None:
        screen.say(f"note: {monitor.rule.words()}")
    return monitor
