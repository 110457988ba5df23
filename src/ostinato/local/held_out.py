"""Windows at the ends of the series that a method is judged on, after it was fitted to what comes before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ostinato.emissions.quantiles import LEVELS, pinball
from ostinato.local.panel import Fit, Panel, stacked
from ostinato.local.positions import shares
from ostinato.shapes import Array
from ostinato.spread import spreads

#: The least number of values that a history keeps.
_LEAST = 4
#: The number of windows of a series that may reach beyond the last ``_SHARE`` of it.
_ALWAYS = 2
#: The share of a series that more windows than that may take. Their histories are almost the whole series.
_SHARE = 0.25
#: The longest series with more windows: each is a fit of its own, and one of 50,000 steps takes a second or more. Fits
#: to the last 10,000 steps of half-hourly demand take a fifth of that. With five such windows the mean wQL of four
#: dates was .053; two windows after the whole series gave .044.
_LONGEST = 5_000


@dataclass(frozen=True)
class Windows:
    """N held-out windows of H steps, and the forecasts of M members for them.

    Attributes:
        series: The index of the series of each window, (N,).
        age: How many windows of its series are later than each window, (N,).
        y: The values, (N, H). NaN where a value is missing or the window is shorter than the horizon.
        unit: The spread of the changes of each history, by which losses of series are compared, (N,).
        quantiles: The quantiles at ``LEVELS``, (M, N, H, Q).
        shares: The size of errors at each position of the season from the start of each window on, (N, m); see
            ``positions.shares``. One row of 1 if errors do not follow the season.
    """

    series: NDArray[np.int64]
    age: NDArray[np.int64]
    y: Array
    unit: Array
    quantiles: Array
    shares: Array = field(default_factory=lambda: np.ones((1, 1)))

    def __len__(self) -> int:
        return len(self.series)

    @cached_property
    def losses(self) -> Array:
        """The mean quantile loss of each member in each window, in units of its history, (M, N)."""
        return self.loss(self.quantiles)

    def loss(self, quantiles: Array) -> Array:
        """Return the mean quantile loss of each window in units of its history, (..., N).

        Args:
            quantiles: The quantiles at ``LEVELS``, (..., N, H, Q).
        """
        if quantiles.ndim > 3:  # one member after the other: its losses stay in the cache
            return np.stack([self.loss(each) for each in quantiles])
        steps = pinball(self.y, quantiles, LEVELS).mean(axis=-1)
        return np.asarray(np.nanmean(steps, axis=-1) / self.unit)


def cuts(length: int, horizon: int, season: int, count: int) -> list[int]:
    """Return how many steps before the end of a series each of its windows begins, the last window first.

    A history keeps at least half of the series and two seasons. Windows follow each other without overlap where there
    is room. A series without room for a whole window has one shorter window, and one that is too short has none. More
    than two windows lie in the last quarter of a series of at most 5,000 steps.

    Args:
        length: The number of steps of the series.
        horizon: The number of steps H of a window.
        season: The longest season in steps, or 1.
        count: The greatest number of windows.
    """
    room = length - max(_LEAST, 2 * season + 1 if season > 1 else 0, -(-length // 2))
    more = min(room, int(_SHARE * length)) if length <= _LONGEST else 0
    out = [k * horizon for k in range(1, count + 1) if k * horizon <= (room if k <= _ALWAYS else more)]
    if len(out) < min(count, _ALWAYS) and room > 0 and (not out or room - out[-1] >= (horizon + 1) // 2):
        out.append(room)
    return out


def hold_out(panel: Panel, members: Sequence[Fit], horizon: int, count: int, most: int = 1000) -> Windows:
    """Fit the members to shortened series and let them forecast what follows.

    Each is fitted anew. Searches of exponential smoothing that went on from the fit of the whole series took half of
    the time, but that fit knows what the window holds. The member looked too good, and over the six groups of M1 and
    tourism OWA rose from .821 to .824.

    Args:
        panel: The series.
        members: The M methods.
        horizon: The number of steps H of a window.
        count: The greatest number of windows of a series.
        most: The greatest number of series that have windows. Of a larger panel a sample has them, whatever the order
            of its series.
    """
    season = panel.seasons[-1] if panel.seasons else 1
    judged = _sample(panel, most)
    each = [cuts(len(y), horizon, season, count) if s in judged else [] for s, y in enumerate(panel.values)]
    rows: list[tuple[int, int, Array, Array]] = []
    quantiles: list[Array] = []
    positions: list[Array] = []
    for k in range(count):
        batch = []
        for s, starts in enumerate(each):
            if k < len(starts):
                history = _observed(panel.values[s][: -starts[k]])
                later = panel.values[s][len(history) :][:horizon]
                if len(history) >= _LEAST and np.isfinite(later).any():
                    batch.append((s, k, history, later))
        if not batch:
            continue
        rows += batch
        positions.append(shares([history for *_, history, _ in batch], panel.seasons))
        shortened = Panel(tuple(history for *_, history, _ in batch), panel.seasons)
        quantiles.append(np.stack([fit(shortened).ahead(horizon, LEVELS).quantiles for fit in members]))
    M, Q = len(members), len(LEVELS)
    y = np.full((len(rows), horizon), np.nan)
    for n, (*_, later) in enumerate(rows):
        y[n, : len(later)] = later
    return Windows(
        series=np.array([s for s, *_ in rows], dtype=np.int64),
        age=np.array([k for _, k, *_ in rows], dtype=np.int64),
        y=y,
        unit=units([history for *_, history, _ in rows]),
        quantiles=np.concatenate(quantiles, axis=1) if quantiles else np.empty((M, 0, horizon, Q)),
        shares=np.concatenate(positions) if positions else np.ones((1, 1)),
    )


def units(series: Sequence[Array]) -> Array:
    """Return the mean absolute change of each series (T_s,) between its values, or its spread without one, (S,)."""
    if not series:
        return np.empty(0)
    seen = [y if np.isfinite(y).all() else y[np.isfinite(y)] for y in series]
    y = stacked(seen)
    count = np.array([len(one) for one in seen]) - 1
    change = np.nansum(np.abs(np.diff(y, axis=1)), axis=1) / np.maximum(count, 1)
    return np.asarray(np.maximum(change, 1e-6 * spreads(y)))


def _sample(panel: Panel, most: int) -> set[int]:
    """Return the indices of at most ``most`` series, evenly spaced among the series in the order of their values."""
    S = len(panel)
    if most >= S:
        return set(range(S))
    order = sorted(range(S), key=lambda s: (len(panel.values[s]), *np.nan_to_num(panel.values[s][-3:])))
    return {order[k] for k in np.linspace(0, S - 1, most).astype(np.int64)}


def _observed(y: Array) -> Array:
    """Return a series without the missing values at its end."""
    seen = np.flatnonzero(np.isfinite(y))
    return y[: seen[-1] + 1] if len(seen) else y[:0]
