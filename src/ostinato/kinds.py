"""The kinds of sequences, and what differs between them, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["series", "prices", "text", "sound"]


@dataclass(frozen=True)
class KindTraits:
    """What the rest of the package asks about a kind of data, instead of comparing its name.

    Attributes:
        name: The kind itself.
        unit: What one step is called: "step", "symbol" or "sample".
        in_bits: Whether a likelihood is also reported in bits a unit.
        numeric: Whether the values are numbers, and not symbols.
        tabular: Whether the data are rows of a table over time: series and prices.
        log_returns: Whether the model sees log returns, so that a point forecast is a median and baselines work on
            logarithms.
    """

    name: Kind
    unit: str
    in_bits: bool = False
    numeric: bool = True
    tabular: bool = True
    log_returns: bool = False


TRAITS: dict[Kind, KindTraits] = {
    "series": KindTraits("series", "step"),
    "prices": KindTraits("prices", "step", log_returns=True),
    "text": KindTraits("text", "symbol", in_bits=True, numeric=False, tabular=False),
    "sound": KindTraits("sound", "sample", in_bits=True, tabular=False),
}
KINDS: tuple[Kind, ...] = tuple(TRAITS)
#: The kinds that are rows of a table over time.
TABULAR: tuple[Kind, ...] = tuple(kind for kind, traits in TRAITS.items() if traits.tabular)
