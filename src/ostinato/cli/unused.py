"""Options that one way of running a command does not use: they are refused, because to ignore them would mislead."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from ostinato.errors import ConfigError


def given(ctx: typer.Context) -> dict[str, str]:
    """Return the parameters that stand on the command line, each with the spelling of its option.

    Args:
        ctx: The context of the command.
    """
    names = {p.name: " or ".join([p.opts[0], *p.secondary_opts[:1]]) for p in ctx.command.params if p.name}
    return {n: names[n] for n in ctx.params if getattr(ctx.get_parameter_source(n), "name", "") == "COMMANDLINE"}


def refuse(given: dict[str, str], names: Iterable[str], what: str, advice: str) -> None:
    """Refuse options that have no use.

    Args:
        given: The parameters that stand on the command line, with their spellings.
        names: Those that have no use.
        what: What does not use them, such as "a forecast of a panel in parts".
        advice: What to do but to remove one of them.

    Raises:
        ConfigError: One of the names is given.
    """
    found = sorted(given[name] for name in given.keys() & set(names))
    if found:
        raise ConfigError(f"{what} does not use {', '.join(found)}", fix=f"remove {found[0]}; {advice}")


def refuse_in_parts(ctx: typer.Context, used: Iterable[str], what: str, switch: str = "--on") -> None:
    """Refuse each option but those that a command uses for a panel in parts.

    Args:
        ctx: The context of the command.
        used: The names of the parameters that it uses, besides those of all commands over panels.
        what: What does not use it, such as "a score of a panel in parts".
        switch: The option that takes the panel in parts.

    Raises:
        ConfigError: Another option is given.
    """
    found = given(ctx)
    refuse(found, found.keys() - _EVERYWHERE - set(used), what, f"or leave out {switch}")


#: The parameters that every command over panels in parts uses.
_EVERYWHERE = frozenset({"data", "output", "id_col", "time_col", "target", "on", "workers", "threads", "quiet"})
