"""Where a fit is kept while it goes on, and what must be the same for it to be taken up again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ostinato._version import __version__
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError
from ostinato.fits.budget import Budget
from ostinato.gradients.methods import Method
from ostinato.storage import VERSION, atomic_write
from ostinato.training.config import LadderOptions


@dataclass(frozen=True)
class Checkpoint:
    """Where a run is saved while it goes, how often (seconds), and what it must match to be taken up again."""

    path: Path
    fingerprint: str
    every: float = 10.0

    def claim(self) -> None:
        """Make the checkpoint folder this run's. Raises ConfigError where it is another's already."""
        self.path.mkdir(parents=True, exist_ok=True)
        owner = self.path / "run"
        if owner.exists() and owner.read_text() != self.fingerprint:
            raise ConfigError(
                "the checkpoint is of other data or other options",
                where=str(self.path),
                fix="give those that it was begun with, or begin anew without --resume",
            )
        atomic_write(owner, self.fingerprint.encode())


def fingerprint(
    data: SequenceSet, config: LadderOptions, budget: Budget, held_out: float | str, method: Method | None, threads: int
) -> str:
    """A hash of everything that the weights follow from, so that a checkpoint is never taken up by another run."""
    words = [data.digest, asdict(config), asdict(budget), held_out, method, threads, __version__, VERSION]
    return hashlib.sha256(json.dumps(words, default=str, sort_keys=True).encode()).hexdigest()
