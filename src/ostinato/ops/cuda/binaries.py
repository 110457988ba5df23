"""The binaries of the kernels on disk, so that a kernel is compiled once on a machine and not once in a process."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ostinato.errors import WriteError
from ostinato.ops.cuda.compiler import compiled, source, version
from ostinato.storage import atomic_write, cache_folder, cache_path


def binary(name: str, definitions: Mapping[str, Any], architecture: str) -> bytes:
    """Return the binary of a source: from the disk, or compiled and written to the disk if that is possible.

    The file is named by the hash of everything that decides its contents, and replaced in one step, so processes that
    compile at the same time do not meet.

    Args:
        name: The source, for example "recurrence.cu".
        definitions: The macros that it is compiled with.
        architecture: The architecture of the GPU, for example "sm_90".

    Raises:
        UnavailableError: It must be compiled, and the compiler is missing or refuses it.
    """
    key = repr((source(name), sorted(definitions.items()), architecture, version()))
    path = cache_path("kernels") / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.cubin"
    with suppress(OSError):
        found = path.read_bytes()
        # an interrupted disk can leave an empty file; a binary is an ELF file
        if found.startswith(b"\x7fELF"):
            return found
    made = compiled(name, definitions, architecture)
    with suppress(WriteError):
        atomic_write(cache_folder("kernels") / path.name, made)
    return made
