"""Search: many fits with other memories, widths and learning rates, each judged by what says when to stop.

The sampler, the pruner and the table of trials are Optuna's (TPE, Bergstra et al. 2011; successive halving, Li et al.
2018). Trials are compared on the validation part, and what is held out is looked at once for each, for the table: the
best of many figures on it would be too good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, NonFiniteLossError
from ostinato.fits.budget import Budget
from ostinato.fits.progress import TrainingProgress
from ostinato.fits.result import Fit, fit_of
from ostinato.gradients.methods import Method, TruncatedBPTT
from ostinato.model_file import load_model, save_model
from ostinato.record import Rung
from ostinato.record import Trial as Trial
from ostinato.training.checkpoint import Checkpoint, fingerprint
from ostinato.training.config import LADDER, SHORT, defaults
from ostinato.training.ladder import fit_ladder

if TYPE_CHECKING:
    import optuna


def space(trial: Any, data: SequenceSet) -> dict[str, Any]:
    """What a trial of Optuna's tries: model, hidden, depth, dropout, learning_rate, of long sequences the window."""
    base = defaults(data)
    asked = {
        "model": trial.suggest_categorical("model", list(LADDER[1:])),
        "hidden": trial.suggest_int("hidden", max(4, base.hidden // 4), 2 * base.hidden, log=True),
        "depth": trial.suggest_int("depth", 1, 3),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 2e-2, log=True),
    }
    if int(data.lengths.max(initial=0)) > SHORT:
        asked["window"] = trial.suggest_categorical("window", [32, 64, 128, 256])
    return asked


def attempt(
    data: SequenceSet, asked: dict[str, Any], file: Path, report: Callable[[float, int], None], **options: Any
) -> tuple[float, float]:
    """Fit what ``space`` gave, write the model to file, and return its best likelihood on the validation part and that
    of what is held out, in nats a step.

    report(validation, step) is called after each evaluation, and may stop the fit by an exception.
    """
    last = math.nan

    def look(event: TrainingProgress) -> None:
        nonlocal last
        if event.validation != last and not math.isnan(event.validation):
            last = event.validation
            report(last, event.step)

    how = dict(asked)
    window = how.pop("window", None)
    method: Method | None = TruncatedBPTT(window) if window else None
    found = fit_ladder(data, method=method, on_progress=look, **how, **options)
    record = found.model.description.record
    record["notes"] = list(found.notes)
    save_model(found.model, file)
    assert isinstance(found.kept, Rung)
    return max(float(point[3]) for point in record["curve"]), found.kept.held_out


def search(
    data: SequenceSet,
    trials: int,
    folder: str | Path,
    *,
    budget: Budget | None = None,
    held_out: float | str = 0.1,
    seed: int = 0,
    threads: int = 1,
    on_trial: Callable[[Trial], None] | None = None,
) -> tuple[Fit, tuple[Trial, ...]]:
    """Fit ``trials`` models and keep the one that is likeliest on the validation part, the first of the table.

    folder  holds the study (SQLite) and the models; a search that was stopped is taken up from it
    budget  of the whole search in seconds, of each trial in steps

    Raises ConfigError where optuna is not installed or the folder is of another search, and what ``fit`` raises.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError("optuna is not installed", fix="pip install 'ostinato[ray]'") from error
    if trials < 1:
        raise ConfigError(f"a search of {trials} trials cannot be", fix="use 1 or more")
    folder, limits = Path(folder), budget or Budget()
    how = claim(folder, data, trials, limits, held_out=held_out, seed=seed, threads=threads)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = _study(folder, seed)

    def one(trial: optuna.Trial) -> float:
        def report(validation: float, step: int) -> None:
            trial.report(validation, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        file = folder / f"trial-{trial.number:04d}.ost"
        try:
            validation, held = attempt(data, space(trial, data), file, report, **how)
        except NonFiniteLossError as error:
            raise optuna.TrialPruned from error
        trial.set_user_attr("held_out", held)
        return validation

    def tell(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if on_trial:
            on_trial(_row(trial))

    left = trials - len(_ended(study))
    if left > 0:
        study.optimize(one, n_trials=left, callbacks=[tell])
    table = ranked(_row(trial) for trial in _ended(study))
    if table[0].state != "complete":
        raise ConfigError("no trial came to its end", fix="give more time with --budget, or more trials")
    return chosen(folder / f"trial-{table[0].number:04d}.ost", table), table


def claim(
    folder: Path,
    data: SequenceSet,
    trials: int,
    limits: Budget,
    by: str = "",
    *,
    held_out: float | str,
    seed: int,
    threads: int,
) -> dict[str, Any]:
    """Make the folder this search's, and say how each trial is fitted: a share of the seconds, and all of the steps.

    by: what searches, where it is not this module. Raises ConfigError where the folder is of another search.
    """
    mark = fingerprint(data, defaults(data), limits, held_out, None, threads) + f" {trials} {seed}{by}"
    Checkpoint(folder, mark).claim()
    share = replace(limits, seconds=limits.seconds and limits.seconds / trials)
    return {"budget": share, "held_out": held_out, "seed": seed, "threads": threads}


def ranked(rows: Iterable[Trial]) -> tuple[Trial, ...]:
    """The trials, best first: by their likelihood on the validation part, those that were ended before at the end."""
    return tuple(sorted(rows, key=lambda row: math.inf if row.validation is None else -row.validation))


def chosen(file: Path, table: tuple[Trial, ...]) -> Fit:
    """The fit of a trial, the first of the table, which goes into its record."""
    model = load_model(file)
    record = model.description.record
    record["search"] = [vars(row) for row in table]
    return fit_of(model, record["notes"])


def _study(folder: Path, seed: int) -> optuna.Study:
    """The study of a folder; a trial that was running when it was stopped is asked for once more."""
    import optuna

    storage = f"sqlite:///{(folder / 'study.db').absolute()}"
    study = optuna.create_study(
        storage=storage,
        study_name="search",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.SuccessiveHalvingPruner(),
    )
    # a sampler that began anew with the same seed would ask for the first trials again
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    for trial in study.trials:
        stopped = study.user_attrs.get("stopped", [])
        if trial.state.name in ("RUNNING", "FAIL") and trial.number not in stopped:
            study.set_user_attr("stopped", [*stopped, trial.number])
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)
            study.enqueue_trial(trial.params)
    return study


def _ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that came to an end of their own."""
    stopped = study.user_attrs.get("stopped", [])
    return [trial for trial in study.trials if trial.state.is_finished() and trial.number not in stopped]


def _row(trial: optuna.trial.FrozenTrial) -> Trial:
    value = trial.value if trial.state.name == "COMPLETE" else None
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    state = trial.state.name.lower()
    return Trial(trial.number, trial.params, value, trial.user_attrs.get("held_out"), seconds, state)
