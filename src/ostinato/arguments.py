"""The checks of numeric arguments for Python and the command line: counts, numbers, levels, seeds and times."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from ostinato.errors import ConfigError
from ostinato.numbers import plain

#: The greatest size of a number that float32 holds, in which models are computed.
FLOAT32 = 3.4028234663852886e38
#: The greatest seed and the greatest count: both must fit in a signed integer of 64 bits.
GREATEST = 2**63 - 1
#: The seconds of each unit of time.
_UNITS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def number(name: str, value: Any) -> float | int:
    """Return an argument as a plain number.

    Args:
        name: The name of the argument.
        value: A number of Python or NumPy, a Decimal or Fraction, or an array or tensor of one number without axes.

    Returns:
        An int for whole types, and otherwise a float. A float32 such as 99.9 becomes the float with the same digits.

    Raises:
        ConfigError: The value is not a number: a bool, a string, None, a list or an array with axes.
    """
    shape = getattr(value, "shape", None)
    if shape is not None and len(shape) == 0 and callable(getattr(value, "item", None)):
        kind = str(getattr(value, "dtype", ""))
        # the digits of a float32 are those that it was written with: 99.9 and not 99.9000015
        value = float(str(value)) if kind in ("float32", "float16") else value.item()
    if isinstance(value, bool | str | bytes | complex) or value is None or (shape is not None and len(shape)):
        raise _no_number(name, value)
    if isinstance(value, int):
        return value
    try:
        return int(value.__index__()) if hasattr(value, "__index__") else float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _no_number(name, value) from error


def whole(name: str, value: Any, least: int = 1, most: int = GREATEST, *, unit: str = "", fix: str = "") -> int:
    """Return an argument that must be a whole number.

    Args:
        name: The name of the argument.
        value: The value that was given. A float without a fraction, such as 12.0, is a whole number.
        least: The least value.
        most: The greatest value.
        unit: The unit after the bound in the message, such as " steps".
        fix: The advice for a number that is out of range.

    Raises:
        ConfigError: The value is not a whole number, or out of range.
    """
    given, words = number(name, value), _short(value)
    if isinstance(given, float):
        if not math.isfinite(given) or given != int(given):
            raise ConfigError(f"{name} must be a whole number, got {words}", fix=fix or f"use {least} or more")
        given = int(given)
    if given < least:
        raise ConfigError(f"{name} must be at least {least}{unit}, got {words}", fix=fix or f"use {least} or more")
    if given > most:
        raise ConfigError(f"{name} must be at most {most}{unit}, got {words}", fix=fix or "use a smaller number")
    return given


def real(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    fix: str = "",
) -> float:
    """Return an argument that must be a finite number, which float32 can hold.

    Args:
        name: The name of the argument.
        value: The value that was given.
        above: The number that it must be greater than.
        least: The least value.
        below: The number that it must be less than.
        most: The greatest value.
        fix: The advice for a number that is out of range.

    Raises:
        ConfigError: The value is not a number, not finite, or out of range.
    """
    given = float(number(name, value)) if not _huge(value) else math.inf
    low = f"above {above:g}" if above is not None else f"at least {least:g}" if least is not None else ""
    high = f"below {below:g}" if below is not None else f"at most {most:g}" if most is not None else ""
    wide = f"from {least:g} to below {below:g}" if least is not None and below is not None else ""
    words = wide or " and ".join(part for part in (low, high) if part) or "a finite number"
    inside = (
        (above is None or given > above)
        and (least is None or given >= least)
        and (below is None or given < below)
        and (most is None or given <= most)
    )
    if not inside or math.isnan(given):
        raise ConfigError(f"{name} must be {words}, got {_short(value)}", fix=fix or "use a number in this range")
    if abs(given) > FLOAT32:
        what = f"{name} must be a finite number, at most {FLOAT32:.4g} in size, got {_short(value)}"
        raise ConfigError(what, fix=fix or "use a smaller number")
    return given


def share(name: str, value: Any) -> float:
    """Return a share between 0 and 1.

    Raises:
        ConfigError: The value is not a number, or not between 0 and 1.
    """
    given = float(number(name, value)) if not _huge(value) else math.inf
    if not 0 < given < 1:
        raise ConfigError(f"{name} must be between 0 and 1, got {_short(value)}", fix="use a number such as 0.1")
    return given


def seed(value: Any) -> int:
    """Return a seed, from 0 to 2^63 - 1.

    Raises:
        ConfigError: The value is not a whole number, or out of range.
    """
    return whole("seed", value, 0, fix="use a whole number from 0 to 9223372036854775807")


def horizon_count(value: Any) -> int:
    """Return a number of steps to forecast, from 1 to a million.

    Raises:
        ConfigError: The value is not a whole number, or out of range.
    """
    return whole("horizon", value, most=1_000_000)


def thread_count(value: Any) -> int:
    """Return a number of threads, from 1 to 1024: torch ends the process if the system has no room for more.

    Raises:
        ConfigError: The value is not a whole number, or out of range.
    """
    return whole("threads", value, most=1024, fix="use auto, or a number from 1 to the number of processors")


def training_numbers(options: Any) -> dict[str, float | int]:
    """Return the numbers that every training takes, checked: dropout, learning rate, weight decay, clip and seed.

    Args:
        options: An object with these numbers as attributes.

    Raises:
        ConfigError: A value is not a number, or out of its range.
    """
    return {
        "dropout": real("dropout", options.dropout, least=0, below=1, fix="use a share such as 0.2"),
        "learning_rate": real("learning_rate", options.learning_rate, above=0, fix="use a number such as 0.003"),
        "weight_decay": real("weight_decay", options.weight_decay, least=0, fix="use 0, or a number such as 0.01"),
        "clip": real("clip", options.clip, above=0, fix="use a number such as 1"),
        "seed": seed(options.seed),
    }


def levels(value: Any, *, none: bool = False) -> tuple[float, ...]:
    """Return the coverage of intervals, in percent.

    Args:
        value: One level such as 90, or several in any order.
        none: Whether there may be no level, and so no interval.

    Returns:
        The levels in the order in which they were given.

    Raises:
        ConfigError: A level is no number, not between 0 and 100, below 1, or given twice; or there is none.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Iterable) or getattr(value, "shape", None) == ():
        value = (value,)
    out: list[float] = []
    for one in value:
        level = _level(one)
        if level in out:
            raise ConfigError(f"level {level:g} is given twice", fix="give each level once")
        out.append(level)
    if not out and not none:
        raise ConfigError(
            "level is empty, and a forecast has intervals",
            fix="give one level or more, such as 80; the usual are 80 and 95",
        )
    return tuple(out)


def seconds(name: str, value: Any, *, zero: bool = False) -> float:
    """Return a time in seconds from a number of seconds, or from words such as "90s", "2m", "1.5h".

    Args:
        name: The name of the argument.
        value: The time that was given.
        zero: Whether 0 is a time too, as for checkpoints that are written as often as possible.

    Raises:
        ConfigError: The value is not a time, or not positive and finite.
    """
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*(s|sec|m|min|h|d)?", value.strip(), re.ASCII)
        if not match:
            raise ConfigError(
                f"cannot read the time {value!r}; expected a number of seconds, minutes or hours",
                fix="use a time such as 90s, 3m or 1h",
            )
        value = float(match[1]) * _UNITS[match[2] or ""]
    elif hasattr(value, "total_seconds"):
        value = value.total_seconds()
    given = float(number(name, value)) if not _huge(value) else math.inf
    if not 0 < given < math.inf and not (zero and given == 0):
        raise ConfigError(f"{name} must be a positive time, got {given:g} seconds", fix="use a time such as 60s")
    return given


def _level(one: Any) -> float:
    if isinstance(one, str):
        hint = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%?\s*", one, re.ASCII)
        raise ConfigError(
            f"a level must be a number of percent, got {one!r}", fix=f"use {hint[1] if hint else 'a number such as 95'}"
        )
    level = float(number("level", one)) if not _huge(one) else math.inf
    if not 0 < level < 100:
        raise ConfigError(f"level must be between 0 and 100 percent, got {_short(one)}", fix="use a number such as 95")
    if level < 1:
        percent = round(100 * level, 10)
        share = f"use {percent:g} for an interval that covers {percent:g} percent"
        raise ConfigError(
            f"level is in percent and must be at least 1, got {plain(level)}",
            fix=share if percent >= 1 else "use a number such as 95",
        )
    return level


def _huge(value: Any) -> bool:
    """Return whether an integer is too large for a float."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**300


def _short(value: Any) -> str:
    """Return a number for a message, not longer than a line."""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value or math.isnan(value) else repr(value)
    if _huge(value):  # Python writes no whole number of more than 4,300 digits
        return f"a number of about {round(value.bit_length() * math.log10(2)):,} digits"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _no_number(name: str, value: Any) -> ConfigError:
    text = repr(value)
    words = text if len(text) <= 40 else f"{text[:37]}..."
    hint = ""
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*", value, re.ASCII | re.I):
        hint = f"use {value.strip()} without quotes"
    return ConfigError(f"{name} must be a number, got {words}", fix=hint or "use one number")
