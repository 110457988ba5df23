"""Backtesting: forecasts from rolling cutoffs beside the baselines', in Nixtla's columns, and their measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.read import read
from ostinato.data.seasons import season_length
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError
from ostinato.evaluation.baselines import BASELINES
from ostinato.evaluation.choice import forecaster, names
from ostinato.evaluation.forecasters import Fitted, Forecaster, Predicted, baselines
from ostinato.evaluation.metrics import seasonal_error
from ostinato.evaluation.summary import Tally, at, probabilities, summary
from ostinato.evaluation.windows import BacktestPlan, BacktestWindow
from ostinato.inference.frame import check_levels, ends
from ostinato.model_file import Model


@dataclass(frozen=True)
class Backtest:
    """What cross_validation returns.

    frame   unique_id, ds, cutoff (the ds of the last step of the history), (channel), y, and for each model
            <model>, <model>-lo-95 ... <model>-hi-95; empty where the windows were handed to ``on_window``
    table   a row a model, see ``summary``; the baselines come last
    tallies by model, the sums that its row was made of
    season  steps of the season that the baselines and the scaled errors use
    notes   what there is to say, in words; the last one says whether anything beats the baselines
    """

    frame: pl.DataFrame
    table: pl.DataFrame
    tallies: dict[str, Tally]
    season: int
    notes: tuple[str, ...]


def cross_validation(
    data: SequenceSet | Any,
    model: str | Model | Sequence[str | Model] = "auto",
    *,
    horizon: int,
    n_windows: int = 1,
    step_size: int | None = None,
    level: Sequence[float] = (80, 95),
    refit: bool = False,
    season: int | None = None,
    id_col: str | None = None,
    time_col: str | None = None,
    target_col: str | list[str] | None = None,
    n_paths: int = 500,
    on_window: Callable[[pl.DataFrame], None] | None = None,
    **options: Any,
) -> Backtest:
    """Forecast ``horizon`` steps from each of ``n_windows`` cutoffs of every series, and measure what came.

    data       a SequenceSet, or anything that ``read`` takes, with its columns
    model      a name as ``fit`` takes it ("auto" falls back to the best baseline where nothing beats it), a model that
               is fitted already (nobody checks on what), several of these, or () for the baselines alone
    step_size  steps from a cutoff to the next; the horizon, if left out, so that windows do not overlap
    level      coverage of the intervals in percent
    refit      fit anew at every cutoff; else once, to what comes before the first one
    season     steps of the season; found from the frequency of the data
    on_window  is given each window's frame, and then none is kept: memory does not grow with the number of windows
    options    of ``fit``: budget, seed, threads, hidden, ...

    Nothing after a cutoff reaches a forecast from it: weights, scales and the choice of "auto" come from before the
    first cutoff, or with refit from before each. Cutoffs are counted from the end of each series, so in a panel that
    does not end at one time, one series may be fitted on dates that are another's future.

    Raises ConfigError for options that cannot be, DataError where no series is long enough, and what fit raises.
    """
    if not isinstance(data, SequenceSet):
        data = read(data, id_col=id_col, time_col=time_col, target=target_col)
    if not data.traits.numeric:
        raise ConfigError(f"{data.kind} has no mean to forecast", fix="use score, which judges a model of text")
    check_levels(level)
    plan = BacktestPlan(horizon, n_windows, horizon if step_size is None else step_size)
    models = [model] if isinstance(model, Model | str) else list(model)
    columns, level = names(models), sorted(set(level))
    season, why = season_length(data, season)
    notes = [*data.notes, f"season: {season} step{'s' * (season != 1)}, {why}", *_left_out(plan, data)]
    tallies = {name: Tally(level) for name in (*columns, *BASELINES)}
    history, frames = plan.before(data), []
    asked: list[Forecaster] = []
    for window in plan.windows(data):
        if refit or not asked:
            asked = []
            for name, given in zip(columns, models, strict=True):
                begun = time.monotonic()
                chosen, said = forecaster(
                    name, given, window.history if refit else history, plan, season, n_paths=n_paths, **options
                )
                tallies[name].seconds += time.monotonic() - begun
                # a step's log_prob depends on the steps before it, and on no cutoff, while the weights stay
                asked.append(chosen.scored(data) if isinstance(chosen, Fitted) and not refit else chosen)
                notes.extend(said)
            asked.extend(baselines(season, refit=refit))
        frame = _measure(window, asked, tallies, level, season)
        if on_window:
            on_window(frame)
        else:
            frames.append(frame)
    table = summary(tallies)
    notes.append(verdict(table))
    return Backtest(
        pl.concat(frames) if frames else pl.DataFrame(), table, tallies, season, tuple(dict.fromkeys(notes))
    )


def verdict(table: pl.DataFrame) -> str:
    """Whether a model has a lower wQL than every baseline, in words."""
    known = table.filter(pl.col("wql").is_finite()).sort("wql", maintain_order=True)
    is_baseline = pl.col("model").is_in(list(BASELINES))
    rest, yardsticks = known.filter(~is_baseline), known.filter(is_baseline)
    if not len(yardsticks):
        return "nothing could be measured: every value to forecast is missing"
    name, least = yardsticks["model"][0], yardsticks["wql"][0]
    if not len(rest):
        return f"the best baseline is {name}, with a wQL of {least:.4g}"
    best, figure = rest["model"][0], rest["wql"][0]
    if figure < least:
        gain = 100 * (1 - figure / least)
        return f"{best} beats every baseline: wQL {figure:.4g}, {gain:.1f} % under {name}'s {least:.4g}"
    if figure == least:
        return f"nothing beats the baseline: {best} is as good as {name}, wQL {least:.4g}"
    return f"nothing beats the baseline: {name} has a wQL of {least:.4g}, {best} of {figure:.4g}"


def _measure(
    window: BacktestWindow, asked: list[Forecaster], tallies: dict[str, Tally], level: Sequence[float], season: int
) -> pl.DataFrame:
    """Ask everyone, add to the tallies, and lay the window out."""
    y, history = window.later(), window.history
    scale = np.array([[seasonal_error(x[:, d], season) for d in range(x.shape[1])] for x in history])
    columns = _columns(window, y)
    for one in asked:
        begun = time.monotonic()
        predicted = one.predict(history, window.horizon, probabilities(level))
        tallies[one.name].seconds += time.monotonic() - begun
        tallies[one.name].add(y, predicted, scale, one.log_prob(window.whole, window.horizon))
        columns.update(_intervals(one.name, predicted, level))
    return pl.DataFrame(columns)


def _columns(window: BacktestWindow, y: NDArray[np.float64]) -> dict[str, Any]:
    """unique_id, ds, cutoff, (channel), y: a row a step of a channel of a series."""
    B, D, H = y.shape
    whole = window.whole
    if whole.times is None:
        cutoff: NDArray[Any] = window.history.lengths
        ds = cutoff[:, None] + np.arange(1, H + 1)
    else:
        cutoff = whole.times[whole.offsets[1:] - H - 1]
        ds = np.stack([whole.times[z - H : z] for z in whole.offsets[1:]])
    columns: dict[str, Any] = {
        "unique_id": np.repeat(np.array(whole.ids, dtype=object), D * H).tolist(),
        "ds": np.repeat(ds[:, None], D, axis=1).reshape(-1),
        "cutoff": np.repeat(cutoff, D * H),
    }
    if D > 1:
        columns["channel"] = np.tile(np.repeat(np.array(whole.channels, dtype=object), H), B).tolist()
    return {**columns, "y": y.reshape(-1)}


def _intervals(name: str, predicted: Predicted, level: Sequence[float]) -> dict[str, NDArray[np.float64]]:
    drawn = {column: at(predicted.quantiles, level, [p]).reshape(-1) for column, p in ends(name, level).items()}
    return {name: predicted.point.reshape(-1), **drawn}


def _left_out(plan: BacktestPlan, data: SequenceSet) -> list[str]:
    """A word on series that are too short for some of the windows."""
    first, last = (int((~plan.fits(data, number)).sum()) for number in (0, plan.count - 1))
    some = f"{first} series too short for the first window" if first else ""
    return [some + (f", {last} of them for all" if last else "")] if some else []
