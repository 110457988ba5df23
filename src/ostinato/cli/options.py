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
Output = Annotated[Path | None, typer.Option("--output", "-o", help="The file or folder to write.")]
Seed = Annotated[
    int, typer.Option(help="The seed of all random numbers; the same seed gives the same result.", min=0, max=2**63 - 1)
]
Kind = Annotated[str | None, typer.Option(help="series, prices, text or sound; default: found from the content.")]
IdCol = Annotated[str | None, typer.Option(help="The column that names the series (unique_id).")]
TimeCol = Annotated[str | None, typer.Option(help="The column of times (ds).")]
Target = Annotated[
    list[str] | None,
    typer.Option(
        "--target", "--target-col", help="The column to model (y), numbers or words; repeat it for several channels."
    ),
]
Season = Annotated[
    int | None,
    typer.Option("--season", "--season-length", help="Steps in a season; default: found from the frequency."),
]
Known = Annotated[
    list[str] | None,
    typer.Option(
        "--future-covariates",
        "--known",
        help="Columns that are also known for future steps: --future-covariates temperature holiday.",
    ),
]
Past = Annotated[
    list[str] | None,
    typer.Option("--past-covariates", "--past", help="Columns that are known only up to the forecast."),
]
Static = Annotated[
    list[str] | None,
    typer.Option(
        "--static-covariates",
        "--static",
        help="Columns with a category that is constant within a series: --static-covariates store.",
    ),
]
Channel = Annotated[int | None, typer.Option(min=0, help="The channel of a sound file to use, counted from 0.")]
Alphabet = Annotated[str, typer.Option(help="The symbols of a text: characters or bytes.")]
PerLine = Annotated[
    bool | None, typer.Option("--per-line/--whole", help="Text: one sequence for each line, or one for the whole file.")
]
On = Annotated[str | None, typer.Option(help="Process a Parquet panel in parts: here, ray, or ray://HOST:PORT.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="The number of workers with --on ray; default: all processors.")
]
Threads = Annotated[int, typer.Option(help="The number of threads; one is fastest for small models.")]


def seconds(text: str | None) -> float | None:
    """Return the seconds of a time such as "90", "90s", "3m" or "1.5h"."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?", text.strip())
    if not match:
        raise ConfigError(
            f"cannot read the time {text!r}; expected a number with a unit", fix="use a time such as 90s, 3m or 1h"
        )
    return float(match[1]) * {"s": 1, "m": 60, "min": 60, "h": 3600}[match[2] or "s"]


def limits(budget: str | None, steps: int | None) -> Budget:
    """Return the budget that --budget and --max-steps give; two minutes if both are left out."""
    from ostinato.fits.budget import Budget

    time = seconds(budget)
    return Budget(120.0 if time is None and steps is None else time, steps)


def share(text: str) -> float | str:
    """Return the held-out share as a number, or the text itself, which is a pattern of ids."""
    try:
        number = float(text)
    except ValueError:
        return text
    if math.isnan(number):
        raise ConfigError(
            "the held-out share must be a number between 0 and 1, got nan", fix="use a number between 0 and 1"
        )
    return number


def use_threads(count: int) -> None:
    """Set the number of threads of torch, at least 1."""
    if count < 1:
        raise ConfigError(f"threads must be at least 1, got {count}", fix="use 1 or more")
    import torch

    torch.set_num_threads(count)


def source(model: AnyModel, data: str | None) -> str:
    """Return the path of the data, by default of the data that the model was fitted to."""
    found = data or model.description.source.get("source")
    if found is None:
        raise ConfigError(
            "the model was not fitted to a file, and no data are given", fix="give the data after the model"
        )
    if data is None:
        say(f"note: using the training data {found}")
    return str(found)


def writable(path: Path) -> None:
    """Check before the computation that its result can be written."""
    folder = path.parent
    if path.exists() and not path.is_dir() and not path.is_file():  # a device or a pipe: /dev/stdout, /dev/null
        return
    if not folder.is_dir():
        raise ConfigError("the folder to write to does not exist", where=str(folder), fix=f"mkdir -p {folder}")
    if path.is_dir():
        raise ConfigError("the output is a folder, not a file", where=str(path), fix="give a file name")
    if not os.access(folder, os.W_OK):
        raise ConfigError("the folder cannot be written to", where=str(folder), fix="choose another with -o")


def say(text: str) -> None:
    """Print a message on standard error, so that standard output holds only data."""
    print(text, file=sys.stderr)
