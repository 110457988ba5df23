"""JSON in which no object has a field twice, and what is wrong with JSON that cannot be read, in words."""

from __future__ import annotations

import json
import sys
from typing import Any


def loads(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: The text is not JSON, or an object in it has a field twice, of which Python's parser takes the last.
        RecursionError: Its arrays or objects are nested too deeply.
    """
    found = text.decode(json.detect_encoding(text), "surrogatepass") if isinstance(text, bytes) else text
    return _DECODER.decode(found)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        names = [name for name, _ in pairs]
        raise TwiceError(next(name for name in names if names.count(name) > 1))
    return out


#: Made once: json.loads makes one for each text, which takes longer than to read a short one.
_DECODER = json.JSONDecoder(object_pairs_hook=_once)


class TwiceError(ValueError):
    """An object has a field twice."""


def json_words(error: Exception, *, placed: bool = False) -> str:
    """Return what is wrong with JSON.

    Args:
        error: What ``json.loads`` raised.
        placed: Whether the line and the column are named.
    """
    if isinstance(error, json.JSONDecodeError):
        return str(error) if placed else error.msg
    if isinstance(error, TwiceError):
        return f"the field {str(error)[:60]!r} occurs twice in an object"
    if isinstance(error, RecursionError):
        return "its arrays or objects are nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    # the parser raises a plain ValueError only for a whole number that Python does not convert
    return f"a whole number in it has more than {sys.get_int_max_str_digits():,} digits"
