"""The request of the command ``fit`` as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from ostinato.dispatch.fit import FitFields
    from ostinato.fits.budget import Budget
    from ostinato.scale.cluster import Cluster
    from ostinato.threads import Threads

#: The fields of FitRequest that are options of the model and its training, under the names that ``fit`` gives them.
_MODEL_OPTIONS = (
    "season",
    "networks",
    "lookback",
    "hidden",
    "depth",
    "dropout",
    "learning_rate",
    "max_order",
    "emission",
    "support",
    "vocabulary",
)


@dataclass(frozen=True)
class FitRequest:
    """The options of one call of ``ostinato fit``. A value is None if its option was not given.

    Attributes:
        command: The command line, which the model file keeps.
        data: The file, folder or pattern.
        reading: The arguments of ``read``.
        output: The model file.
        report: The file of the report.
        model: The name of the model, "auto" or "direct".
        horizon: The number of steps that a direct model forecasts.
        season: The steps of a season, for models of series.
        networks: The number of networks of a direct model.
        lookback: The number of past steps that a forecast of a direct model uses.
        truncation_window: The truncation window of a model of the ladder in steps, or "auto".
        window: The earlier option for the one of ``lookback`` and ``truncation_window`` that the model uses.
        gradient_checkpoints: The number of segments, or the memory limit, of checkpointed gradients.
        hidden: The number of hidden units.
        depth: The number of layers.
        dropout: The share of values that dropout sets to 0.
        learning_rate: The peak of the learning rate.
        max_order: The greatest order of the autoregression.
        emission: The name of the distribution of a step.
        support: "real" or "nonnegative", the set in which continuous values lie.
        vocabulary: What one symbol of a text is.
        seed: The seed of the fit.
        budget: The limits of the fit.
        held_out: The share to hold out, or a pattern of ids.
        refit: Whether the kept model is fitted again to all of the data.
        search: The number of trials of a search.
        cluster: The Ray cluster to fit on.
        threads: The number of threads that compute, or "auto".
        device: Where networks are trained, or "auto".
        precision: "float32" or "bf16".
        resume: Whether the fit continues from its checkpoint.
        checkpoint_every: The seconds from a checkpoint to the next.
    """

    command: tuple[str, ...]
    data: str
    reading: dict[str, Any]
    output: Path
    report: Path | None
    model: str
    horizon: int | None
    season: int | None
    networks: int | None
    lookback: int | None
    truncation_window: str | None
    window: str | None
    gradient_checkpoints: str | None
    hidden: int | None
    depth: int | None
    dropout: float | None
    learning_rate: float | None
    max_order: int | None
    emission: str | None
    support: str | None
    vocabulary: str | None
    seed: int
    budget: Budget | None
    held_out: float | str
    refit: bool
    search: int | None
    cluster: Cluster | None
    threads: Threads
    resume: bool
    checkpoint_every: float
    device: str = "auto"
    precision: str = "float32"

    @property
    def fields(self) -> FitFields:
        """The options of the model that were given, as keywords of ``fit``."""
        options = {name: getattr(self, name) for name in _MODEL_OPTIONS}
        return cast("FitFields", {name: value for name, value in options.items() if value is not None})
