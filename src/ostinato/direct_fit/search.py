"""The search for a closed form: which window, penalty, strength and covariates forecast best what was held out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import reduce
from itertools import product
from operator import add

import numpy as np
from numpy.typing import NDArray

from ostinato.direct.closed_form import group
from ostinato.direct.effects import Form, forms
from ostinato.direct.ridge import design, moments, own, pooled, seasonal_naive
from ostinato.direct.windows import Windows, WindowSpec, bounded
from ostinato.direct_fit.closed_form import FEW, Choice, groups_of
from ostinato.direct_fit.panel import Panel

Array = NDArray[np.float64]

PENALTIES = (1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0)
STRENGTHS = (30.0, 100.0, 300.0, 1000.0, np.inf)
#: Multiples of the season that are tried as memories, and the longest memory.
SEASONS, LONGEST = (1, 2, 4, 7, 14, 30), 800


def candidates(panel: Panel, season: int, asked: int | None = None) -> Iterator[WindowSpec]:
    """Windows to try: memories or the one asked for, and logarithms where every value is positive."""
    usual = int(np.median(list(panel.known.values())))
    least = max(2, min(panel.horizon, usual // 4))
    lengths = {n * season for n in SEASONS} if season > 1 else {n * panel.horizon for n in (2, 4, 8)}
    inside = sorted(n for n in lengths if least <= n <= min(usual // 3, LONGEST)) or [max(2, usual // 4)]
    # what many series have in common is a scale that follows the window; a series alone has one throughout
    count = len(panel.series)
    own = (False,) if count == 1 else (True, False) if count <= FEW else (True,)
    logs = (True, False) if panel.positive else (False,)
    for lookback, log, each in product([asked] if asked else inside, logs, own):
        yield WindowSpec(lookback, log, each, season)


def search(panel: Panel, windows: Iterable[WindowSpec]) -> Choice:
    """The least-squares choice with the least error on the held-out windows.

    The error is OWA's, the better of the naive forecasts in Naive2's place: absolute, in seasonal errors and in the
    size of the values, each over that forecast's (Makridakis et al. 2020), so large or lively series do not decide.
    What is known beside the series is taken in where it makes the error less: first effects in the best window without
    them, then the windows once more with these effects, then past covariates and static words.
    """
    tried = Search(panel)
    windows = list(windows)
    for window in windows:
        tried.window(window)
    if tried.best is None:
        raise ValueError("no window has both something to fit and something held out")
    plain = tried.best
    for form in forms(panel.beside.values()):
        tried.window(plain.window, form)
    if tried.best.form is not None:
        for window in windows:
            if window != plain.window:
                tried.window(window, tried.best.form)
    first = next(iter(panel.beside.values()))
    if first.past.shape[1]:
        tried.window(replace(tried.best.window, past=True), tried.best.form)
    if first.static and len(panel.series) > 1:
        tried.window(tried.best.window, tried.best.form, grouped=True)
    return tried.best


class Search:
    """The best choice so far."""

    def __init__(self, panel: Panel) -> None:
        self._panel, self._positive = panel, panel.positive
        self.best: Choice | None = None
        self.loss = np.inf
        self._yard: dict[int, Array] = {}

    def window(self, window: WindowSpec, form: Form | None = None, grouped: bool = False) -> None:
        """Try a window, with every penalty or strength."""
        panel = self._panel
        effects = panel.effects(form, window) if form else None
        held = panel.held_out(window, effects)
        sums = {k: moments(w.inputs, bounded(w.targets)) for k, w in panel.fitted(window, effects).items()}
        if not sums or not held:
            return
        total = reduce(add, (m.capped() for m in sums.values()))
        # a panel hardly needs a penalty, and a series has no panel to be drawn to
        alone = [(penalty, np.inf) for penalty in PENALTIES]
        for penalty, strength in alone if len(sums) == 1 else [(PENALTIES[0], s) for s in STRENGTHS]:
            W = pooled(total, penalty)
            shared = groups_of(sums, panel, W, strength) if grouped else {}
            sizes = []
            for key, w in held.items():
                to = shared.get(group(panel.beside[key].static), W)
                weights = own(sums[key], to, strength) if key in sums else to
                sizes.append(self._sizes(window, w, design(w.inputs) @ weights, key))
            loss = float((np.mean(sizes, axis=0) / self._naive(window.season)).mean())
            if loss < self.loss:
                self.loss = loss
                self.best = Choice("least squares", window, penalty, strength, form=form, grouped=grouped)

    def _naive(self, season: int) -> Array:
        """(2,): the sizes of the better naive forecast's errors."""
        if season not in self._yard:
            window = WindowSpec(max(season, 2), log=False, own=False, season=season)
            held, H = self._panel.held_out(window, None), self._panel.horizon
            each = [
                np.mean([self._sizes(window, w, design(w.inputs) @ W, key) for key, w in held.items()], axis=0)
                for W in (seasonal_naive(window.lookback, H, step) for step in {1, season})
            ]
            self._yard[season] = np.maximum(np.min(each, axis=0), 1e-12)
        return self._yard[season]

    def _sizes(self, window: WindowSpec, w: Windows, z: Array, key: str) -> tuple[float, float]:
        """Mean absolute error in the series' unit, and in the size of forecast and value (a half of sMAPE).

        Where values may be negative their size says nothing, and the second is the mean square.
        """
        y, forecast = window.restore(w.targets, w), window.restore(z, w)
        unit = self._panel.unit(key, window.season)
        # a forecast that runs away in logarithms must lose, and not stop the search
        error = np.minimum(np.abs(forecast - y) / unit, 1e6)
        if self._positive:
            return float(error.mean()), float((error * unit / (np.abs(forecast) + np.abs(y))).mean())
        return float(error.mean()), float((error**2).mean())
