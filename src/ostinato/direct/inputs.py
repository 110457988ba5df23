"""What a direct model is shown beside the values of a series: covariates, and the clock of its steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.data.calendar import FIXED, future_times
from ostinato.data.sequences import SequenceSet

Array = NDArray[np.float64]
_HOUR, _DAY = FIXED["1h"], FIXED["1d"]


@dataclass(frozen=True)
class SeriesInputs:
    """Of one series of T steps and of F steps after it.

    known   (T + F, C): covariates; beyond what is given, the last of them again
    past    (T, P), NaN where missing
    static  S words
    clock   (T + F, 2): hour of the day and day of the week, where steps are an hour or shorter; else (T + F, 0)
    """

    known: Array
    past: Array
    static: tuple[str, ...]
    clock: NDArray[np.int64]


def series_inputs(data: SequenceSet, steps: int) -> dict[str, SeriesInputs]:
    """By unique_id, or unique_id/channel of several, as ``channels``; F = ``steps``."""
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
    times, length = data.times_of(b), FIXED.get(data.frequency or "", _DAY)
    if times is None or times.dtype.kind != "M" or length > _HOUR or not len(times):
        return np.zeros((int(data.lengths[b]) + steps, 0), dtype=np.int64)
    whole = np.concatenate([times, future_times(times[-1], data.frequency, steps, times)])
    micros = whole.astype("datetime64[us]").astype(np.int64)
    return np.stack([micros // _HOUR % 24, (micros // _DAY + 3) % 7], axis=1)
