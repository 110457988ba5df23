"""No command writes its result over a file that it reads: the data of a user may have no other copy."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ostinato.errors import ConfigError, OstinatoError

#: The options of all commands that name a file to write, and those that name a file to read, besides the arguments.
WRITTEN, READ = ("output", "plot", "report", "onnx"), ("model", "reference", "future", "tokens")
_written: list[Path] = []


def watch(parameters: dict[str, Any], arguments: Iterable[str]) -> None:
    """Remember the files that a command is to write, and compare them with those that it is to read.

    Args:
        parameters: The parameters of the command by name.
        arguments: The names of those that are not options. They are read.

    Raises:
        ConfigError: A file to write is one of the files to read, or two results are to be written to one file.
    """
    _written[:] = [Path(str(parameters[name])) for name in WRITTEN if parameters.get(name)]
    for i, path in enumerate(_written):
        if path.resolve() in {other.resolve() for other in _written[:i]} and str(path) != os.devnull:
            raise ConfigError(
                "two results are to be written to one file", where=str(path), fix="give each of them a file of its own"
            )
    for name in (*arguments, *READ):
        value = parameters.get(name)
        for source in value if isinstance(value, list | tuple) else [value]:
            refuse(source)


def refuse(source: str | Path | None) -> None:
    """Raise ConfigError if a file to write is one of the files of a source that is to be read.

    Args:
        source: A file, a folder, a pattern or the address of an SQLite database; None and other words hold no file.
    """
    for path in _written:
        if path.is_file() and any(_same(path, one) for one in _files(source)):
            raise ConfigError(
                "the file to write is one that is read, and would be lost", where=str(path), fix="write to another file"
            )


def _files(source: str | Path | None) -> Iterable[Path]:
    if source is None or not str(source).strip():
        return []
    if Path(str(source)).is_file():
        return [Path(str(source))]
    from ostinato.data import database  # here, because most commands name one file
    from ostinato.data.files import find

    if database.is_address(source):
        file = database.file_of(str(source))
        return [] if file is None else [file]
    try:
        return find(str(source))
    except (OstinatoError, OSError):  # the command itself says what is wrong with its source
        return []


def _same(a: Path, b: Path) -> bool:
    try:
        return os.path.samefile(a, b)  # noqa: PTH121 - the file behind a link, too
    except OSError:
        return False
