"""The binaries of the kernels on disk, so that a kernel is compiled once on a machine and not once in a process."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ostinato.ops.cuda.compiler import compiled, source, version


def folder() -> Path:
    """Return the folder of the binaries: ``ostinato/kernels`` in XDG_CACHE_HOME, by default ``~/.cache``."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if given else Path.home() / ".cache") / "ostinato" / "kernels"


def binary(name: str, definitions: Mapping[str, Any], architecture: str) -> bytes:
    """Return the binary of a source: from the disk, or compiled and written to the disk if that is possible.

    The file is named by the hash of everything that decides its contents, and replaced in one step, so processes that
    compile at the same time do not meet.

    Args:
        name: The source, for example "recurrence.cu".
        definitions: The macros that it is compiled with.
        architecture: The architecture of the card, for example "sm_90".

    Raises:
        UnavailableError: It must be compiled, and the compiler is missing or refuses it.
    """
    key = repr((source(name), sorted(definitions.items()), architecture, version()))
    path = folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.cubin"
    with suppress(OSError):
        found = path.read_bytes()
        # an interrupted disk can leave an empty file; a binary is an ELF file
        if found.startswith(b"\x7fELF"):
            return found
    made = compiled(name, definitions, architecture)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(made)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
    return made
