"""Bad inputs, each with its expected error. As a script, this file prints them as a table in Markdown."""

from __future__ import annotations

import contextlib
import io
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ostinato.cli.main import main

#: What lies at the output path of every command, and must lie there afterwards.
EARLIER = b"an earlier model"


#: Of a file: as it is, or as it follows from the folder of fitted models.
Content = bytes | str | Callable[[Path], bytes]


@dataclass(frozen=True)
class Bad:
    """One bad input: the command line that gets it, and the words that the message must contain.

    The command runs in a folder with ``files``; {models} stands for a folder of fitted models.
    """

    name: str
    command: str
    says: tuple[str, ...]
    files: Mapping[str, Content] = field(default_factory=dict)
    stdin: bytes = b""
    code: int = 2
    patch: Callable[[pytest.MonkeyPatch], None] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str
    before: dict[str, bytes]
    after: dict[str, bytes]


def run(bad: Bad, folder: Path, models: Path) -> Outcome:
    """Run the command of one bad input in this process, in ``folder``."""
    for name, content in {"m.ost": EARLIER, **bad.files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made = content(models) if callable(content) else content
        path.write_bytes(made if isinstance(made, bytes) else made.encode())
    before = _listing(folder)
    arguments = shlex.split(bad.command.replace("{models}", str(models)))
    (models / "stdin").write_bytes(bad.stdin)
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, (models / "stdin").open() as stdin:
        patch.chdir(folder)
        patch.setattr(sys, "stdin", stdin)
        if bad.patch:
            bad.patch(patch)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(arguments)
            except SystemExit as stop:
                code = int(stop.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue(), before, _listing(folder))


def fit_models(folder: Path) -> Path:
    """Write a model of every kind of data into ``folder``, from generated data."""
    rng = np.random.default_rng(0)
    walk = np.exp(rng.normal(0, 0.01, 80).cumsum()) * 50
    numbers = "".join(f"{x:.3f},{y:.3f}\n" for x, y in rng.normal(size=(80, 2)))
    (folder / "series.csv").write_text("y\n" + "\n".join(f"{x:.3f}" for x in rng.normal(size=80)) + "\n")
    (folder / "wide.csv").write_text("a,b\n" + numbers)
    (folder / "prices.csv").write_text("price\n" + "\n".join(f"{x:.3f}" for x in walk) + "\n")
    (folder / "names.txt").write_text("anna\nbob\ncora\n" * 20)
    soundfile.write(folder / "sound.wav", rng.integers(-900, 900, 2000).astype(np.int16), 8000)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for data in ("series.csv", "wide.csv", "prices.csv", "names.txt", "sound.wav"):
            model = folder / f"{data.split('.')[0]}.ost"
            with contextlib.suppress(SystemExit):
                main(["fit", str(folder / data), "--model", "ar", "--max-order", "2", "-o", str(model)])
    return folder


def table(rows: tuple[Bad, ...]) -> Iterator[str]:
    """The lines of a table in Markdown: input, command, message, exit code."""
    yield "| # | bad input | command | message | exit code |"
    yield "| --- | --- | --- | --- | --- |"
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch) / "models"
        models.mkdir()
        fit_models(models)
        for i, bad in enumerate(rows):
            folder = Path(scratch) / str(i)
            folder.mkdir()
            outcome = run(bad, folder, models)
            lines = outcome.err.replace(f"{models}/", "").replace("|", "\\|").splitlines()
            said = "<br>".join(line.strip() for line in lines)
            command = bad.command.replace("{models}/", "").replace("|", "\\|")
            yield f"| {i + 1} | {bad.name} | `{command}` | {said} | {outcome.code} |"


def _listing(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"folder" for p in sorted(folder.rglob("*"))}


if __name__ == "__main__":
    from bad_rows import ROWS

    print("\n".join(table(ROWS)))
