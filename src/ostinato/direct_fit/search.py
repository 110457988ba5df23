"""The search for a closed form: the window, penalty, strength and covariates that forecast the held-out part best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import reduce
from itertools import product
from operator import add

import numpy as np

from ostinato.direct.closed_form import group
from ostinato.direct.effects import EffectsForm, forms
from ostinato.direct.ridge import design, moments, own, pooled, seasonal_naive
from ostinato.direct.windows import Windows, WindowSpec, bounded
from ostinato.direct_fit.closed_form import FEW, Choice, groups_of
from ostinato.direct_fit.panel import Panel
from ostinato.errors import DataError
from ostinato.shapes import Array

PENALTIES = (1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0)
STRENGTHS = (30.0, 100.0, 300.0, 1000.0, np.inf)
#: The multiples of the season that are tried as lookbacks, and the longest lookback in steps.
SEASONS, LONGEST = (1, 2, 4, 7, 14, 30), 800


def candidates(panel: Panel, season: int, lookback: int | None = None) -> Iterator[WindowSpec]:
    """Yield the windows to try.

    Args:
        panel: The series. If all of their values are positive, logarithms are tried too.
        season: The steps of a season.
        lookback: The only lookback to try. None tries several.
    """
    voters = panel.voters()
    usual = int(np.median([panel.known[key] for key in voters]))
    least = max(2, min(panel.horizon, usual // 4))
    lengths = {n * season for n in SEASONS} if season > 1 else {n * panel.horizon for n in (2, 4, 8)}
    inside = sorted(n for n in lengths if least <= n <= min(usual // 3, LONGEST)) or [max(2, usual // 4)]
    # many series are comparable only if each window has its own scale; a single series needs one scale only
    count = len(voters)
    own = (False,) if count == 1 else (True, False) if count <= FEW else (True,)
    logs = (True, False) if panel.positive else (False,)
    for steps, log, each in product([lookback] if lookback else inside, logs, own):
        yield WindowSpec(steps, log, each, season)


def search(panel: Panel, windows: Iterable[WindowSpec]) -> Choice:
    """Return the least-squares choice with the smallest error on the held-out windows.

    The error is that of OWA (Makridakis et al. 2020), with the better of the naive forecasts in the place of Naive2. It
    is the absolute error in seasonal errors and in the size of the values. Each is relative to the error of that
    forecast for the same series, so that large or variable series do not decide alone. Covariates are used if they make
    the error smaller: first the effects of future covariates in the best window, then all windows with these effects,
    then past and static ones.

    Args:
        panel: The series.
        windows: The windows to try.

    Raises:
        DataError: No series is long enough.
    """
    tried = Search(panel)
    windows = list(windows)
    for window in windows:
        tried.window(window)
    if tried.best is None:
        raise DataError(
            f"no series is long enough for a horizon of {panel.horizon}: no window of past values can be both fitted "
            f"and held out",
            fix="use a shorter horizon or lookback, or give longer series",
        )
    plain = tried.best
    for form in forms(panel.covariates.values()):
        tried.window(plain.window, form)
    if tried.best.form is not None:
        for window in windows:
            if window != plain.window:
                tried.window(window, tried.best.form)
    first = next(iter(panel.covariates.values()))
    if first.past.shape[1]:
        tried.window(replace(tried.best.window, past=True), tried.best.form)
    if first.static and len(panel.series) > 1:
        tried.window(tried.best.window, tried.best.form, grouped=True)
    return tried.best


class Search:
    """The best choice so far, and its error."""

    def __init__(self, panel: Panel) -> None:
        self._panel, self._positive = panel, panel.positive
        self.best: Choice | None = None
        self.loss = np.inf
        self._naive_sizes: dict[int, dict[str, Array]] = {}

    def window(self, window: WindowSpec, form: EffectsForm | None = None, grouped: bool = False) -> None:
        """Try a window with every penalty or strength.

        Args:
            window: The window.
            form: The form of the effects that are removed from the windows.
            grouped: Whether the weights of a series are drawn to those of the series with the same static covariates.
        """
        panel = self._panel
        effects = panel.effects(form, window) if form else None
        held = panel.held_out(window, effects)
        sums = {k: moments(w.inputs, bounded(w.targets)) for k, w in panel.fitted(window, effects).items()}
        if not sums or not held:
            return
        votes = panel.votes(sums)
        total = reduce(add, (m.capped(votes[k]) for k, m in sums.items()))
        # a single series needs a penalty; in a panel the strength draws each series to the weights of the panel instead
        alone = [(penalty, np.inf) for penalty in PENALTIES]
        for penalty, strength in alone if len(panel.voters(sums)) == 1 else [(PENALTIES[0], s) for s in STRENGTHS]:
            W = pooled(total, penalty)
            shared = groups_of(sums, panel, W, strength) if grouped else {}
            sizes = {}
            for key, w in held.items():
                to = shared.get(group(panel.covariates[key].static), W)
                weights = own(sums[key], to, strength) if key in sums else to
                sizes[key] = self._sizes(window, w, design(w.inputs) @ weights, key)
            loss = self._relative(sizes, window.season)
            if loss < self.loss:
                self.loss = loss
                self.best = Choice("least squares", window, penalty, strength, form=form, grouped=grouped)

    def _relative(self, sizes: dict[str, Array], season: int) -> float:
        """Return the mean of size / (size + naive size) over the series, by their votes, and over both error sizes.

        It lies in 0 to 1 for each series, so that no series, however large its errors are, decides for the others.
        """
        naive = self._naive(season)
        votes = self._panel.votes(sizes)
        shares = [sizes[k] / np.maximum(sizes[k] + naive.get(k, sizes[k]), np.finfo(float).tiny) for k in sizes]
        return float(np.average(shares, axis=0, weights=list(votes.values())).mean())

    def _naive(self, season: int) -> dict[str, Array]:
        """Return the two error sizes of the better naive forecast of each series, (2,)."""
        if season not in self._naive_sizes:
            window = WindowSpec(max(season, 2), log=False, own=False, season=season)
            held, H = self._panel.held_out(window, None), self._panel.horizon
            if not held:
                window = replace(window, lookback=2)
                held = self._panel.held_out(window, None)
            maps = [seasonal_naive(window.lookback, H, step) for step in {1, min(season, window.lookback)}]
            self._naive_sizes[season] = {
                key: np.min([self._sizes(window, w, design(w.inputs) @ W, key) for W in maps], axis=0)
                for key, w in held.items()
            }
        return self._naive_sizes[season]

    def _sizes(self, window: WindowSpec, w: Windows, z: Array, key: str) -> Array:
        """Return the mean absolute error in the unit of the series, and relative to forecast and value (half of sMAPE).

        For values that may be negative the second one is the mean squared error, because an error relative to
        their size means nothing.
        """
        y, forecast = window.restore(w.targets, w), window.forecast(z, w)
        unit = self._panel.unit(key, window.season)
        # a forecast that explodes in logarithms must lose, and must not stop the search
        error = np.minimum(np.abs(forecast - y) / unit, 1e6)
        if self._positive:
            return np.array([error.mean(), (error * unit / (np.abs(forecast) + np.abs(y))).mean()])
        return np.array([error.mean(), (error**2).mean()])
