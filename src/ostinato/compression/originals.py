"""A file as sequences and what is left of it: how its bytes are read, taken apart and put together again."""

from __future__ import annotations

import base64
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ostinato.compression.drive import Values
from ostinato.data.corpus import LARGE
from ostinato.errors import DataError

#: The bytes of a file, or a mapped file.
Raw: TypeAlias = bytes | NDArray[np.uint8]


class Originals(ABC):
    """How the files of one kind of model are taken apart and put together again.

    Attributes:
        usual: What is left of a usual file: numbers, and None for one that differs from file to file.
        suffix: The end of the name of a usual file.
        kept: The name of each field among what the description of a model remembers of files; "" for none.
    """

    usual: list[int | None]
    suffix: str
    kept: tuple[str, ...]

    @abstractmethod
    def apart(self, raw: Raw, where: str) -> tuple[list[Values], list[int], list[Any]]:
        """Return the sequences (T, D) of a file, what the lanes need with each, and the rest, as ``facts``.

        Raises:
            DataError: The file cannot be restored to the bit from what the model reads, or is not of its kind.
        """

    @abstractmethod
    def shape(self, left: list[Any]) -> tuple[list[int], list[int]]:
        """Return the lengths of the sequences of a file, and what the lanes need with each."""

    @abstractmethod
    def together(self, sequences: list[Values], left: list[Any]) -> Iterator[bytes]:
        """Yield the bytes of a file."""


def read_raw(path: Path) -> Raw:
    """Return the bytes of a file, which is mapped if it is large.

    Raises:
        DataError: It cannot be read.
    """
    try:
        large = path.is_file() and path.stat().st_size > LARGE
        return np.memmap(path, dtype=np.uint8, mode="r") if large else path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read the file: {error.strerror or error}", where=str(path), fix="check the path"
        ) from error


def unpacked(packed: bytes | str) -> bytes:
    """Return what was packed, which is printed in version 1."""
    return zlib.decompress(base64.b85decode(packed) if isinstance(packed, str) else packed)
