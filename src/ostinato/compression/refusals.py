"""The errors about a container that cannot be read."""

from __future__ import annotations

from ostinato.errors import DataError


def newer(version: int, where: str) -> DataError:
    """Return the error about a container of a version that is not known."""
    return DataError(
        f"the file has version {version}, expected one from 1 to 5",
        where=where,
        fix="use the version of ostinato that wrote the file, or another copy if it is damaged",
    )


def damaged(where: str) -> DataError:
    """Return the error about a container that is not as it was written."""
    return DataError("the file was cut short or altered", where=where, fix="use another copy of it")


def other_probabilities(where: str) -> DataError:
    """Return the error about a container whose symbols were coded by other probabilities than those of this machine."""
    return DataError(
        "the model computes different probabilities on this machine and on the machine that wrote the file",
        where=where,
        fix="decompress on a machine of the same kind, with the same versions of ostinato and torch",
    )
