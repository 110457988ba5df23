"""Files of tables of faults: what is read from one, and that one is refused."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError


def in_file(content: str | bytes, ending: str = ".csv", **options: Any) -> SequenceSet:
    """Return what is read from a file.

    Args:
        content: What the file holds; a string is written in UTF-8.
        ending: The end of its name.
        **options: The options of ``read``.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t{ending}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read(path, **options)


def refused(content: str | bytes, *says: str, ending: str = ".csv", **options: Any) -> str:
    """Assert that a file is refused with these words; the arguments are those of ``in_file``."""
    with pytest.raises(DataError) as caught:
        in_file(content, ending, **options)
    for word in says:
        assert word in str(caught.value), str(caught.value)
    return f"refused: {caught.value.what[:60]}"
