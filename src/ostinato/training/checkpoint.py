"""The folder that a stopped fit continues from, and what must be the same for that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ostinato._version import __version__
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import Split
from ostinato.errors import ConfigError, ModelFileError, WriteError
from ostinato.fits.budget import CHECKPOINT_EVERY, Budget
from ostinato.gradients.methods import Method
from ostinato.storage import VERSION, atomic_write
from ostinato.threads import Threads
from ostinato.training.config import LadderOptions
from ostinato.training.rules import rules
from ostinato.training.within import Within
from ostinato.wording import option


@dataclass(frozen=True)
class Checkpoint:
    """Where a fit saves its state.

    Attributes:
        path: The folder, or the file of one model in it.
        fingerprint: The hash of the data and the options of the fit.
        every: The seconds from one saved state to the next.
    """

    path: Path
    fingerprint: str
    every: float = CHECKPOINT_EVERY

    def claim(self) -> None:
        """Mark the folder as that of this fit.

        Raises:
            ConfigError: The folder belongs to a fit of other data, other options or another version.
            WriteError: The folder cannot be made or read.
        """
        owner, own = self.path / "run", self.fingerprint.encode()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            found = owner.read_bytes() if owner.exists() else own
        except OSError as error:
            raise WriteError(
                f"cannot use the folder of the checkpoint: {error.strerror or error}",
                where=str(error.filename or self.path),
                fix="give a folder that you may write to, or remove what stands in its place",
            ) from error
        if found != own:
            raise ConfigError(
                "the checkpoint belongs to a fit of other data or other options, or of another version of ostinato",
                where=str(self.path),
                fix=f"use the same data, options and version, or remove {option('--resume')} to start from the "
                "beginning",
            )
        atomic_write(owner, own)

    def measured(self, name: str, measure: Callable[[], float]) -> float:
        """Return a number that was measured when the fit began, so that a fit that continues takes the same one.

        Args:
            name: What was measured.
            measure: The measurement, for a fit that begins.
        """
        file = self.path / name
        if not file.exists():
            atomic_write(file, repr(measure()).encode())
        return float(file.read_text())


@contextmanager
def reading() -> Iterator[None]:
    """Read a file of a checkpoint in the block; an error about that file says that the fit cannot continue from it.

    Raises:
        ModelFileError: The file is damaged, or it is not the state of a fit.
    """
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(
            f"the fit cannot continue from its checkpoint: {error.what}",
            where=error.where,
            fix=f"remove {option('--resume')} to start from the beginning",
        ) from error


def fingerprint(
    data: SequenceSet,
    cut: Split,
    options: LadderOptions,
    budget: Budget,
    held_out: float | str,
    method: Method | None,
    threads: Threads,
) -> str:
    """Return a hash of everything that the weights follow from, so that no other fit continues from a checkpoint.

    The steps of each part are in it, because another release may cut the same data in another way. So is the code that
    computes the weights: its constants and the order of its steps are not options, and they may change between two
    commits of one version.

    Args:
        data: The sequences of the fit.
        cut: Their parts.
        options: The options.
        budget: The limits of the fit.
        held_out: The share or the pattern that ``cut`` follows from.
        method: How the error is sent back through time; None is the usual way.
        threads: The threads that compute.
    """
    parts = cut.digest(data), asdict(Within.of(budget)) if data.on_disk else None
    code = __version__, VERSION, rules()
    words = [data.digest, parts, asdict(options), asdict(budget), held_out, method, threads, *code]
    return hashlib.sha256(json.dumps(words, default=str, sort_keys=True).encode()).hexdigest()
