"""The options that several commands share, and the functions that turn their text into values."""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostinato import arguments
from ostinato.cli import help_page, overwrite, screen
from ostinato.cli.standard import came_through_pipe
from ostinato.errors import ConfigError
from ostinato.threads import Threads as Threads_

if TYPE_CHECKING:
    from ostinato.fits.budget import Budget
    from ostinato.model_file import Model as AnyModel

#: The headings of the groups of options in a help text.
DATA, MODEL, BUDGET, OUTPUT = "Data", "Model", "Budget", "Output"
READING, ADVANCED, CLUSTER = help_page.FOLDED

Data = Annotated[
    str,
    typer.Argument(
        help="A file, a folder or a pattern of files: CSV, Parquet, Excel, JSON, text, WAV and others, also packed; or "
        "the address of a database, with --query."
    ),
]
Model = Annotated[Path, typer.Argument(help="A model file that ostinato fit wrote.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The file to write. Default: print to the screen.", rich_help_panel=OUTPUT),
]
PartsOutput = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="The file to write, or the folder with --on. Default: print to the screen.",
        rich_help_panel=OUTPUT,
    ),
]
Level = Annotated[
    list[float] | None,
    typer.Option(
        help="The coverage of the intervals in percent: --level 80 95. Default: 80 95.", rich_help_panel=OUTPUT
    ),
]
Paths = Annotated[
    int,
    typer.Option(
        "--n-paths",
        "--paths",
        max=1_000_000,
        help="The number of sample paths of each series. A direct model draws none.",
        rich_help_panel=ADVANCED,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        help="The seed of all random numbers; the same seed gives the same result.",
        min=0,
        max=2**63 - 1,
        rich_help_panel=ADVANCED,
    ),
]
Season = Annotated[
    int | None,
    typer.Option(
        "--season",
        "--season-length",
        help="The number of steps in a season. Default: from the frequency of the data.",
    ),
]
On = Annotated[
    str | None,
    typer.Option(
        help="Process a Parquet file or folder in parts, which need not fit in memory: here, on ray, or on "
        "ray://HOST:PORT. The results are a folder.",
        rich_help_panel=CLUSTER,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, help="The number of workers with --on ray. Default: one for each processor.", rich_help_panel=CLUSTER
    ),
]
Adapt = Annotated[
    bool | None,
    typer.Option(
        "--adapt/--frozen",
        help="Whether the model goes on learning from the data, each value after it was predicted. Default: an "
        "adaptive model learns, and a note says so.",
        rich_help_panel=MODEL,
    ),
]
Robust = Annotated[
    float | None,
    typer.Option(
        help="Keep a value farther than this many standard deviations from its prediction out of the state, so that an "
        "outlier does not spoil the steps after it: --robust 6. Default: every value enters the state.",
        rich_help_panel=MODEL,
    ),
]
Threads = Annotated[
    str,
    typer.Option(
        metavar="COUNT",
        help="The number of threads that compute, or auto: every core for the networks, as far as it pays, and one for "
        "torch and BLAS. Workers have 1 unless a number is given.",
        rich_help_panel=CLUSTER,
    ),
]
CodingThreads = Annotated[
    str,
    typer.Option(
        metavar="COUNT",
        help="The number of threads that compute. One by default: the model codes a step at a time, which more threads "
        "hardly make faster, and one adds up in the same order however many cores a machine has.",
        rich_help_panel=CLUSTER,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print the result as JSON, for a program.", rich_help_panel=ADVANCED),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print results and errors only: no notes, no progress.",
        callback=screen.quiet,
        rich_help_panel=ADVANCED,
    ),
]


Device = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="Where networks compute: cpu, cuda, cuda:1, mps, or auto, which takes a GPU if a timed step "
        "is faster there.",
        rich_help_panel=CLUSTER,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="float32, or bf16 for the products of a training on a CUDA GPU. Weights, states and the loss stay in "
        "float32.",
        rich_help_panel=CLUSTER,
    ),
]


def seconds(text: str | None) -> float | None:
    """Return the seconds of a time such as "90", "90s", "3m" or "1.5h"."""
    return None if text is None else arguments.seconds("the budget", text)


def limits(budget: str | None, steps: int | None) -> Budget:
    """Return the limits from --budget and --max-steps; two minutes if neither is given."""
    from ostinato.fits.budget import Budget

    time = seconds(budget)
    return Budget(120.0 if time is None and steps is None else time, steps)


def share(text: str) -> float | str:
    """Return the held-out share as a number, or the text itself, which is a pattern of ids.

    Raises:
        ConfigError: The share is NaN.
    """
    try:
        number = float(text)
    except ValueError:
        return text
    if math.isnan(number):
        raise ConfigError(
            "the held-out share must be a number between 0 and 1, got nan", fix="use a number between 0 and 1"
        )
    return number


def threads(text: str) -> Threads_:
    """Return the number of threads from --threads, or "auto".

    Raises:
        ConfigError: The text is neither "auto" nor a number of threads.
    """
    if text == "auto":
        return "auto"
    try:
        count = int(text)
    except ValueError:
        shown = repr(text) if len(text) <= 40 else f"{text[:37]!r}..."
        raise ConfigError(
            f"threads must be auto or a whole number of few digits, got {shown}"
            if text.strip().isdecimal()
            else f"threads must be auto or a whole number, got {shown}",
            fix="use auto, or a number such as 4",
        ) from None
    return arguments.thread_count(count)


def device(text: str, *, said: bool = True) -> str:
    """Return the full name of the device from --device, or "auto", and let decisions of "auto" be printed.

    Args:
        text: The value of the option.
        said: Whether the decisions are printed as notes; False where the result has notes of its own.
    """
    from ostinato.device import log
    from ostinato.hardware import checked

    if said and not screen.hushed() and not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("note: the model computes on %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    return checked(text)


@contextmanager
def in_parts_on(text: str, on: str | None) -> Iterator[None]:
    """Let the parts of a panel compute on a device, which is possible in this process alone.

    Raises:
        ConfigError: A device is given for workers of Ray.
    """
    from ostinato.device import computing_on

    if text != "auto" and on not in (None, "here"):
        raise ConfigError(
            f"the workers of {on} compute on the CPU, got the device {text}", fix="remove --device, or use --on here"
        )
    with computing_on(device(text) if text != "auto" else "auto"):
        yield


def source(model: AnyModel, data: str | None) -> str:
    """Return the path of the data; if none is given, the path of the data that the model was fitted to.

    Raises:
        ConfigError: No data are given, and those of the fit cannot be read again.
    """
    found = data or model.description.source.get("source")
    if found is None:
        raise ConfigError(
            "no data given, and the model file names no training data", fix="give the data after the model"
        )
    if data is None and came_through_pipe(str(found)):
        raise ConfigError(
            "no data given, and the training data came through a pipe", fix="give the data after the model"
        )
    if data is None and "***" in str(found):
        raise ConfigError(
            f"no data given, and the model file keeps no password of its training data {found}",
            fix="give the data after the model",
        )
    if data is None:
        screen.say(f"note: using the training data {found}")
        overwrite.refuse(str(found))
    return str(found)


def writable(path: Path) -> None:
    """Check before a long computation that its result can be written.

    Raises:
        ConfigError: The folder does not exist, is a file or cannot be written to, or the path is a folder.
    """
    folder = path.parent
    if path.exists() and not path.is_dir() and not path.is_file():  # a device or a pipe: /dev/stdout, /dev/null
        return
    if not folder.is_dir():
        if file := next((part for part in (folder, *folder.parents) if part.is_file()), None):
            raise ConfigError("the folder to write to is a file", where=str(file), fix="write into another folder")
        raise ConfigError(
            "the folder to write to does not exist", where=str(folder), fix=f"create it with mkdir -p {folder}"
        )
    if path.is_dir():
        raise ConfigError("the output is a folder, not a file", where=str(path), fix="give a file name")
    if not os.access(folder, os.W_OK):
        raise ConfigError("the folder cannot be written to", where=str(folder), fix="choose another with -o")
