"""Options that several commands share, defined once: a parameter of a command may be a whole group of them.

A group is a dataclass whose fields are options. A command takes it as one parameter, ``columns: Columns``; the parser
sees the options in its place, and the command receives one value.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options of its groups in the place of the groups.

    Args:
        command: A function with some parameters that are dataclasses of options. Such a parameter has no default.

    Returns:
        A function that the parser can read. It makes the groups and calls the command.
    """
    hints: dict[str, Any] = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        kind = groups[name]
        options = get_type_hints(kind, include_extras=True)
        parameters += [
            inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=options[f.name])
            for f in fields(kind)
        ]

    @wraps(command)
    def call(**given: Any) -> None:
        values = {name: kind(**{f.name: given.pop(f.name) for f in fields(kind)}) for name, kind in groups.items()}
        command(**given, **values)

    made: Any = call
    made.__signature__ = inspect.Signature(parameters)
    made.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    del made.__wrapped__
    return call
