"""Emissions by name, and which one suits which data."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from ostinato.emissions.categorical import Categorical
from ostinato.emissions.emission import Emission
from ostinato.emissions.logistic_mixture import LogisticMixture
from ostinato.emissions.negative_binomial import NegativeBinomial
from ostinato.emissions.normal import Normal
from ostinato.emissions.student_t import StudentT
from ostinato.emissions.zero_inflated import ZeroInflated
from ostinato.errors import ConfigError


def _categorical(symbols: int | None, components: int) -> Emission:
    if symbols is None:
        raise ConfigError("categorical needs to know how many symbols there are", fix="use it on text, or give symbols")
    return Categorical(symbols)


#: name -> a function of the number of symbols (None where there are none) and of mixture components
EMISSIONS: dict[str, Callable[[int | None, int], Emission]] = {
    "normal": lambda symbols, components: Normal(),
    "student_t": lambda symbols, components: StudentT(),
    "negative_binomial": lambda symbols, components: NegativeBinomial(),
    "zero_inflated": lambda symbols, components: ZeroInflated(),
    "categorical": _categorical,
    "logistic_mixture": lambda symbols, components: LogisticMixture(components),
}


def build_emission(name: str, *, symbols: int | None = None, components: int = 10) -> Emission:
    """The emission called name; ConfigError, with the closest name, where there is none."""
    if name not in EMISSIONS:
        close = difflib.get_close_matches(name, EMISSIONS, 1, cutoff=0.0)
        raise ConfigError(
            f"there is no emission called {name!r}",
            fix=f"perhaps {close[0]!r}; all of them: {', '.join(EMISSIONS)}",
        )
    return EMISSIONS[name](symbols, components)


def default_emission(kind: str, count: bool) -> str:
    """The name of the emission for data of this kind ("series", "prices", "text", "sound"); count: it counts."""
    defaults = {"series": "student_t", "prices": "student_t", "text": "categorical", "sound": "logistic_mixture"}
    if kind not in defaults:
        raise ConfigError(f"there is no kind of data called {kind!r}", fix=f"one of {', '.join(defaults)}")
    return "negative_binomial" if kind == "series" and count else defaults[kind]
