"""Which forecaster is asked: a model by its name, one that is fitted already, or the best on earlier windows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, DataError
from ostinato.evaluation.baselines import BASELINES
from ostinato.evaluation.forecasters import Baseline, Fitted, Forecaster, Quantiles, baselines, fitted
from ostinato.evaluation.summary import Tally, probabilities
from ostinato.evaluation.windows import BacktestPlan
from ostinato.fitting import fields_for, fit
from ostinato.model_file import Model

#: "auto" chooses by so many windows and so many steps of each series, whatever is more, or by a quarter of the longest.
_WINDOWS, _STEPS = 3, 60
#: Of the least wQL: who is within this of it counts as equal, for so few windows tell no closer.
_MARGIN = 0.02
#: What is used where a history is too short to choose by.
_SHORT = "naive2"


def names(models: list[str | Model]) -> list[str]:
    """The columns of models. Raises ConfigError where two are called the same, or one as a baseline is."""
    out = [model if isinstance(model, str) else "ostinato" for model in models]
    for name in out:
        if out.count(name) > 1 or name in BASELINES:
            also = "a baseline, which is there in any case" if name in BASELINES else "asked for twice"
            raise ConfigError(f"{name} is {also}", fix="name each model once; baselines need no naming")
    return out


def forecaster(
    name: str,
    model: str | Model,
    history: SequenceSet,
    plan: BacktestPlan,
    season: int,
    *,
    n_paths: int,
    **options: Any,
) -> tuple[Forecaster, list[str]]:
    """Fit the model called ``name`` to history, and nothing after it; and what there is to say.

    "auto" is the simplest whose wQL is within _MARGIN of the least, on windows at the end of history that no fit was
    shown: one of the baselines, a direct model, or the ladder's best where that is ahead of them all.
    """
    drawn = {"n_paths": n_paths, "seed": options.get("seed", 0)}
    if not isinstance(model, str):
        return fitted(name, model, **drawn), []
    if model == "direct":
        found = fit(history, model=model, horizon=plan.horizon, **{"season": season, **options})
        return fitted(name, found.model, **drawn), [f"direct: {found.notes[-2]}"]
    if model != "auto":
        return fitted(name, fit(history, model=model, **options).model, **drawn), []
    longest = int(history.lengths.max())
    steps = min(longest // 4, max(_WINDOWS * plan.horizon, _STEPS))
    count = steps // plan.horizon or int(longest >= 2 * plan.horizon)
    if not count:
        words = f"auto: {longest} steps are too few to choose a model by {plan.horizon} of them: {_SHORT} is used"
        return Baseline(name, _SHORT, season), [words]
    earlier = BacktestPlan(plan.horizon, count, plan.horizon)
    before = earlier.before(history)
    # the simplest first
    candidates: list[Baseline | Quantiles | Fitted] = list(baselines(season, refit=False))
    candidates += _models(before, plan.horizon, season, drawn, options)
    losses = _losses(candidates, history, earlier)
    at = int(np.argmax(losses <= losses.min() * (1 + _MARGIN)))
    best, ours = candidates[at], [i for i, c in enumerate(candidates) if not isinstance(c, Baseline)]
    # the figures of the best of the other sort stand beside those of the chosen one
    rivals = ours if isinstance(best, Baseline) else [i for i in range(len(candidates)) if i != at]
    rival = min(rivals, key=lambda i: losses[i])
    figures = f"wQL {losses[at]:.4g} of {best.name}, {losses[rival]:.4g} of {candidates[rival].name}"
    where = f"on the {count} window{'s' * (count > 1)} before the first cutoff"
    if isinstance(best, Baseline):
        words = f"auto: nothing beats {best.name} by {_MARGIN:.0%} {where} ({figures}): {best.name} is used"
        return Baseline(name, best.rule, season, best.keep), [words]
    return replace(best, name=name), [f"auto: {best.name} is used, ahead {where} ({figures})"]


def _models(
    before: SequenceSet, horizon: int, season: int, drawn: dict[str, int], options: dict[str, Any]
) -> list[Quantiles | Fitted]:
    """A direct model, where the series are long enough for one, and the best of the ladder."""
    out: list[Quantiles | Fitted] = []
    own = fields_for("direct", options)
    with suppress(DataError):
        found = fit(before, model="direct", horizon=horizon, **{"season": season, **own})
        out.append(fitted(f"direct ({found.kept.name})", found.model, **drawn))
    found = fit(before, model="auto", **fields_for("ladder", options))
    return [*out, fitted(found.kept.name, found.model, **drawn)]


def _losses(candidates: Sequence[Forecaster], history: SequenceSet, plan: BacktestPlan) -> NDArray[np.float64]:
    """WQL of each candidate on the windows of plan."""
    grid, tallies = probabilities(()), [Tally(()) for _ in candidates]
    for window in plan.windows(history):
        y = window.later()
        unused = np.ones(y.shape[:2])
        for candidate, tally in zip(candidates, tallies, strict=True):
            tally.add(y, candidate.predict(window.history, plan.horizon, grid), unused, unused)
    return np.nan_to_num([tally.wql for tally in tallies], nan=np.inf)
