"""The windows of a direct model: the last K values of a series, minus the last value, divided by their scale.

Each window has a level and a scale of its own (the per-window normalisation of ES-RNN: Smyl 2020, section 3.2), so that
one set of weights serves series of any size, and a series that has moved to a new level.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.data.upper_bound import upper_bound
from ostinato.shapes import Array
from ostinato.spread import mean_deviation, still

#: The greatest distance of a value from the last value, in scales, so that no outlier decides a least-squares fit.
FARTHEST = 20.0
#: The least number of real steps in a window of a short series; the steps before its start repeat the first value.
LEAST = 10
#: The smallest scale of a window, as a share of the deviation of the whole history.
FLOOR = 1e-3
#: The smallest scale of logarithms, which have no unit: a tenth of a percent.
LOG_FLOOR = 1e-3
#: How many times the greatest value of its window a forecast of logarithms grows exponentially.
RISE = 1.5


@dataclass(frozen=True)
class Windows:
    """Windows in model space, and the map back: x = level + scale z, where x is the value or its logarithm.

    Attributes:
        inputs: The features of the past covariates and then the lags, the last of which is 0, (n, E + K).
        targets: The values after each window, (n, H).
        level: The level of each window, (n, 1), or (n, H) with effects.
        scale: The scale of each window, (n, 1).
        flat: Whether all values of a window are equal, so that its scale is that of the whole history, (n,).
        top: The greatest value of each window, with the effects like the level, (n, 1) or (n, H).
        least: The least possible value: 0 if the history never goes below it, and otherwise -inf.
        greatest: The greatest possible value: 1 or 100 if the history is a share of it, and otherwise infinity.
        still: Whether the whole history never changes, so that the forecast repeats it.
    """

    inputs: Array
    targets: Array
    level: Array
    scale: Array
    flat: NDArray[np.bool_]
    top: Array
    least: float = -np.inf
    greatest: float = np.inf
    still: bool = False


@dataclass(frozen=True)
class WindowSpec:
    """The rules by which windows are cut and normalised.

    Attributes:
        lookback: The number K of steps in a window.
        log: Whether values are replaced by their logarithms. Beyond RISE times the greatest value of a window, the
            logarithm is continued so that its inverse is the tangent of the exponential: a steep rise would otherwise
            be continued as an exponential one.
        own: Whether the scale is the mean absolute deviation of the window, and not of the whole history before it.
        season: The number of steps of a season. A missing value is filled with the value a season before.
        past: Whether the past covariates are features.
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
        """Return the windows of a series whose targets lie in first .. stop - 1, and whose targets are all observed.

        Args:
            y: The values of the series, (T,).
            horizon: The number H of targets of a window.
            first: The first step that is a target.
            stop: The step after the last target.
            stride: Cut every so many windows; the last window is always among them.
            effect: The effect of covariates, (T + F,). The windows are cut without it, and their level includes it.
            past: The past covariates, (T, P).
        """
        K = self.lookback
        x = self._modelled(y[:stop], effect)
        # a window that mostly repeats its first value has a scale near 0: only short series, with few other windows,
        # get these
        before = max(K - LEAST, 0) if len(x) < 2 * (K + horizon) else 0
        padded = np.concatenate([np.full(before, x[0] if len(x) else 0.0), x])
        lead = len(padded) - len(x)
        origins = np.arange(stop - horizon, max(first, K - lead) - 1, -stride)[::-1]
        if not len(origins):
            return self._normalised(
                np.zeros((0, K)), np.zeros((0, horizon)), x, past=self._past_features(past, origins)
            )
        least = self._least(y[: first or stop])
        held = sliding_window_view(padded, K)[origins + lead - K]
        seen = np.where(np.isfinite(y[:stop]), x, np.nan)
        after = sliding_window_view(seen, horizon)[origins]
        whole = np.isfinite(after).all(axis=1)
        moved = None if effect is None else sliding_window_view(effect[:stop], horizon)[origins][whole]
        features = self._past_features(past, origins)[whole]
        cut = self._normalised(held[whole], after[whole], x[: first or stop], moved, features)
        return replace(cut, least=least, greatest=upper_bound(y[: first or stop]))

    def last(self, y: Array, effect: Array | None = None, past: Array | None = None) -> Windows:
        """Return the window at the end of a series, without targets.

        Args:
            y: The values of the series, (T,).
            effect: The effect of covariates, (T + H,).
            past: The past covariates, (T, P).
        """
        x = self._modelled(y, effect)
        held = np.concatenate([np.full(max(self.lookback - len(x), 0), x[0]), x])[-self.lookback :][None]
        moved = None if effect is None else effect[None, len(y) :]
        window = self._normalised(held, np.zeros((1, 0)), x, moved, self._past_features(past, np.array([len(y)])))
        return replace(window, least=self._least(y), greatest=upper_bound(y), still=still(x))

    def restore(self, z: Array, windows: Windows) -> Array:
        """Map z (n, H, ...) from model space back to values: the inverse of the map of the targets."""
        level, scale, top = (
            x.reshape(*x.shape, *[1] * (z.ndim - 2)) for x in (windows.level, windows.scale, windows.top)
        )
        x = level + (0.0 if windows.still else scale) * z
        if not self.log:
            return np.asarray(x)
        bend = top + np.log(RISE)
        return np.asarray(np.exp(np.minimum(x, bend)) * (1 + np.maximum(x - bend, 0.0)))

    def forecast(self, z: Array, windows: Windows) -> Array:
        """Map forecasts z (n, H, ...) from model space to values, none of them outside of the possible values."""
        return np.clip(self.restore(z, windows), windows.least, windows.greatest)

    def _normalised(
        self, held: Array, after: Array, history: Array, moved: Array | None = None, past: Array | None = None
    ) -> Windows:
        """Return the windows divided by their scales.

        Args:
            held: The values of the windows, (n, K).
            after: The values of the targets, (n, H).
            history: The values whose deviation is the scale, unless each window has its own, (T,).
            moved: The effect at the targets, (n, H).
            past: The features of the past covariates, (n, E).
        """
        level, deviation = held[:, -1:], mean_deviation(held)
        usual = self._usual(history if len(history) else held)
        scale = np.where(deviation > 0, np.maximum(deviation, FLOOR * usual), usual)
        scale = np.maximum(scale, LOG_FLOOR) if self.log else scale
        scale = scale if self.own else np.full_like(scale, usual)
        flat = deviation[:, 0] == 0
        inputs = bounded((held - level) / scale)
        if past is not None:
            inputs = np.concatenate([past, inputs], axis=1)
        top, effect = held.max(axis=1, keepdims=True), 0.0 if moved is None else moved
        if self.log:
            rise = np.maximum(after - top - np.log(RISE), 0.0)
            after = after - rise + np.expm1(rise)
        return Windows(inputs, (after - level) / scale, level + effect, scale, flat, top + effect)

    def _least(self, history: Array) -> float:
        """Return the least possible value after a history (T,): 0 if it never goes below 0, and otherwise -inf."""
        return 0.0 if np.nanmin(history, initial=np.inf) >= 0 else -np.inf

    def _usual(self, history: Array) -> float:
        """Return the mean absolute deviation of the whole history; for one that never changes, its size, or 1."""
        x = history.reshape(1, -1)
        deviation = float(mean_deviation(x)[0, 0]) if x.size else 0.0
        if self.log:
            return max(deviation, LOG_FLOOR)
        return deviation or float(np.abs(x).max(initial=0.0)) or 1.0

    def _modelled(self, y: Array, effect: Array | None) -> Array:
        """Return the values or their logarithms, minus the effect, with missing values filled, (T,)."""
        with np.errstate(invalid="ignore"):
            x = np.log(np.asarray(y, dtype=np.float64)) if self.log else np.asarray(y, dtype=np.float64)
        return filled(x if effect is None else x - effect[: len(x)], self.season)

    def _past_features(self, past: Array | None, origins: NDArray[np.int64]) -> Array:
        """Return the last value and the mean of the last season of each past covariate, standardised, (n, 2 P).

        Both are standardised with the mean and the mean absolute deviation of the covariate in the window.
        """
        if not self.past or past is None or not past.shape[1]:
            return np.zeros((len(origins), 0))
        columns = []
        for p in past.T:
            x = filled(p, self.season) if np.isfinite(p).any() else np.zeros(len(p))
            padded = np.concatenate([np.full(self.lookback, x[0]), x])
            held = sliding_window_view(padded, self.lookback)[origins]
            deviation = mean_deviation(held)[:, 0]
            near = held[:, -self.season :].mean(axis=1) if self.season < self.lookback else held[:, -1]
            safe = np.where(deviation > 0, deviation, 1.0)
            columns += [(v - held.mean(axis=1)) / safe for v in (held[:, -1], near)]
        return bounded(np.stack(columns, axis=1))

    def to_json(self) -> dict[str, Any]:
        """Return the rules as JSON."""
        return asdict(self)


def bounded(z: Array) -> Array:
    """Return z clipped to at most FARTHEST from 0."""
    return np.asarray(np.clip(z, -FARTHEST, FARTHEST))


def filled(y: Array, season: int) -> Array:
    """Return y (T,) with missing values filled by the value a season before, or else by the step before.

    Missing values at the start are filled by the first observed value.
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
    """Return every channel of every sequence as a series (T,), by unique_id, or unique_id/channel if several."""
    many = len(data.channels) > 1
    return {
        f"{key}/{channel}" if many else key: x[:, d].astype(np.float64)
        for key, x in zip(data.ids, data, strict=True)
        for d, channel in enumerate(data.channels)
    }
