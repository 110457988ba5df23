"""The weights of the members of a combination, from their losses in held-out windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.local.held_out import Windows
from ostinato.shapes import Array

#: How strongly a weight follows the relative loss of its member. It was chosen by the two windows before the answers of
#: M1 and of the tourism competition. The tables that it was chosen from also showed the losses on the answers, so the
#: figures of these two competitions are not those of data that the choice never saw. If the windows of each group alone
#: choose it (from 0 to 40), the mean wQL is the same, .090.
_SHARPNESS = 10.0
#: The number of windows at which the losses of a panel count as much as equal weights.
_PANEL = 1.0
#: The number of its windows at which the losses of a series count as much as those of its panel, before the windows of
#: the panel say how much series differ. The second is the number of pairs of windows at which both say as much.
_SERIES, _PAIRS = 3.0, 50.0


def weigh(windows: Windows, size: int) -> Array:
    """Return the weights of the M members for each series, (S, M).

    A weight falls exponentially with the quantile loss of its member, relative to the mean of all members. The loss of
    a series is drawn to that of its panel, and all losses to each other. They are drawn more if there are few windows,
    or if the series of the panel do not resemble each other.

    Args:
        windows: The held-out windows.
        size: The number of series S.
    """
    relative, series = relative_losses(windows), windows.series
    count = np.bincount(series, minlength=size).astype(np.int64)
    return _weights(_sums(series, relative, size), count, relative, _windows_of_panel(series, relative))


def weigh_without(windows: Windows) -> Array:
    """Return the weights for each window as its series has them without that window, (N, M).

    Args:
        windows: The held-out windows.
    """
    if not len(windows):
        return np.empty((0, len(windows.quantiles)))
    relative, series = relative_losses(windows), windows.series
    count = np.bincount(series).astype(np.int64)
    own = _sums(series, relative, len(count))
    return _weights(own[series] - relative.T, count[series] - 1, relative, _windows_of_panel(series, relative))


def _sums(series: NDArray[np.int64], relative: Array, size: int) -> Array:
    """Return the sum of the losses (M, N) over the windows of each series, (S, M)."""
    return np.stack([np.bincount(series, row, minlength=size) for row in relative], axis=-1, dtype=np.float64)


def relative_losses(windows: Windows) -> Array:
    """Return the loss of each member in each window over the mean of all members, (M, N)."""
    loss = finite_losses(windows)
    return in_units(loss, loss.mean(axis=0))


def finite_losses(windows: Windows) -> Array:
    """Return the loss of each member in each window, (M, N); one that is not finite counts as the worst that is."""
    loss = windows.losses
    worst = np.where(np.isfinite(loss), loss, 0.0).max(axis=0)
    return np.asarray(np.where(np.isfinite(loss), loss, worst))


def in_units(loss: Array, mean: Array) -> Array:
    """Return losses (..., N) over the mean loss of all members, (N,); 1 where that is 0."""
    return np.asarray(np.where(mean > 0, loss / np.where(mean > 0, mean, 1.0), 1.0))


def _weights(own: Array, count: NDArray[np.int64], relative: Array, panel_windows: float) -> Array:
    """Return weights (n, M) from the summed relative losses of n series (n, M) over ``count`` windows each.

    Args:
        own: The summed losses of the series.
        count: The numbers of their windows.
        relative: The losses of all windows, (M, N).
        panel_windows: The number of its windows at which a series counts as much as its panel.
    """
    N = relative.shape[1]
    mean = (own + panel_windows * relative.mean(axis=1)) / (count + panel_windows)[:, None]
    logs = -_SHARPNESS * N / (N + _PANEL) * mean
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _windows_of_panel(series: NDArray[np.int64], relative: Array) -> float:
    """Return the number of its windows at which the losses of a series count as much as those of its panel.

    It is the variance of losses within series over that between series (the shrinkage of Efron and Morris 1975). The
    part between series is what the losses of two windows of one series have in common, less what chance makes of it.
    Members count by their weights in the panel: how a member fails that nobody uses decides nothing. Few pairs of
    windows tell little, so ``_SERIES`` speaks first, and no panel makes a series count less than that. On the monthly
    series of M1, where 6 windows would, wQL was .1327 with it and .1319 without.

    Args:
        series: The index of the series of each window, (N,).
        relative: The relative losses of the members, (M, N).
    """
    count = np.bincount(series)
    pairs = float((count * (count - 1)).sum()) / 2
    away = relative - relative.mean(axis=1, keepdims=True)
    used = _weights(np.zeros((1, len(relative))), np.zeros(1, dtype=np.int64), relative, 1.0)[0]
    away -= used @ away
    variance = float((used @ away**2).mean())
    alike = 0.0
    if pairs and variance:
        sums = _sums(series, away, len(count))
        products = used @ ((sums**2).sum(axis=0) - (away**2).sum(axis=1)) / 2
        alike = float(products) / pairs / variance
        alike = min(max(alike - 1 / (pairs * alike), 0.0), 1.0) if alike > 0 else 0.0
    before = 1 / (1 + _SERIES)
    share = (pairs * alike + _PAIRS * before) / (pairs + _PAIRS)
    return min((1 - share) / share, _SERIES)
