"""The local methods by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ostinato.local.panel import Ahead, Array, Fit, Fitted, Panel


@dataclass(frozen=True)
class _SeasonalNaive:
    panel: Panel
    lag: int

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        points, quantiles = [], []
        for y in self.panel.values:
            lag = self.lag if len(y) > self.lag else 1
            last = y[-lag:]
            last = np.where(np.isfinite(last), last, np.nanmean(y))
            steps = np.arange(horizon)
            point = last[steps % lag] if len(last) else np.zeros(horizon)
            change = y[lag:] - y[:-lag] if len(y) > lag else np.zeros(0)
            change = change[np.isfinite(change)]
            sigma = float(np.sqrt((change**2).mean())) if len(change) else 0.0
            points.append(point)
            quantiles.append(point[:, None] + sigma * np.sqrt(1 + steps // lag)[:, None] * ndtri(probabilities))
        return Ahead(np.array(points), np.array(quantiles))

    def said(self, s: int) -> str:
        return "naive" if self.lag == 1 else f"seasonal naive of {self.lag} steps"


def _naive(panel: Panel) -> Fitted:
    return _SeasonalNaive(panel, 1)


def _seasonal_naive(panel: Panel) -> Fitted:
    return _SeasonalNaive(panel, panel.seasons[0] if panel.seasons else 1)


METHODS: dict[str, Fit] = {
    "auto": _seasonal_naive,
    "ets": _seasonal_naive,
    "theta": _seasonal_naive,
    "ar": _naive,
    "naive": _naive,
    "seasonal_naive": _seasonal_naive,
}
