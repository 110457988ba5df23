"""The verbs over a panel that need not fit in memory, in this process or on a Ray cluster, with the same results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ostinato.arguments import horizon_count
from ostinato.data.ahead import ALWAYS, check_steps, with_calendars
from ostinato.data.seasons import season_length
from ostinato.errors import ConfigError
from ostinato.evaluation.choice import is_local
from ostinato.evaluation.summary import Tally, summary
from ostinato.evaluation.windows import BacktestPlan
from ostinato.forecasting.inputs import as_sequences, horizon_of
from ostinato.local.forecast import MOST, default_horizon, names_of_methods
from ostinato.model_file import Model, load_model
from ostinato.renamed import renamed
from ostinato.scale.backtests import BacktestPart
from ostinato.scale.local_ar import FitLocalAR
from ostinato.scale.local_forecast import ForecastLocal
from ostinato.scale.models import ScorePart, forecast_part
from ostinato.scale.plan import ParquetPanel, counted_rows, plan
from ostinato.scale.run import Executor, Outcome, PanelProgress, run
from ostinato.scale.series import empty
from ostinato.wording import either, option


@renamed(season_length="season", target_col="target")
def fit_each(
    source: str | Path,
    output: str | Path,
    *,
    on: Executor | None = None,
    season: int | None = None,
    on_progress: Callable[[PanelProgress], None] | None = None,
    **columns: Any,
) -> Outcome:
    """Fit an autoregression to each series of a panel, with its order by BIC.

    The results have one row for each series, with the columns of ``FitLocalAR``.

    Args:
        source: Parquet files with one row for each step: a file, a folder or a pattern. They are read in parts.
        output: The folder for the results; a run that was stopped continues from the parts in it.
        on: The executor, such as ``scale.ray(...)``; this process if None, which is quickest with OMP_NUM_THREADS=1.
        season: The number of steps of a season, by the frequency if left out. The largest order is two seasons and
            one step.
        on_progress: A function that is called after every part.
        columns: The options kind, id_col, time_col and target, as in ``read``.

    Returns:
        The totals of the run.

    Raises:
        OstinatoError: As for ``run``.
    """
    panel = _of_one_channel(source, columns)
    steps, _ = season_length(empty(panel), season)
    return run(panel, FitLocalAR(steps), output, on, on_progress)


@renamed(season_length="season", target_col="target")
def forecast(
    model: Model | str | Path,
    source: str | Path,
    output: str | Path,
    *,
    horizon: int | None = None,
    level: Sequence[float] = (80, 95),
    on: Executor | None = None,
    season: int | None = None,
    n_paths: int = 500,
    seed: int = 0,
    on_progress: Callable[[PanelProgress], None] | None = None,
    **columns: Any,
) -> Outcome:
    """Forecast every series of a panel from its end.

    The results have the columns of ``ostinato.forecast``. A sequence model draws sample paths, and a direct model and a
    method have their own quantiles. A method is fitted to each series; what it shares between series, it shares between
    those of one part and of one frequency. The parts follow from the files alone, not from the number of workers.

    Args:
        model: A model, the path of a model file, or the name of a method of ``ostinato.forecast`` such as "auto" or
            "ets". A name is taken for a method and not for a path; "./ets" is a path.
        source: Parquet files, as in ``fit_each``.
        output: The folder for the results, as in ``fit_each``.
        horizon: The number of steps to forecast; as in ``ostinato.forecast`` if left out.
        level: The levels of the intervals in percent.
        on: The executor, as in ``fit_each``.
        season: The number of steps of a season, for a method; by the frequency of each series if left out.
        n_paths: The number of sample paths.
        seed: The seed of the sample paths.
        on_progress: A function that is called after every part.
        columns: The options kind, id_col, time_col and target, as in ``read``.

    Returns:
        The totals of the run.

    Raises:
        OstinatoError: As for ``run`` and ``ostinato.forecast``.
    """
    if isinstance(model, str) and model in names_of_methods():
        panel = plan(source, **columns)
        steps = default_horizon(empty(panel), season)[0] if horizon is None else horizon_count(horizon)
        panel = _within_reach(panel, steps, MOST)
        return run(panel, ForecastLocal(model, season, steps, tuple(level)), output, on, on_progress)
    model = _loaded(model)
    verb = forecast_part(model, _name(model), horizon, level, n_paths, seed)
    return run(_within_reach(_like(model, source, columns), verb.horizon), verb, output, on, on_progress)


def _within_reach(panel: ParquetPanel, steps: int, most: int | None = None) -> ParquetPanel:
    """Return a panel with the length of its longest series, if a forecast of this number of steps depends on it.

    Raises:
        ConfigError: The forecast reaches too far, as for the same series in memory.
    """
    if steps <= ALWAYS:
        return panel
    panel = counted_rows(panel)
    check_steps(steps, panel.longest, most)
    return panel


@renamed(target_col="target")
def score(
    model: Model | str | Path,
    source: str | Path,
    output: str | Path,
    *,
    on: Executor | None = None,
    on_progress: Callable[[PanelProgress], None] | None = None,
    **columns: Any,
) -> Outcome:
    """Score every series of a panel by a model: the surprisal of each step in nats.

    The results have the columns unique_id, step and surprisal. The sums are log_prob (the log-likelihood in nats) and
    scored (the number of its steps).

    Args:
        model: A model, or the path of a model file.
        source: Parquet files, as in ``fit_each``.
        output: The folder for the results, as in ``fit_each``.
        on: The executor, as in ``fit_each``.
        on_progress: A function that is called after every part.
        columns: The options kind, id_col, time_col and target, as in ``read``.

    Returns:
        The totals of the run.

    Raises:
        ConfigError: The model is a direct model, which has no likelihood.
        OstinatoError: As for ``run``.
    """
    scored = _loaded(model).likelihood("score")
    return run(_like(scored, source, columns), ScorePart(_name(scored), scored), output, on, on_progress)


@renamed(season_length="season", target_col="target")
def cross_validation(  # noqa: PLR0913 - the options of ostinato.cross_validation, all by name
    model: Model | str | Path | None,
    source: str | Path,
    output: str | Path,
    *,
    horizon: int,
    n_windows: int = 1,
    step_size: int | None = None,
    level: Sequence[float] = (80, 95),
    on: Executor | None = None,
    season: int | None = None,
    n_paths: int = 500,
    on_progress: Callable[[PanelProgress], None] | None = None,
    **columns: Any,
) -> tuple[pl.DataFrame, Outcome]:
    """Backtest a fitted model or a local method and the baselines, with local_ar among them, over a panel.

    Args:
        model: A model, the path of a model file, the name of a local method such as "ets" or "local", or None for the
            baselines alone. A local method shares between series only what it finds in their part.
        source: Parquet files, as in ``fit_each``.
        output: The folder for the results, as in ``fit_each``; they have the columns of ``ostinato.cross_validation``.
        horizon: The number of steps to forecast in each window.
        n_windows: The number of windows of each series.
        step_size: The number of steps between two windows; the horizon if left out.
        level: The levels of the intervals in percent.
        on: The executor, as in ``fit_each``.
        season: The number of steps of a season, by the frequency if left out.
        n_paths: The number of sample paths.
        on_progress: A function that is called after every part.
        columns: The options kind, id_col, time_col and target, as in ``read``.

    Returns:
        The table of scores by model over all parts, and the totals of the run.

    Raises:
        OstinatoError: As for ``run`` and ``ostinato.cross_validation``.
    """
    method = model if isinstance(model, str) and is_local(model) else None
    loaded = None if model is None or method else _loaded(model)
    if loaded is not None:
        horizon_of(loaded, horizon)
    panel = plan(source, **columns) if loaded is None else _like(loaded, source, columns)
    steps, _ = season_length(empty(panel), season)
    windows = BacktestPlan(horizon, n_windows, horizon if step_size is None else step_size)
    name, level = method or ("" if loaded is None else _name(loaded)), tuple(sorted(set(level)))
    verb = BacktestPart(name, method or loaded, windows, steps, season, level, n_paths)
    out = run(panel, verb, output, on, on_progress)
    return summary({name: Tally.of(verb.level, sums) for name, sums in out.sums.items()}), out


def _loaded(model: Model | str | Path) -> Model:
    return load_model(model) if isinstance(model, str | Path) else model


def _of_one_channel(source: str | Path, columns: dict[str, Any]) -> ParquetPanel:
    panel = plan(source, **columns)
    if len(panel.roles.values) > 1:
        what = f"an autoregression models one column of numbers, got {len(panel.roles.values)}"
        raise ConfigError(
            what, where=panel.source, fix=f"choose one of {', '.join(panel.roles.values)} with {option('--target')}"
        )
    return panel


def _like(model: Model, source: str | Path, columns: dict[str, Any]) -> ParquetPanel:
    """Plan the panel with the options of the training data.

    Raise ModelFileError if the panel does not fit the model, and ConfigError if the model has covariates.
    """
    trained = model.description
    covariates = [name for group in ("known", "past", "static") for name in trained.source.get(group, ())]
    if covariates:
        what = (
            f"the model needs the covariates {', '.join(covariates)}, and a panel in parts is read without covariates"
        )
        way = either("leave out --on", "use ostinato.forecast or ostinato.score")
        raise ConfigError(what, fix=f"{way}, and give the data with their future rows")
    options = {k: trained.source[k] for k in ("id_col", "time_col", "target") if trained.source.get(k) is not None}
    panel = plan(source, **{"kind": trained.kind, **options, **{k: v for k, v in columns.items() if v is not None}})
    nothing = as_sequences(model, empty(panel))
    model.check_covariates(with_calendars(nothing, trained.source))
    return panel


def _name(model: Model) -> str:
    """Return the SHA-256 of the configuration and the weights of a model, in hexadecimal."""
    tensors, document = model.to_parts()
    sha = hashlib.sha256(json.dumps([model.description.config, document], sort_keys=True).encode())
    for key, value in sorted(tensors.items()):
        sha.update(key.encode() + value.detach().numpy().tobytes())
    return sha.hexdigest()
