"""Search: many fits with other backbones, widths and learning rates, compared on the validation part.

The sampler, the pruner and the table of trials are those of Optuna (TPE, Bergstra et al. 2011; successive halving, Li
et al. 2018). The held-out part is evaluated once for each trial, for the table only: the best of many results on it
would look too good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.arguments import whole
from ostinato.data.extras import missing
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.device import Device, on_device
from ostinato.errors import ConfigError, NonFiniteLossError
from ostinato.fits.budget import Budget
from ostinato.fits.progress import TrainingProgress
from ostinato.fits.result import Fit, fit_of
from ostinato.gradients.methods import Method, TruncatedBPTT
from ostinato.model_file import load_model, save_model
from ostinato.numbers import counted
from ostinato.record import Rung
from ostinato.record import Trial as Trial
from ostinato.threads import Threads
from ostinato.training.checkpoint import Checkpoint, fingerprint
from ostinato.training.config import LADDER, SHORT, defaults
from ostinato.training.ladder import fit_ladder
from ostinato.wording import option

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class SearchPlan:
    """What a search is: a folder with another plan is that of another search.

    Attributes:
        trials: The number of trials.
        budget: The limits of the search. A trial gets its share of the seconds, and all of the steps.
        held_out: The share of the data that is held out, or a pattern of ids.
        seed: The seed of the sampler and of each fit.
        refit: Whether each trial ends with a fit to all of the data.
        threads: The number of threads that compute, or "auto" for the decision by the machine.
        by: The name of the program that searches, if it is not this module.
    """

    trials: int
    budget: Budget = field(default_factory=Budget)
    held_out: float | str = 0.1
    seed: int = 0
    refit: bool = True
    threads: Threads = "auto"
    by: str = ""

    def claim(self, folder: Path, data: SequenceSet) -> None:
        """Mark a folder as that of this search.

        Args:
            folder: The folder of the search.
            data: The sequences to fit.

        Raises:
            ConfigError: The folder belongs to another search.
        """
        options = replace(defaults(data), refit=self.refit)
        cut = split(data, self.held_out)
        mark = fingerprint(data, cut, options, self.budget, self.held_out, None, self.threads)
        Checkpoint(folder, f"{mark} {self.trials} {self.seed}{self.by}").claim()

    def of_a_trial(self) -> dict[str, Any]:
        """Return the arguments of ``fit_ladder`` that all trials share."""
        share = replace(self.budget, seconds=self.budget.seconds and self.budget.seconds / self.trials)
        return {
            "budget": share,
            "held_out": self.held_out,
            "seed": self.seed,
            "refit": self.refit,
            "threads": self.threads,
        }


def space(trial: Any, data: SequenceSet) -> dict[str, Any]:
    """Return the options of a trial.

    Args:
        trial: A trial of Optuna.
        data: The sequences to fit.

    Returns:
        model, hidden, depth, dropout and learning_rate; for long sequences the truncation window too.
    """
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
    """Fit a model with the options of a trial and write its file.

    Args:
        data: The sequences to fit.
        asked: The options of the trial, from ``space``.
        file: The model file.
        report: Called with the validation log-likelihood and the step after each evaluation. It may raise an exception
            to end the fit.
        **options: The other arguments of ``fit_ladder``.

    Returns:
        The best log-likelihood of the validation part and that of the held-out part, in nats a step.
    """
    last = math.nan

    def on_progress(event: TrainingProgress) -> None:
        nonlocal last
        if event.validation != last and not math.isnan(event.validation):
            last = event.validation
            report(last, event.step)

    arguments = dict(asked)
    window = arguments.pop("window", None)
    method: Method | None = TruncatedBPTT(window) if window else None
    found = fit_ladder(data, method=method, on_progress=on_progress, **arguments, **options)
    description = found.model.description
    description.record["notes"] = list(found.notes)
    save_model(found.model, file)
    assert isinstance(found.kept, Rung)
    return max(float(point[3]) for point in description.ladder_record.curve or []), found.kept.held_out


@on_device
def search(
    data: SequenceSet,
    plan: SearchPlan,
    folder: str | Path,
    *,
    device: Device = "auto",
    precision: str = "float32",
    on_trial: Callable[[Trial], None] | None = None,
) -> tuple[Fit, tuple[Trial, ...]]:
    """Fit several models and keep the one that is likeliest on the validation part.

    Args:
        data: The sequences to fit.
        plan: What the search is.
        folder: The folder of the study (SQLite) and the models. A search that was stopped continues from it.
        device: Where the networks are trained, as in ``fit``.
        precision: "float32" or "bf16", as in ``fit``.
        on_trial: Called with the row of each trial when it is done.

    Returns:
        The fit of the best trial, and the table of all trials, best first.

    Raises:
        ConfigError: optuna is not installed, or the folder belongs to another search.
        DataError: The data cannot be fitted.
    """
    try:
        import optuna
    except ImportError as error:
        raise missing("a search", "optuna", "ray") from error
    trials, folder = whole("trials", plan.trials), Path(folder)
    plan = replace(plan, trials=trials)
    plan.claim(folder, data)
    shared = {**plan.of_a_trial(), "precision": precision}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = _study(folder, plan.seed)

    def on_end(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if on_trial:
            on_trial(_row(trial))

    left = trials - len(_ended(study))
    if left > 0:
        study.optimize(partial(_objective, data=data, folder=folder, shared=shared), n_trials=left, callbacks=[on_end])
    table = ranked(_row(trial) for trial in _ended(study))
    if table[0].state != "complete":
        raise ConfigError(
            f"none of the {counted(trials, 'trial')} was completed",
            fix=f"use a longer {option('--budget')}, or more trials",
        )
    return chosen(_file(folder, table[0].number), table), table


def _objective(trial: optuna.Trial, data: SequenceSet, folder: Path, shared: dict[str, Any]) -> float:
    """Fit the model of a trial and return its validation log-likelihood, or prune the trial."""
    import optuna

    def report(validation: float, step: int) -> None:
        trial.report(validation, step)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        validation, held = attempt(data, space(trial, data), _file(folder, trial.number), report, **shared)
    except NonFiniteLossError as error:
        raise optuna.TrialPruned from error
    trial.set_user_attr("held_out", held)
    return validation


def _file(folder: Path, number: int) -> Path:
    return folder / f"trial-{number:04d}.ost"


def ranked(rows: Iterable[Trial]) -> tuple[Trial, ...]:
    """Return the trials by their validation log-likelihood, best first; those that ended early come last."""
    return tuple(sorted(rows, key=lambda row: math.inf if row.validation is None else -row.validation))


def chosen(file: Path, table: tuple[Trial, ...]) -> Fit:
    """Return the fit of the best trial from its file, with the table of the search in its record."""
    model = load_model(file)
    record = model.description.record
    record["search"] = [vars(row) for row in table]
    return fit_of(model, model.description.ladder_record.notes or [])


def _study(folder: Path, seed: int) -> optuna.Study:
    """Return the study of a folder; a trial that was running when the search was stopped is repeated."""
    import optuna

    storage = f"sqlite:///{(folder / 'study.db').absolute()}"
    study = optuna.create_study(
        storage=storage,
        study_name="search",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.SuccessiveHalvingPruner(),
    )
    # with the same seed, the sampler of a continued search would repeat the first trials
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    for trial in study.trials:
        stopped = study.user_attrs.get("stopped", [])
        if trial.state.name in ("RUNNING", "FAIL") and trial.number not in stopped:
            study.set_user_attr("stopped", [*stopped, trial.number])
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)
            study.enqueue_trial(trial.params)
    return study


def _ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that ended by themselves."""
    stopped = study.user_attrs.get("stopped", [])
    return [trial for trial in study.trials if trial.state.is_finished() and trial.number not in stopped]


def _row(trial: optuna.trial.FrozenTrial) -> Trial:
    value = trial.value if trial.state.name == "COMPLETE" else None
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    state = trial.state.name.lower()
    return Trial(trial.number, trial.params, value, trial.user_attrs.get("held_out"), seconds, state)
