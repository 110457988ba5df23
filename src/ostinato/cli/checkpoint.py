"""The checkpoint folder, from which a stopped fit continues."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ostinato.cli import screen
from ostinato.errors import ConfigError, LostError, OstinatoError, WriteError
from ostinato.storage.locks import FileLock

#: What the name of the folder has after that of the model file, and the folder of an earlier fit while one runs.
FOLDER = ".checkpoint"
_EARLIER = f"{FOLDER}.earlier"


@contextmanager
def checkpoint(model: Path, *, resume: bool, leads: bool = True) -> Iterator[Path]:
    """Yield the folder of the checkpoint, next to the model file.

    The folder is removed after a fit that succeeds, and kept after one that is killed or cannot write its file. An
    error in the options or the data changes nothing: during a fit the folder of an earlier fit has another name, and
    after an error it gets its own name again. While the fit runs, no other one writes the same model file: it would
    take the folder away, and the two would go on from each other's models. The folder of a model that goes to a device
    or a pipe is a temporary one.

    Args:
        model: The model file.
        resume: Whether the fit continues from the folder.
        leads: Whether this process is the first of several workers; the others leave the folder alone.

    Raises:
        ConfigError: Another fit that is running writes the model file, or the name of the file is too long.
    """
    if leads and model.exists() and not model.is_file():
        with tempfile.TemporaryDirectory() as folder:  # next to a device or a pipe, nobody would look for one
            yield from _kept(Path(folder) / model.name, resume)
    elif leads:
        _check_length(model)
        with alone(model):
            yield from _kept(model, resume)
    else:
        yield model.with_name(model.name + FOLDER)


def alone(model: Path) -> FileLock:
    """Return the lock of a model file that a fit is to write, so that no other fit computes for the same file.

    Args:
        model: The model file.

    Raises:
        ConfigError: Another fit that is running writes it.
    """
    return FileLock(model, "another fit is writing this model file", "wait for it, or write to another file with -o")


def _check_length(model: Path) -> None:
    """Check that the folder of the checkpoint can have its name.

    Raises:
        ConfigError: The name of the model file is too long for that.
    """
    if not hasattr(os, "pathconf"):  # Windows
        return
    most = os.pathconf(model.parent, "PC_NAME_MAX") - len(_EARLIER)
    if (size := len(os.fsencode(model.name))) > most:
        raise ConfigError(
            f"the name of the model file has {size} bytes, expected at most {most}: its checkpoint has a longer name",
            where=str(model),
            fix="give a shorter name with -o",
        )


def _kept(model: Path, resume: bool) -> Iterator[Path]:
    """Yield the folder of the checkpoint of a model file that no other fit writes (see ``checkpoint``)."""
    folder = model.with_name(model.name + FOLDER)
    earlier = model.with_name(model.name + _EARLIER)
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
