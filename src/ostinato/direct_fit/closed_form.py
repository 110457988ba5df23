"""The solution of a direct model's closed form: its weights, and its errors by folds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ostinato.direct.closed_form import ClosedForm, group
from ostinato.direct.effects import EffectsForm
from ostinato.direct.ridge import VOTES, Moments, design, drift_kept, moments, own, pooled, seasonal_naive
from ostinato.direct.windows import Windows, WindowSpec, bounded
from ostinato.direct_fit.panel import Panel
from ostinato.emissions.quantiles import LEVELS
from ostinato.numbers import counted
from ostinato.shapes import Array

#: The windows of each series with their cross-fitted forecasts, (n, H).
Crossed: TypeAlias = dict[str, tuple[Windows, Array]]

#: The number of folds of a series' windows in time; the error of a window comes from weights fitted without its fold.
FOLDS = 6
#: In a panel of more series than this, the weights hardly change if one fold of one series is left out.
FEW = 50
#: The weight of the panel's deviation in the deviation of a series, as a number of windows.
PRIOR = 50
#: The least deviation in model space, where it is a share of the scale of a window: the errors are divided by it.
LEAST = 1e-6
#: The greatest number of errors that the quantiles are computed from.
ENOUGH = 200_000


@dataclass(frozen=True)
class Choice:
    """How a closed form is fitted.

    Attributes:
        name: The name of the forecaster.
        window: How the windows are cut and normalised.
        penalty: The penalty of the least squares of the whole panel.
        strength: How strongly the weights of a series are drawn to those of the panel. Infinity: every
            series uses those of the panel.
        fixed: Weights that are not fitted, (K + 1, H).
        form: The form of the effects that are removed from the windows.
        grouped: Whether the weights of a series are drawn to those of the series with the same static covariates.
    """

    name: str
    window: WindowSpec
    penalty: float = 0.0
    strength: float = np.inf
    fixed: Array | None = None
    form: EffectsForm | None = None
    grouped: bool = False


def groups_of(sums: dict[str, Moments], panel: Panel, W: Array, strength: float) -> dict[str, Array]:
    """Return the weights of each group of series with the same static covariates, drawn to those of the panel.

    Args:
        sums: The moments of each series.
        panel: The series.
        W: The weights of the panel, (K + 1, H).
        strength: How strongly the weights are drawn.
    """
    together: dict[str, list[Moments]] = {}
    votes = panel.votes(sums)
    for key, m in sums.items():
        together.setdefault(group(panel.covariates[key].static), []).append(m.capped(votes[key]))
    return {name: own(reduce(add, each), W, strength) for name, each in together.items()}


def kept_drift(cut: dict[str, Windows], panel: Panel, total: Moments, penalty: float) -> float:
    """Return the share of the panel's intercept that the folds of time bear out; see ``drift_kept``.

    Args:
        cut: The windows of each series.
        panel: The series.
        total: The sums over all series.
        penalty: The penalty of the weights.
    """
    W, votes = pooled(total, penalty, 0.0)[:-1], panel.votes(cut)
    rest, count = np.zeros((FOLDS, W.shape[1])), np.zeros(FOLDS)
    for k, w in cut.items():
        weight = votes[k] * min(1.0, VOTES / max(len(w.inputs), 1))
        at = _fold(len(w.inputs))
        for f in np.unique(at):
            rows = at == f
            rest[f] += weight * (bounded(w.targets[rows]).sum(axis=0) - w.inputs[rows].sum(axis=0) @ W)
            count[f] += weight * rows.sum()
    return drift_kept(rest[count > 0] / count[count > 0, None])


def solve(choice: Choice, panel: Panel, whole: bool = False) -> tuple[ClosedForm, dict[str, tuple[Windows, Array]]]:
    """Fit the closed form, and return it with its windows and their cross-fitted forecasts.

    Args:
        choice: How the closed form is fitted.
        panel: The series.
        whole: Whether all data are fitted, and not the known part only.
    """
    window = choice.window
    effects = panel.effects(choice.form, window, whole) if choice.form else None
    cut = panel.fitted(window, effects, whole)
    crossed: dict[str, tuple[Windows, Array]] = {}
    own_weights: dict[str, NDArray[np.float32]] = {}
    shared: dict[str, Array] = {}
    if choice.fixed is not None:
        W = choice.fixed
        crossed = {k: (w, design(w.inputs) @ W) for k, w in cut.items()}
    else:
        votes = panel.votes(cut)
        told_rows = telling(cut, panel)
        folds = {k: [moments(*_rows(w, f, told_rows[k])) for f in range(FOLDS)] for k, w in cut.items()}
        sums = {k: reduce(add, each) for k, each in folds.items()}
        total = reduce(add, (m.capped(votes[k]) for k, m in sums.items()))
        kept = kept_drift(cut, panel, total, choice.penalty)
        W = pooled(total, choice.penalty, kept)
        shared = groups_of(sums, panel, W, choice.strength) if choice.grouped else {}
        for k, w in cut.items():
            base = np.empty_like(w.targets)
            share = sums[k].capped(votes[k]).n / max(sums[k].n, 1)
            to = shared.get(group(panel.covariates[k].static), W)
            for f, part in enumerate(folds[k]):
                rest = Moments(total.G - share * part.G, total.C - share * part.C, total.n - share * part.n)
                without = pooled(rest, choice.penalty, kept) if len(cut) <= FEW and not shared else to
                rows = _fold(len(w.inputs)) == f
                base[rows] = design(w.inputs[rows]) @ own(sums[k] - part, without, choice.strength, kept)
            crossed[k] = w, base
            if np.isfinite(choice.strength):
                own_weights[k] = own(sums[k], to, choice.strength, kept).astype(np.float32)
    groups = {name: x.astype(np.float32) for name, x in shared.items()}
    return ClosedForm(window, W, own_weights, *_errors(crossed, panel), effects, groups), crossed


def _fold(n: int) -> NDArray[np.int64]:
    return np.arange(n) * FOLDS // max(n, 1)


def _rows(w: Windows, fold: int, telling: NDArray[np.bool_]) -> tuple[Array, Array]:
    rows = (_fold(len(w.inputs)) == fold) & telling
    return w.inputs[rows], bounded(w.targets[rows])


def telling(cut: dict[str, Windows], panel: Panel) -> dict[str, NDArray[np.bool_]]:
    """Return which windows of each series inform the weights of the panel, (n,).

    A window of equal values shows neither a pattern nor a scale. In a panel it says nothing about the other series; if
    all windows are like that, or only one series has a vote, every window counts.
    """
    if len(panel.voters(cut)) == 1 or all(w.flat.all() for w in cut.values()):
        return {k: np.ones(len(w.flat), dtype=bool) for k, w in cut.items()}
    return {k: ~w.flat for k, w in cut.items()}


def _errors(crossed: Crossed, panel: Panel) -> tuple[Array, dict[str, Array], Array]:
    """Return the attributes typical, deviation and shape of a ClosedForm.

    The errors are those of the bounded targets, as in the fit, so that one jump out of a quiet window is not the
    measure of all others. What is typical comes from the windows that tell something, and each series counts by its
    vote.
    """
    told_rows = telling({k: w for k, (w, _) in crossed.items()}, panel)
    errors = {k: bounded(w.targets) - base for k, (w, base) in crossed.items()}
    size = {k: np.abs(e).mean(axis=0) for k, e in errors.items()}
    told = {k: e[told_rows[k]] for k, e in errors.items() if told_rows[k].any()}
    votes, sizes = panel.votes(told), [np.abs(e).mean(axis=0) for e in told.values()]
    voters = panel.voters(told)
    typical = np.maximum(np.average(sizes, axis=0, weights=list(votes.values())), LEAST)
    deviation = {}
    for k, e in errors.items():
        n = len(e)
        prior = 0 if voters == [k] else PRIOR
        deviation[k] = np.maximum((n * size[k] + prior * typical) / (n + prior), LEAST)
    most = max(1, ENOUGH // (len(voters) * len(typical)))
    shape = np.concatenate([e[thinned(len(e), votes[k], most)] / deviation[k] for k, e in told.items()])
    return typical, deviation, np.quantile(shape, LEVELS, axis=0).T


def thinned(n: int, vote: float, most: int | None = None) -> NDArray[np.int64]:
    """Return as many of n rows as the vote of their series gives it, at even distances.

    Args:
        n: The number of rows.
        vote: The weight of the series, 0 to 1.
        most: The greatest number of rows of a series whose vote is 1.
    """
    count = math.ceil(vote * min(n, most or n))
    return np.arange(count) * n // max(count, 1)


def naives(choice: Choice, panel: Panel, season: int) -> list[Choice]:
    """Return the naive forecasts as choices, the simplest first.

    Args:
        choice: The choice of the least squares, whose season fills missing values.
        panel: The series. If none is long enough for a window of a season, only the last value is repeated.
        season: The steps of a season.
    """
    horizon, window = panel.horizon, WindowSpec(max(season, 2), log=False, own=False, season=choice.window.season)
    if not panel.fitted(window, None) or not panel.held_out(window, None):
        season, window = 1, replace(window, lookback=2)
    steps = {"naive": 1, "seasonal naive": season}
    names = list(steps) if season > 1 else ["naive"]
    return [Choice(name, window, fixed=seasonal_naive(window.lookback, horizon, steps[name])) for name in names]


def words(choice: Choice) -> str:
    """Return the settings of a choice in words."""
    if choice.fixed is not None:
        return ""
    w = choice.window
    scale = ("logarithms, " if w.log else "") + ("each window's own scale" if w.own else "the series' scale")
    covariates = [*(_effects(choice.form) if choice.form else ()), *(["past covariates"] if w.past else [])]
    return ", ".join(
        [f"{counted(w.lookback, 'step')}, {scale}", *covariates, *(["static categories"] if choice.grouped else [])]
    )


def _effects(form: EffectsForm) -> list[str]:
    hours = " by the hour" if form.by_hour else ""
    known = {"": [], "linear": ["known covariates"], "curved": ["known covariates, curved" + hours]}[form.known]
    return [*known, *(["the hour of the week"] if form.clock else [])]
