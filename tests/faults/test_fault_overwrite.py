"""No command loses what a user has: a file that it reads is never written, and a closed stream stops no command."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from rows import Row

import ostinato
from ostinato.cli.main import main
from ostinato.data.read import read
from ostinato.errors import DataError

SERIES = "ds,y\n" + "".join(f"2024-01-{i + 1:02},{i % 7}.5\n" for i in range(30))
NAMES = "ada\nbob\ncid\n" * 20

#: Command lines that would write over a file that they read.
COMMANDS = (
    "forecast s.csv -n 2 --model naive -o s.csv",
    "forecast s.csv -n 2 --model naive --plot s.csv",
    "forecast s.ost -n 2 -o s.csv",  # the data of the fit
    "forecast s.ost s.csv -n 2 -o s.ost",
    "forecast link.csv -n 2 --model naive -o s.csv",
    "forecast ./s.csv -n 2 --model naive -o folder/../s.csv",
    "forecast sqlite:///d.db --query select*from[s] -n 2 --model naive -o d.db",
    "forecast sqlite+pysqlite:///d.db?mode=ro --query select*from[s] -n 2 --model naive -o ./d.db",
    "fit sqlite:///d.db --query select*from[s] --model ar -o d.db",
    "fit s.csv --model ar -o s.csv",
    "fit s*.csv --model ar -o s.csv",
    "fit folder --model ar -o folder/a.csv",
    "fit s.csv --model ar -o new.ost --report s.csv",
    "score s.ost s.csv -o s.csv",
    "score s.ost s.csv -o s.ost",
    "score n.ost n.txt --by word -o n.txt",
    "sample n.ost -o n.ost",
    "backtest s.csv -o s.csv",
    "backtest s.csv --model naive --model s.ost -o s.ost",
    "diagnose s.ost s.csv -o s.csv",
    "report s.ost -o s.csv",
    "export s.ost --onnx s.ost",
    "compress n.ost n.txt -o n.txt",
    "compress n.ost n.txt -o n.ost",
    "decompress n.ost n.osz -o n.osz",
)


@cache
def made() -> TemporaryDirectory[str]:
    """Make the folder of data, models and other files, which every command leaves as it is."""
    held = TemporaryDirectory()
    folder = Path(held.name)
    for name in ("s.csv", "folder/a.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(SERIES)
    with closing(sqlite3.connect(folder / "d.db")) as database:
        database.execute("CREATE TABLE s (ds TEXT, y REAL)")
        database.executemany("INSERT INTO s VALUES (?, ?)", [line.split(",") for line in SERIES.splitlines()[1:]])
        database.commit()
    (folder / "n.txt").write_text(NAMES)
    (folder / "n.osz").write_bytes(b"packed")
    (folder / "link.csv").symlink_to("s.csv")
    for data, model in (("s.csv", "s.ost"), ("n.txt", "n.ost")):
        ostinato.fit(read(folder / data), model="ar").model.save(folder / model)
    return held


def keeps(command: str) -> str:
    """A command ends with code 2 and leaves every file as it was."""
    here, folder = Path.cwd(), Path(made().name)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    os.chdir(folder)
    try:
        with pytest.raises(SystemExit) as stopped:
            main(command.split())
    finally:
        os.chdir(here)
    assert stopped.value.code == 2
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    return "refused: code 2, all files as before"


def closed(stream: int, *arguments: str) -> str:
    """A command whose caller closed a standard stream ends without a traceback."""
    words = [a.replace("s.", f"{made().name}/s.") for a in arguments]
    script = f'exec "$@" {stream}{"<" if stream == 0 else ">"}&-'
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "ostinato", *words]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode()
    return "right: code 0"


def a_pipe() -> str:
    """A pipe can be read once, and data are read more than once."""
    with TemporaryDirectory() as name:
        pipe = Path(name) / "pipe"
        os.mkfifo(pipe)
        for source in (str(pipe), "/dev/null", "-"):
            with pytest.raises(DataError, match="a pipe or a device"):
                read(source)
    return "refused: a pipe or a device"


def _check(command: str) -> Callable[[], str]:
    return partial(keeps, command)


KIND = "losses"
ROWS = [
    *(Row(KIND, command, "the files before", _check(command)) for command in COMMANDS),
    Row(KIND, "standard input is closed", "an empty input", partial(closed, 0, "stream", "s.ost")),
    Row(KIND, "standard output is closed", "/dev/null", partial(closed, 1, "sample", "s.ost")),
    Row(KIND, "standard error is closed", "/dev/null", partial(closed, 2, "forecast", "s.csv", "--model", "naive")),
    Row(KIND, "data from a pipe", "a DataError", a_pipe),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_losses(row: Row) -> None:
    assert row.check()
