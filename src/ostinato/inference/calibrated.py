"""An alarm at a stated rate: five kinds of evidence on one scale, a threshold from held-out data, and a cool-down.

A spike has a great surprisal. A lost season or a noisier sensor has surprisals that are a little too great for long. A
level that moved has errors of one sign, or the few errors that a model makes before it has followed. A stuck sensor
repeats its value, or is less surprising than it ever was. Each of them is measured in powers of ten of its rarity on
held-out data. The greatest is compared with one threshold, at which held-out data, run through the whole rule, give
alarms at the rate that was asked for. So the dependence between steps and between kinds of evidence is in the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import final

import numpy as np
from scipy.special import ndtri

from ostinato.inference.alarm import ENOUGH, AlarmThreshold, alarm_threshold
from ostinato.inference.alarm_course import SLACK, Course, Limits
from ostinato.inference.alarm_memory import Memory, Scores
from ostinato.inference.alarm_rule import AlarmRule, Alarms
from ostinato.inference.evidence import Evidence
from ostinato.inference.rarity import Rarity, rate_interval, sum_slope
from ostinato.inference.response import filters_of, matched
from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.shapes import Array

#: The steps after an alarm that give none, but for an event that is so many times as rare in powers of ten.
COOL_DOWN, FAR = 10, 2.0
#: The size of a normal score that one step may add to a sum, so that one spike is not a shift.
MOST = 3.0
#: The size of a normal score that counts for a move of the level.
FARTHEST = 6.0
#: The place of the run of repeated values among the statistics.
_RUN = 3
#: By how much one alarm of a stream raises its own threshold, in powers of ten of rarity, and how far it may move.
LEARNING, LOWEST, HIGHEST = 0.02, -0.5, 1.0
#: Held-out data that are to give many alarms give at most one for so many cool-downs.
CROWDED = 4
#: The powers of ten of rarity beyond which a threshold means that no event gives an alarm.
RAREST = 100.0
_KNOTS = 256


@final
class CalibratedRule(Shown, AlarmRule):
    """The rule of this module. From 10 / rate events on, each stream moves its own threshold to its own rate.

    A stream raises its threshold by a little with each alarm and lowers it by rate times that with each event (Gibbs
    and Candes 2021). So the share of alarms comes to the rate if a stream is not like the held-out data. The
    threshold stays within bounds, so that a fault that lasts is not taken for the usual.

    Args:
        evidence: The evidence of held-out sequences.
        rate: The share of ordinary events that may give an alarm.
        cool_down: The events after an alarm that give none, and whose errors count for none later. An event that is
            ``FAR`` times as rare in powers of ten as what began the cool-down passes it, and begins another one.
        warm: The events at the start of a stream that add to no sum, because the model does not have its past yet. If
            most held-out events are such, their sums count from the first one, where they are too great: fewer alarms.
        numeric: Whether the values are numbers, whose sizes and repetitions mean something.
        weights: Which weights gave the evidence, in words.
        response: The errors that follow a move of the level (see ``level_response``), (K,).
    """

    def __init__(
        self,
        evidence: Sequence[Evidence],
        rate: float,
        *,
        cool_down: int = COOL_DOWN,
        warm: int = 0,
        numeric: bool = True,
        weights: str = "",
        response: Sequence[float] | Array = (),
    ) -> None:
        self._filters = filters_of(np.asarray(response, dtype=np.float64))
        self.rate, self._cool, self._warm, self._numeric, self._weights = rate, cool_down, warm, numeric, weights
        surprisal = np.concatenate([one.surprisal for one in evidence])
        seen = surprisal[np.isfinite(surprisal)]
        self._events = len(seen)
        self.threshold: AlarmThreshold = alarm_threshold(seen, rate, weights=weights)
        levels = (np.arange(_KNOTS) + 0.5) / _KNOTS
        self._usual, self._levels = np.quantile(seen, levels), levels
        D = evidence[0].values.shape[1]
        self._channels, self.width = D, Memory.width(D, len(self._filters))
        errors = np.concatenate([one.values - one.expected for one in evidence])
        self._spread = np.nan_to_num(np.nanstd(errors, axis=0)) + 1e-300
        self._tail = Rarity.of(seen, apart=COOL_DOWN)
        settled = np.concatenate([one.past + np.arange(len(one.surprisal)) >= warm for one in evidence])
        # sums that are always 0 would make any other one look rarer than all held-out data
        self._held_warm = warm if 2 * np.count_nonzero(settled) >= len(settled) else 0
        settled |= self._held_warm == 0
        scores = [self._scores_of(one) for one in evidence]
        courses = list(map(self._course, evidence, scores))
        x = np.concatenate([one.statistics for one in courses])
        # the statistics that are cumulative sums, and the scores that each of them adds up
        steepest = {1: sum_slope([one.score for one in scores], SLACK)}
        steepest[2] = sum_slope([one.signed for one in scores], SLACK)
        self._rarities: tuple[Rarity, ...] = tuple(
            Rarity.of(
                column[settled] if k in steepest else column,
                apart=COOL_DOWN,
                whole_numbers=k == _RUN,
                steepest=steepest.get(k, np.inf),
            )
            for k, column in enumerate(x.T)
        )
        #: The number of alarms on the held-out data from which the threshold of the rate follows.
        self._least = max(rate * self._events, min(float(ENOUGH), self._events / (CROWDED * (cool_down + 1))))
        self.tens: float = self._threshold(courses)
        parts = [one.surprisal[np.isfinite(one.surprisal)] for one in evidence]
        #: The 90 % interval of the share of alarms on data like these.
        self.rates: tuple[float, float] = rate_interval(parts, rate, self._least)

    def look(self) -> tuple[list[str], None]:
        """Return the rate and the threshold."""
        after = f"{counted(self._cool, 'event')} after an alarm give none"
        return [f"{self.rate:g} of ordinary events", self.threshold.words(), after], None

    def start(self) -> Array:
        """Return the memory of a stream before its first event."""
        return Memory.start(self._channels, len(self._filters))

    def step(self, surprisal: Array, values: Array, expected: Array, memory: Array) -> tuple[Alarms, Array]:
        """Judge one event of each stream (see ``AlarmRule.step``)."""
        held, seen = Memory.of(memory, self._channels), np.isfinite(surprisal)
        s = np.where(seen, surprisal, self._usual[_KNOTS // 2])
        after = self._moved(self._scores(s, values, expected, held.last), held)._replace(last=values)
        statistics = [s, np.maximum(after.more, after.less), np.maximum(after.up, after.down), after.run]
        if len(self._filters):
            statistics.append(matched(after.errors, self._filters))
        tens = np.array([r(x) for r, x in zip(self._rarities, statistics, strict=True)])
        calm = held.quiet <= 0
        # in a cool-down a surprisal alone may give an alarm: sums and errors are the echo of what began it
        rarest, usual = np.where(calm, tens.max(axis=0), tens[0]), self.tens + held.shift
        alarm = seen & (rarest > np.where(calm, usual, np.maximum(FAR * held.began, usual)))
        learns = held.events * self.rate >= 10
        shift = held.shift + np.where(learns & seen, LEARNING * (alarm - self.rate), 0.0)
        reset = np.where(alarm, 0.0, 1.0)
        after = after._replace(
            run=after.run * reset,
            more=after.more * reset,
            less=after.less * reset,
            up=after.up * reset,
            down=after.down * reset,
            errors=after.errors * reset[:, None],
            quiet=np.where(alarm, float(self._cool), np.maximum(held.quiet - 1, 0.0)),
            shift=np.clip(shift, LOWEST, HIGHEST),
            events=held.events + seen,
            began=np.where(alarm, rarest, held.began),
        )
        kept = after.joined()
        # a missing value changes nothing but the cool-down
        still = held._replace(quiet=np.maximum(held.quiet - 1, 0.0)).joined()
        which = np.where(alarm, np.where(calm, tens.argmax(axis=0), 0) + 1, 0).astype(np.uint8)
        return which, np.where(seen[:, None], kept, still)

    def words(self) -> str:
        """Return the rule in words."""
        one = self.threshold
        return (
            f"{self.rate:.3g} of ordinary events give an alarm (90 % interval {self.rates[0]:.2g} to "
            f"{self.rates[1]:.2g}, from {self._events:,} held-out values){self._unsure()}. "
            f"One surprisal alone is as rare as the rate from {one.nats:.4g} nats on (90 % interval {one.low:.4g} "
            f"to {one.high:.4g}). After an alarm, the next {counted(self._cool, 'event')} give none unless they are "
            "far rarer" + (f". {self._weights}" if self._weights else "") + self._short()
        )

    def _unsure(self) -> str:
        """Return in words what would make the rate surer, if it may be twice as great as the one asked for."""
        if self.rates[1] <= 2 * self.rate:
            return ""
        if self._events * self.rate < ENOUGH:
            few = counted(self._events, "value")
            needed = f"{ENOUGH / self.rate:,.0f}"
            if self._events * self.rate < 1:
                return (
                    f". Even a clear fault may give no alarm, because {few} cannot show what comes once in "
                    f"{1 / self.rate:,.0f}: ask for a rate of at least {1 / self._events:.1g}, or give more data as "
                    f"the reference (at least {needed})"
                )
            return f". The interval is wide because there are only {few}: at least {needed} make it narrower"
        # the variance of the logarithm of the rate is proportional to 1 / events from here on
        enough = float(f"{self._events * (np.log(self.rates[1] / self.rate) / np.log(2)) ** 2:.1g}")
        return (
            ". The interval is wide because large surprisals come together here: about "
            f"{counted(enough, 'value')} make it narrower"
        )

    def _short(self) -> str:
        """Return in words what held-out data that are too short for the past of the model leave uncertain."""
        if self._held_warm == self._warm:
            return ""
        return (
            f". Slow faults may be found late, because the model reads {counted(self._warm, 'value')} of the past, and "
            "most held-out values have fewer before them: give longer held-out series"
        )

    def _scores_of(self, one: Evidence) -> Scores:
        """Return the scores of the events of a sequence, of which the value before the first is unknown."""
        before = np.concatenate([np.full((1, one.values.shape[1]), np.nan), one.values[:-1]])
        return self._scores(one.surprisal, one.values, one.expected, before)

    def _scores(self, surprisal: Array, values: Array, expected: Array, last: Array) -> Scores:
        """Return the scores of events, (N,) each, of which the rule remembers the last values (N, D)."""
        level = np.interp(surprisal, self._usual, self._levels)
        score = np.clip(ndtri(level), -MOST, MOST)
        none = np.zeros(len(surprisal))
        if not self._numeric:
            return Scores(score, none, none, none > 0)
        # the size of an error by the rarity of its surprisal, so that a changing scale is counted in
        sign = np.sign(np.nan_to_num((values - expected) / self._spread).sum(1))
        signed = sign * np.clip(ndtri((1 + level) / 2), 0.0, MOST)
        same = np.isfinite(values).any(1) & ((values == last) | np.isnan(values)).all(1)
        if not len(self._filters):
            return Scores(score, signed, none, same)
        error = sign * np.clip(-ndtri(0.5 * 10.0 ** -np.clip(self._tail(surprisal), 0.0, 12.0)), 0.0, FARTHEST)
        return Scores(score, signed, error, same)

    def _moved(self, scores: Scores, held: Memory) -> Memory:
        """Return the memory after an event of each stream: its sums and its run."""
        # the errors that follow an alarm are its echo in the past of the model, and give no alarm after the cool-down
        calm = np.where(held.quiet > 0, 0.0, 1.0)
        warm = np.where(held.events < self._warm, 0.0, calm)
        return held._replace(
            run=np.where(scores.same, held.run + 1, 0.0),
            more=np.maximum(held.more + scores.score - SLACK, 0.0) * warm,
            less=np.maximum(held.less - scores.score - SLACK, 0.0) * warm,
            up=np.maximum(held.up + scores.signed - SLACK, 0.0) * warm,
            down=np.maximum(held.down - scores.signed - SLACK, 0.0) * warm,
            errors=np.column_stack([held.errors[:, 1:], scores.error * calm]) if len(self._filters) else held.errors,
        )

    def _course(self, one: Evidence, scores: Scores) -> Course:
        """Return the course of a sequence of observed events with these scores."""
        move = self._moves(scores.error) if len(self._filters) else None
        return Course.of(one, scores, self._held_warm - one.past, move)

    def _limits(self, tens: float) -> Limits:
        """Return the limits of a threshold in powers of ten of rarity."""
        most = [rarity.inverse(tens) for rarity in self._rarities]
        return Limits(most, self._cool, len(self._filters) - 1, self._moves, partial(self._far, least=most[0]))

    def _count(self, one: Evidence) -> int:
        """Return the number of alarms on a sequence of observed events, whose stream does not learn."""
        return self._course(one, self._scores_of(one)).alarms(self._limits(self.tens))

    def _far(self, told: Sequence[float], least: float) -> float:
        """Return the surprisal, at least ``least``, that gives an alarm in the cool-down of one of these statistics."""
        began = max(float(r(np.array(x))) for r, x in zip(self._rarities, told, strict=False))
        return max(self._rarities[0].inverse(FAR * began), least)

    def _moves(self, errors: Array) -> Array:
        """Return how well the errors of a sequence (T,) fit a move of the level, (T,); zeros without a response."""
        K = len(self._filters)
        if not K or not len(errors):
            return np.zeros(len(errors))
        past = np.concatenate([np.zeros(K - 1), errors])
        return matched(np.lib.stride_tricks.sliding_window_view(past, K), self._filters)

    def _threshold(self, courses: Sequence[Course]) -> float:
        """Return the threshold at which the evidence gives alarms at the rate.

        If fewer than ``ENOUGH`` alarms are expected, the threshold of so many is continued. One more power of ten of
        rarity leaves a tenth of the separate alarms (runs declustering, Leadbetter et al. 1989), for each event that
        may give one. Data that have no room for so many, with the cool-down after each, are continued from fewer. Only
        k alarms show how the tail falls, which leaves it uncertain. So the chance to be further by x in powers of e is
        not exp(-x) but its mean over what is possible, (1 + x / k)^-k.
        """
        events, wanted, least = self._events, self.rate * self._events, self._least
        low, high = 0.0, 12.0
        for _ in range(20):
            middle = (low + high) / 2
            limits = self._limits(middle)
            found = sum(one.alarms(limits) for one in courses)
            low, high = (middle, high) if found > least else (low, middle)
        free = (events - least * self._cool) / (events - wanted * self._cool)
        further = least / wanted / free
        if further <= 1:
            return high
        with np.errstate(over="ignore"):
            return high + float(least * (np.float_power(further, 1 / least) - 1) / np.log(10))
