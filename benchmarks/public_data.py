"""Where the public data of the benchmarks lie; README.md in this folder says where each file is from."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

#: The folder with timeseries/, stocks/, text/ and sound/: OSTINATO_DATA, or shared/data beside the repository.
FOLDER = Path(os.environ.get("OSTINATO_DATA", Path(__file__).resolve().parents[2] / "shared/data"))
SERIES = FOLDER / "timeseries"


def present(path: str) -> Path:
    """Return the path of data, as the type of an argument of a command line, which checks its default too.

    Raises:
        argparse.ArgumentTypeError: Nothing is there.
    """
    if not Path(path).exists():
        raise argparse.ArgumentTypeError(
            f"there is no {path}: get the data that benchmarks/README.md lists, and set OSTINATO_DATA to their folder"
        )
    return Path(path)
