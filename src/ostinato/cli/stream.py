"""The command ``ostinato stream``."""

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
        str, typer.Option(help="The id of this series, if the model was fitted to several series.")
    ] = "stream",
    threads: options.Threads = 1,
) -> None:
    """Read a sequence from standard input while it grows, and print the surprisal of every step at once, in nats.

    Write one step on each line: one number, or one for each channel, with
    commas. Leave a missing value empty. The output is CSV with the value, its
    expected value and its surprisal. A model of text reads text, and prints one
    line for each character; if it was fitted to separate lines, a newline ends
    a sequence. The memory in use stays constant.

    Example: tail -f sensor.log | ostinato stream sensor.ost
    """
    options.use_threads(threads)
    from ostinato.data.lines import line_blocks
    from ostinato.inference.stream import Stream
    from ostinato.model_file import load_model

    fitted = load_model(model)
    live, text = Stream(fitted, unique_id), fitted.description.kind == "text"
    header, number = ["symbol,surprisal\n" if text else "value,expected,surprisal\n"], 1
    for raw, ended in line_blocks(_chunks(sys.stdin.fileno())):
        answer = _text if text else _numbers
        try:
            sys.stdout.writelines(header + answer(live, raw, number, ended))
            header = []
        except DataError:
            # again line by line, so that the lines before the bad one are answered
            for i, line in enumerate(raw):
                sys.stdout.writelines(header + answer(live, [line], number + i, ended))
                header = []
        number += len(raw)
        sys.stdout.flush()


def _numbers(live: Stream, raw: list[bytes], number: int, ended: bool) -> list[str]:
    """Return one row for each line of numbers. If a line is invalid, raise DataError and leave the stream unchanged."""
    lines = [_decode(line, number + i) for i, line in enumerate(raw)]
    seen = live.update([_values(line, number + i, live.model.channels) for i, line in enumerate(lines)])
    rows = []
    for line, expected, nats in zip(lines, seen.prediction.tolist(), seen.surprisal.tolist(), strict=True):
        values = line if "," not in line else f'"{line}"'
        words = ";".join("" if math.isnan(e) else f"{e:.6g}" for e in expected)
        rows.append(f"{values},{words},{'' if math.isnan(nats) else f'{nats:.4f}'}\n")
    return rows


def _text(live: Stream, raw: list[bytes], number: int, ended: bool) -> list[str]:
    """Return one row for each character. A character of several bytes has the sum of their surprisals."""
    # a last line without an end is a whole line of a model of lines, and has no end in one of whole texts
    end = "\n" if ended or live.model.encoding.end_symbol is not None else ""
    block = "".join(_decode(line, number + i) + end for i, line in enumerate(raw))
    nats = live.update(block).surprisal
    rows, at, of_bytes = [], 0, len(nats) > len(block)
    for character in block:
        after = at + (len(character.encode()) if of_bytes else 1)
        word = repr(character).replace('"', '""')
        rows.append(f'"{word}",{nats[at:after].sum():.4f}\n')
        at = after
    return rows


def _chunks(handle: int) -> Iterator[bytes]:
    """Yield the bytes that have arrived, as soon as there are some."""
    while chunk := os.read(handle, 65_536):
        yield chunk


def _decode(raw: bytes, number: int) -> str:
    from ostinato.data.lines import decode

    return decode(raw, f"line {number} of standard input")


def _values(line: str, number: int, channels: int) -> list[float]:
    where = f"line {number} of standard input: {line[:60]!r}"
    try:
        values = [float(cell) if cell.strip() else math.nan for cell in line.split(",")]
    except ValueError as error:
        raise DataError(
            f"cannot read {line[:60]!r} as a number",
            where=where,
            fix="write one number on each line, or one for each channel with commas",
        ) from error
    if any(map(math.isinf, values)):
        raise DataError(
            f"a value is infinite: {line[:60]!r}",
            where=where,
            fix="use a finite number; leave the line empty if the value is missing",
        )
    if len(values) != channels:
        what = f"got {len(values)} values, expected {channels}, one for each channel"
        raise DataError(
            what, where=where, fix="write the values of all channels, with commas, in the order of the training data"
        )
    return values
