"""ostinato stream."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.cli import options
from ostinato.errors import DataError

if TYPE_CHECKING:
    from ostinato.inference.stream import Seen


def command(
    model: options.Model,
    unique_id: Annotated[str, typer.Option(help="Which series this is, where the model knows several.")] = "stream",
    threads: options.Threads = 1,
) -> None:
    """Follow a live sequence on standard input: a value a line (channels by commas, empty if missing), or text.

    Out comes, for every line: the value, what was expected of it, and its surprisal in nats. Memory stays constant.

    Example: tail -f sensor.log | ostinato stream sensor.ost
    """
    options.use_threads(threads)
    from ostinato.inference.stream import Stream
    from ostinato.model_file import load_model

    fitted = load_model(model)
    live, text = Stream(fitted, unique_id), fitted.description.kind == "text"
    out = sys.stdout
    out.write("symbol,surprisal\n" if text else "value,expected,surprisal\n")
    number = 1
    for lines in _blocks(sys.stdin.fileno()):
        if text:
            block = "\n".join(lines) + "\n"
            seen = live.update(block)
            out.writelines(f"{c!r},{s:.4f}\n" for c, s in zip(block, seen.surprisal, strict=False))
        else:
            seen = live.update([_values(line, number + i, fitted.channels) for i, line in enumerate(lines)])
            out.writelines(_rows(lines, seen))
        number += len(lines)
        out.flush()


def _rows(lines: list[str], seen: Seen) -> Iterator[str]:
    for line, expected, nats in zip(lines, seen.prediction, seen.surprisal, strict=True):
        values = line if "," not in line else f'"{line}"'
        words = ";".join("" if math.isnan(e) else f"{e:.6g}" for e in expected)
        yield f"{values},{words},{'' if math.isnan(nats) else f'{nats:.4f}'}\n"


def _blocks(handle: int) -> Iterator[list[str]]:
    """The complete lines that are there, as soon as they are there: one when they trickle, thousands when they pour."""
    rest = b""
    line = 1
    while chunk := os.read(handle, 65_536):
        *whole, rest = (rest + chunk).split(b"\n")
        if whole:
            yield [_decode(raw, line + i) for i, raw in enumerate(whole)]
            line += len(whole)
    if rest:
        yield [_decode(rest, line)]


def _decode(raw: bytes, number: int) -> str:
    try:
        return raw.decode().rstrip("\r")
    except UnicodeDecodeError as error:
        raise DataError("not UTF-8", where=f"line {number} of standard input") from error


def _values(line: str, number: int, channels: int) -> list[float]:
    cells = line.split(",")
    try:
        values = [float(cell) if cell.strip() else math.nan for cell in cells]
    except ValueError as error:
        where = f"line {number} of standard input: {line[:60]!r}"
        raise DataError("not a number", where=where, fix="one value a line, channels by commas") from error
    if len(values) != channels:
        where = f"line {number} of standard input"
        raise DataError(f"{len(values)} values, where the model has {channels} channels", where=where)
    return values
