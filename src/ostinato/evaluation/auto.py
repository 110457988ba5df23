"""The forecasters that a backtest fits: a model by its name, or with "auto" the best on earlier windows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.choices import unknown
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.evaluation.fitted import Fitted, Quantiles, fitted
from ostinato.evaluation.forecasters import Baseline, Forecaster, baselines
from ostinato.evaluation.local import Local
from ostinato.evaluation.summary import Tally, probabilities, resolution
from ostinato.evaluation.windows import BacktestPlan
from ostinato.fitting import fields_for, fit
from ostinato.local.forecast import LOCAL, names_of_methods
from ostinato.model_file import Model
from ostinato.numbers import counted
from ostinato.training.rungs import models

#: "auto" chooses by this many windows or this many steps of each series, whichever is more, but at most by a quarter of
#: the longest series.
_WINDOWS, _STEPS = 3, 60
#: A forecaster whose wQL is above the least by at most this share counts as equal, because the windows are few.
_MARGIN = 0.02
#: The baseline that "auto" uses if the history is too short for a choice.
_SHORT = "naive2"


def named(
    name: str,
    model: str,
    history: SequenceSet,
    plan: BacktestPlan,
    season: int,
    own_season: int | None,
    sampling: dict[str, int],
    options: dict[str, Any],
) -> tuple[Forecaster, list[str]]:
    """Return the forecaster of a model of ``fit``, and notes; the arguments are those of ``forecaster``.

    Raises:
        ConfigError: No model has the name.
    """
    if model not in models():
        raise unknown("model", model, dict.fromkeys((*models(), *names_of_methods())))
    if model == "direct":
        given = {name: value for name, value in options.items() if name != "support"}  # an option of the ladder
        direct = fit(history, model=model, horizon=plan.horizon, **{"season": season, **given})
        return fitted(name, direct.model, **sampling), [f"direct: {direct.model.description.direct_record.verdict}"]
    return fitted(name, fit(history, model=model, **_season(history, own_season), **options).model, **sampling), []


def best(
    name: str,
    history: SequenceSet,
    plan: BacktestPlan,
    season: int,
    own_season: int | None,
    sampling: dict[str, int],
    options: dict[str, Any],
) -> tuple[Forecaster, list[str]]:
    """Return the forecaster of "auto", and a note on its choice; the arguments are those of ``forecaster``."""
    longest = int(history.lengths.max())
    steps = min(longest // 4, max(_WINDOWS * plan.horizon, _STEPS))
    count = steps // plan.horizon or int(longest >= 2 * plan.horizon)
    if not count:
        note = (
            f"auto: the longest series has {counted(longest, 'step')}, too few to compare models on windows of "
            f"{plan.horizon}; "
            f"{_SHORT} is used"
        )
        return Baseline(name, _SHORT, season), [note]
    earlier = BacktestPlan(plan.horizon, count, plan.horizon)
    # the simplest first, because the first one within the margin is used
    candidates: list[Baseline | Local | Quantiles | Fitted] = list(baselines(season, refit=False))
    if history.traits.tabular:
        candidates.append(Local(LOCAL, LOCAL, own_season))
    given = _season(history, own_season)
    candidates += _models(earlier.before(history), plan.horizon, season, given, sampling, options)
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
    again = _again(best.model, history, plan.horizon, season, given, options)
    note = f"auto: {best.name} is used: {where}, {figures}; it is fitted again to every step before that cutoff"
    return fitted(name, again, **sampling), [note]


def _season(history: SequenceSet, own_season: int | None) -> dict[str, Any]:
    """Return the season that was given as an option of the ladder; none for prices, which have no season there."""
    return {} if own_season is None or history.kind != "series" else {"season": own_season}


def _again(
    model: Model, history: SequenceSet, horizon: int, season: int, given: dict[str, Any], options: dict[str, Any]
) -> Model:
    """Return a model like the chosen one that is fitted to the windows of the choice, too; see ``_models``."""
    name = model.description.name
    if model.max_horizon is not None:
        direct = {"season": season, **fields_for("direct", options)}
        return fit(history, model="direct", horizon=horizon, **direct).model
    return fit(history, model=name, **given, **fields_for("ladder", options)).model


def _models(
    before: SequenceSet,
    horizon: int,
    season: int,
    given: dict[str, Any],
    sampling: dict[str, int],
    options: dict[str, Any],
) -> list[Quantiles | Fitted]:
    """Return a direct model, if the series are long enough for one, and the best model of the ladder.

    Args:
        before: The steps before the windows of the choice.
        horizon: The number of steps that a direct model forecasts.
        season: The season in steps, of a direct model.
        given: The season of the ladder, if it was given.
        sampling: How sample paths are drawn.
        options: The options of ``fit``.
    """
    out: list[Quantiles | Fitted] = []
    with suppress(DataError):
        direct = fit(before, model="direct", horizon=horizon, **{"season": season, **fields_for("direct", options)})
        out.append(fitted(f"direct ({direct.kept.name})", direct.model, **sampling))
    ladder = fit(before, model="auto", **given, **fields_for("ladder", options))
    return [*out, fitted(ladder.kept.name, ladder.model, **sampling)]


def _losses(candidates: Sequence[Forecaster], history: SequenceSet, plan: BacktestPlan) -> NDArray[np.float64]:
    """Return the wQL of each candidate on the windows of a plan, (candidates,)."""
    grid, tallies = probabilities(()), [Tally(()) for _ in candidates]
    for window in plan.windows(history):
        y, exact = window.later(), resolution(window.whole)
        unused = np.ones(y.shape[:2])
        for candidate, tally in zip(candidates, tallies, strict=True):
            tally.add(y, candidate.predict(window.history, plan.horizon, grid), unused, unused, exact)
    return np.nan_to_num([tally.wql for tally in tallies], nan=np.inf)
