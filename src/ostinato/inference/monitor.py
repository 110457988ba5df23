"""Many live series at once: one state for each id, with times, intervals and alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.arguments import levels
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.errors import DataError
from ostinato.forecasting.inputs import as_sequences
from ostinato.forecasting.table import ends
from ostinato.inference.alarm import AlarmThreshold, alarm_threshold
from ostinato.inference.clock import Clock
from ostinato.inference.score import score
from ostinato.inference.stream import Stream
from ostinato.model import SequenceModel
from ostinato.model_file import Model


@dataclass(frozen=True)
class Reading:
    """What the model says of one value of one series.

    Attributes:
        unique_id: The id of the series.
        ds: The time as it was given; None without times.
        expected: The value that was expected before it was observed, of each channel, (D,).
        surprisal: The surprisal of the value in nats; NaN if it is missing.
        alarm: Whether the surprisal is above the threshold; None without an alarm.
        skipped: The number of steps that were left out before it.
        intervals: The ends of the intervals by name, such as "lo-95", of each channel, (D,).
    """

    unique_id: str
    ds: Any
    expected: NDArray[np.float64]
    surprisal: float
    alarm: bool | None
    skipped: int
    intervals: dict[str, NDArray[np.float64]]


class Monitor:
    """Live series of one model, each with a state of fixed size.

    Args:
        model: A fitted SequenceModel.
        alarm: The share of ordinary steps that may give an alarm, such as 1e-4. None gives no alarms.
        reference: Data that the model was not fitted to, a SequenceSet or anything that ``read`` takes. The threshold
            of the alarm comes from their surprisal (see ``alarm_threshold``). Of the data of the fit itself only the
            held-out part is used, by the weights from before the refit, which had not seen it.
        level: The coverage of the intervals, in percent; none by default.
        held_out: The share of the reference at its end that is used, if the model was fitted to the rest of it. None
            uses all of newer data, and the held-out part of the data of the fit.
        robust: The number of standard deviations beyond which a value does not enter the state, as in ``Stream``.

    Attributes:
        threshold: The threshold of the alarm and how it was found; None without an alarm.
        ends: The ends of the intervals by name, with their probabilities.
        robust: The option of that name.

    Raises:
        ConfigError: An option is out of range, or the model is a DirectModel.
        DataError: The reference has too few values, or an alarm has no reference.
    """

    def __init__(
        self,
        model: Model,
        *,
        alarm: float | None = None,
        reference: SequenceSet | Any = None,
        level: float | Sequence[float] = (),
        held_out: float | str | None = None,
        robust: float | None = None,
    ) -> None:
        self.model = model.likelihood("follow a stream")
        self.ends = ends("", levels(level))
        self.robust = robust
        Stream(self.model, robust=robust)  # an option that cannot be used is an error now, and not at the first value
        self._series: dict[str, tuple[Stream, Clock]] = {}
        self.threshold: AlarmThreshold | None = None
        if alarm is not None:
            if reference is None:
                raise DataError(
                    "an alarm needs data that the model was not fitted to, got none",
                    fix="give them as the reference: the held-out part of the training data, or newer data",
                )
            surprisal, weights = _reference(self.model, reference, held_out)
            self.threshold = alarm_threshold(surprisal, alarm, weights=weights)

    def update(self, value: Any, unique_id: str = "stream", ds: Any = None) -> Reading:
        """Take in one value of a series.

        Args:
            value: The number, or one number for each channel; None or NaN where a value is missing.
            unique_id: The id of the series. A new id begins a new series.
            ds: The time of the value as a string or a whole number, or None. Steps that were left out since the last
                time of the series are missing steps.

        Returns:
            The reading.

        Raises:
            DataError: The model gives no probability to the value, or the time is not later than the last one of the
                series or not on its grid. The series then stays as it was.
        """
        stream, clock = self._series.get(unique_id) or self._new(unique_id)
        time = None if ds is None else clock.read(ds)
        skipped = 0 if time is None else clock.steps(time) - 1
        row = value if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) else [value]
        if skipped:
            # a copy, because a value that is refused must leave the series as it was
            ahead = stream.copy()
            ahead.update(np.full((skipped, self.model.channels), np.nan))
            stream = ahead
        found = stream.quantiles(list(self.ends.values())) if self.ends else np.zeros((0, self.model.channels))
        seen = stream.update([row])
        self._series[unique_id] = stream, clock
        if time is not None:
            clock.tick(time)
        nats = float(seen.surprisal[0])
        return Reading(
            unique_id,
            ds,
            seen.prediction[0],
            nats,
            None if self.threshold is None else nats > self.threshold.nats,
            skipped,
            {name.removeprefix("-"): q for name, q in zip(self.ends, found, strict=True)},
        )

    def __len__(self) -> int:
        """Return the number of series so far."""
        return len(self._series)

    def _new(self, unique_id: str) -> tuple[Stream, Clock]:
        return Stream(self.model, unique_id, robust=self.robust), Clock(self.model.description.source)


def _reference(
    model: SequenceModel, reference: SequenceSet | Any, held_out: float | str | None
) -> tuple[NDArray[np.float64], str]:
    """Return the surprisals of the reference, or of its held-out part, and which weights gave them.

    The refit has seen the held-out part of the data of the fit, where the surprisal of its weights is too small.
    """
    data, record = as_sequences(model, reference), model.description.ladder_record
    judge, weights, same = model.before_refit(data), "", record.data == data.digest
    if judge is not model:
        weights = "their surprisal is that of the weights before the refit, which had not seen them"
    elif record.refit and same:
        weights = "the weights were fitted to these values too, so the threshold may be too low"
    elif record.refit and held_out is not None:
        weights = "these data differ from those of the fit; values in both were seen, and the threshold may be too low"
    found = score(judge, data)
    if held_out is None and same:
        held_out = record.held_out
    if held_out is None:
        return found.surprisal, weights
    spans = split(data, held_out).spans("held-out", data.lengths, np.diff(found.offsets))
    parts = [found.surprisal[found.offsets[b] + first : found.offsets[b] + stop] for b, first, stop in spans]
    return (np.concatenate(parts) if parts else np.zeros(0)), weights
