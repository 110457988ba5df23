"""How long the season of a series is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError

#: frequency -> steps of the season that people mean by it: the day's, the week's or the year's. M4 took 1 for weeks.
SEASONS = {
    "1s": 60,
    "1m": 60,
    "5m": 288,
    "10m": 144,
    "15m": 96,
    "30m": 48,
    "1h": 24,
    "1d": 7,
    "1bd": 5,
    "1w": 52,
    "1mo": 12,
    "3mo": 4,
    "1y": 1,
}


def season_length(data: SequenceSet, asked: int | None = None) -> tuple[int, str]:
    """Steps of a season, and a word on where the number is from: as asked, else by the frequency, else 1.

    Prices have none: a season that anyone knew would be traded away.

    Raises ConfigError for a season under 1.
    """
    if asked is not None:
        if asked < 1:
            raise ConfigError(f"a season of {asked} steps cannot be", fix="use 1 (none) or more, such as 24")
        return asked, "as asked"
    if data.kind == "prices":
        return 1, "since prices are taken to have none"
    if data.frequency in SEASONS:
        return SEASONS[data.frequency], f"from the frequency {data.frequency}"
    return 1, "as the frequency is not known: name it with --season"


def mean_change(y: NDArray[np.float64], season: int) -> float:
    """The mean of |y_t - y_{t-m}| over what is observed of y (T,), m the season, or 1 where T <= m; or NaN."""
    lag = season if len(y) > season else 1
    change = np.abs(y[lag:] - y[:-lag])
    seen = change[np.isfinite(change)]
    return float(seen.mean()) if len(seen) else np.nan
