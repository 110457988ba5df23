"""A runner for the code blocks of a page: it runs them in order, in one namespace.

The build of the site and the tests call the same function.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import torch
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser

matplotlib.use("Agg")
#: The longest that the commands of a block may take, in seconds: one that waits for ever must not hold up the rest.
LIMIT = 600
#: The folder in which the commands of a block find ``ostinato`` and ``python``.
PROGRAMS = str(Path(sys.executable).parent)
#: A figure of a page, which one of its blocks draws.
_FIGURE = re.compile(r"\]\(figures/([\w.-]+)\)")
_run = PythonEvaluator()


def _python(example: Example) -> None:
    """Run a Python block and keep its printed output."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        _run(example)
    example.namespace["_printed"] = out.getvalue()


def _bash(example: Example) -> None:
    """Run the commands of a bash block in the working directory, and keep what they print."""
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", example.parsed],
        env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "COLUMNS": "88"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as block:
        try:
            out, err = block.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(block.pid, signal.SIGKILL)  # with what it started
            raise AssertionError(
                f"{example.path}, line {example.line}: not done in {LIMIT} s"
            ) from None
    if block.returncode:
        raise AssertionError(
            f"{example.path}, line {example.line}: exit code {block.returncode}\n{err}"
        )
    example.namespace["_printed"] = out


def _text(example: Example) -> None:
    """Check that a text block shows exactly the output of the block above it."""
    printed = example.namespace["_printed"].strip()
    if example.parsed.strip() != printed:
        raise AssertionError(
            f"{example.path}, line {example.line}: the block above it printed\n{printed}"
        )


# A block of "sh" is shown only: its files are the reader's. A block of "bash" runs.
SYBIL = Sybil(
    parsers=[
        CodeBlockParser("python", _python),
        CodeBlockParser("bash", _bash),
        CodeBlockParser("text", _text),
    ]
)


def code_digest(page: Path) -> str:
    """Return a digest of the blocks of a page, which is the same for a page and its translation."""
    code = [str(example.parsed) for example in SYBIL.parse(page).examples()]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()[:16]


def run(page: Path, folder: Path) -> dict[str, Any]:
    """Run every block of a page with ``folder`` as the working directory.

    Args:
        page: The Markdown file.
        folder: The working directory of the blocks, as empty as that of a reader. The figures that the page links to
            are put into its subfolder ``figures`` at the end, next to which the page lies on the site.

    Returns:
        The namespace after the last block, so that a test can call the functions that the page defines.

    Raises:
        Exception: A block raised this exception.
        AssertionError: A block printed something other than the output on the page.
        FileNotFoundError: No block drew a figure of the page.
    """
    document = SYBIL.parse(page)
    dtype = torch.get_default_dtype()
    try:
        with contextlib.chdir(folder):
            for example in document.examples():
                example.evaluate()
    finally:
        plt.close("all")
        torch.set_default_dtype(dtype)
    (folder / "figures").mkdir(exist_ok=True)
    for name in set(_FIGURE.findall(page.read_text(encoding="utf-8"))):
        shutil.move(folder / name, folder / "figures" / name)
    return document.namespace
