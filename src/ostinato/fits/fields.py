"""The options of a fit as keywords: their names and types, and how they become a dataclass."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from inspect import signature
from typing import TYPE_CHECKING, TypedDict, TypeVar

from ostinato.choices import advice
from ostinato.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Options = TypeVar("Options", bound=DataclassInstance)
else:
    Options = TypeVar("Options")


class SharedFields(TypedDict, total=False):
    """Options of the ladder and of a direct fit."""

    hidden: int
    dropout: float
    learning_rate: float
    weight_decay: float
    clip: float
    seed: int
    season: int | None
    refit: bool


class LadderOnlyFields(TypedDict, total=False):
    """Options of the ladder alone."""

    depth: int
    embedding: int
    batch_steps: int
    max_order: int
    patience: int
    evaluate_every: int
    emission: str | None
    support: str | None
    vocabulary: str | None
    components: int


class DirectOnlyFields(TypedDict, total=False):
    """Options of a direct fit alone.

    ``window`` is the earlier name of ``lookback``, ``memory`` that of ``backbone``; ``season_length`` means ``season``.
    """

    lookback: int | None
    backbone: str | None
    networks: int
    batch: int
    window: int | None
    memory: str | None
    season_length: int | None


class LadderFields(SharedFields, LadderOnlyFields, total=False):
    """The fields of LadderOptions as keywords."""


class DirectFields(SharedFields, DirectOnlyFields, total=False):
    """The fields of DirectOptions as keywords, and their earlier names."""


#: What others call the limits of a fit, which are one argument here.
_LIMITS = frozenset(
    {"steps", "max_steps", "epochs", "n_epochs", "num_epochs", "max_epochs", "seconds", "minutes", "time"}
)
#: The arguments of a fit that are not fields of its options.
_OTHERS = ("model", "horizon", "budget", "held_out", "options", "checkpoint", "threads", "device", "precision")
_BUDGET = "give the limit as budget: budget=Budget(max_steps=500), or a time such as budget='2m'"


def _options_of_read() -> Collection[str]:
    from ostinato.data.read import read  # here, because it is needed for an error alone

    return signature(read).parameters


def with_fields(
    options: Options, given: Mapping[str, object], fit: str, aliases: Mapping[str, str] | None = None
) -> Options:
    """Return options with the fields that were given as keywords.

    Args:
        options: A frozen dataclass.
        given: New values by the name of the field.
        fit: The kind of fit, for the error: "a direct fit".
        aliases: The field of each earlier name.

    Raises:
        ConfigError: A name is not a field, or a field is given under two names.
    """
    names, values = [f.name for f in fields(options)], {}
    for name, value in given.items():
        field = (aliases or {}).get(name, name)
        if field not in names:
            fix = _BUDGET if name in _LIMITS else advice(name, [*sorted(names), *_OTHERS])
            if name in _options_of_read():
                fix = f"give it to read, which reads the data: fit(read(path, {name}=...))"
            raise ConfigError(f"{fit} has no option {name!r}", fix=fix)
        if field in values:
            raise ConfigError(f"{field} is given under two names", fix=f"give {field} alone")
        values[field] = value
    return replace(options, **values)
