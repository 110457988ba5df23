"""The search of ``ostinato.training.search`` on a Ray cluster: Ray Tune, with Optuna's sampler and ASHA."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, NonFiniteLossError, OstinatoError
from ostinato.fits.budget import Budget
from ostinato.fits.result import Fit
from ostinato.scale.cluster import Cluster
from ostinato.training.search import Trial, attempt, chosen, claim, ranked, space


def search(
    source: str | Path,
    trials: int,
    folder: str | Path,
    *,
    on: Cluster,
    reading: dict[str, Any] | None = None,
    budget: Budget | None = None,
    held_out: float | str = 0.1,
    seed: int = 0,
) -> tuple[Fit, tuple[Trial, ...]]:
    """``training.search.search`` with ``on.workers`` trials at a time; every worker must see source and folder.

    budget  of the whole search in seconds of one worker, of each trial in steps

    Raises what that function raises, and OstinatoError where a trial's worker dies over and over.
    """
    source, folder = Path(source).absolute(), Path(folder).absolute()
    data, limits = read(source, **(reading or {})), budget or Budget()
    how = claim(folder, data, trials, limits, " ray", held_out=held_out, seed=seed, threads=on.threads)
    asked = {"source": str(source), "reading": reading or {}, "folder": str(folder), "how": how}
    with on.joined():
        from ray import tune
        from ray.tune.schedulers import ASHAScheduler
        from ray.tune.search.optuna import OptunaSearch

        each = tune.with_resources(tune.with_parameters(_work, asked=asked), {"CPU": on.threads})
        if tune.Tuner.can_restore(str(folder / "ray" / "search")):
            tuner = tune.Tuner.restore(str(folder / "ray" / "search"), each, resume_unfinished=True)
        else:
            sampler = OptunaSearch(space=partial(_space, data=data), metric="validation", mode="max", seed=seed)
            ways = tune.TuneConfig(
                metric="validation",
                mode="max",
                num_samples=trials,
                max_concurrent_trials=on.workers,
                search_alg=sampler,
                scheduler=ASHAScheduler(),
                reuse_actors=False,
            )
            run = tune.RunConfig(
                name="search",
                storage_path=str(folder / "ray"),
                failure_config=tune.FailureConfig(max_failures=3),
                verbose=0,
            )
            tuner = tune.Tuner(each, tune_config=ways, run_config=run)
        grid = tuner.fit()
    table = ranked(_row(number, result) for number, result in enumerate(grid))
    if not table or table[0].state != "complete":
        if grid.errors:
            raise OstinatoError(f"no trial came to its end: {grid.errors[0]}", where=str(folder))
        raise ConfigError("no trial came to its end", fix="give more time with --budget, or more trials")
    return chosen(folder / f"trial-{grid[table[0].number].metrics['trial_id']}.ost", table), table


def _space(trial: Any, data: SequenceSet) -> None:
    space(trial, data)


def _work(params: dict[str, Any], asked: dict[str, Any]) -> None:
    """One trial, on a worker."""
    from ray import tune

    file = Path(asked["folder"]) / f"trial-{tune.get_context().get_trial_id()}.ost"

    def report(validation: float, step: int) -> None:
        tune.report({"validation": validation, "whole": False})

    try:
        best, held = attempt(read(asked["source"], **asked["reading"]), params, file, report, **asked["how"])
    except NonFiniteLossError:
        return
    tune.report({"validation": best, "held_out": held, "whole": True})


def _row(number: int, result: Any) -> Trial:
    metrics = result.metrics or {}
    whole = bool(metrics.get("whole"))
    state = "complete" if whole else "fail" if result.error else "pruned"
    validation, held = (metrics.get(name) if whole else None for name in ("validation", "held_out"))
    return Trial(number, dict(result.config), validation, held, float(metrics.get("time_total_s", 0.0)), state)
