"""The errors that a user can fix. The command line prints them without a traceback."""

from __future__ import annotations


class OstinatoError(Exception):
    """The base of all errors that a user can fix.

    The parts of the message are kept apart, so that the command line can lay them out; ``str()`` joins them.

    Args:
        what: What is wrong, with the value that was given and what was expected.
        where: The file, row, column or series.
        fix: What to do, as an instruction.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__("\n".join(part for part in (what, where and f"where: {where}", fix and f"fix: {fix}") if part))


class DataError(OstinatoError):
    """The data cannot be read, or do not suit their use."""


class ConfigError(OstinatoError):
    """An option has a value that cannot be used."""


class ModelFileError(OstinatoError):
    """A model file cannot be read or written, or does not fit the data that it is used on."""


class WriteError(ModelFileError):
    """A file cannot be written, for example because of missing space or permission."""

    exit_code = 1


class LostError(OstinatoError):
    """A process, a machine or a connection was lost during the work; finished work is kept and can be resumed."""

    exit_code = 1


class NonFiniteLossError(OstinatoError):
    """The loss became NaN or infinite; training stopped before the weights were changed."""

    exit_code = 1
