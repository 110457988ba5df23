"""The options that verbs share, and how their words become values."""

from __future__ import annotations

import math
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.errors import ConfigError

if TYPE_CHECKING:
    from ostinato.fits.budget import Budget
    from ostinato.model_file import Model as AnyModel

Data = Annotated[
    str, typer.Argument(help="A file, folder or pattern: CSV, TSV, Parquet, text, WAV, FLAC or OGG; .gz too.")
]
Model = Annotated[Path, typer.Argument(help="A model file that fit wrote.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write.")]
Seed = Annotated[int, typer.Option(help="Same seed, same result.", min=0, max=2**63 - 1)]
Kind = Annotated[str | None, typer.Option(help="series, prices, text or sound; found from the content if left out.")]
IdCol = Annotated[str | None, typer.Option(help="The column that names the series (unique_id).")]
TimeCol = Annotated[str | None, typer.Option(help="The column of times (ds).")]
Target = Annotated[
    list[str] | None, typer.Option(help="The column to model (y), numbers or words; repeat it for several channels.")
]
Season = Annotated[int | None, typer.Option(help="Steps of a season; from the frequency if left out.")]
Known = Annotated[
    list[str] | None, typer.Option(help="Columns that are known of the steps ahead too: --known temperature holiday.")
]
Past = Annotated[list[str] | None, typer.Option(help="Columns of covariates that are known up to the present.")]
Static = Annotated[list[str] | None, typer.Option(help="Columns of categories that a series keeps: --static store.")]
Channel = Annotated[int | None, typer.Option(min=0, help="Sound of several channels: the one to take, from 0.")]
Alphabet = Annotated[str, typer.Option(help="Text: characters or bytes.")]
PerLine = Annotated[bool | None, typer.Option("--per-line/--whole", help="Text: one sequence a line, or one in all.")]
On = Annotated[
    str | None, typer.Option(help="Work on a Parquet panel in parts, into a folder: here, ray, or ray://HOST:PORT.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="With --on ray: workers; all processors if left out.")]
Threads = Annotated[int, typer.Option(help="Threads to compute with; one is best for small models.")]


def seconds(text: str | None) -> float | None:
    """ "90", "90s", "3m", "1.5h" -> seconds."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?", text.strip())
    if not match:
        raise ConfigError(f"{text!r} is no length of time", fix="write 90s, 3m or 1h")
    return float(match[1]) * {"s": 1, "m": 60, "min": 60, "h": 3600}[match[2] or "s"]


def limits(budget: str | None, steps: int | None) -> Budget:
    """--budget and --steps; two minutes where neither is given."""
    from ostinato.fits.budget import Budget

    time = seconds(budget)
    return Budget(120.0 if time is None and steps is None else time, steps)


def share(text: str) -> float | str:
    """ "0.1" -> a share to hold out; any other words are a pattern of ids."""
    try:
        number = float(text)
    except ValueError:
        return text
    if math.isnan(number):
        raise ConfigError("a held-out share of nan cannot be", fix="use a number between 0 and 1")
    return number


def use_threads(count: int) -> None:
    """Set torch's threads. Raises ConfigError for fewer than one."""
    if count < 1:
        raise ConfigError(f"{count} threads cannot be", fix="use 1 or more")
    import torch

    torch.set_num_threads(count)


def source(model: AnyModel, data: str | None) -> str:
    """data, or what model was fitted to. Raises ConfigError where that was no file."""
    found = data or model.description.source.get("source")
    if found is None:
        raise ConfigError("the model does not know a file to go on from", fix="name the data after the model")
    if data is None:
        say(f"note: going on from {found}")
    return str(found)


def writable(path: Path) -> None:
    """Find out before the work, not after it, that its result could not be written."""
    folder = path.parent
    if path.exists() and not path.is_dir() and not path.is_file():  # a device or a pipe: /dev/stdout, /dev/null
        return
    if not folder.is_dir():
        raise ConfigError("the folder to write to does not exist", where=str(folder), fix=f"mkdir -p {folder}")
    if path.is_dir():
        raise ConfigError("the output is a folder", where=str(path), fix="give a file name")
    if not os.access(folder, os.W_OK):
        raise ConfigError("the folder cannot be written to", where=str(folder), fix="choose another with -o")


def say(text: str) -> None:
    """A word to the user, on standard error, so that standard output stays data."""
    print(text, file=sys.stderr)
