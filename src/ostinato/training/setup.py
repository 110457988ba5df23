"""What every model of one fit shares: the data, the options and how the training runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ostinato.fits.progress import TrainingProgress
from ostinato.training.checkpoint import Checkpoint
from ostinato.training.config import LadderOptions
from ostinato.training.material import Material
from ostinato.training.workers import WorkerGroup


@dataclass(frozen=True)
class Setup:
    """The set-up of one fit.

    Attributes:
        material: The data of the fit.
        options: The options of the models and their training.
        workers: The processes that train together; this one alone if left out.
        keep: The folder of the checkpoint, or None.
        on_progress: Called after every optimiser step.
        bf16: Whether the products are computed in bfloat16.
    """

    material: Material
    options: LadderOptions
    workers: WorkerGroup = field(default_factory=WorkerGroup)
    keep: Checkpoint | None = None
    on_progress: Callable[[TrainingProgress], None] | None = None
    bf16: bool = False
