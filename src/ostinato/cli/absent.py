"""A file that is not there is said at once, before the libraries are loaded that a command computes with."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: The arguments of all commands that name data or files to read. A model file is the argument ``model``.
_SOURCES = ("data", "file", "files")


def refuse(parameters: dict[str, Any], arguments: Iterable[str]) -> None:
    """Raise the error about the first argument that names a file which is not there; later checks look deeper.

    Args:
        parameters: The parameters of the command by name.
        arguments: The names of those that are not options.

    Raises:
        ModelFileError: The model file cannot be opened.
        DataError: A path of data, which is neither a pattern nor an address, leads to nothing.
    """
    for name in arguments:
        value = parameters.get(name)
        if name == "model" and isinstance(value, Path):
            from ostinato.storage.bundles import check_opens

            check_opens(value)
        if name in _SOURCES:
            for source in value if isinstance(value, list | tuple) else [value]:
                _refuse_source(source)


def _refuse_source(source: str | Path | None) -> None:
    if source is None or "://" in str(source) or glob.has_magic(str(source)):
        return
    if not os.path.exists(source):  # noqa: PTH110 - Path.exists raises an error if the text is too long for a name
        from ostinato.data.files import find

        find(source)
