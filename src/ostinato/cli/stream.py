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
    header = "symbol,surprisal\n" if text else "value,expected,surprisal\n"
    number = 1
    for lines in _blocks(sys.stdin.fileno()):
        failure = None
        if text:
            block = "\n".join(lines) + "\n"
            seen = live.update(block)
            rows = [f"{c!r},{s:.4f}\n" for c, s in zip(block, seen.surprisal, strict=False)]
        else:
            values, failure = _values(lines, number, fitted.channels)
            rows = list(_rows(lines[: len(values)], live.update(values))) if values else []
        sys.stdout.writelines([header, *rows] if rows else [])
        sys.stdout.flush()
        if failure:
            raise failure
        header = "" if rows else header
        number += len(lines)


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
        raise DataError("not UTF-8", where=f"line {number} of standard input", fix="send UTF-8") from error


def _values(lines: list[str], number: int, channels: int) -> tuple[list[list[float]], DataError | None]:
    """The values of lines up to the first that is wrong, and what is wrong with that one."""
    out: list[list[float]] = []
    for i, line in enumerate(lines):
        where = f"line {number + i} of standard input: {line[:60]!r}"
        try:
            values = [float(cell) if cell.strip() else math.nan for cell in line.split(",")]
        except ValueError:
            return out, DataError("not a number", where=where, fix="one value a line, channels by commas")
        if any(map(math.isinf, values)):
            return out, DataError("an infinite value", where=where, fix="leave it empty if it is missing")
        if len(values) != channels:
            what = f"{len(values)} values, where the model has {channels} channels"
            return out, DataError(what, where=where, fix="one value a channel, by commas, in the order of training")
        out.append(values)
    return out, None
