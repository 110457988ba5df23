"""A group of options is one parameter of a command, and many of the parser."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import typer

from ostinato.cli import reading
from ostinato.cli.groups import expanded


@dataclass(frozen=True)
class Pair:
    left: Annotated[int, typer.Option(help="One.")] = 1
    right: Annotated[int | None, typer.Option(help="Another.")] = None


def test_a_command_receives_its_group_and_the_parser_sees_the_options() -> None:
    seen = []

    def command(name: str, *, pair: Pair, loud: bool = False) -> None:
        """Do it."""
        seen.append((name, pair, loud))

    made = expanded(command)
    assert list(inspect.signature(made).parameters) == ["name", "left", "right", "loud"]
    assert made.__doc__ == "Do it."
    made(name="a", left=3, right=None, loud=True)
    assert seen == [("a", Pair(3), True)]


def test_the_options_of_reading_that_were_not_given_are_left_out() -> None:
    found = reading.arguments(reading.Columns(id_col="shop"), reading.Clock(day_first=False), reading.Covariates())
    assert found == {"id_col": "shop", "day_first": False}
