"""What is wrong with JSON that Python's parser refuses, in words."""

from __future__ import annotations

import json
import sys


def json_words(error: Exception, *, placed: bool = False) -> str:
    """Return what is wrong with JSON.

    Args:
        error: What ``json.loads`` raised.
        placed: Whether the line and the column are named.
    """
    if isinstance(error, json.JSONDecodeError):
        return str(error) if placed else error.msg
    if isinstance(error, RecursionError):
        return "its arrays or objects are nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    # the parser raises a plain ValueError only for a whole number that Python does not convert
    return f"a whole number in it has more than {sys.get_int_max_str_digits():,} digits"
