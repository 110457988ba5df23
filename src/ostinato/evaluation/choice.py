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

#: Windows to choose by, at most.
_MOST = 3
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
    name: str, model: str | SequenceModel, history: SequenceSet, plan: Plan, season: int, **options: Any
) -> tuple[Forecaster, list[str]]:
    """Fit the model called ``name`` to history, and nothing after it; and what there is to say.

    "auto" is the ladder's best where that has a lower wQL than all baselines on windows at the end of history, which
    the fit was not shown; else it is the best baseline.
    """
    drawn = {"n_paths": options.pop("n_paths"), "seed": options.get("seed", 0)}
    if isinstance(model, SequenceModel):
        return Fitted(name, model, **drawn), []
    if model != "auto":
        return Fitted(name, fit(history, model=model, **options).model, **drawn), []
    longest = int(history.lengths.max())
    count = min(plan.count, _MOST, longest // (2 * plan.horizon))
    if not count:
        words = f"auto: {longest} steps are too few to choose a model by {plan.horizon} of them: {_SHORT} is used"
        return Baseline(name, _SHORT, season), [words]
    earlier = Plan(plan.horizon, count, plan.horizon)
    fitted = fit(earlier.before(history), model="auto", **options)
    # the simplest first: of equals it is kept
    candidates: list[Forecaster] = [*baselines(season, refit=False), Fitted(fitted.kept.name, fitted.model, **drawn)]
    losses = _losses(candidates, history, earlier)
    best = candidates[int(np.argmin(losses))]
    yardstick = int(np.argmin(losses[:-1]))
    other = candidates[yardstick].name
    figures = f"wQL {losses[-1]:.4f} of {fitted.kept.name}, {losses[yardstick]:.4f} of {other}"
    where = f"on the {count} window{'s' * (count > 1)} before the first cutoff"
    if isinstance(best, Baseline):
        words = f"auto: nothing beats {best.name} {where} ({figures}): {best.name} is used"
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
