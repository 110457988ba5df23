"""The checkpoint folder, from which a stopped fit continues."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ostinato.cli import screen
from ostinato.errors import LostError, OstinatoError, WriteError


@contextmanager
def checkpoint(model: Path, *, resume: bool, leads: bool = True) -> Iterator[Path]:
    """Yield the folder of the checkpoint, next to the model file.

    The folder is removed after a fit that succeeds, and kept after one that is killed or cannot write its file. An
    error in the options or the data changes nothing: during a fit the folder of an earlier fit has another name, and
    after an error it gets its own name again.

    Args:
        model: The model file.
        resume: Whether the fit continues from the folder.
        leads: Whether this process is the first of several workers; the others leave the folder alone.
    """
    folder = model.with_name(model.name + ".checkpoint")
    if not leads:
        yield folder
        return
    earlier = model.with_name(model.name + ".checkpoint.earlier")
    if resume and not folder.exists():
        screen.say(f"note: no checkpoint found at {folder}; the fit starts from the beginning")
    if folder.exists() and not resume:
        _remove(earlier)
        folder.rename(earlier)
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    except OstinatoError as error:
        can_continue = resume or isinstance(error, LostError | WriteError)
        if not can_continue or not any(folder.iterdir()):
            _remove(folder)
            if earlier.exists():
                earlier.rename(folder)
        raise
    _remove(folder)
    _remove(earlier)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
