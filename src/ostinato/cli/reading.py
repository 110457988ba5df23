"""The groups of options that say how data are read: columns, times, sound, symbols and covariates.

``groups`` expands a group into the parameters of a command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, final

import typer

from ostinato.cli.options import ADVANCED, DATA, READING


@final
@dataclass(frozen=True)
class Columns:
    """The options that say which columns are read, and from where in the file."""

    id_col: Annotated[
        str | None,
        typer.Option(
            help="The column with the ids of the series. Default: unique_id, or found from the content.",
            rich_help_panel=DATA,
        ),
    ] = None
    time_col: Annotated[
        str | None,
        typer.Option(
            help="The column with the times; none for rows in their order. Default: ds, or the column of dates.",
            rich_help_panel=DATA,
        ),
    ] = None
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            "--target-col",
            help="The column to model, with numbers or words; repeat the option for several. Default: y, or every "
            "column of values.",
            rich_help_panel=DATA,
        ),
    ] = None
    decimal: Annotated[
        str | None,
        typer.Option(
            help="The decimal sign, if the numbers leave it open, as 1,234 does: --decimal , or --decimal . "
            "Default: found from the other numbers.",
            rich_help_panel=READING,
        ),
    ] = None
    sheet: Annotated[
        str | None,
        typer.Option(
            help="The sheet of a spreadsheet to read. Default: the first one with a table.", rich_help_panel=READING
        ),
    ] = None
    query: Annotated[
        str | None,
        typer.Option(
            help="The query whose rows are read from a database: --query 'SELECT ds, y FROM sales ORDER BY ds'.",
            rich_help_panel=READING,
        ),
    ] = None

    def in_parts(self) -> dict[str, Any]:
        """Return the options that the verbs over a panel in parts take."""
        return {"id_col": self.id_col, "time_col": self.time_col, "target": self.target}


@final
@dataclass(frozen=True)
class Clock:
    """The options that a model file has already settled: the kind of data, and how times are read."""

    kind: Annotated[
        str | None,
        typer.Option(
            help="The kind of data: series, prices, text or sound. Default: found from the content.",
            rich_help_panel=DATA,
        ),
    ] = None
    zone: Annotated[
        str | None,
        typer.Option(
            help="The zone of the times, such as Europe/Berlin; days are counted by its clock. Default: the zone of "
            "the column, or one that has the offsets of the times.",
            rich_help_panel=READING,
        ),
    ] = None
    day_first: Annotated[
        bool | None,
        typer.Option(
            "--day-first/--month-first",
            help="Whether 01/02/2024 is the first of February. Default: the reading with the more regular steps.",
            rich_help_panel=READING,
        ),
    ] = None


@final
@dataclass(frozen=True)
class Sound:
    """The options of reading sound."""

    channel: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="The channel of sound files to use, counted from 0. Default: every channel, together.",
            rich_help_panel=READING,
        ),
    ] = None
    mix: Annotated[
        bool, typer.Option("--mix", help="Use the mean of the channels of sound files.", rich_help_panel=READING)
    ] = False


@final
@dataclass(frozen=True)
class Symbols:
    """The options of reading text."""

    alphabet: Annotated[
        str, typer.Option(help="What one symbol of a text is: characters or bytes.", rich_help_panel=READING)
    ] = "characters"
    per_line: Annotated[
        bool | None,
        typer.Option(
            "--per-line/--whole",
            help="Read a text as one sequence for each line, or the whole file as one sequence. Default: found from "
            "the content.",
            rich_help_panel=READING,
        ),
    ] = None


@final
@dataclass(frozen=True)
class Covariates:
    """The options that say which columns are covariates."""

    future_covariates: Annotated[
        list[str] | None,
        typer.Option(
            "--future-covariates",
            "--known",
            help="Columns whose future values are known: --future-covariates temperature holiday. For direct models "
            "only.",
            rich_help_panel=DATA,
        ),
    ] = None
    past_covariates: Annotated[
        list[str] | None,
        typer.Option(
            "--past-covariates",
            "--past",
            help="Columns whose future values are not known: --past-covariates visitors. For direct models only.",
            rich_help_panel=ADVANCED,
        ),
    ] = None
    static_covariates: Annotated[
        list[str] | None,
        typer.Option(
            "--static-covariates",
            "--static",
            help="Columns with one category for each series: --static-covariates store. For direct models only.",
            rich_help_panel=ADVANCED,
        ),
    ] = None


def arguments(*groups: Columns | Clock | Sound | Symbols | Covariates) -> dict[str, Any]:
    """Return the options of the reading that were given, as the arguments of ``read``."""
    return {n: value for group in groups for n, value in vars(group).items() if value is not None}
