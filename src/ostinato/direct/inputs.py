"""The inputs of a direct model other than the values of a series: covariates, and the clock of its steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.data.ahead import calendar_of, times_ahead, walls_of
from ostinato.data.calendar_units import DAY, HOUR
from ostinato.data.sequences import SequenceSet
from ostinato.shapes import Array


@dataclass(frozen=True)
class SeriesInputs:
    """The covariates of one series of T steps and of the F steps after it.

    Attributes:
        known: The future covariates, (T + F, C). The last given row is repeated for the steps after it.
        past: The past covariates, (T, P), NaN where a value is missing.
        static: The static covariates, one word each.
        clock: The hour of the day and the day of the week, (T + F, 2), if steps are an hour or shorter; otherwise
            (T + F, 0).
    """

    known: Array
    past: Array
    static: tuple[str, ...]
    clock: NDArray[np.int64]


def series_inputs(data: SequenceSet, steps: int) -> dict[str, SeriesInputs]:
    """Return the inputs of every channel of every sequence.

    Args:
        data: The sequences, with their covariates.
        steps: The number F of steps after each sequence.

    Returns:
        The inputs by unique_id, or by unique_id/channel if there are several channels, as ``channels`` names them.
    """
    out, many, covariates = {}, len(data.channels) > 1, data.covariates
    for b, key in enumerate(data.ids):
        span = slice(int(data.offsets[b]), int(data.offsets[b + 1]))
        T = span.stop - span.start
        known, past = np.zeros((T + steps, 0)), np.zeros((T, 0))
        static: tuple[str, ...] = ()
        if covariates is not None:
            known = np.concatenate([covariates.known[span], covariates.ahead[b][:steps]])
            known = np.pad(known, ((0, T + steps - len(known)), (0, 0)), mode="edge") if len(known) else known
            past, static = covariates.past[span], covariates.static[b]
        one = SeriesInputs(known, past, static, _clock(data, b, steps))
        out.update({f"{key}/{channel}" if many else key: one for channel in data.channels})
    return out


def _clock(data: SequenceSet, b: int, steps: int) -> NDArray[np.int64]:
    """Return the clock of sequence b and of the steps after it."""
    times, calendar = data.times_of(b), calendar_of(data, b)
    length = DAY if calendar is None or calendar.length is None else calendar.length
    if times is None or times.dtype.kind != "M" or length > HOUR or not len(times):
        return np.zeros((int(data.lengths[b]) + steps, 0), dtype=np.int64)
    whole = walls_of(data, np.concatenate([times, times_ahead(data, b, steps)]))
    micros = whole.astype("datetime64[us]").astype(np.int64)
    return np.stack([micros // HOUR % 24, (micros // DAY + 3) % 7], axis=1)
