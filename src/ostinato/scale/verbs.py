"""The verbs over a panel that need not fit in memory: in this process or on a Ray cluster, to the same files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from ostinato.data.seasons import season_length
from ostinato.errors import ConfigError
from ostinato.evaluation.summary import Tally, summary
from ostinato.evaluation.windows import BacktestPlan as Windows
from ostinato.forecasting.inputs import DEFAULT_HORIZON, as_sequences, horizon_of
from ostinato.model_file import Model, load_model
from ostinato.scale.backtests import BacktestPart
from ostinato.scale.local_ar import FitLocalAR, ForecastLocalAR
from ostinato.scale.models import ScorePart, forecast_part
from ostinato.scale.plan import ParquetPanel, plan
from ostinato.scale.run import Executor, Outcome, PanelProgress, run
from ostinato.scale.series import empty


def fit_each(
    source: str | Path,
    output: str | Path,
    *,
    on: Executor | None = None,
    season: int | None = None,
    on_progress: Callable[[PanelProgress], None] | None = None,
    **columns: Any,
) -> Outcome:
    """Fit an autoregression to each series of a panel, its order by BIC: a row a series, see ``FitLocalAR``.

    source   Parquet: a file, a folder or a pattern, a row a step. Nothing is read whole
    output   the folder for the results; a run that was stopped is taken up from the parts in it
    on       where: in this process, quickest when it was started with OMP_NUM_THREADS=1, or ``scale.ray(...)``
    season   steps of a season; orders go up to two of them and a step. From the frequency if left out
    columns  kind, id_col, time_col and target, as in ``read``

    Raises what ``run`` raises.
    """
    panel = _of_one_channel(source, columns)
    steps, _ = season_length(empty(panel), season)
    return run(panel, FitLocalAR(steps), output, on, on_progress)


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
    """Forecast every series of a panel from its end: by a model, given or in a file, or "ar", an AR of its own each.

    The tables have the columns of ``ostinato.forecast``, and the horizon is as there; the other arguments are those of
    ``fit_each``. A model draws ``n_paths`` sample paths, a direct one has quantiles of its own, and those of an
    autoregression are exact, those of a normal.

    Raises what ``run`` and ``ostinato.forecast`` raise.
    """
    if model == "ar":
        ahead = DEFAULT_HORIZON if horizon is None else horizon
        panel = _of_one_channel(source, columns)
        steps, _ = season_length(empty(panel), season)
        return run(panel, ForecastLocalAR(steps, ahead, tuple(level)), output, on, on_progress)
    model = _loaded(model)
    verb = forecast_part(model, _name(model), horizon, level, n_paths, seed)
    return run(_like(model, source, columns), verb, output, on, on_progress)


def score(
    model: Model | str | Path,
    source: str | Path,
    output: str | Path,
    *,
    on: Executor | None = None,
    on_progress: Callable[[PanelProgress], None] | None = None,
    **columns: Any,
) -> Outcome:
    """Score every series of a panel by a model, given or in a file: unique_id, step, surprisal in nats.

    The sums are log_prob, of everything, and scored, the steps that it is over. Other arguments: see ``fit_each``.

    Raises what ``run`` raises, and ConfigError for a direct model.
    """
    scored = _loaded(model).likelihood("score")
    return run(_like(scored, source, columns), ScorePart(_name(scored), scored), output, on, on_progress)


def cross_validation(
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
    """Backtest a fitted model, if any, and the baselines, local_ar among them, over a panel: the table, and the run.

    The parts have the frame of ``ostinato.cross_validation``, and the table is made of the sums over all of them. The
    other arguments are those of that function, and of ``fit_each``.

    Raises what ``run`` and ``ostinato.cross_validation`` raise.
    """
    model = None if model is None else _loaded(model)
    if model is not None:
        horizon_of(model, horizon)
    panel = _like(model, source, columns) if model else plan(source, **columns)
    steps, _ = season_length(empty(panel), season)
    windows = Windows(horizon, n_windows, horizon if step_size is None else step_size)
    verb = BacktestPart(_name(model) if model else "", model, windows, steps, tuple(sorted(set(level))), n_paths)
    out = run(panel, verb, output, on, on_progress)
    return summary({name: Tally.of(verb.level, sums) for name, sums in out.sums.items()}), out


def _loaded(model: Model | str | Path) -> Model:
    return load_model(model) if isinstance(model, str | Path) else model


def _of_one_channel(source: str | Path, columns: dict[str, Any]) -> ParquetPanel:
    panel = plan(source, **columns)
    if len(panel.roles.values) > 1:
        what = f"the panel has {len(panel.roles.values)} columns of numbers, and an autoregression takes one"
        raise ConfigError(what, where=panel.source, fix=f"--target one of {', '.join(panel.roles.values)}")
    return panel


def _like(model: Model, source: str | Path, columns: dict[str, Any]) -> ParquetPanel:
    """The panel, planned as the training data were read.

    Raises ModelFileError where it cannot be the model's, ConfigError for a model with covariates.
    """
    of = model.description
    beside = [name for columns in ("known", "past", "static") for name in of.source.get(columns, ())]
    if beside:
        what = f"a panel in parts is read without covariates, and the model has {', '.join(beside)}"
        raise ConfigError(what, fix="leave out --on, and give the data and their future rows")
    asked = {k: of.source[k] for k in ("id_col", "time_col", "target") if of.source.get(k) is not None}
    panel = plan(source, **{"kind": of.kind, **asked, **{k: v for k, v in columns.items() if v is not None}})
    nothing = as_sequences(model, empty(panel))
    model.check_covariates(replace(nothing, frequency=panel.frequency or of.source.get("frequency")))
    return panel


def _name(model: Model) -> str:
    """What the model's answers follow from, in hexadecimal."""
    tensors, document = model.to_parts()
    sha = hashlib.sha256(json.dumps([model.description.config, document], sort_keys=True).encode())
    for key, value in sorted(tensors.items()):
        sha.update(key.encode() + value.detach().numpy().tobytes())
    return sha.hexdigest()
