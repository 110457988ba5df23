"""Which forecaster is asked: a model by its name, one that is fitted already, or the best on earlier windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError
from ostinato.evaluation.baselines import BASELINES
from ostinato.evaluation.forecasters import Baseline, Fitted, Forecaster, baselines
from ostinato.evaluation.summary import Tally, probabilities
from ostinato.evaluation.windows import Plan
from ostinato.model import SequenceModel
from ostinato.training.fit import fit

#: "auto" chooses by so many windows and so many steps of each series, whatever is more, or by a quarter of the longest.
_WINDOWS, _STEPS = 3, 60
#: Of the least wQL: who is within this of it counts as equal, for so few windows tell no closer.
_MARGIN = 0.02
#: What is used where a history is too short to choose by.
_SHORT = "naive2"


def names(models: list[str | SequenceModel]) -> list[str]:
    """The columns of models. Raises ConfigError where two are called the same, or one as a baseline is."""
    out = [model if isinstance(model, str) else "ostinato" for model in models]
    for name in out:
        if out.count(name) > 1 or name in BASELINES:
            also = "a baseline, which is there in any case" if name in BASELINES else "asked for twice"
            raise ConfigError(f"{name} is {also}", fix="name each model once; baselines need no naming")
    return out


def forecaster(
    name: str,
    model: str | SequenceModel,
    history: SequenceSet,
    plan: Plan,
    season: int,
    *,
    n_paths: int,
    **options: Any,
) -> tuple[Forecaster, list[str]]:
    """Fit the model called ``name`` to history, and nothing after it; and what there is to say.

    "auto" is the simplest whose wQL is within _MARGIN of the least, on windows at the end of history which the fit was
    not shown: one of the baselines, or the ladder's best where that is ahead of them all.
    """
    drawn = {"n_paths": n_paths, "seed": options.get("seed", 0)}
    if isinstance(model, SequenceModel):
        return Fitted(name, model, **drawn), []
    if model != "auto":
        return Fitted(name, fit(history, model=model, **options).model, **drawn), []
    longest = int(history.lengths.max())
    steps = min(longest // 4, max(_WINDOWS * plan.horizon, _STEPS))
    count = steps // plan.horizon or int(longest >= 2 * plan.horizon)
    if not count:
        words = f"auto: {longest} steps are too few to choose a model by {plan.horizon} of them: {_SHORT} is used"
        return Baseline(name, _SHORT, season), [words]
    earlier = Plan(plan.horizon, count, plan.horizon)
    fitted = fit(earlier.before(history), model="auto", **options)
    # the simplest first
    candidates: list[Forecaster] = [*baselines(season, refit=False), Fitted(fitted.kept.name, fitted.model, **drawn)]
    losses = _losses(candidates, history, earlier)
    at = int(np.argmax(losses <= losses.min() * (1 + _MARGIN)))
    best, other = candidates[at], at if at < len(losses) - 1 else int(np.argmin(losses[:-1]))
    figures = f"wQL {losses[-1]:.4g} of {fitted.kept.name}, {losses[other]:.4g} of {candidates[other].name}"
    where = f"on the {count} window{'s' * (count > 1)} before the first cutoff"
    if isinstance(best, Baseline):
        words = f"auto: nothing beats {best.name} by {_MARGIN:.0%} {where} ({figures}): {best.name} is used"
        return Baseline(name, best.rule, season, best.keep), [words]
    return Fitted(name, fitted.model, **drawn), [f"auto: {fitted.kept.name} is used, ahead {where} ({figures})"]


def _losses(candidates: list[Forecaster], history: SequenceSet, plan: Plan) -> NDArray[np.float64]:
    """wQL of each candidate on the windows of plan."""
    grid, tallies = probabilities(()), [Tally(()) for _ in candidates]
    for window in plan.windows(history):
        y = window.later()
        unused = np.ones(y.shape[:2])
        for candidate, tally in zip(candidates, tallies, strict=True):
            tally.add(y, candidate.predict(window.history, plan.horizon, grid), unused, unused)
    return np.nan_to_num([tally.wql for tally in tallies], nan=np.inf)
