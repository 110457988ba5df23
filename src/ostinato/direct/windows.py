"""What a direct forecaster is shown of a series: its last K steps, less the last value, over their spread.

Levels and spreads are those of each window (the per-window normalisation of ES-RNN: Smyl 2020, section 3.2), so that
one set of weights serves series of any size, and a series that has moved to a new level.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet

Array = NDArray[np.float64]

#: Farther from the last value than this many spreads, all values are one: no outlier decides a least-squares fit.
FARTHEST = 20.0
#: Real steps that a window of a short series has at least; what is before its start is the first value again.
LEAST = 10
#: The least spread: of logarithms, and of values as a part of their size.
FLOOR = 1e-3


@dataclass(frozen=True)
class Windows:
    """n windows in model space: what they hold, and how to come back from it.

    inputs  (n, E + K): the lags, the last of them 0, and before them what the past covariates say
    targets (n, H);  level (n, 1), or (n, H) with effects;  scale (n, 1): x = level + scale z, in logarithms or not
    """

    inputs: Array
    targets: Array
    level: Array
    scale: Array


@dataclass(frozen=True)
class WindowSpec:
    """How windows are cut and normalised.

    memory  K steps;  log: of the logarithms of positive values
    own     over the mean absolute deviation of each window; else over that of the whole history before it
    season  steps: a missing value is what was there a season before
    past    whether past covariates are looked at
    """

    lookback: int
    log: bool
    own: bool
    season: int
    past: bool = False

    def cut(
        self,
        y: Array,
        horizon: int,
        first: int,
        stop: int,
        stride: int = 1,
        effect: Array | None = None,
        past: Array | None = None,
    ) -> Windows:
        """The windows of y (T,) whose targets lie in first .. stop - 1, without those that miss a target.

        stride: every how many; the last one is always there. effect (T + F,) is taken out of what a window holds, and
        comes back with its level; past (T, P) are covariates.
        """
        K = self.lookback
        x = self._modelled(y[:stop], effect)
        # a window that is mostly its own first value has next to no spread: only series with few others are given such
        before = max(K - LEAST, 0) if len(x) < 2 * (K + horizon) else 0
        padded = np.concatenate([np.full(before, x[0] if len(x) else 0.0), x])
        lead = len(padded) - len(x)
        origins = np.arange(stop - horizon, max(first, K - lead) - 1, -stride)[::-1]
        if not len(origins):
            return self._normalised(np.zeros((0, K)), np.zeros((0, horizon)), x, past=self._beside(past, origins))
        held = sliding_window_view(padded, K)[origins + lead - K]
        seen = np.where(np.isfinite(y[:stop]), x, np.nan)
        after = sliding_window_view(seen, horizon)[origins]
        whole = np.isfinite(after).all(axis=1)
        moved = None if effect is None else sliding_window_view(effect[:stop], horizon)[origins][whole]
        beside = self._beside(past, origins)[whole]
        return self._normalised(held[whole], after[whole], x[: first or stop], moved, beside)

    def last(self, y: Array, effect: Array | None = None, past: Array | None = None) -> Windows:
        """The window at the end of y (T,), with no targets; effect is that of (T + H,)."""
        x = self._modelled(y, effect)
        held = np.concatenate([np.full(max(self.lookback - len(x), 0), x[0]), x])[-self.lookback :][None]
        moved = None if effect is None else effect[None, len(y) :]
        return self._normalised(held, np.zeros((1, 0)), x, moved, self._beside(past, np.array([len(y)])))

    def restore(self, z: Array, windows: Windows) -> Array:
        """Z (n, H, ...) in model space -> values."""
        level, scale = (x.reshape(*x.shape, *[1] * (z.ndim - 2)) for x in (windows.level, windows.scale))
        x = z * scale + level
        return np.exp(x) if self.log else x

    def _normalised(
        self, held: Array, after: Array, history: Array, moved: Array | None = None, past: Array | None = None
    ) -> Windows:
        level = held[:, -1:]
        of = held if self.own or not len(history) else history[None]
        spread = np.abs(of - of.mean(axis=1, keepdims=True)).mean(axis=1, keepdims=True)
        least = FLOOR if self.log else FLOOR * np.abs(held).mean(axis=1, keepdims=True) + 1e-12
        scale = np.maximum(np.broadcast_to(spread, level.shape), least)
        inputs = bounded((held - level) / scale)
        if past is not None:
            inputs = np.concatenate([past, inputs], axis=1)
        return Windows(inputs, (after - level) / scale, level if moved is None else level + moved, scale)

    def _modelled(self, y: Array, effect: Array | None) -> Array:
        """(T,): logarithms or not, less the effect, without gaps."""
        with np.errstate(invalid="ignore"):
            x = np.log(np.asarray(y, dtype=np.float64)) if self.log else np.asarray(y, dtype=np.float64)
        return filled(x if effect is None else x - effect[: len(x)], self.season)

    def _beside(self, past: Array | None, origins: NDArray[np.int64]) -> Array:
        """(n, 2 P): of each past covariate its last value and its mean over the last season, less its mean over the
        window and over its spread there.
        """
        if not self.past or past is None or not past.shape[1]:
            return np.zeros((len(origins), 0))
        columns = []
        for p in past.T:
            x = filled(p, self.season) if np.isfinite(p).any() else np.zeros(len(p))
            padded = np.concatenate([np.full(self.lookback, x[0]), x])
            held = sliding_window_view(padded, self.lookback)[origins]
            spread = np.abs(held - held.mean(axis=1, keepdims=True)).mean(axis=1)
            near = held[:, -self.season :].mean(axis=1) if self.season < self.lookback else held[:, -1]
            safe = np.where(spread > 0, spread, 1.0)
            columns += [(v - held.mean(axis=1)) / safe for v in (held[:, -1], near)]
        return bounded(np.stack(columns, axis=1))

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def bounded(z: Array) -> Array:
    """z, nothing in it farther from 0 than FARTHEST."""
    return np.asarray(np.clip(z, -FARTHEST, FARTHEST))


def filled(y: Array, season: int) -> Array:
    """Y (T,) with what is missing taken from a season before, or where that is not known, from the last step that is.

    What is missing at the start is the first value that is known.
    """
    bad = np.flatnonzero(~np.isfinite(y))
    if not len(bad):
        return y
    out = y.copy()
    seen = np.flatnonzero(np.isfinite(y))
    for t in bad.tolist():
        if t < seen[0]:
            out[t] = y[seen[0]]
        else:
            out[t] = out[t - season] if t - season >= seen[0] else out[t - 1]
    return out


def channels(data: SequenceSet) -> dict[str, Array]:
    """Every channel of every sequence as a series of its own, (T,): by unique_id, or unique_id/channel of several."""
    many = len(data.channels) > 1
    return {
        f"{key}/{channel}" if many else key: x[:, d].astype(np.float64)
        for key, x in zip(data.ids, data, strict=True)
        for d, channel in enumerate(data.channels)
    }
