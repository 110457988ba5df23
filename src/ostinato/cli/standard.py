"""Pipes in the place of files: ``-`` and other pipes that a command reads, and ``-o -``, which it writes.

Data are read more than once, to find their form and to name the line of an error, and a pipe can be read once only.
So a command keeps what came through a pipe in a temporary file while it runs.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from ostinato.cli import screen, stopping
from ostinato.cli.overwrite import READ, WRITTEN
from ostinato.errors import ConfigError, OstinatoError, WriteError
from ostinato.storage import standard_stream

STREAM = "-"
#: The names of standard input that lead to a file if it is redirected from one.
_INPUTS = (STREAM, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_FOLDER = "ostinato-pipe-"
#: Files are found to be sound by their endings, which what comes through a pipe lacks.
_ENDINGS = ((b"RIFF", ".wav"), (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"FORM", ".aiff"))


@contextmanager
def streams(parameters: dict[str, Any], arguments: Iterable[str]) -> Iterator[None]:
    """Replace ``-`` and other pipes among the files of a command by files that it can read and write.

    If standard output is one of the files to write, it holds nothing else: what else the command prints, such as
    the name of the file, goes to standard error.

    Args:
        parameters: The parameters of the command by name, which are changed.
        arguments: The names of those that are not options. They are read.

    Raises:
        ConfigError: A file to write is standard output, where ``--json`` prints its document.
        WriteError: What comes through a pipe cannot be kept in a temporary file.
    """
    to_output = False
    for name in WRITTEN:
        if str(parameters.get(name)) == STREAM:
            parameters[name] = Path("/dev/stdout")
        to_output = to_output or _is_output(parameters.get(name))
    if to_output and screen.machine():
        raise ConfigError(
            "a result and the document of --json cannot both be written to standard output",
            fix="write the result to a file, or remove --json",
        )
    folder: str | None = None
    kept: dict[str, str] = {}
    try:
        for name in (*arguments, *READ):
            value = parameters.get(name)
            given: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
            if not any(map(_passes, given)):
                continue
            folder = folder or tempfile.mkdtemp(prefix=_FOLDER)
            here: list[Any] = [_as_given(one, Path(folder)) if _passes(one) else one for one in given]
            parameters[name] = here if isinstance(value, list | tuple) else here[0]
            kept |= {str(file): _named(str(one)) for file, one in zip(here, given, strict=True) if file != one}
        with screen.called(kept), redirect_stdout(sys.stderr) if to_output else nullcontext():
            yield
    except OstinatoError as error:
        _say_source(error, kept)
        raise
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _named(source: str) -> str:
    """Return how an error calls what came through a pipe."""
    return "standard input" if source in _INPUTS else source


def _say_source(error: OstinatoError, kept: dict[str, str]) -> None:
    """Name in an error the pipe, and not the temporary file with what came through it.

    Args:
        error: The error, which is changed.
        kept: The names of the pipes, by the paths of the temporary files.
    """
    what, where, fix = error.what, error.where, error.fix
    for file, name in kept.items():
        # an error about several files names their folder
        for path in (file, str(Path(file).parent)):
            what = what.replace(path, name)
            where, fix = where and where.replace(path, name), fix and fix.replace(path, name)
    OstinatoError.__init__(error, what, where=where, fix=fix)


def came_through_pipe(path: str | Path) -> bool:
    """Return whether a path is that of a temporary file with what came through a pipe."""
    return any(part.startswith(_FOLDER) for part in Path(path).parts)


def _is_output(path: Any) -> bool:
    """Return whether a path leads to standard output, and not to nowhere."""
    return path is not None and str(path) != os.devnull and standard_stream(Path(path)) == 1


def _passes(source: Any) -> bool:
    """Return whether a source is standard input, a pipe or a socket."""
    if not isinstance(source, str | Path):
        return False
    if str(source) in _INPUTS:
        return True
    try:
        mode = os.stat(source).st_mode  # noqa: PTH116 - an address of a database is not a path
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _as_given(source: str | Path, folder: Path) -> str | Path:
    """Return the path of a file with what comes through a pipe (see ``_kept``), in the type of the source."""
    kept = _kept(str(source), folder)
    return kept if isinstance(source, str) else Path(kept)


def _kept(source: str, folder: Path) -> str:
    """Return the path of a file with what comes through a pipe.

    Args:
        source: ``-`` or the path of the pipe.
        folder: The folder of such files.
    """
    standard = source in _INPUTS
    screen.doing(f"reading {_named(source)}")
    with open(0 if standard else source, "rb", buffering=0, closefd=not standard) as pipe:
        chunks = stopping.arriving(pipe.fileno())
        head = next(chunks, b"")
        place = folder / str(len(list(folder.iterdir())))
        ending = next((ending for magic, ending in _ENDINGS if head.startswith(magic)), "")
        file = place / f"{'stdin' if standard else Path(source).name}{ending}"
        try:
            place.mkdir()
            with file.open("wb") as kept:
                kept.write(head)
                kept.writelines(chunks)
        except OSError as error:
            raise WriteError(
                f"cannot keep what comes through a pipe: {error.strerror or error}",
                where=str(file),
                fix="make room, or set TMPDIR to a folder that has some",
            ) from error
    return str(file)
