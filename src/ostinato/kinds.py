"""The kinds of data and their traits, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["series", "prices", "text", "sound"]


@dataclass(frozen=True)
class KindTraits:
    """The traits of a kind of data, which other modules read instead of comparing the name of the kind.

    Attributes:
        name: The name of the kind.
        unit: The word for one step: "step", "symbol" or "sample".
        judged: The word for what a mean likelihood is for: "step", "character" or "sample". A character of text may be
            several symbols, or a symbol several characters.
        in_bits: Whether a likelihood is also reported in bits per unit.
        numeric: Whether the values are numbers, and not symbols.
        tabular: Whether the data are rows of a table over time, as series and prices are.
        log_returns: Whether the model sees log returns, so that a point forecast is a median and baselines work on
            logarithms.
    """

    name: Kind
    unit: str
    judged: str = "step"
    in_bits: bool = False
    numeric: bool = True
    tabular: bool = True
    log_returns: bool = False


TRAITS: dict[Kind, KindTraits] = {
    "series": KindTraits("series", "step"),
    "prices": KindTraits("prices", "step", log_returns=True),
    "text": KindTraits("text", "symbol", "character", in_bits=True, numeric=False, tabular=False),
    "sound": KindTraits("sound", "sample", "sample", in_bits=True, tabular=False),
}
KINDS: tuple[Kind, ...] = tuple(TRAITS)
#: The kinds that are rows of a table over time.
TABULAR: tuple[Kind, ...] = tuple(kind for kind, traits in TRAITS.items() if traits.tabular)


def can_be_tabular(kind: str | None) -> bool:
    """Return whether data of a kind that a user gave may be rows of a table over time; None leaves the kind open."""
    return kind is None or kind in TABULAR
