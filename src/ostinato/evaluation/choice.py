"""The choice of a forecaster: a local method, a model to fit by name, or a fitted model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.errors import ConfigError
from ostinato.evaluation.baselines import BASELINES
from ostinato.evaluation.forecasters import Forecaster
from ostinato.evaluation.local import Local
from ostinato.evaluation.task import Task
from ostinato.local.forecast import check_forecastable, names_of_methods

if TYPE_CHECKING:
    from ostinato.model_file import Model


def is_local(name: str) -> bool:
    """Return whether a name in a backtest is that of a local method: a name that ``fit`` takes is that of its model."""
    return name in names_of_methods() and name not in ("auto", "ar")


def names(models: list[str | Model]) -> list[str]:
    """Return the name of each model in the table.

    Args:
        models: The models, by name or fitted. A fitted model is named "ostinato".

    Raises:
        ConfigError: Two models have the same name, or a model has the name of a baseline.
    """
    out = [model if isinstance(model, str) else "ostinato" for model in models]
    for name in out:
        if out.count(name) > 1 or name in BASELINES:
            if name in BASELINES:
                raise ConfigError(
                    f"{name} is a baseline, which is always included", fix=f"remove {name} from the models"
                )
            raise ConfigError(f"each model must be named once, got {name} twice", fix="remove one of them")
    return out


def forecaster(name: str, model: str | Model, task: Task) -> tuple[Forecaster, list[str]]:
    """Return the forecaster of a model, fitted to a history if it is not fitted yet, and notes on it.

    "auto" chooses between the baselines, the local methods ("local", which is "auto" of ``ostinato.forecast``), a
    direct model and the best model of the ladder. They are compared on windows at the end of the history, which none of
    them was fitted to. The simplest one is used whose wQL is above the least by at most 2 %. A model that is chosen is
    fitted again to the whole history. A local method is fitted to every history.

    Args:
        name: The name of the model in the table.
        model: The name of a model to fit, or a fitted model.
        task: What it is fitted to, and how.

    Raises:
        ConfigError: No model has the name.
    """
    if isinstance(model, str) and is_local(model):
        check_forecastable(task.history)
        return Local(name, model, task.own_season), []
    # the other subpackages import torch, which a local method does without
    from ostinato.evaluation import auto
    from ostinato.evaluation.fitted import fitted

    if not isinstance(model, str):
        return fitted(name, model, **task.sampling), []
    return auto.best(name, task) if model == "auto" else auto.named(name, model, task)
