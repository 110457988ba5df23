"""The blocks of a page: run in order, in one namespace. The site's build and the tests call the same function."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import torch
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser

matplotlib.use("Agg")
_run = PythonEvaluator()


def _python(example: Example) -> None:
    """Run it, and keep what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        _run(example)
    example.namespace["_printed"] = out.getvalue()


def _text(example: Example) -> None:
    """What the block above printed, shown on the page: it must be that."""
    printed = example.namespace["_printed"].strip()
    if example.parsed.strip() != printed:
        raise AssertionError(
            f"{example.path}, line {example.line}: the block above it printed\n{printed}"
        )


SYBIL = Sybil(
    parsers=[CodeBlockParser("python", _python), CodeBlockParser("text", _text)]
)


def run(page: Path, folder: Path) -> dict[str, Any]:
    """Run every block of page with folder as the working directory; figures go to folder/figures.

    Returns the namespace, so that the functions which a page defines can be tested further. Raises what a block raises.
    """
    document = SYBIL.parse(page)
    (folder / "figures").mkdir(exist_ok=True)
    dtype = torch.get_default_dtype()
    try:
        with contextlib.chdir(folder):
            for example in document.examples():
                example.evaluate()
    finally:
        plt.close("all")
        torch.set_default_dtype(dtype)
    return document.namespace
