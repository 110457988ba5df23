"""Many live series at once: one state for each id, with times, intervals and alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.arguments import levels
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.forecasting.protocol import fitted
from ostinato.forecasting.table import ends
from ostinato.inference.alarm import AlarmThreshold
from ostinato.inference.alarm_rule import Alarms, evidence_name
from ostinato.inference.alarm_verb import alarm_rule
from ostinato.inference.calibrated import CalibratedRule
from ostinato.inference.clock import Clock
from ostinato.inference.kept import Kept, load_states, save_states
from ostinato.inference.stream import Seen, Stream
from ostinato.look import Shown
from ostinato.model_file import Model, model_digest
from ostinato.numbers import counted
from ostinato.settings import undisturbed
from ostinato.shapes import Array


@dataclass(frozen=True, repr=False, eq=False)
class Reading(Shown):
    """The scores of one value of one series.

    Attributes:
        unique_id: The id of the series.
        ds: The time as it was given; None without times.
        expected: The value that was expected before it was observed, of each channel, (D,).
        surprisal: The surprisal of the value in nats; NaN if it is missing.
        alarm: Whether the rule of the monitor gives an alarm; None without an alarm.
        skipped: The number of steps that were left out before it.
        intervals: The ends of the intervals by name, such as "lo-95", of each channel, (D,).
        evidence: What gave the alarm, one of ``EVIDENCE``; None without an alarm.
    """

    unique_id: str
    ds: Any
    expected: Array
    surprisal: float
    alarm: bool | None
    skipped: int
    intervals: dict[str, Array]
    evidence: str | None = None

    def look(self) -> tuple[list[str], None]:
        """Return the series with the time, the expected value, the surprisal, the intervals, and the alarm."""
        ends = [f"{name}: {_numbers(x)}" for name, x in self.intervals.items()]
        alarm = [] if self.alarm is None else [f"alarm: {self.evidence or 'none'}"]
        when = "" if self.ds is None else f" at {self.ds}"
        skipped = [f"{counted(self.skipped, 'step')} left out before it"] if self.skipped else []
        said = f"expected: {_numbers(self.expected)}; surprisal {self.surprisal:.4f} nats"
        return [f"{self.unique_id!r}{when}", said, *ends, *alarm, *skipped], None


class Monitor(Shown):
    """Live series of one model, each with a state of fixed size.

    Args:
        model: A fitted SequenceModel.
        alarm: The share of ordinary steps that may give an alarm, such as 1e-4. None gives no alarms.
        reference: Data that the model was not fitted to, a SequenceSet or anything that ``read`` takes. The rule of
            the alarm is calibrated on them (see ``alarm_rule``). Of the data of the fit itself only the held-out part
            is used, by the weights from before the refit, which had not seen it.
        level: The coverage of the intervals, in percent; none by default.
        held_out: The share of the reference at its end that is used, if the model was fitted to the rest of it. None
            uses all of newer data, and the held-out part of the data of the fit.
        robust: The number of standard deviations beyond which a value does not enter the state, as in ``Stream``.
        cool_down: The number of steps after an alarm of a series that give none; None is 10, or fewer if the rate
            leaves no room for them.
        adapt: Whether an adaptive model goes on learning from each series, as in ``Stream``.
        forget: The least rate at which it moves towards the latest values, as in ``Stream``.

    Attributes:
        rule: The rule of the alarm; None without an alarm.
        threshold: The surprisal that held-out values exceed at the rate of the alarm; None without an alarm.
        ends: The ends of the intervals by name, with their probabilities.
        robust: The option of that name.

    Raises:
        ConfigError: An option is out of range, or the model is a DirectModel.
        DataError: The reference has too few values, or an alarm has no reference.
    """

    @undisturbed
    def __init__(
        self,
        model: Model,
        *,
        alarm: float | None = None,
        reference: SequenceSet | Any = None,
        level: float | Sequence[float] = (),
        held_out: float | str | None = None,
        robust: float | None = None,
        cool_down: int | None = None,
        adapt: bool | None = None,
        forget: float | None = None,
    ) -> None:
        self.model = fitted(model).likelihood("follow a stream")
        self.ends = ends("", levels(level, none=True))
        self.robust = robust
        self._learning: dict[str, Any] = {"adapt": adapt, "forget": forget}
        # an option that cannot be used is an error now, and not at the first value
        Stream(self.model, robust=robust, **self._learning)
        self._series: dict[str, _Series] = {}
        self._kept: dict[str, Kept] = {}
        self.rule: CalibratedRule | None = None
        self.threshold: AlarmThreshold | None = None
        if alarm is not None:
            self.rule = alarm_rule(self.model, alarm, reference, held_out=held_out, cool_down=cool_down)
            self.threshold = self.rule.threshold

    def look(self) -> tuple[list[str], None]:
        """Return the number of the series, the rule of the alarm, the intervals, and the model."""
        known = len(self._series.keys() | self._kept.keys())
        alarm = [] if self.threshold is None else [f"rate {self.threshold.rate:g}: {self.threshold.words()}"]
        ends = [f"intervals: {', '.join(self.ends)}"] if self.ends else []
        return [f"{known:,} series", *alarm, *ends, self.model.title()], None

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
                series or not on its grid, or it is None and the last one is not. The series then stays as it was.
        """
        series = self._get(unique_id)
        stream, clock = series.stream, series.clock
        time = None if ds is None else clock.read(ds)
        if time is None:
            clock.check_untimed()
        skipped = 0 if time is None else clock.steps(time) - 1
        row = value if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) else [value]
        if skipped:
            # a copy, because a value that is refused must leave the series as it was
            ahead = stream.copy()
            ahead.update(np.full((skipped, self.model.channels), np.nan))
            stream = ahead
        found = stream.quantiles(list(self.ends.values())) if self.ends else np.zeros((0, self.model.channels))
        seen = stream.update([row])
        series.stream = stream
        self._series[unique_id] = series
        if time is not None:
            clock.tick(time)
        alarms = self._judged(unique_id, seen, [row])
        return Reading(
            unique_id,
            ds,
            seen.prediction[0],
            float(seen.surprisal[0]),
            None if alarms is None else bool(alarms[0]),
            skipped,
            {name.removeprefix("-"): q for name, q in zip(self.ends, found, strict=True)},
            None if alarms is None else evidence_name(int(alarms[0])),
        )

    def stream(self, unique_id: str) -> Stream:
        """Return the stream of a series, to take in whole blocks; a new id begins a new series.

        Args:
            unique_id: The id of the series.

        Raises:
            DataError: The values of the series had times, and those of a block have none.
        """
        series = self._get(unique_id)
        series.clock.check_untimed()
        self._series[unique_id] = series
        return series.stream

    def judge(self, unique_id: str, seen: Seen, values: Any) -> NDArray[np.bool_] | None:
        """Return which values of a block that the stream of a series took in give an alarm, (T,); None without a rule.

        Args:
            unique_id: The id of the series.
            seen: What its stream returned.
            values: The values, (T, D), None or NaN where one is missing.
        """
        found = self._judged(unique_id, seen, values)
        return None if found is None else found > 0

    def _judged(self, unique_id: str, seen: Seen, values: Any) -> Alarms | None:
        """Return which evidence gave an alarm at each value of a block (see ``judge``), 0 for none, (T,)."""
        if self.rule is None:
            return None
        series, out = self._series[unique_id], np.zeros(len(seen.surprisal), dtype=np.uint8)
        block = np.asarray(values, dtype=np.float64).reshape(len(out), -1)
        for t, row in enumerate(block):
            out[t : t + 1], series.memory = self.rule.step(
                seen.surprisal[t : t + 1], row[None], seen.prediction[t : t + 1], series.memory
            )
        return out

    def save(self, path: str | Path, digest: str = "") -> None:
        """Write the states of all series to a file, which is replaced as a whole.

        Args:
            path: The file.
            digest: The SHA-256 of the model file; empty is that of the weights and the encoding.

        Raises:
            WriteError: The file cannot be written; an earlier one is kept.
        """
        series = {key: Kept(one.stream.held(), one.clock.times(), one.memory[0]) for key, one in self._series.items()}
        save_states(path, digest or model_digest(self.model), self._kept | series)

    @undisturbed
    def load(self, path: str | Path, digest: str = "") -> list[str]:
        """Go on from the states of a file, and return notes on what could not be taken over.

        Args:
            path: A file that ``save`` wrote.
            digest: The SHA-256 of the model file; empty is that of the weights and the encoding.

        Raises:
            ModelFileError: The file is damaged, or its states belong to another model.
        """
        kept, self._series = load_states(path, digest or model_digest(self.model)), {}
        start = np.zeros(0) if self.rule is None else self.rule.start()
        # all rows of a file are of one rule, also those of series that do not come again
        alike = all(one.memory.shape == start.shape for one in kept.values())
        self._kept = kept if alike else {key: replace(one, memory=start) for key, one in kept.items()}
        if self.rule is None or alike:
            return []
        return ["the alarm begins anew for each series, because the states are of another rule of alarms or of none"]

    def __len__(self) -> int:
        """Return the number of series so far."""
        return len(self._kept.keys() | self._series.keys())

    def _get(self, unique_id: str) -> _Series:
        """Return a series, which begins anew or goes on from what was loaded."""
        if unique_id in self._series:
            return self._series[unique_id]
        try:
            unique_id.encode()
        except UnicodeEncodeError as error:  # it could be neither printed nor saved
            raise DataError("the id of the series is not valid Unicode", fix="correct the id") from error
        start = np.zeros(0) if self.rule is None else self.rule.start()
        stream = Stream(self.model, unique_id, robust=self.robust, **self._learning)
        clock = Clock(self.model.description.source)
        kept = self._kept.get(unique_id)
        if kept is not None:
            stream.resume(kept.held)
            clock.set_times(kept.clock)
            start = kept.memory
        return _Series(stream, clock, start[None])


def _numbers(x: Array) -> str:
    """Return the number of each channel in words."""
    return ", ".join(f"{one:.6g}" for one in x)


@dataclass
class _Series:
    """The stream of a series, its times, and what the alarm remembers of it, (1, W)."""

    stream: Stream
    clock: Clock
    memory: Array
