"""The options of ``ostinato fit`` that are options of the model, under the names that ``ostinato.fit`` gives them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, cast, final

import typer

from ostinato.cli.options import ADVANCED, MODEL, READING

if TYPE_CHECKING:
    from ostinato.dispatch.fit import FitFields


@final
@dataclass(frozen=True)
class ModelOptions:
    """The options of the model and of its training. A value is None if its option was not given."""

    season: Annotated[
        int | None,
        typer.Option(
            "--season",
            "--season-length",
            help="The number of steps in a season, with --each too. Default: from the frequency of the data.",
            rich_help_panel=MODEL,
        ),
    ] = None
    networks: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="The number of networks to average; 0 fits least squares without networks. Default: 3.",
            rich_help_panel=ADVANCED,
        ),
    ] = None
    lookback: Annotated[
        int | None,
        typer.Option(
            help="The number of past steps that a forecast uses, 2 or more. Default: chosen on held-out data.",
            rich_help_panel=ADVANCED,
        ),
    ] = None
    hidden: Annotated[
        int | None,
        typer.Option(
            help="The number of hidden units in a layer. Default: 16 to 768, by the data and the budget; 96 for a "
            "direct model.",
            rich_help_panel=ADVANCED,
        ),
    ] = None
    depth: Annotated[int | None, typer.Option(help="The number of layers. Default: 1.", rich_help_panel=ADVANCED)] = (
        None
    )
    dropout: Annotated[
        float | None,
        typer.Option(
            help="The share of hidden values that training sets to 0, from 0 to below 1. Default: 0 to 0.4, by the "
            "data; 0.1 for a direct model.",
            rich_help_panel=ADVANCED,
        ),
    ] = None
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="The largest learning rate of the optimiser. Default: 0.002 to 0.008, by the kind of data.",
            rich_help_panel=ADVANCED,
        ),
    ] = None
    max_order: Annotated[
        int | None,
        typer.Option(
            help="The farthest lag of the AR, or the largest order of the Markov chain of a text. Default: a quarter "
            "of the longest series, at most 512.",
            rich_help_panel=ADVANCED,
        ),
    ] = None
    emission: Annotated[
        str | None,
        typer.Option(
            help="The distribution of a step: normal, student_t, negative_binomial, zero_inflated or "
            "logistic_mixture. Default: by the data.",
            rich_help_panel=ADVANCED,
        ),
    ] = None
    support: Annotated[
        str | None,
        typer.Option(
            help="nonnegative if values below 0 have no probability, or real. Default: nonnegative for a series that "
            "is never below 0 and comes near it. Forecasts of shares and percentages are cut off at 1 or 100, "
            "unless this option is given.",
            rich_help_panel=ADVANCED,
        ),
    ] = None
    vocabulary: Annotated[
        str | None,
        typer.Option(
            help="What one symbol of a text is for the model: character, byte, jamo, bpe, or auto, which compares "
            "them in bits per character. Default: that of --alphabet.",
            rich_help_panel=READING,
        ),
    ] = None

    def given(self) -> FitFields:
        """Return the options that were given, as keywords of ``fit``."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return cast("FitFields", {name: value for name, value in values.items() if value is not None})
