"""Which models a fit of the ladder tries, by the model that the user names and by the data."""

from __future__ import annotations

from ostinato.choices import unknown
from ostinato.data.seasons import season_length
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import observed_lengths
from ostinato.errors import ConfigError
from ostinato.layers.build import BACKBONES, BARE, SMOOTHED
from ostinato.numbers import counted
from ostinato.training.config import ADAPTIVE, FILTERED, ladder_of
from ostinato.training.smoothing import LONGEST
from ostinato.wording import option

#: The steps of the longest series that exponential smoothing is tried on: without a season, and with one. From more
#: steps an autoregression learns its lags: on 3,310 months of sunspots it is .007 nats ahead, on 17,420 hours of a
#: transformer .47, and on 52,608 half-hours of demand .45.
SHORT, SEASONAL = 400, 5000
#: The greatest number of channels that it is tried on: each has a search of its own.
CHANNELS = 8


def models() -> tuple[str, ...]:
    """Return the names of the models that ``fit`` takes, also of cells that were added since."""
    return "auto", *BARE, "direct", *ADAPTIVE, *BACKBONES


def tries_smoothing(data: SequenceSet, season: int | None = None) -> bool:
    """Return whether ``auto`` tries exponential smoothing: on series that are short, or seasonal and not long.

    Prices are modelled by their returns, which have no level that moves and no season.

    Args:
        data: The sequences as read.
        season: The number of steps of the season, if given.
    """
    if data.kind != "series" or len(data.channels) > CHANNELS or (season or 1) > LONGEST:
        return False
    length, _ = season_length(data, season)
    return int(observed_lengths(data).max(initial=0)) <= (SEASONAL if 1 < length <= LONGEST else SHORT)


def smoothing_left_out(data: SequenceSet, season: int | None = None) -> str:
    """Return a note if ``auto`` leaves out exponential smoothing because of the length of the season; else "".

    Args:
        data: The sequences as read.
        season: The number of steps of the season, if given.
    """
    if data.kind != "series" or len(data.channels) > CHANNELS or tries_smoothing(data, season):
        return ""
    length, _ = season_length(data, season)
    if length <= LONGEST or int(observed_lengths(data).max(initial=0)) > SEASONAL:
        return ""
    return (
        f"exponential smoothing was not tried: the season has {counted(length, 'step')}, and it takes at most "
        f"{counted(LONGEST, 'step')}"
    )


def names_of(model: str, data: SequenceSet, season: int | None = None) -> tuple[str, ...]:
    """Return the models to fit, the closed form first.

    Args:
        model: "auto", or the name of one model.
        data: The sequences as read.
        season: The number of steps of the season, if given.

    Raises:
        ConfigError: The model is unknown, it is not for data of this kind, or it has no season.
    """
    known = [name for name in models() if name != "direct"]
    if model not in known:
        raise unknown("model", model, known)
    # an autoregression, on which every network stands, reaches two seasons
    if season is not None and not (model in SMOOTHED or (data.kind == "series" and model != "filter")):
        raise ConfigError(
            f"a fit of {model} to {data.kind} has no option 'season', got {season}",
            fix="remove the season, or use the model auto with series, or direct with a horizon",
        )
    if model == "filter" and (data.count or not data.traits.numeric):
        kind = "counts" if data.count else data.kind
        raise ConfigError(
            f"adaptive filters are for sound and continuous values, and the data are {kind}",
            fix=f"use {option('--model', 'auto')}",
        )
    if model in SMOOTHED and not data.traits.tabular:
        raise ConfigError(
            f"exponential smoothing is for series and prices, and the data are {data.kind}",
            fix=f"use {option('--model', 'auto')}",
        )
    if model in ADAPTIVE and data.kind != "text":
        raise ConfigError(
            f"the model {model!r} is for text, and the data are {data.kind}", fix=f"use {option('--model', 'auto')}"
        )
    if model == "auto":
        names = ladder_of(data.kind)
        if tries_smoothing(data, season):
            names = names[0], "ets", *names[1:]
    elif model == "mixture":
        names = ("ar", "counts", "lstm", "mixture")
    else:
        names = ("ar",) if model == "ar" else ("ar", model)
    if data.kind in FILTERED and "filter" not in names and model != "ar":
        names = ("ar", "filter", *names[1:])
    return names
