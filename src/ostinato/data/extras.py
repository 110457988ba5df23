"""The packages of the extras, which reading some formats needs."""

from __future__ import annotations

from ostinato.errors import ConfigError


def missing(what: str, package: str, extra: str) -> ConfigError:
    """Return the error for a package of an extra that is not installed, with the command that installs it."""
    return ConfigError(f"{what} needs {package}, which is not installed", fix=f"run pip install 'ostinato[{extra}]'")


def is_failure(error: BaseException) -> bool:
    """Return whether an error is one of a library, and not a wish to stop, such as a pressed Ctrl-C.

    A library in Rust may end with an error that derives from BaseException. Each library has a class of its own for it.
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
