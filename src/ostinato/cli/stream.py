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
    from ostinato.inference.stream import Stream


def command(
    model: options.Model,
    unique_id: Annotated[
        str, typer.Option(help="The id of this series, if the model was fitted to several.")
    ] = "stream",
    threads: options.Threads = 1,
) -> None:
    """Follow a live sequence on standard input: a value a line (channels by commas, empty if missing), or text.

    For each line it prints the value, the expected value and the surprisal in nats; for text, one line for each
    character. Memory stays constant. If the model was fitted to lines, a newline ends a sequence.

    Example: tail -f sensor.log | ostinato stream sensor.ost
    """
    options.use_threads(threads)
    from ostinato.inference.stream import Stream
    from ostinato.model_file import load_model

    fitted = load_model(model)
    live, text = Stream(fitted, unique_id), fitted.description.kind == "text"
    header, number = ["symbol,surprisal\n" if text else "value,expected,surprisal\n"], 1
    for raw in _blocks(sys.stdin.fileno()):
        answer = _text if text else _numbers
        try:
            sys.stdout.writelines(header + answer(live, raw, number))
            header = []
        except DataError:
            # once more line by line: those before the bad one have their answer
            for i, line in enumerate(raw):
                sys.stdout.writelines(header + answer(live, [line], number + i))
                header = []
        number += len(raw)
        sys.stdout.flush()


def _numbers(live: Stream, raw: list[bytes], number: int) -> list[str]:
    """A row a line. DataError where a line is not what the model takes; the stream is then where it was."""
    lines = [_decode(line, number + i) for i, line in enumerate(raw)]
    seen = live.update([_values(line, number + i, live.model.channels) for i, line in enumerate(lines)])
    rows = []
    for line, expected, nats in zip(lines, seen.prediction.tolist(), seen.surprisal.tolist(), strict=True):
        values = line if "," not in line else f'"{line}"'
        words = ";".join("" if math.isnan(e) else f"{e:.6g}" for e in expected)
        rows.append(f"{values},{words},{'' if math.isnan(nats) else f'{nats:.4f}'}\n")
    return rows


def _text(live: Stream, raw: list[bytes], number: int) -> list[str]:
    """A row a character; one of several bytes, in a model of bytes, has the surprisal of all of them."""
    block = "".join(_decode(line, number + i) + "\n" for i, line in enumerate(raw))
    nats = live.update(block).surprisal
    rows, at, of_bytes = [], 0, len(nats) > len(block)
    for character in block:
        after = at + (len(character.encode()) if of_bytes else 1)
        word = repr(character).replace('"', '""')
        rows.append(f'"{word}",{nats[at:after].sum():.4f}\n')
        at = after
    return rows


def _blocks(handle: int) -> Iterator[list[bytes]]:
    """The complete lines that are there, as soon as they are there: one when they trickle, thousands when they pour."""
    rest = b""
    while chunk := os.read(handle, 65_536):
        *whole, rest = (rest + chunk).split(b"\n")
        if whole:
            yield whole
    if rest:
        yield [rest]


def _decode(raw: bytes, number: int) -> str:
    try:
        return raw.decode().rstrip("\r")
    except UnicodeDecodeError as error:
        raise DataError("not UTF-8", where=f"line {number} of standard input", fix="send UTF-8") from error


def _values(line: str, number: int, channels: int) -> list[float]:
    where = f"line {number} of standard input: {line[:60]!r}"
    try:
        values = [float(cell) if cell.strip() else math.nan for cell in line.split(",")]
    except ValueError as error:
        raise DataError("not a number", where=where, fix="one value a line, channels by commas") from error
    if any(map(math.isinf, values)):
        raise DataError("an infinite value", where=where, fix="leave it empty if it is missing")
    if len(values) != channels:
        what = f"{len(values)} values, where the model has {channels} channels"
        raise DataError(what, where=where, fix="one value a channel, by commas, in the order of training")
    return values
