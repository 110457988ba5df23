"""A sequence run through the rule of alarms: the statistics of its events, and the alarms that limits of them give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import gt
from typing import NamedTuple

import numpy as np

from ostinato.inference.alarm_memory import Scores
from ostinato.inference.evidence import Evidence
from ostinato.shapes import Array

#: What each step may differ from the usual before a cumulative sum grows, in standard deviations (Page 1954).
SLACK = 0.5

#: The sums of high scores, of low scores, and of signed errors up and down; and the run of repeated values.
Sums = tuple[float, float, float, float, float]
_NONE: Sums = (0.0, 0.0, 0.0, 0.0, 0.0)


def _added(sums: Sums, event: Sequence[float], still: bool) -> Sums:
    """Return the sums after an event.

    Args:
        sums: The sums before it.
        event: Its surprisal, its score, its signed score, and whether its value is repeated (see ``Course``).
        still: Whether it adds to no sum but the run, as within a cool-down.
    """
    more, less, up, down, run = sums
    _, level, signed, same = event
    run = run + 1 if same else 0.0
    if still:
        return 0.0, 0.0, 0.0, 0.0, run
    return (
        max(more + level - SLACK, 0.0),
        max(less - level - SLACK, 0.0),
        max(up + signed - SLACK, 0.0),
        max(down - signed - SLACK, 0.0),
        run,
    )


def _statistics(surprisal: float, sums: Sums) -> list[float]:
    """Return what is compared with the limits, but for the move of the level: four statistics of an event."""
    more, less, up, down, run = sums
    return [surprisal, max(more, less), max(up, down), run]


class Limits(NamedTuple):
    """What gives an alarm.

    Attributes:
        most: What each statistic must exceed, S of them.
        cool: The events after an alarm that give none, unless they are far rarer.
        echo: The events after the cool-down whose errors count without those of the alarm and of the cool-down.
        moves: Returns how well errors (T,) fit a move of the level, (T,).
        far: Returns the surprisal that gives an alarm within the cool-down of an event with these statistics.
    """

    most: Sequence[float]
    cool: int
    echo: int
    moves: Callable[[Array], Array]
    far: Callable[[Sequence[float]], float]


class Course(NamedTuple):
    """A sequence of observed events, as it is while none of them gives an alarm.

    Attributes:
        events: The surprisal, its score, the signed score and whether the value is repeated (1) or not (0), (T, 4).
        error: The errors that may follow a move of the level, (T,).
        sums: The four sums and the run after each event, (T, 5).
        statistics: What is compared with the limits, (T, S).
        cold: The events at the start that add to no sum.
    """

    events: Array
    error: Array
    sums: Array
    statistics: Array
    cold: int

    @staticmethod
    def of(one: Evidence, scores: Scores, cold: int, move: Array | None) -> Course:
        """Return the course of a sequence.

        Args:
            one: The sequence.
            scores: The scores of its events.
            cold: The events at the start that add to no sum.
            move: How well its errors fit a move of the level, (T,); None if that is no statistic.
        """
        events = np.column_stack([one.surprisal, scores.score, scores.signed, scores.same])
        kept, sums = np.empty((len(events), len(_NONE))), _NONE
        for t, event in enumerate(events.tolist()):
            kept[t] = sums = _added(sums, event, t < cold)
        more, less, up, down, run = kept.T
        columns = [one.surprisal, np.maximum(more, less), np.maximum(up, down), run, *([] if move is None else [move])]
        return Course(events, scores.error, kept, np.column_stack(columns), cold)

    def alarms(self, limits: Limits) -> int:
        """Return the number of alarms of a rule whose threshold stays where it is.

        An alarm sets the sums back, which changes those of the next events until they agree with this course again.
        Only these events are gone through one by one. Of all others it is known which exceed a limit.
        """
        exceeds, t, alarms = np.flatnonzero((self.statistics > np.asarray(limits.most)).any(1)), 0, 0
        while (i := int(np.searchsorted(exceeds, t))) < len(exceeds):
            t, more = self._echo(int(exceeds[i]), limits)
            alarms += more
        return alarms

    def _echo(self, t: int, limits: Limits) -> tuple[int, int]:
        """Return the first event behind an alarm at t that is as if there had been none, and the alarms before it."""
        told, alarm, alarms, T = self.statistics[t].tolist(), True, 0, len(self.events)
        sums, quiet, far = _NONE, 0, np.inf
        ahead: dict[int, float] = {}
        while t < T:
            if alarm:
                sums, quiet, far, alarms = _NONE, limits.cool, limits.far(told), alarms + 1
                # what gave this alarm, and what follows within the cool-down, gives no other one
                first = t + quiet + 1
                ahead |= enumerate(limits.moves(self.error[first : first + limits.echo]).tolist(), first)
            elif quiet > 0:
                quiet -= 1
            elif t + 1 not in ahead and sums == tuple(self.sums[t].tolist()):
                return t + 1, alarms
            t += 1
            if t < T:
                event = self.events[t].tolist()
                sums = _added(sums, event, quiet > 0 or t < self.cold)
                moved = [ahead.get(t, move) for move in self.statistics[t, 4:].tolist()]
                # within a cool-down the surprisal alone may give an alarm
                told = event[:1] if quiet > 0 else [*_statistics(event[0], sums), *moved]
                alarm = event[0] > far if quiet > 0 else any(map(gt, told, limits.most))
        return t, alarms
