"""Old names of keyword arguments: those that stay, and those that warn for one minor version and then go."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def renamed(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that accepts old keyword arguments of a function under their new names.

    The signature that tools show is the one with the new names.

    Args:
        names: Each old name with the name that replaces it: ``renamed(n="n_samples")``.

    Returns:
        The decorator. The decorated function raises TypeError if the old and the new name are both given.
    """
    return _accepting(names, lambda *words: None)


#: The functions with deprecated names, and the minor version in which each name was replaced: a test finds what is due.
DEPRECATED: dict[str, str] = {}


def deprecated(since: str, **names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that accepts old keyword arguments with a DeprecationWarning, for one minor version.

    Args:
        since: The minor version that replaced the names, such as "0.2". In 0.2 they warn; 0.3 does not know them.
        names: Each old name with the name that replaces it.

    Returns:
        The decorator. The decorated function raises TypeError if the old and the new name are both given.
    """

    def warn(function: str, old: str, new: str) -> None:
        _warn(f"{function}({old}=...)", old, new, since)

    accept: Callable[[Callable[P, R]], Callable[P, R]] = _accepting(names, warn)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        DEPRECATED[f"{function.__module__}.{function.__qualname__}"] = since
        return accept(function)

    return decorate


def warn_of_attribute(owner: str, old: str, new: str, since: str) -> None:
    """Warn that an attribute is read by its earlier name; its property calls this, and ``DEPRECATED`` lists it.

    Args:
        owner: The class of the attribute.
        old: Its earlier name.
        new: The name that replaces it.
        since: The minor version that replaced the name.
    """
    _warn(f"{owner}.{old}", old, new, since)


def _warn(what: str, old: str, new: str, since: str) -> None:
    """Warn the caller of a function that calls this in its turn."""
    major, minor = map(int, since.split("."))
    gone = f"{old} will be removed in version {major}.{minor + 1}"
    warnings.warn(f"{what} is called {new} since version {since}; {gone}", DeprecationWarning, stacklevel=4)


def _accepting(
    names: dict[str, str], say: Callable[[str, str, str], None]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the decorator that takes old names, and says so by a function of the name, the old and the new word."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in names.keys() & kwargs.keys():
                new = names[old]
                if new in kwargs:
                    raise TypeError(
                        f"{function.__name__}() got both {new!r} and its old name {old!r}; give {new!r} only"
                    )
                say(function.__name__, old, new)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate
