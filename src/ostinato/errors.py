"""Errors a user can mend: what was wrong, where, and what to do. The command line prints them without a traceback."""

from __future__ import annotations


class OstinatoError(Exception):
    """A mistake that its maker can mend.

    ``what`` happened, ``where`` (file, row, column, series id) and the ``fix`` are kept apart, so that the command line
    can lay them out; ``str()`` joins them.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__("\n".join(part for part in (what, where and f"where: {where}", fix and f"fix: {fix}") if part))


class DataError(OstinatoError):
    """The data cannot be read, or cannot be what it is asked to be."""


class ConfigError(OstinatoError):
    """An option has a value that cannot be used."""


class ModelFileError(OstinatoError):
    """A model file cannot be read or written, or does not fit the data it is used on."""


class WriteError(ModelFileError):
    """The system refused to write a file: no space, no permission."""

    exit_code = 1


class LostError(OstinatoError):
    """A process, a machine or a connection is gone in mid-work; what was done is kept, to go on from."""

    exit_code = 1


class NonFiniteLossError(OstinatoError):
    """The loss became NaN or infinite; training stopped before the weights were touched."""

    exit_code = 1
