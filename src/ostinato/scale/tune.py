"""The search of ``ostinato.training.search`` on a Ray cluster: Ray Tune with Optuna's sampler and ASHA."""

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
from ostinato.training.search import SearchPlan, Trial, attempt, chosen, ranked, space
from ostinato.wording import option


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
    refit: bool = True,
) -> tuple[Fit, tuple[Trial, ...]]:
    """Search for the best options of a model, with several trials at the same time.

    Every worker must see source and folder under the same paths.

    Args:
        source: The file or folder with the data.
        trials: The number of trials.
        folder: The folder for the models of the trials; a search that was stopped continues from it.
        on: The cluster; it works on ``on.workers`` trials at the same time.
        reading: The arguments of ``read``.
        budget: The seconds of the whole search, as of one worker, and the steps of each trial.
        held_out: The held-out share, or a pattern of ids, as in ``fit``.
        seed: The seed of the search and of every trial.
        refit: Whether each trial ends with a fit to all of the data.

    Returns:
        The fit of the best trial, and all trials, best first.

    Raises:
        ConfigError: As for ``training.search.search``, or no trial finished.
        OstinatoError: No trial finished, because the worker of a trial died several times.
    """
    source, folder = Path(source).absolute(), Path(folder).absolute()
    data = read(source, **(reading or {}))
    plan = SearchPlan(trials, budget or Budget(), held_out, seed, refit, on.threads, by=" ray")
    plan.claim(folder, data)
    arguments = {"source": str(source), "reading": reading or {}, "folder": str(folder), "how": plan.of_a_trial()}
    with on.joined():
        from ray import tune
        from ray.tune.schedulers import ASHAScheduler
        from ray.tune.search.optuna import OptunaSearch

        each = tune.with_resources(tune.with_parameters(_work, arguments=arguments), {"CPU": on.threads})
        if tune.Tuner.can_restore(str(folder / "ray" / "search")):
            tuner = tune.Tuner.restore(str(folder / "ray" / "search"), each, resume_unfinished=True)
        else:
            sampler = OptunaSearch(space=partial(_space, data=data), metric="validation", mode="max", seed=seed)
            tune_config = tune.TuneConfig(
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
            tuner = tune.Tuner(each, tune_config=tune_config, run_config=run)
        grid = tuner.fit()
    table = ranked(_row(number, result) for number, result in enumerate(grid))
    if not table or table[0].state != "complete":
        if grid.errors:
            what, fix = f"no trial finished: {grid.errors[0]}", "check the machines and their memory, then run it again"
            raise OstinatoError(what, where=str(folder), fix=fix)
        raise ConfigError("no trial finished", fix=f"give more time with {option('--budget')}, or more trials")
    return chosen(folder / f"trial-{grid[table[0].number].metrics['trial_id']}.ost", table), table


def _space(trial: Any, data: SequenceSet) -> None:
    space(trial, data)


def _work(params: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Run one trial on a worker."""
    from ray import tune

    file = Path(arguments["folder"]) / f"trial-{tune.get_context().get_trial_id()}.ost"

    def report(validation: float, step: int) -> None:
        tune.report({"validation": validation, "whole": False})

    try:
        best, held = attempt(
            read(arguments["source"], **arguments["reading"]), params, file, report, **arguments["how"]
        )
    except NonFiniteLossError:
        return
    tune.report({"validation": best, "held_out": held, "whole": True})


def _row(number: int, result: Any) -> Trial:
    metrics = result.metrics or {}
    whole = bool(metrics.get("whole"))
    state = "complete" if whole else "fail" if result.error else "pruned"
    validation, held = (metrics.get(name) if whole else None for name in ("validation", "held_out"))
    return Trial(number, dict(result.config), validation, held, float(metrics.get("time_total_s", 0.0)), state)
