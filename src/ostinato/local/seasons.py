"""Several seasons that move, and what is left: a forecast for half-hourly and hourly series.

    y_t = sum over the seasons m of s_m(t) + r_t

s_m is a profile of m steps. Each of its positions is smoothed exponentially from one cycle to the next, so that it
moves, as in exponential smoothing with several seasons (Taylor 2003) and in MSTL (Bandara, Hyndman and Bergmeir 2021),
whose passes over the seasons, each on the series without the others, are used here too, the longest first. How fast a
profile moves is what predicts the next cycle best. What is left, r_t, is the shrunken autoregression of ``ar``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ostinato.local.ar import AR, fit_ar
from ostinato.local.panel import Ahead, Panel
from ostinato.local.seasonality import interpolated
from ostinato.spread import spread

Array = NDArray[np.float64]

#: The shares of a new cycle in a profile that are tried.
_MOVING = np.array([0.05, 0.1, 0.2, 0.3, 0.5])
#: How often the profiles are computed, each without the others.
_PASSES = 2
#: The number of cycles from which a season is used.
_CYCLES = 3


@final
@dataclass(frozen=True)
class Seasons:
    """Moving seasons that were fitted to a panel.

    Attributes:
        profiles: The profiles after the end of each series, (m,) each, the first for the next step.
        moving: The share of a new cycle in each of these profiles.
        rest: The autoregression of what is left.
    """

    profiles: tuple[tuple[Array, ...], ...]
    moving: tuple[tuple[float, ...], ...]
    rest: AR

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series; see ``Fitted``."""
        rest = self.rest.ahead(horizon, probabilities)
        shift = np.zeros_like(rest.point)
        for s, profiles in enumerate(self.profiles):
            for profile in profiles:
                shift[s] += np.resize(profile, horizon)
        return Ahead(rest.point + shift, rest.quantiles + shift[:, :, None])

    def said(self, s: int) -> str:
        """Return the seasons of series ``s`` and how fast they move; see ``Fitted``."""
        pairs = zip(self.profiles[s], self.moving[s], strict=True)
        seasons = ", ".join(f"{len(profile)} moving {share:.2g}" for profile, share in pairs)
        return f"seasons({seasons or 'none'}) + {self.rest.said(s)}"


def fit_seasons(panel: Panel) -> Seasons:
    """Fit moving seasons to every series, those of which it has three cycles, and an autoregression to what is left.

    Missing values are interpolated, and what is left is missing there.
    """
    profiles, moving, rests = [], [], []
    for y in panel.values:
        parts, shares, rest = _decomposed(interpolated(y), [m for m in panel.seasons if len(y) >= _CYCLES * m])
        profiles.append(parts)
        moving.append(shares)
        rests.append(np.where(np.isfinite(y), rest, np.nan))
    return Seasons(tuple(profiles), tuple(moving), fit_ar(Panel(tuple(rests))))


def _decomposed(y: Array, seasons: list[int]) -> tuple[tuple[Array, ...], tuple[float, ...], Array]:
    """Return the next profiles, the shares of a new cycle, and what is left of y without its seasons, (T,)."""
    if not seasons:
        return (), (), y
    parts = {m: np.zeros(len(y)) for m in seasons}
    found: dict[int, tuple[Array, Array, float]] = {}
    for _ in range(_PASSES):
        for m in reversed(seasons):  # a week has the mean day in it, and the day then what moves from day to day
            rest = y - sum(part for other, part in parts.items() if other != m)
            profile, parts[m], before, share = _profile(rest - _level(rest, m), m)
            found[m] = profile, before, share
    profiles, known, shares = zip(*(found[m] for m in seasons), strict=True)
    return profiles, shares, y - sum(known)


def _level(y: Array, season: int) -> Array:
    """Return the moving average over a season, (T,), held at both ends."""
    sums = np.concatenate([[0.0], y.cumsum()])
    mean = (sums[season:] - sums[:-season]) / season
    before = season // 2
    return np.pad(mean, (before, len(y) - len(mean) - before), mode="edge")


def _profile(x: Array, season: int) -> tuple[Array, Array, Array, float]:
    """Return the next profile (m,), two forms of the season in x (T,), and the share of a new cycle in a profile.

    The share is the one that predicts the next cycle best. The first form is the mean of the profiles from both sides,
    which follows x without delay. The second is what the cycles before say: errors about it are those of a forecast.
    """
    first = len(x) % season
    cycles = np.concatenate([np.full(season - first, np.nan) if first else np.zeros(0), x]).reshape(-1, season)
    cycles[0] = np.where(np.isnan(cycles[0]), cycles[1], cycles[0])
    unit = spread(x)
    errors = [(((cycles[1:] - _smoothed(cycles, share)[:-1]) / unit) ** 2).sum() for share in _MOVING]
    share = float(_MOVING[int(np.argmin(errors))])
    forward, backward = _smoothed(cycles, share), _smoothed(cycles[::-1], share)[::-1]
    before = np.concatenate([backward[:1], forward[:-1]])
    parts = [part - part.mean(axis=1, keepdims=True) for part in ((forward + backward) / 2, before)]
    both, known = (part.reshape(-1)[-len(x) :] for part in parts)
    return forward[-1] - forward[-1].mean(), both, known, share


def _smoothed(cycles: Array, share: float) -> Array:
    """Return the profiles after each cycle, (n, m). The first ones are means, until these have the given share."""
    out = np.empty_like(cycles)
    level = cycles[0]
    for k, cycle in enumerate(cycles):
        level = level + max(share, 1 / (k + 1)) * (cycle - level)
        out[k] = level
    return out
