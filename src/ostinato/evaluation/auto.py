"""The forecasters that a backtest fits: a model by its name, or with "auto" the best on earlier windows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from ostinato.choices import unknown
from ostinato.data.sequences import SequenceSet
from ostinato.dispatch.fit import fields_for, fit
from ostinato.errors import DataError
from ostinato.evaluation.fitted import Fitted, Quantiles, fitted
from ostinato.evaluation.forecasters import Baseline, Forecaster, baselines
from ostinato.evaluation.local import Local
from ostinato.evaluation.summary import Tally, probabilities, resolution
from ostinato.evaluation.task import Task
from ostinato.evaluation.windows import BacktestPlan
from ostinato.fits.result import Fit
from ostinato.local.forecast import LOCAL, names_of_methods
from ostinato.numbers import counted
from ostinato.shapes import Array
from ostinato.training.rungs import models

#: "auto" chooses by this many windows or this many steps of each series, whichever is more, but at most by a quarter of
#: the longest series.
_WINDOWS, _STEPS = 3, 60
#: A forecaster whose wQL is above the least by at most this share counts as equal, because the windows are few.
_MARGIN = 0.02
#: The baseline that "auto" uses if the history is too short for a choice.
_SHORT = "naive2"


def named(name: str, model: str, task: Task) -> tuple[Forecaster, list[str]]:
    """Return the forecaster of a model of ``fit``, and notes.

    Args:
        name: The name of the model in the table.
        model: The name of the model to fit.
        task: What it is fitted to.

    Raises:
        ConfigError: No model has the name.
    """
    if model not in models():
        raise unknown("model", model, dict.fromkeys((*models(), *names_of_methods())))
    history, options = task.history, task.options
    if model == "direct":
        given = {name: value for name, value in options.items() if name != "support"}  # an option of the ladder
        direct = fit(history, model=model, horizon=task.plan.horizon, **{"season": task.season, **given})
        verdict = direct.model.description.direct_record.verdict
        return fitted(name, direct.model, **task.sampling), [f"direct: {verdict}"]
    return fitted(name, fit(history, model=model, **task.ladder_season(), **options).model, **task.sampling), []


def best(name: str, task: Task) -> tuple[Forecaster, list[str]]:
    """Return the forecaster of "auto", and a note on its choice.

    Args:
        name: The name of the model in the table.
        task: What it is fitted to.
    """
    history, plan, season = task.history, task.plan, task.season
    longest = int(history.lengths.max())
    steps = min(longest // 4, max(_WINDOWS * plan.horizon, _STEPS))
    count = steps // plan.horizon or int(longest >= 2 * plan.horizon)
    if not count:
        note = (
            f"auto: the longest series has {counted(longest, 'step')}, too few to compare models on windows of "
            f"{plan.horizon}; {_SHORT} is used"
        )
        return Baseline(name, _SHORT, season), [note]
    earlier = BacktestPlan(plan.horizon, count, plan.horizon)
    # the simplest first, because the first one within the margin is used
    candidates: list[Baseline | Local | Quantiles | Fitted] = list(baselines(season, refit=False))
    if history.traits.tabular:
        candidates.append(Local(LOCAL, LOCAL, task.own_season))
    candidates += _models(task, earlier.before(history))
    losses = _losses(candidates, history, earlier)
    at = int(np.argmax(losses <= losses.min() * (1 + _MARGIN)))
    best, models = candidates[at], [i for i, c in enumerate(candidates) if not isinstance(c, Baseline)]
    # a baseline is compared with the best model, and a model with the best of all others
    rivals = models if isinstance(best, Baseline) else [i for i in range(len(candidates)) if i != at]
    rival = min(rivals, key=lambda i: losses[i])
    figures = f"its wQL is {losses[at]:.4g}, and that of {candidates[rival].name} is {losses[rival]:.4g}"
    where = f"on the {counted(count, 'window')} before the first cutoff"
    if isinstance(best, Baseline):
        note = f"auto: {best.name} is used, because no model is better by {_MARGIN:.0%} {where}: {figures}"
        return Baseline(name, best.rule, season, best.keep), [note]
    if isinstance(best, Local):
        return replace(best, name=name), [f"auto: {best.name} is used: {where}, {figures}"]
    direct = best.model.max_horizon is not None
    again = _direct(task, history) if direct else _ladder(task, history, best.model.description.name)
    note = f"auto: {best.name} is used: {where}, {figures}; it is fitted again to every step before that cutoff"
    return fitted(name, again.model, **task.sampling), [note]


def _direct(task: Task, steps: SequenceSet) -> Fit:
    """Return a direct model for the horizon of the plan, fitted to some steps of the history."""
    how = {"season": task.season, **fields_for("direct", task.options)}
    return fit(steps, model="direct", horizon=task.plan.horizon, **how)


def _ladder(task: Task, steps: SequenceSet, model: str) -> Fit:
    """Return a model of the ladder, or with "auto" the best one, fitted to some steps of the history."""
    return fit(steps, model=model, **task.ladder_season(), **fields_for("ladder", task.options))


def _models(task: Task, before: SequenceSet) -> list[Quantiles | Fitted]:
    """Return a direct model, if the series are long enough for one, and the best model of the ladder.

    Args:
        task: What the models are fitted to, and how.
        before: The steps of the history before the windows of the choice.
    """
    out: list[Quantiles | Fitted] = []
    with suppress(DataError):
        direct = _direct(task, before)
        out.append(fitted(f"direct ({direct.kept.name})", direct.model, **task.sampling))
    ladder = _ladder(task, before, "auto")
    return [*out, fitted(ladder.kept.name, ladder.model, **task.sampling)]


def _losses(candidates: Sequence[Forecaster], history: SequenceSet, plan: BacktestPlan) -> Array:
    """Return the wQL of each candidate on the windows of a plan, (candidates,)."""
    grid, tallies = probabilities(()), [Tally(()) for _ in candidates]
    for window in plan.windows(history):
        y, exact = window.later(), resolution(window.whole)
        unused = np.ones(y.shape[:2])
        for candidate, tally in zip(candidates, tallies, strict=True):
            tally.add(y, candidate.predict(window.history, plan.horizon, grid), unused, unused, exact)
    return np.nan_to_num([tally.wql for tally in tallies], nan=np.inf)
