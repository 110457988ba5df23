"""The closed form of a direct forecaster: its window, penalty and strength by held-out windows, its errors by folds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from operator import add

import numpy as np
from numpy.typing import NDArray

from ostinato.data.windows import Window, Windows, bounded
from ostinato.direct import Direct
from ostinato.emissions.quantiles import LEVELS
from ostinato.layers.direct import Moments, design, moments, own, pooled, seasonal_naive

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
class Panel:
    """Series (T,) by name; the first ``known[b]`` steps of each are fitted, those after it say how well.

    stride: every how many windows is judged.
    """

    series: dict[str, Array]
    known: dict[str, int]
    horizon: int
    stride: int

    @property
    def positive(self) -> bool:
        """Whether every observed value is above 0."""
        return all(bool((y[np.isfinite(y)] > 0).all()) for y in self.series.values())

    def fewer(self, windows: int) -> Panel:
        """The same, judged by about so many windows in all."""
        all_of = sum(max(len(y) - self.known[k] - self.horizon + 1, 0) // self.stride for k, y in self.series.items())
        return replace(self, stride=self.stride * max(1, all_of // windows))

    def held_out(self, window: Window) -> dict[str, Windows]:
        """The windows whose targets come after what is known; only series that have any."""
        cut = {k: window.cut(y, self.horizon, self.known[k], len(y), self.stride) for k, y in self.series.items()}
        return {k: w for k, w in cut.items() if len(w.inputs)}

    def units(self, window: Window) -> dict[str, float]:
        """What an error of each series is measured in: its mean absolute change over a season, over what is known."""
        return {k: _change(y[: self.known[k]], window.season) for k, y in self.series.items()}


@dataclass(frozen=True)
class Choice:
    """A window and its weights: fixed ones, or those of least squares with this penalty and strength."""

    name: str
    window: Window
    penalty: float = 0.0
    strength: float = np.inf
    fixed: Array | None = None


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


def search(panel: Panel, windows: Iterable[Window]) -> tuple[Choice, float]:
    """The least-squares choice with the least error on the held-out windows.

    The error is OWA's, the better of the naive forecasts in Naive2's place: absolute, in seasonal errors and in the
    size of the values, each over that forecast's (Makridakis et al. 2020), so large or lively series do not decide.
    """
    best: tuple[float, Choice] | None = None
    positive = panel.positive
    for window in windows:
        held = panel.held_out(window)
        sums = {
            k: moments(w.inputs, bounded(w.targets))
            for k, y in panel.series.items()
            if len((w := window.cut(y, panel.horizon, 0, panel.known[k])).inputs)
        }
        if not sums or not held:
            continue
        units, total = panel.units(window), reduce(add, (m.capped() for m in sums.values()))
        # a panel hardly needs a penalty, and a series has no panel to be drawn to
        alone = [(penalty, np.inf) for penalty in PENALTIES]
        for penalty, strength in alone if len(sums) == 1 else [(PENALTIES[0], s) for s in STRENGTHS]:
            loss = _loss(window, held, units, sums, pooled(total, penalty), strength, positive)
            if best is None or loss < best[0]:
                best = loss, Choice("least squares", window, penalty, strength)
    if best is None:
        raise ValueError("no window has both something to fit and something held out")
    return best[1], best[0]


def _loss(
    window: Window,
    held: dict[str, Windows],
    units: dict[str, float],
    sums: dict[str, Moments],
    W: Array,
    strength: float,
    positive: bool,
) -> float:
    steps = {1, window.season if window.season <= window.memory else 1}
    yardsticks = [seasonal_naive(window.memory, W.shape[1], season) for season in steps]
    losses = []
    for key, w in held.items():
        y, weights = window.restore(w.targets, w), own(sums[key], W, strength) if key in sums else W
        middles = [design(w.inputs) @ each for each in (weights, *yardsticks)]
        losses.append([_sizes(window.restore(z, w), y, units[key], positive) for z in middles])
    model, *naive = np.mean(losses, axis=0)
    return float((model / np.maximum(np.min(naive, axis=0), 1e-12)).mean())


def _sizes(forecast: Array, y: Array, unit: float, positive: bool) -> tuple[float, float]:
    """Mean absolute error in the series' unit, and in the size of forecast and value (a half of sMAPE).

    Where values may be negative their size says nothing, and the second is the mean square.
    """
    # a forecast that runs away in logarithms must lose, and not stop the search
    error = np.minimum(np.abs(forecast - y) / unit, 1e6)
    if positive:
        return float(error.mean()), float((error * unit / (np.abs(forecast) + np.abs(y))).mean())
    return float(error.mean()), float((error**2).mean())


def solve(choice: Choice, panel: Panel, whole: bool = False) -> tuple[Direct, dict[str, tuple[Windows, Array]]]:
    """The closed form on what is known, or on everything; and its windows with cross-fitted forecasts (n, H)."""
    window, H = choice.window, panel.horizon
    cut = {k: window.cut(y, H, 0, len(y) if whole else panel.known[k]) for k, y in panel.series.items()}
    cut = {k: w for k, w in cut.items() if len(w.inputs)}
    crossed: dict[str, tuple[Windows, Array]] = {}
    mine: dict[str, NDArray[np.float32]] = {}
    if choice.fixed is not None:
        W = choice.fixed
        crossed = {k: (w, design(w.inputs) @ W) for k, w in cut.items()}
    else:
        folds = {k: [moments(*_rows(w, f)) for f in range(FOLDS)] for k, w in cut.items()}
        sums = {k: reduce(add, each) for k, each in folds.items()}
        total = reduce(add, (m.capped() for m in sums.values()))
        W = pooled(total, choice.penalty)
        for k, w in cut.items():
            base = np.empty_like(w.targets)
            share = sums[k].capped().n / sums[k].n
            for f, part in enumerate(folds[k]):
                rest = Moments(total.G - share * part.G, total.C - share * part.C, total.n - share * part.n)
                without = pooled(rest, choice.penalty) if len(cut) <= FEW else W
                rows = _fold(len(w.inputs)) == f
                base[rows] = design(w.inputs[rows]) @ own(sums[k] - part, without, choice.strength)
            crossed[k] = w, base
            if np.isfinite(choice.strength):
                mine[k] = own(sums[k], W, choice.strength).astype(np.float32)
    return Direct(window, W, mine, *_errors(crossed, H)), crossed


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


def _change(y: Array, season: int) -> float:
    lag = season if len(y) > season else 1
    change = np.abs(y[lag:] - y[:-lag])
    seen = change[np.isfinite(change)]
    level = float(np.nanmean(np.abs(y))) if np.isfinite(y).any() else 1.0
    return max(float(seen.mean()) if len(seen) else level, 1e-9 * level, 1e-300)
