"""The command ``ostinato demo``: a small file of a kind of data, and a walk through the verbs on it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ostinato.choices import unknown
from ostinato.cli import options, screen
from ostinato.cli.demo_steps import WALKS, Step
from ostinato.errors import ConfigError

#: The greatest width of the walk in columns, and the lines of a result that are shown.
_WIDTH: Final = 80
_LINES: Final = 16


def command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"The kind of data: {', '.join(WALKS)}.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The folder for the files. Default: demo-KIND.", rich_help_panel=options.OUTPUT
        ),
    ] = None,
) -> None:
    """Write a small example file, and walk through the commands on it: show, run and explain each one.

    Example: ostinato demo series
    """
    if kind not in WALKS:
        raise unknown("kind of demo", kind, WALKS)
    from ostinato.datasets.demos import DEMOS
    from ostinato.storage import atomic_write

    folder = output or Path(f"demo-{kind}")
    files = DEMOS[kind]()
    if folder.exists() and not folder.is_dir():
        raise ConfigError("the folder to write to is a file", where=str(folder), fix="name another folder with -o")
    for name, content in files.items():
        if (folder / name).exists() and (folder / name).read_bytes() != content:
            raise ConfigError("another file has this name", where=str(folder / name), fix="name another folder with -o")
    folder.mkdir(parents=True, exist_ok=True)
    _tell(f"The files of this walk are in the folder {folder}. Try your own options there.")
    began = time.monotonic()
    for name, content in files.items():
        atomic_write(folder / name, content)
        _head(name, content)
    with _inside(folder):
        for number, step in enumerate(WALKS[kind], start=1):
            _walk(number, step)
    _tell(f"\nDone in {time.monotonic() - began:.0f} s. ostinato COMMAND --help explains the options.")


def _walk(number: int, step: Step) -> None:
    """Show, run and explain one command."""
    _tell(f"\n{number}. {step.why}")
    reading = f" < {step.stdin}" if step.stdin else ""
    typer.secho(f"$ ostinato {step.command}{reading}", bold=True)
    page = _Page()
    with page.instead(step.stdin):
        code = _run(shlex.split(step.command))
    page.close()
    if code:
        raise typer.Exit(code)
    _tell(f"-> {step.meaning}")


def _run(words: list[str]) -> int:
    """Run a command in this process and return its exit code."""
    from ostinato.cli.main import app, spread

    words = spread(words)
    return int(app(args=words, prog_name="ostinato", standalone_mode=False, obj=words) or 0)


def _tell(words: str) -> None:
    """Print a sentence of the walk, in lines of 80 columns at most."""
    width = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)
    print(textwrap.fill(words, width, break_long_words=False, break_on_hyphens=False, replace_whitespace=False))


def _head(name: str, content: bytes) -> None:
    """Print the first lines of a file, or the size of one that is not text."""
    if b"\0" in content[:1_000]:
        print(f"  {name}: {len(content):,} bytes")
        return
    lines = content.decode().splitlines()
    _tell(f"  {name}, {len(lines):,} lines: {' | '.join(lines[:3])} ...")


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in a folder, and come back."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class _Page:
    """The output of a command, in lines that fit the width, and of many lines the first and the last ones."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._rest = ""

    def write(self, text: str) -> int:
        """Take output of the command."""
        *lines, self._rest = (self._rest + text).split("\n")
        self._lines += lines
        return len(text)

    def writelines(self, texts: Any) -> None:
        """Take several pieces of output."""
        for text in texts:
            self.write(text)

    def flush(self) -> None:
        """Do nothing: the output is printed at the end."""

    def isatty(self) -> bool:
        """Return that no terminal is at the end, so that no progress is drawn into the page."""
        return False

    @contextmanager
    def instead(self, stdin: str) -> Iterator[None]:
        """Be standard output and standard error, and let a file be standard input."""
        kept = sys.stdout, sys.stderr, sys.stdin
        with Path(stdin or os.devnull).open(encoding="utf-8") as file, screen.rounded():
            page: Any = self
            sys.stdout = sys.stderr = page
            sys.stdin = file
            try:
                yield
            finally:
                sys.stdout, sys.stderr, sys.stdin = kept

    def close(self) -> None:
        """Print what was taken."""
        lines = [*self._lines, *([self._rest] if self._rest else [])]
        left = len(lines) - _LINES
        if left > 1:
            lines = [*lines[: _LINES - 4], f"... {left} lines ...", *lines[-4:]]
        for line in lines:
            words = line.lstrip(" ")
            start = " " * (len(line) - len(words) + 2)
            if len(line) + 2 <= _WIDTH:
                print(f"  {line}".rstrip())
            else:
                print(textwrap.fill(words, _WIDTH, initial_indent=start, subsequent_indent=f"{start}  "))
