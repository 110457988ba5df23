"""The forms of the lines that ``ostinato stream`` reads and writes: numbers, JSON lines and text."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from typing import Any, NoReturn

import numpy as np

from ostinato.cli import screen
from ostinato.data.json_words import json_words
from ostinato.data.lines import decode
from ostinato.data.nested import flat
from ostinato.data.number import bounded, read_number
from ostinato.errors import DataError
from ostinato.inference.monitor import Monitor, Reading
from ostinato.inference.stream import Seen
from ostinato.numbers import counted, exact


class Format(ABC):
    """One form of lines.

    Attributes:
        at_once: Whether ``block`` takes several lines at once; otherwise it takes one line.
    """

    at_once = True

    @abstractmethod
    def block(self, raw: list[bytes], number: int, ended: bool = True) -> list[str]:
        """Return the output for some lines.

        Args:
            raw: The lines, without their newlines.
            number: The number of the first one, from 1.
            ended: Whether the lines were ended; the last line of a stream need not be.

        Raises:
            DataError: A line cannot be used. No line of the block has then changed a state.
        """

    def refused(self, error: DataError, number: int) -> list[str]:
        """Return the output for a line that cannot be used."""
        return []


class Numbers(Format):
    """One step on each line: one number, or one for each channel with commas. The output is CSV."""

    def __init__(self, monitor: Monitor, unique_id: str) -> None:
        self._monitor, self._id = monitor, unique_id
        self._plain = monitor.stream(unique_id)
        self._begun = False
        # the intervals of a step need the step before it
        self.at_once = not monitor.ends

    def block(self, raw: list[bytes], number: int, ended: bool = True) -> list[str]:
        """Return one row for each line."""
        lines = [decoded(line, number + i) for i, line in enumerate(raw)]
        channels = self._monitor.model.channels
        values = [_cells(line, number + i, channels) for i, line in enumerate(lines)]
        found: dict[str, Any] = {}
        if self._monitor.ends:
            found = dict(zip(self._monitor.ends, self._plain.quantiles(list(self._monitor.ends.values())), strict=True))
        seen = self._plain.update(values)
        alarms = self._monitor.judge(self._id, seen, values)
        return self._header() + [self._words(line, seen, i, found, alarms) for i, line in enumerate(lines)]

    def _words(self, line: str, seen: Seen, at: int, found: dict[str, Any], alarms: Any) -> str:
        values = line if "," not in line else f'"{line}"'
        cells = [values, _joined(seen.prediction[at]), exact(seen.surprisal[at])]
        cells += [_joined(ends) for ends in found.values()]
        if alarms is not None:
            cells.append(str(int(alarms[at])))
        return ",".join(cells) + "\n"

    def _header(self) -> list[str]:
        if self._begun:
            return []
        self._begun = True
        names = ["value", "expected", "surprisal", *(name.removeprefix("-") for name in self._monitor.ends)]
        return [",".join([*names, *["alarm"] * (self._monitor.rule is not None)]) + "\n"]


class JsonLines(Format):
    """One object on each line, with the id of its series, its time and its value. The output is JSON lines."""

    at_once = False

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        source = monitor.model.description.source
        self._channels = list(monitor.model.description.channels)
        self._ids = [name for name in (source.get("id_col"), "unique_id", "id") if name]
        self._times = [name for name in (source.get("time_col"), "ds", "time", "timestamp") if name]
        self._said: set[str] = set()

    def block(self, raw: list[bytes], number: int, ended: bool = True) -> list[str]:
        """Return one object for the line; an empty line has none."""
        line = decoded(raw[0], number).strip()
        if not line:
            return []
        row = _parsed(line, number)
        self._refuse_objects(row, number)
        key, ds = self._key(row, number), self._take(row, self._times)
        value = self._value(row, number)
        self._say_unused(row)
        unique_id = "stream" if key is None else str(key)
        try:
            reading = self._monitor.update(value, unique_id, ds)
        except DataError as error:
            where = f"line {number} of standard input, series {unique_id!r}"
            raise DataError(error.what, where=where, fix=error.fix) from error
        return [_dumped(self._record(reading, key, value))]

    def refused(self, error: DataError, number: int) -> list[str]:
        """Return an object that says which line was refused and why."""
        return [_dumped({"line": number, "error": error.what, "fix": error.fix})]

    def _record(self, reading: Reading, key: Any, value: Any) -> dict[str, Any]:
        single = len(self._channels) == 1

        def shown(x: Any) -> Any:
            found = [None if math.isnan(v) else v for v in np.asarray(x, dtype=np.float64).reshape(-1).tolist()]
            return found[0] if single else found

        out: dict[str, Any] = {} if key is None else {"unique_id": key}
        out |= {} if reading.ds is None else {"ds": reading.ds}
        out |= {"y": shown(value), "expected": shown(reading.expected)}
        out |= {"surprisal": None if math.isnan(reading.surprisal) else reading.surprisal}
        out |= {name: shown(ends) for name, ends in reading.intervals.items()}
        out |= {} if reading.alarm is None else {"alarm": reading.alarm}
        out |= {} if reading.evidence is None else {"evidence": reading.evidence}
        return out | ({"missing_before": reading.skipped} if reading.skipped else {})

    def _key(self, row: dict[str, Any], number: int) -> Any:
        """Return the id of a row, which is taken out of it; None without one."""
        if not any(name in row for name in self._ids):
            return None
        key = self._take(row, self._ids)
        if isinstance(key, bool) or not isinstance(key, str | int):
            shown = json.dumps(key)[:60]
            _refuse(f"the id of a series is a string or a whole number, got {shown}", number, "correct the id")
        return key

    def _refuse_objects(self, row: dict[str, Any], number: int) -> None:
        """Refuse an id or a time that is an object, whose fields have other names now and would not be used."""
        for names, what in ((self._ids, "the id of a series"), (self._times, "a time")):
            if any(name in row for name in names):
                continue
            for name in names:
                if field := next((given for given in row if given.startswith(f"{name}.")), None):
                    problem = f"{what} is a string or a whole number, got an object with the field {field[:60]!r}"
                    _refuse(problem, number, f"write one word or number as {name!r}")

    def _take(self, row: dict[str, Any], names: list[str]) -> Any:
        found = next((name for name in names if name in row), None)
        return None if found is None else row.pop(found)

    def _value(self, row: dict[str, Any], number: int) -> list[float]:
        """Return the values of a row, which are taken out of it: a field for each channel, or y."""
        if all(name in row for name in self._channels):
            given = [row.pop(name) for name in self._channels]
            given = given[0] if len(given) == 1 and isinstance(given[0], list) else given
        elif "y" in row:
            y = row.pop("y")
            given = y if isinstance(y, list) else [y]
        else:
            _refuse(f"the line has no field {self._channels[0]!r}", number, "write the value as y, or by its channel")
        if len(given) != len(self._channels):
            _wrong_width(len(given), len(self._channels), number, "")
        return [_json_number(one, number) for one in given]

    def _say_unused(self, row: dict[str, Any]) -> None:
        if new := set(row) - self._said:
            self._said |= new
            screen.say(f"note: fields that are not used: {', '.join(sorted(new))}")


class Text(Format):
    """Text, with one row of output for each character."""

    def __init__(self, monitor: Monitor, unique_id: str) -> None:
        self._live, self._begun = monitor.stream(unique_id), False

    def block(self, raw: list[bytes], number: int, ended: bool = True) -> list[str]:
        """Return one row for each character, with the surprisals of its symbols added up, or for each longer symbol."""
        # a last line without an end is a whole line of a model of lines, and has no end in one of whole texts
        end = "\n" if ended or self._live.model.encoding.end_symbol is not None else ""
        block = "".join(decoded(line, number + i) + end for i, line in enumerate(raw))
        nats = self._live.update(block).surprisal
        rows = []
        for text, surprisal in self._live.by_character(block, nats):
            word = repr(text).replace('"', '""')
            rows.append(f'"{word}",{exact(surprisal)}\n')
        header = [] if self._begun else ["symbol,surprisal\n"]
        self._begun = True
        return header + rows


def decoded(raw: bytes, number: int) -> str:
    """Return a line as text."""
    return decode(raw, f"line {number} of standard input")


def _cells(line: str, number: int, channels: int) -> list[float]:
    """Return the numbers of a line, one for each channel."""
    where = f"line {number} of standard input: {line[:60]!r}"
    cells = line.split(",")
    try:
        values = [read_number(cell) for cell in cells]
    except ValueError as error:
        decimal = len(cells) == channels + 1 and all(cell.strip().isdigit() for cell in cells)
        fix = "write one number on each line, or one for each channel with commas; leave it empty if it is missing"
        if sign := next((word for one, word in ((";", ";"), ("\t", "\\t")) if one in line), None):
            fix += f". To take column 2 of a log: awk -F'{sign}' '{{print $2; fflush()}}'"
        raise DataError(str(error), where=where, fix="write decimals with a point" if decimal else fix) from error
    if len(values) != channels and line.strip():
        _wrong_width(len(values), channels, number, f": {line[:60]!r}")
    return values if len(values) == channels else [math.nan] * channels


def _wrong_width(given: int, channels: int, number: int, shown: str) -> NoReturn:
    raise DataError(
        f"got {counted(given, 'value')}, expected {channels}, one for each channel",
        where=f"line {number} of standard input{shown}",
        fix="write the values of all channels, with commas, in the order of the training data; "
        "a decimal sign is a point",
    )


def _parsed(line: str, number: int) -> dict[str, Any]:
    """Return the object of a line of JSON."""

    def not_a_number(word: str) -> float:
        if word == "NaN":
            return math.nan
        _refuse(f"a value is infinite: {word}", number, "use a finite number, or null if the value is missing")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        row = dict(pairs)
        if len(row) < len(pairs):
            name = next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i]))
            _refuse(f"the field {name[:60]!r} occurs twice", number, "write each field once")
        return row

    try:
        row = json.loads(line, parse_constant=not_a_number, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        what = f"the line is not JSON: {json_words(error, placed=True)}"
        raise DataError(
            what, where=f"line {number} of standard input: {line[:60]!r}", fix="write one object"
        ) from error
    if not isinstance(row, dict):
        _refuse(f"the line is not a JSON object: {line[:60]!r}", number, 'write {"ds": ..., "y": ...} on each line')
    try:
        return flat(row)
    except ValueError as error:
        _refuse(str(error), number, "give each field its own name")


def _json_number(value: Any, number: int) -> float:
    """Return a value of JSON as a number: a number, a string with one, or null if it is missing."""
    try:
        if value is None:
            return math.nan
        if isinstance(value, str):
            return read_number(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return bounded(float(value), str(value))
        _refuse(f"cannot read {json.dumps(value)[:60]} as a number", number, "write the value as a number")
    except OverflowError:
        _refuse("a value is too large to compute with", number, "use a larger unit")
    except ValueError as error:
        _refuse(str(error), number, "write the value as a number, or null if it is missing")


def _refuse(what: str, number: int, fix: str) -> NoReturn:
    raise DataError(what, where=f"line {number} of standard input", fix=fix)


def _dumped(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _joined(row: Any) -> str:
    return ";".join(exact(e) for e in np.asarray(row).tolist())
