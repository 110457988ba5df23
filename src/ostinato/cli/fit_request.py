"""The request of the command ``fit`` as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostinato.cli.model_options import ModelOptions
    from ostinato.fits.budget import Budget
    from ostinato.scale.cluster import Cluster
    from ostinato.threads import Threads


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
        options: The options of the model and of its training.
        truncation_window: The truncation window of a model of the ladder in steps, or "auto".
        window: The earlier option for the one of ``lookback`` and ``truncation_window`` that the model uses.
        gradient_checkpoints: The number of segments, or the memory limit, of checkpointed gradients.
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
    options: ModelOptions
    truncation_window: str | None
    window: str | None
    gradient_checkpoints: str | None
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
