"""Options in messages, in the form that the reader can type: ``--id-col`` for a command, ``id_col=`` in Python."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: The options of a command that an argument of another form replaces in Python.
IN_PYTHON: Final = {
    "--day-first": "day_first=True",
    "--month-first": "day_first=False",
    "--mix": "mix=True",
    "--per-line": "per_line=True",
    "--whole": "per_line=False",
    "--resume": "checkpoint=",
}


class _Reader:
    """Who reads the messages of this process.

    Attributes:
        commands: Whether it is the user of a command.
    """

    commands = False


def of_a_command() -> bool:
    """Return whether the messages of this process are read by the user of a command."""
    return _Reader.commands


@contextmanager
def for_a_command(wanted: bool = True) -> Iterator[None]:
    """Write the messages of the block for the user of a command.

    Args:
        wanted: Whether to do so; a worker takes this from the process that started it.
    """
    before, _Reader.commands = _Reader.commands, wanted
    try:
        yield
    finally:
        _Reader.commands = before


def either(command: str, python: str) -> str:
    """Return the words for the user of a command, or those for a user of Python."""
    return command if of_a_command() else python


def option(name: str, value: object = None) -> str:
    """Return an option of a command, or the argument that Python has in its place.

    Call this while the message is made, and not when a module is loaded: only then is it known who reads.

    Args:
        name: The option, such as "--id-col".
        value: Its value, if the message gives one; Python shows a string in quotes.

    Returns:
        Such as "--id-col" or "--season 1"; in Python "id_col=" or "season=1".
    """
    argument = IN_PYTHON.get(name, name.removeprefix("--").replace("-", "_") + "=")
    if value is None:
        return either(name, argument)
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return either(f"{name} {shlex.quote(str(value))}", argument + shown)
