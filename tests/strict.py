"""A Python in which warnings are errors, for tests that run a program of their own."""

from __future__ import annotations

import sys

#: matplotlib before 3.10.7 calls a newer pyparsing by its old names, which is for matplotlib to settle.
_OLD = ("matplotlib._mathtext", "matplotlib._fontconfig_pattern", "pyparsing.util")
#: The command line, to which the program is added.
STRICT = [
    sys.executable,
    "-W",
    "error",
    *(word for name in _OLD for word in ("-W", f"ignore::DeprecationWarning:{name}")),
    "-W",
    "ignore:'click.:DeprecationWarning",  # an old typer with a new click warns, as pyproject.toml says for pytest
]
