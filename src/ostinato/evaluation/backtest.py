"""Backtesting: forecasts from rolling cutoffs next to those of the baselines, and their measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.arguments import levels, whole
from ostinato.data.ids import id_column
from ostinato.data.read import read
from ostinato.data.seasons import season_length
from ostinato.data.sequences import SequenceSet
from ostinato.device import Device, on_device
from ostinato.errors import ConfigError
from ostinato.evaluation.baselines import BASELINES
from ostinato.evaluation.choice import forecaster, names
from ostinato.evaluation.forecasters import Forecaster, Predicted, baselines
from ostinato.evaluation.metrics import seasonal_error
from ostinato.evaluation.remarks import against_last_season, left_out, set_aside_by, verdict
from ostinato.evaluation.summary import Tally, interval, probabilities, resolution, summary
from ostinato.evaluation.task import Task
from ostinato.evaluation.windows import BacktestPlan, BacktestWindow
from ostinato.forecasting.table import ds_column
from ostinato.forked import require_polars
from ostinato.look import Shown
from ostinato.numbers import counted, plain
from ostinato.renamed import renamed
from ostinato.settings import undisturbed
from ostinato.shapes import Array
from ostinato.threads import Threads, in_threads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ostinato.model_file import Model


@dataclass(frozen=True, repr=False, eq=False)
class Backtest(Shown):
    """The result of ``backtest``.

    Attributes:
        frame: unique_id, ds, cutoff (the ds of the last step of the history), (channel), y, and for each model
            <model>, <model>-lo-95 ... <model>-hi-95. Empty if ``on_window`` took the windows.
        table: One row a model, see ``summary``; the baselines come last.
        tallies: The sums behind the row of each model.
        season: The season in steps of the baselines and the scaled errors.
        notes: Notes in words. The last one says whether any model beats the baselines.
    """

    frame: pl.DataFrame
    table: pl.DataFrame
    tallies: dict[str, Tally]
    season: int
    notes: tuple[str, ...]

    def look(self) -> tuple[list[str], pl.DataFrame]:
        """Return whether any model beats the baselines, with the other notes, and the table of errors."""
        *notes, verdict = self.notes
        return [verdict, *(f"note: {note}" for note in notes)], self.table

    def plot(self) -> Figure:
        """Return the picture of the first series, at most six, as a figure of matplotlib.

        It shows the values that came, and the forecasts of the best model and of the best baseline by wQL.

        Raises:
            ConfigError: matplotlib is not installed, or ``on_window`` took the forecasts.
        """
        from ostinato.evaluation.picture import figure

        return figure(self)


@renamed(season_length="season", target_col="target")
@undisturbed
@in_threads
@on_device
def cross_validation(  # noqa: PLR0913 - the public function has one keyword for each setting
    data: SequenceSet | Any,
    model: str | Model | Sequence[str | Model] = "auto",
    *,
    horizon: int,
    n_windows: int = 1,
    step_size: int | None = None,
    level: float | Sequence[float] = (80, 95),
    refit: bool = False,
    season: int | None = None,
    id_col: str | None = None,
    time_col: str | None = None,
    target: str | list[str] | None = None,
    n_paths: int = 500,
    on_window: Callable[[pl.DataFrame], None] | None = None,
    threads: Threads = "auto",
    device: Device = "auto",
    **options: Any,
) -> Backtest:
    """Forecast ``horizon`` steps from each of several cutoffs of every series, and measure the forecasts.

    Nothing after a cutoff reaches a forecast from it: weights, scales and the choice of "auto" come from steps before
    the first cutoff, or with ``refit`` before each. Cutoffs are counted from the end of each series. If the series of
    a panel end at different times, one may thus be fitted on dates after the cutoff of another.

    Args:
        data: A SequenceSet, or anything that ``read`` takes.
        model: A name as ``fit`` takes it, a fitted model, several of these, or () for the baselines alone. A local
            method is a name too: "ets", "theta" and others, and "local" for what ``ostinato.forecast`` calls "auto".
            Here "auto" chooses between the baselines, "local", a direct model and the ladder, and uses the best
            baseline if nothing beats it. A fitted model forecasts the data of its own fit with its weights
            before the refit, and a note says which windows they saw.
        horizon: The number of steps to forecast.
        n_windows: The number of cutoffs of every series.
        step_size: The number of steps from a cutoff to the next. The horizon by default, so windows do not overlap.
        level: The coverage of each interval in percent.
        refit: Whether to fit at every cutoff, and not only before the first.
        season: The season in steps, by default from the frequency of the data. ``season_length`` is its second name.
        id_col: The column of ids, as in ``read``.
        time_col: The column of times, as in ``read``.
        target: The columns of values, as in ``read``. ``target_col`` is its second name.
        n_paths: The number of sample paths of a forecast.
        on_window: Called with the frame of each window. No frame is kept then, so RAM does not grow with the windows.
        threads: The number of threads that compute, or "auto" for the decision by the machine.
        device: Where the model computes: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a GPU if a timed step
            is faster there.
        **options: The options of ``fit``: budget, seed, hidden, ...

    Returns:
        The forecasts, the table of measures and the notes.

    Raises:
        ConfigError: An option is out of its range, or polars cannot compute in this process (see ``forked``).
        DataError: No series is long enough.
    """
    if not isinstance(data, SequenceSet):
        data = read(data, id_col=id_col, time_col=time_col, target=target)
    if not data.traits.numeric:
        raise ConfigError(
            f"a backtest needs numbers, got {data.kind}", fix="use score, which measures the likelihood of a model"
        )
    level = sorted(levels(level))
    plan = BacktestPlan(horizon, n_windows, horizon if step_size is None else step_size)
    models = _named(model)
    if "support" not in options and data.traits.numeric and bool((data.values < 0).any()):
        # what the values can be is a fact about their unit, as for counts, and no forecast of values after a cutoff
        options["support"] = "real"
    n_paths = whole("n_paths", n_paths, 2, fix="use 2 or more; 500 is a good number")
    # a part of a panel has the season of the whole panel, and local methods the one that was given, if any
    own_season = options.pop("own_season", season)
    season, why = season_length(data, season)
    notes = [*data.notes, f"season: {counted(season, 'step')}, {why}", *left_out(plan, data)]
    models, warnings = _before_windows(models, data, plan)
    notes += warnings
    tallies = {name: Tally(level) for name in (*models, *BASELINES)}
    task, frames = Task(plan.before(data), plan, season, own_season, n_paths, options), []
    require_polars()
    forecasters: list[Forecaster] = []
    for window in plan.windows(data):
        if refit or not forecasters:
            forecasters, here = [], replace(task, history=window.history) if refit else task
            for name, given in models.items():
                begun = time.monotonic()
                chosen, remarks = forecaster(name, given, here)
                tallies[name].seconds += time.monotonic() - begun
                # while the weights stay, the log_prob of a step depends on no cutoff
                forecasters.append(chosen if refit else chosen.scored(data))
                notes.extend(remarks)
            forecasters.extend(baselines(season, refit=refit))
        frame = _measure(window, forecasters, tallies, level, season)
        if on_window:
            on_window(frame)
        else:
            frames.append(frame)
    table = summary(tallies)
    notes += [*set_aside_by(tallies), *against_last_season(table, season), verdict(table)]
    return Backtest(
        pl.concat(frames) if frames else pl.DataFrame(), table, tallies, season, tuple(dict.fromkeys(notes))
    )


def _named(model: str | Model | Sequence[str | Model]) -> dict[str, str | Model]:
    """Return the models under the names that the table gives them."""
    models = list(model) if isinstance(model, Sequence) and not isinstance(model, str) else [model]
    return dict(zip(names(models), models, strict=True))


def _before_windows(
    models: dict[str, str | Model], data: SequenceSet, plan: BacktestPlan
) -> tuple[dict[str, str | Model], list[str]]:
    """Return the models, fitted ones with the weights of before their refit, and a note on what each of these saw."""
    found, notes = dict(models), []
    for name, given in models.items():
        if not isinstance(given, str):
            from ostinato.evaluation.unseen import unseen  # here, because it imports torch

            found[name], note = unseen(name, given, data, plan)
            notes.append(note)
    return found, notes


def _measure(
    window: BacktestWindow,
    forecasters: list[Forecaster],
    tallies: dict[str, Tally],
    level: Sequence[float],
    season: int,
) -> pl.DataFrame:
    """Forecast a window with every forecaster, add to the tallies, and return the frame of the window."""
    y, history = window.later(), window.history
    scale = np.array([[seasonal_error(x[:, d], season) for d in range(x.shape[1])] for x in history])
    columns, exact = _columns(window, y), resolution(window.whole)
    for one in forecasters:
        begun = time.monotonic()
        predicted = one.predict(history, window.horizon, probabilities(level))
        tallies[one.name].seconds += time.monotonic() - begun
        tallies[one.name].add(y, predicted, scale, one.log_prob(window.whole, window.horizon), exact)
        columns.update(_intervals(one.name, predicted, level))
        if predicted.set_aside is not None:
            tallies[one.name].set_aside.update(
                history.ids[b] for b in np.flatnonzero(predicted.set_aside.any(axis=1)).tolist()
            )
    return pl.DataFrame(columns)


def _columns(window: BacktestWindow, y: Array) -> dict[str, Any]:
    """Return unique_id, ds, cutoff, (channel) and y, with a row for each step of a channel of a series."""
    B, D, H = y.shape
    whole = window.whole
    if whole.times is None:
        cutoff: NDArray[Any] = window.history.lengths
        ds = cutoff[:, None] + np.arange(1, H + 1)
    else:
        cutoff = whole.times[whole.offsets[1:] - H - 1]
        ds = np.stack([whole.times[z - H : z] for z in whole.offsets[1:]])
    columns: dict[str, Any] = {
        "unique_id": id_column(whole.ids, D * H, whole.meta),
        "ds": ds_column(whole, np.repeat(ds[:, None], D, axis=1).reshape(-1)),
        "cutoff": ds_column(whole, np.repeat(cutoff, D * H)),
    }
    if D > 1:
        columns["channel"] = np.tile(np.repeat(np.array(whole.channels, dtype=object), H), B).tolist()
    return {**columns, "y": y.reshape(-1)}


def _intervals(name: str, predicted: Predicted, level: Sequence[float]) -> dict[str, Array]:
    """Return the columns of a forecaster: the point forecasts and the ends of the intervals, (B * D * H,) each."""
    pairs = {one: interval(predicted, level, one) for one in level}
    low = {f"{name}-lo-{plain(one)}": pairs[one][0].reshape(-1) for one in sorted(level, reverse=True)}
    high = {f"{name}-hi-{plain(one)}": pairs[one][1].reshape(-1) for one in sorted(level)}
    return {name: predicted.point.reshape(-1), **low, **high}
