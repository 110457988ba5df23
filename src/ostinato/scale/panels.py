"""The verbs over a panel that need not fit in memory: in this process or on a Ray cluster, to the same files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ostinato.data.seasons import season_length
from ostinato.errors import ConfigError
from ostinato.evaluation.summary import Tally, summary
from ostinato.evaluation.windows import Plan as Windows
from ostinato.inference.forecast import check_forecast
from ostinato.inference.inputs import as_sequences
from ostinato.model import SequenceModel
from ostinato.model_file import load_model
from ostinato.scale.backtests import CrossValidation
from ostinato.scale.each import FitEach, ForecastEach
from ostinato.scale.models import Forecast, Score
from ostinato.scale.plan import Panel, plan
from ostinato.scale.run import Outcome, Progress, Workers, run
from ostinato.scale.series import empty


def fit_each(
    source: str | Path,
    output: str | Path,
    *,
    on: Workers | None = None,
    season: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    **columns: Any,
) -> Outcome:
    """Fit an autoregression to each series of a panel, its order by BIC: a row a series, see ``FitEach``.

    source   Parquet: a file, a folder or a pattern, a row a step. Nothing is read whole
    output   the folder for the results; a run that was stopped is taken up from the parts in it
    on       where: in this process, quickest when it was started with OMP_NUM_THREADS=1, or ``scale.ray(...)``
    season   steps of a season; orders go up to two of them and a step. From the frequency if left out
    columns  kind, id_col, time_col and target, as in ``read``

    Raises what ``run`` raises.
    """
    panel = _of_one_channel(source, columns)
    steps, _ = season_length(empty(panel), season)
    return run(panel, FitEach(steps), output, on, on_progress)


def forecast(
    model: SequenceModel | str | Path,
    source: str | Path,
    output: str | Path,
    *,
    horizon: int,
    level: Sequence[float] = (80, 95),
    on: Workers | None = None,
    season: int | None = None,
    n_paths: int = 500,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    **columns: Any,
) -> Outcome:
    """Forecast every series of a panel from its end: by a model, given or in a file, or "ar", an AR of its own each.

    The tables have the columns of ``ostinato.forecast``; the other arguments are those of ``fit_each``. A model draws
    ``n_paths`` sample paths; an autoregression's quantiles are exact, those of a normal.

    Raises what ``run`` and ``ostinato.forecast`` raise.
    """
    if model == "ar":
        panel = _of_one_channel(source, columns)
        steps, _ = season_length(empty(panel), season)
        return run(panel, ForecastEach(steps, horizon, tuple(level)), output, on, on_progress)
    model = _loaded(model)
    check_forecast(model, horizon, level, n_paths)
    verb = Forecast(_name(model), model, horizon, tuple(level), n_paths, seed)
    return run(_like(model, source, columns), verb, output, on, on_progress)


def score(
    model: SequenceModel | str | Path,
    source: str | Path,
    output: str | Path,
    *,
    on: Workers | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    **columns: Any,
) -> Outcome:
    """Score every series of a panel by a model, given or in a file: unique_id, step, surprisal in nats.

    The sums are log_prob, of everything, and scored, the steps that it is over. Other arguments: see ``fit_each``.

    Raises what ``run`` raises.
    """
    model = _loaded(model)
    return run(_like(model, source, columns), Score(_name(model), model), output, on, on_progress)


def cross_validation(
    model: SequenceModel | str | Path | None,
    source: str | Path,
    output: str | Path,
    *,
    horizon: int,
    n_windows: int = 1,
    step_size: int | None = None,
    level: Sequence[float] = (80, 95),
    on: Workers | None = None,
    season: int | None = None,
    n_paths: int = 500,
    on_progress: Callable[[Progress], None] | None = None,
    **columns: Any,
) -> tuple[pl.DataFrame, Outcome]:
    """Backtest a fitted model, if any, and the baselines, local_ar among them, over a panel: the table, and the run.

    The parts have the frame of ``ostinato.cross_validation``, and the table is made of the sums over all of them. The
    other arguments are those of that function, and of ``fit_each``.

    Raises what ``run`` and ``ostinato.cross_validation`` raise.
    """
    model = None if model is None else _loaded(model)
    panel = _like(model, source, columns) if model else plan(source, **columns)
    steps, _ = season_length(empty(panel), season)
    windows = Windows(horizon, n_windows, horizon if step_size is None else step_size)
    verb = CrossValidation(_name(model) if model else "", model, windows, steps, tuple(sorted(set(level))), n_paths)
    out = run(panel, verb, output, on, on_progress)
    return summary({name: Tally.of(verb.level, sums) for name, sums in out.sums.items()}), out


def _loaded(model: SequenceModel | str | Path) -> SequenceModel:
    """Raises ConfigError for a direct model, whose series are forecast in this process."""
    loaded = model if isinstance(model, SequenceModel) else load_model(model)
    if isinstance(loaded, SequenceModel):
        return loaded
    raise ConfigError("a direct model does not go over a panel in parts", fix="leave out --on, and name the file")


def _of_one_channel(source: str | Path, columns: dict[str, Any]) -> Panel:
    panel = plan(source, **columns)
    if len(panel.roles.values) > 1:
        what = f"the panel has {len(panel.roles.values)} columns of numbers, and an autoregression takes one"
        raise ConfigError(what, where=panel.source, fix=f"--target one of {', '.join(panel.roles.values)}")
    return panel


def _like(model: SequenceModel, source: str | Path, columns: dict[str, Any]) -> Panel:
    """The panel, planned as the training data were read. Raises ModelFileError where it cannot be the model's."""
    of = model.description
    asked = {k: of.source[k] for k in ("id_col", "time_col", "target") if of.source.get(k) is not None}
    panel = plan(source, **{"kind": of.kind, **asked, **{k: v for k, v in columns.items() if v is not None}})
    as_sequences(model, empty(panel))
    return panel


def _name(model: SequenceModel) -> str:
    """What the model's answers follow from, in hexadecimal."""
    sha = hashlib.sha256(json.dumps([model.description.config, model.encoding.to_json()], sort_keys=True).encode())
    for key, value in sorted(model.state_dict().items()):
        sha.update(key.encode() + value.detach().numpy().tobytes())
    return sha.hexdigest()
