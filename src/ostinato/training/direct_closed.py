"""The closed form of a direct forecaster: its window, penalty and strength by held-out windows, its errors by folds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from operator import add

import numpy as np
from numpy.typing import NDArray

from ostinato.data.effects import Form, forms
from ostinato.data.windows import Window, Windows, bounded
from ostinato.direct import Direct, group
from ostinato.emissions.quantiles import LEVELS
from ostinato.layers.direct import Moments, design, moments, own, pooled, seasonal_naive
from ostinato.training.panel import Panel

Array = NDArray[np.float64]

PENALTIES = (1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0)
STRENGTHS = (30.0, 100.0, 300.0, 1000.0, np.inf)
#: Multiples of the season that are tried as memories, and the longest memory.
SEASONS, LONGEST = (1, 2, 4, 7, 14, 30), 800
#: Folds of a series' windows in time; a window's error is that of weights which were fitted without its fold.
FOLDS = 6
#: A panel of more series than this hardly depends on one fold of one of them.
FEW = 50
#: Windows whose errors are as good as one prior guess at them, and errors that fix the quantiles.
PRIOR, ENOUGH = 50, 200_000


@dataclass(frozen=True)
class Choice:
    """A window and its weights: fixed ones, or those of least squares with this penalty and strength.

    form: of the effects that are taken out of the windows;  grouped: series are drawn to those of their static words
    """

    name: str
    window: Window
    penalty: float = 0.0
    strength: float = np.inf
    fixed: Array | None = None
    form: Form | None = None
    grouped: bool = False


def candidates(panel: Panel, season: int, asked: int | None = None) -> Iterator[Window]:
    """Windows to try: memories or the one asked for, and logarithms where every value is positive."""
    usual = int(np.median(list(panel.known.values())))
    least = max(2, min(panel.horizon, usual // 4))
    lengths = {n * season for n in SEASONS} if season > 1 else {n * panel.horizon for n in (2, 4, 8)}
    inside = sorted(n for n in lengths if least <= n <= min(usual // 3, LONGEST)) or [max(2, usual // 4)]
    # what several series have in common is a scale that follows the window; a series alone has one throughout
    several = len(panel.series) > 1
    for memory, log in product([asked] if asked else inside, (True, False) if panel.positive else (False,)):
        yield Window(memory, log, several, season)


def search(panel: Panel, windows: Iterable[Window]) -> Choice:
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

    def window(self, window: Window, form: Form | None = None, grouped: bool = False) -> None:
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
            shared = _groups(sums, panel, W, strength) if grouped else {}
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
            window = Window(max(season, 2), log=False, own=False, season=season)
            held, H = self._panel.held_out(window, None), self._panel.horizon
            each = [
                np.mean([self._sizes(window, w, design(w.inputs) @ W, key) for key, w in held.items()], axis=0)
                for W in (seasonal_naive(window.memory, H, step) for step in {1, season})
            ]
            self._yard[season] = np.maximum(np.min(each, axis=0), 1e-12)
        return self._yard[season]

    def _sizes(self, window: Window, w: Windows, z: Array, key: str) -> tuple[float, float]:
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


def _groups(sums: dict[str, Moments], panel: Panel, W: Array, strength: float) -> dict[str, Array]:
    """The weights of the series of each group of static words, drawn to the panel's."""
    together: dict[str, list[Moments]] = {}
    for key, m in sums.items():
        together.setdefault(group(panel.beside[key].static), []).append(m.capped())
    return {name: own(reduce(add, each), W, strength) for name, each in together.items()}


def solve(choice: Choice, panel: Panel, whole: bool = False) -> tuple[Direct, dict[str, tuple[Windows, Array]]]:
    """The closed form on what is known, or on everything; and its windows with cross-fitted forecasts (n, H)."""
    window, H = choice.window, panel.horizon
    effects = panel.effects(choice.form, window, whole) if choice.form else None
    cut = panel.fitted(window, effects, whole)
    crossed: dict[str, tuple[Windows, Array]] = {}
    mine: dict[str, NDArray[np.float32]] = {}
    shared: dict[str, Array] = {}
    if choice.fixed is not None:
        W = choice.fixed
        crossed = {k: (w, design(w.inputs) @ W) for k, w in cut.items()}
    else:
        folds = {k: [moments(*_rows(w, f)) for f in range(FOLDS)] for k, w in cut.items()}
        sums = {k: reduce(add, each) for k, each in folds.items()}
        total = reduce(add, (m.capped() for m in sums.values()))
        W = pooled(total, choice.penalty)
        shared = _groups(sums, panel, W, choice.strength) if choice.grouped else {}
        for k, w in cut.items():
            base = np.empty_like(w.targets)
            share = sums[k].capped().n / sums[k].n
            to = shared.get(group(panel.beside[k].static), W)
            for f, part in enumerate(folds[k]):
                rest = Moments(total.G - share * part.G, total.C - share * part.C, total.n - share * part.n)
                without = pooled(rest, choice.penalty) if len(cut) <= FEW and not shared else to
                rows = _fold(len(w.inputs)) == f
                base[rows] = design(w.inputs[rows]) @ own(sums[k] - part, without, choice.strength)
            crossed[k] = w, base
            if np.isfinite(choice.strength):
                mine[k] = own(sums[k], to, choice.strength).astype(np.float32)
    groups = {name: x.astype(np.float32) for name, x in shared.items()}
    return Direct(window, W, mine, *_errors(crossed, H), effects, groups), crossed


def _fold(n: int) -> NDArray[np.int64]:
    return np.arange(n) * FOLDS // max(n, 1)


def _rows(w: Windows, fold: int) -> tuple[Array, Array]:
    rows = _fold(len(w.inputs)) == fold
    return w.inputs[rows], bounded(w.targets[rows])


def _errors(crossed: dict[str, tuple[Windows, Array]], horizon: int) -> tuple[Array, dict[str, Array], Array]:
    """typical, deviation and shape of Direct."""
    size = {k: np.abs(w.targets - base).mean(axis=0) for k, (w, base) in crossed.items()}
    typical = np.maximum(np.mean(list(size.values()), axis=0), 1e-6)
    deviation = {}
    for k, (w, _) in crossed.items():
        n = len(w.inputs)
        deviation[k] = (n * size[k] + PRIOR * typical) / (n + PRIOR) if len(crossed) > 1 else np.maximum(size[k], 1e-6)
    each = max(1, ENOUGH // (len(crossed) * horizon))
    errors = np.concatenate(
        [(w.targets - base)[:: -(-len(base) // each)] / deviation[k] for k, (w, base) in crossed.items()]
    )
    return typical, deviation, np.quantile(errors, LEVELS, axis=0).T
