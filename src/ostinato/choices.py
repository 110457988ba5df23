"""The error about an unknown name: it names the nearest one that exists."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from ostinato.errors import ConfigError, OstinatoError

#: The least similarity at which a name counts as a misspelling of another with the same first letter. At 0.6 "period"
#: was taken for "prior". Few people miss the first letter, so other names must be nearer: "missing" is not "emission".
_ALIKE, _BEGUN_OTHERWISE = 0.75, 0.85
#: The same for a name of up to 3 letters, such as "gri" for "gru".
_SHORT, _SHORT_ALIKE = 3, 0.6
#: The suffix of model files, by custom.
_MODEL = ".ost"
#: The number of files in a folder that are looked through.
_FILES = 10_000


def nearest(given: object, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant, whatever its case; None if no name is near.

    A name that begins with what was given is near, and so is one that differs by about a letter in four (the ratio of
    Ratcliff and Obershelp, as in ``difflib``).

    Args:
        given: What was given.
        names: The names that exist.
    """
    words, there = str(given).lower(), list(names)
    if words.startswith("--"):  # the dashes that all options share would make any two of them alike
        words, there = words[2:], [name for name in there if name.startswith("--")]
    folded = [name.lower().removeprefix("--") for name in there]
    begun = [i for i, name in enumerate(folded) if len(words) > 1 and name.startswith(words)]
    if begun:
        return there[begun[0]]
    same = [name for name in folded if name[:1] == words[:1]]
    close = difflib.get_close_matches(words, same, 1, _SHORT_ALIKE if len(words) <= _SHORT else _ALIKE)
    close = close or difflib.get_close_matches(words, folded, 1, _BEGUN_OTHERWISE)
    return there[folded.index(close[0])] if close else None


def advice(given: object, names: Iterable[str], otherwise: str = "") -> str:
    """Return what to do about a name that does not exist: the name that was probably meant, and what exists.

    Args:
        given: What was given.
        names: The names that exist.
        otherwise: What to do if none of them is meant. Default: "use one of" all of them.
    """
    there = list(names)
    rest = otherwise or f"use one of {', '.join(there)}"
    meant = nearest(given, there)
    return rest if meant is None else f"did you mean {meant!r}? {rest[0].upper()}{rest[1:]}"


def unknown(
    what: str,
    given: object,
    names: Iterable[str],
    otherwise: str = "",
    *,
    place: str = "",
    where: str | None = None,
    error: type[OstinatoError] = ConfigError,
) -> OstinatoError:
    """Return the error about a value that is not one of the names that exist.

    Args:
        what: What the name is of, such as "model".
        given: What was given.
        names: The names that exist.
        otherwise: What to do if none of them is meant. Default: "use one of" all of them.
        place: Where such names stand, such as "in the column 'store'".
        where: The file, row, column or series.
        error: The class of the error.
    """
    return error(f"unknown {what} {given!r} {place}".rstrip(), where=where, fix=advice(given, names, otherwise))


def nearest_file(path: str | Path) -> str:
    """Return what to do about a file that cannot be read: the file of its folder that was probably meant.

    Args:
        path: The path that was given. If it has the suffix of models, no other file is meant.
    """
    folder = Path(path).parent
    otherwise = "check the path"
    if Path(path).exists():  # as something else, such as a folder
        return otherwise
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry, _ in zip(entries, range(_FILES), strict=False)]
            names = [name for name in names if (folder / name).exists()]  # and no link to nothing
    except OSError:
        return otherwise
    if Path(path).suffix == _MODEL:
        names = [name for name in names if Path(name).suffix == _MODEL]
    meant = nearest(Path(path).name, sorted(names))
    return otherwise if meant is None else f"did you mean {str(folder / meant)!r}? Otherwise {otherwise}"
