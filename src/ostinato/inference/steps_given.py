"""The steps that a caller gives to a stream, as numbers that the model can take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import DataError
from ostinato.forecasting.inputs import words
from ostinato.model import SequenceModel
from ostinato.numbers import counted
from ostinato.shapes import Array

Where = Callable[[int], str]


def as_steps(values: Any, model: SequenceModel, where: Where, spacing: float | None = None) -> Array:
    """Return values as an array (T, D), after checks.

    Args:
        values: Values (T, D) or (T,), or one value; NaN or None where a value is missing.
        model: A model of numbers with D channels.
        where: Returns the place of a step for an error, by its place in the block.
        spacing: The spacing of the amplitudes of a sound, of which every value is a multiple; None for other data.

    Raises:
        DataError: A value is not a number, the model gives it no probability, it is not a multiple of the spacing, or
            the number of channels is wrong.
    """
    raw, channels = _floats(values, where), model.channels
    raw = raw.reshape(1, 1) if raw.ndim == 0 and channels == 1 else raw
    raw = raw.reshape(-1, channels if not raw.size else 1) if raw.ndim == 1 else raw
    if raw.ndim != 2 or raw.shape[1] != channels:
        raise DataError(
            f"the step has {counted(raw.shape[-1] if raw.ndim else 1, 'value')}, expected {channels}",
            where=where(0),
            fix="give one value for each channel, in the order of the training data",
        )
    bad = model.encoding.impossible(raw)
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        what = f"the model cannot take the value {words(raw[at])}"
        raise DataError(what, where=where(at), fix=model.encoding.possible)
    if spacing is not None and (off := (raw % spacing != 0) & ~np.isnan(raw)).any():
        at = int(np.flatnonzero(off.any(axis=1))[0])
        raise DataError(
            f"the value {words(raw[at])} is not a multiple of {spacing:g}, the spacing of the amplitudes",
            where=where(at),
            fix="start the stream with the spacing of its values: step=1 allows all whole numbers",
        )
    return raw


def _floats(values: Any, where: Where) -> Array:
    """Return values as float64: numbers and None, but no strings, which may hold anything."""
    fix = "give numbers, and None or NaN where a value is missing"
    try:
        if isinstance(values, np.ma.MaskedArray):
            values = np.ma.filled(values.astype(np.float64), np.nan)
        given: NDArray[Any] = np.asarray(values)
        if given.dtype.kind == "m":
            raise DataError(f"the stream takes numbers, got durations ({given.dtype})", where=where(0), fix=fix)
        if given.dtype.kind not in "iuf":
            plain = given.astype(object)
            for one in plain.flat:
                if isinstance(one, str | bytes | bool | np.bool_ | complex):
                    raise DataError(f"the stream takes numbers, got {one!r}", where=where(0), fix=fix)
            given = plain
        return given.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"the values cannot be read as numbers: {error}", where=where(0), fix=fix) from error
