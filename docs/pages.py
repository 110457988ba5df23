"""A runner for the code blocks of a page: it runs them in order, in one namespace.

The build of the site and the tests call the same function. ``python docs/pages.py FOLDER`` draws all figures.
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
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
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
#: This variable names a folder that keeps the figures of the pages that run, so that the site does not draw them again.
KEPT = "DOCS_FIGURES"
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

    If the variable DOCS_FIGURES names a folder, the figures are also kept there, by the digest of the code.

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
    figures = set(_FIGURE.findall(page.read_text(encoding="utf-8")))
    for name in figures:
        shutil.move(folder / name, folder / "figures" / name)
    if figures and (kept := os.environ.get(KEPT)):
        shutil.copytree(
            folder / "figures", Path(kept) / code_digest(page), dirs_exist_ok=True
        )
    return document.namespace


def with_figures(folder: Path) -> list[Path]:
    """Return the pages below a folder that have figures."""
    pages = sorted(folder.glob("*/*.md"))
    return [page for page in pages if _FIGURE.search(page.read_text(encoding="utf-8"))]


def draw(pages: Iterable[Path], kept: Path) -> None:
    """Draw the figures of pages that the folder ``kept`` lacks, each page in a process of its own.

    Pages with the same code, such as a page and its translation, have the same figures.

    Raises:
        RuntimeError: A block of a page failed. What it printed stands above.
    """
    missing = {code_digest(page): page for page in reversed(list(pages))}
    missing = {
        digest: page for digest, page in missing.items() if not (kept / digest).exists()
    }

    def run_apart(page: Path) -> int:
        with tempfile.TemporaryDirectory() as work:
            return subprocess.run(
                [sys.executable, __file__, str(kept), str(page.resolve())],
                cwd=work,
                check=False,
            ).returncode

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        codes = pool.map(run_apart, missing.values())
        failed = [
            str(page)
            for page, code in zip(missing.values(), codes, strict=True)
            if code
        ]
    if failed:
        raise RuntimeError(f"a block failed on these pages: {', '.join(failed)}")


if __name__ == "__main__":
    here, target = Path(__file__).resolve().parent, Path(sys.argv[1]).resolve()
    if sys.argv[2:]:  # the pages are run in the folder where this process was started
        os.environ[KEPT] = str(target)
        for name in sys.argv[2:]:
            run(Path(name), Path.cwd())
    else:
        draw([*with_figures(here), *with_figures(here / "ko")], target)
