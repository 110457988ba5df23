"""The emissions by name, and the default emission of each kind of data."""

from __future__ import annotations

from ostinato.choices import unknown
from ostinato.emissions.categorical import Categorical
from ostinato.emissions.emission import Emission
from ostinato.emissions.logistic_mixture import LogisticMixture
from ostinato.emissions.negative_binomial import NegativeBinomial
from ostinato.emissions.normal import Normal
from ostinato.emissions.student_t import StudentT
from ostinato.emissions.zero_inflated import ZeroInflated
from ostinato.errors import ConfigError

#: The emission classes by name.
EMISSIONS: dict[str, type[Emission]] = {
    emission.name: emission
    for emission in (Normal, StudentT, NegativeBinomial, ZeroInflated, Categorical, LogisticMixture)
}

#: The default emissions of each kind of data: one for measurements, and one for counts.
DEFAULTS: dict[str, tuple[type[Emission], type[Emission]]] = {
    "series": (StudentT, NegativeBinomial),
    "prices": (StudentT, StudentT),
    "text": (Categorical, Categorical),
    "sound": (LogisticMixture, LogisticMixture),
}


def emission_class(name: str) -> type[Emission]:
    """Return the class of an emission.

    Raises:
        ConfigError: The name is unknown; the error names the closest one.
    """
    if name not in EMISSIONS:
        raise unknown("emission", name, EMISSIONS)
    return EMISSIONS[name]


def build_emission(name: str, *, symbols: int | None = None, components: int = 10) -> Emission:
    """Return a new emission.

    Args:
        name: One of the names in ``EMISSIONS``.
        symbols: The number of symbols, V; None for numbers.
        components: The number of components of a mixture, M.

    Raises:
        ConfigError: The name is unknown, or the number of symbols of a categorical emission is missing.
    """
    emission = emission_class(name)
    if emission is LogisticMixture:
        return LogisticMixture(components)
    if emission is not Categorical:
        return emission()
    if symbols is None:
        raise ConfigError(
            "the categorical emission needs the number of symbols, got none",
            fix="use it for text only, and emission normal or student_t for numbers",
        )
    return Categorical(symbols)


def default_emission(kind: str, count: bool) -> str:
    """Return the name of the default emission.

    Args:
        kind: The kind of data: "series", "prices", "text" or "sound".
        count: Whether the values are counts.

    Raises:
        ConfigError: The kind is unknown.
    """
    if (defaults := DEFAULTS.get(kind)) is None:
        raise unknown("kind of data", kind, DEFAULTS)
    measurements, counts = defaults
    return counts.name if count else measurements.name
