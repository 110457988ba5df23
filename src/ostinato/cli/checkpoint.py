"""Where a running fit keeps what it would go on from after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ostinato.cli import options
from ostinato.errors import LostError, OstinatoError, WriteError


@contextmanager
def checkpoint(model: Path, *, resume: bool, leads: bool = True) -> Iterator[Path]:
    """The folder beside the model file: gone after a fit that ends well, kept by one that is killed or cannot write.

    Of several workers only the one that leads touches it.

    A mistake that stops a fit leaves everything as it was: an earlier run's folder, put aside meanwhile, comes back.
    """
    spot = model.with_name(model.name + ".checkpoint")
    if not leads:
        yield spot
        return
    aside = model.with_name(model.name + ".checkpoint.earlier")
    if resume and not spot.exists():
        options.say("note: there is no checkpoint to go on from: the fit begins anew")
    if spot.exists() and not resume:
        _remove(aside)
        spot.rename(aside)
    spot.mkdir(exist_ok=True)
    try:
        yield spot
    except OstinatoError as error:
        worth = resume or isinstance(error, LostError | WriteError)
        if not worth or not any(spot.iterdir()):
            _remove(spot)
            if aside.exists():
                aside.rename(spot)
        raise
    _remove(spot)
    _remove(aside)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
