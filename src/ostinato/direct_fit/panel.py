"""The series of a direct fit, their covariates, and their held-out steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ostinato.data.seasons import mean_change
from ostinato.data.sequences import SequenceSet
from ostinato.direct.effects import Effects, EffectsForm, fit_effects
from ostinato.direct.inputs import SeriesInputs, series_inputs
from ostinato.direct.windows import Windows, WindowSpec, channels
from ostinato.errors import DataError
from ostinato.numbers import counted
from ostinato.shapes import Array
from ostinato.spread import changing, is_quiet, spread, still

#: The least unit of the errors of a series, as a share of the standard deviation of its values.
SHARE = 0.05
#: The least number of held-out horizons of all series together, if they are long enough: with fewer, chance chooses.
WANTED = 12
#: The greatest number of held-out windows of one series.
JUDGED = 3000


@dataclass(frozen=True)
class Panel:
    """The series of a direct fit.

    Attributes:
        series: The values of each series by its name, (T,).
        covariates: The covariates of each series.
        known: The number of steps of each series that are fitted; the steps after them are held out.
        horizon: The number of steps to forecast.
        stride: The steps from one held-out window to the next.
    """

    series: dict[str, Array]
    covariates: dict[str, SeriesInputs]
    known: dict[str, int]
    horizon: int
    stride: int

    @property
    def positive(self) -> bool:
        """Whether every observed value is above 0."""
        return all(bool((y[np.isfinite(y)] > 0).all()) for y in self.series.values())

    def effects(self, form: EffectsForm, window: WindowSpec, whole: bool = False) -> Effects:
        """Return the effects of the covariates in the known part of the series, or in all of it."""
        shown = {k: (y if whole else y[: self.known[k]], self.covariates[k]) for k, y in self.series.items()}
        return fit_effects(form, window.season, window.log, shown)

    def fitted(self, window: WindowSpec, effects: Effects | None, whole: bool = False) -> dict[str, Windows]:
        """Return the windows of the known part of each series, or of all; series without a window are left out.

        Series that never change there are left out too, if others change.
        """
        stops = {k: len(y) if whole else self.known[k] for k, y in self.series.items()}
        moving = self._moving(stops)
        cut = {k: self._cut(window, effects, k, 0, stop) for k, stop in stops.items() if k in moving}
        return {k: w for k, w in cut.items() if len(w.inputs)}

    def held_out(self, window: WindowSpec, effects: Effects | None) -> dict[str, Windows]:
        """Return the held-out windows of each series; series without one, or that never changed before, are left out.

        A series that never changed has no unit of errors: a first change would be infinitely many.
        """
        moving = self._moving({k: known for k, known in self.known.items() if known < len(self.series[k])})
        cut = {k: self._cut(window, effects, k, self.known[k], len(self.series[k]), self.stride) for k in moving}
        return {k: w for k, w in cut.items() if len(w.inputs)}

    def votes(self, keys: Iterable[str]) -> dict[str, float]:
        """Return the weight of each of some series in everything that they share, 0 to 1.

        It is the share of the known steps that change the value. A step that repeats the value before it shows no
        dynamics. So a series of two values, a constant after a jump, a few events among zeros, or one that is stuck for
        long (see ``is_quiet``) say nothing about series that move: their weight is 0 if others have one. If none has,
        or for a single one, the weight is 1.
        """
        votes = {k: self._changes[k] for k in keys}
        if not self._quiet.issuperset(votes):
            votes = {k: 0.0 if k in self._quiet else vote for k, vote in votes.items()}
        voters = [k for k, vote in votes.items() if vote > 0]
        if len(voters) == 1:
            votes[voters[0]] = 1.0
        return votes if voters else dict.fromkeys(votes, 1.0)

    def voters(self, keys: Iterable[str] | None = None) -> list[str]:
        """Return the series with a weight among some series, or among all; see ``votes``."""
        return [k for k, vote in self.votes(self.series if keys is None else keys).items() if vote > 0]

    @cached_property
    def _changes(self) -> dict[str, float]:
        return {k: changing(y[: self.known[k]]) for k, y in self.series.items()}

    @cached_property
    def _quiet(self) -> set[str]:
        """The series that say nothing about others: one may also be stuck from its held-out part on."""
        return {k for k, y in self.series.items() if is_quiet(y[: self.known[k]]) or is_quiet(y)}

    def _moving(self, stops: dict[str, int]) -> list[str]:
        """Return the series that change before their stop, or all if none does."""
        return [k for k, stop in stops.items() if not still(self.series[k][:stop])] or list(stops)

    def _cut(
        self, window: WindowSpec, effects: Effects | None, key: str, first: int, stop: int, stride: int = 1
    ) -> Windows:
        y, covariates = self.series[key], self.covariates[key]
        effect = effects.of(key, y[: self.known[key]], covariates) if effects else None
        return window.cut(y, self.horizon, first, stop, stride, effect, covariates.past)

    @property
    def steps(self) -> int:
        """The number of steps of all series together."""
        return sum(len(y) for y in self.series.values())

    def units(self, season: int) -> dict[str, float]:
        """Return the unit of the errors of each series: its mean absolute change over a season in the known part."""
        return {k: self.unit(k, season) for k in self.series}

    def unit(self, key: str, season: int) -> float:
        """Return the unit of the errors of one series."""
        return _change(self.series[key][: self.known[key]], season)


def held_horizons(data: SequenceSet) -> int:
    """Return how many horizons of each series are held out at least: together WANTED of the series that move."""
    moving = sum(not is_quiet(y) for y in channels(data).values())
    return max(1, -(-WANTED // (moving or max(len(data) * len(data.channels), 1))))


def panel_of(data: SequenceSet, horizon: int, share: float, horizons: int | None = None) -> Panel:
    """Return every channel as a series up to its last observed step.

    Args:
        data: The sequences.
        horizon: The number of steps to forecast.
        share: The share of each series that is held out, or a number of steps. A short series is fitted whole.
        horizons: The horizons that are held out at least, up to a third of the series. None means 1.

    Raises:
        DataError: No series is long enough.
    """
    series, known, covariates = {}, {}, series_inputs(data, horizon)
    for key, whole in channels(data).items():
        seen = np.flatnonzero(np.isfinite(whole))
        if not len(seen):
            continue
        y = whole[: seen[-1] + 1]
        least = max(horizon, min((horizons or 1) * horizon, len(y) // 3))
        hold = int(share) if share >= 1 else max(least, int(len(y) * share))
        series[key] = y
        known[key] = len(y) - hold if len(y) >= 2 * hold + horizon else len(y)
    longest = max((len(y) - known[key] for key, y in series.items()), default=0)
    if not longest:
        raise DataError(
            f"no series is long enough for a horizon of {horizon}: the longest has "
            f"{counted(max((len(y) for y in series.values()), default=0), 'step')}, and {3 * horizon} are needed",
            where=data.meta.get("source"),
            fix="use a shorter horizon",
        )
    stride = max(1, (longest - horizon + 1) // JUDGED, -(-(longest - horizon + 1) * len(series) // 20_000))
    return Panel(series, {k: covariates[k] for k in series}, known, horizon, stride)


def _change(y: Array, season: int) -> float:
    """Return the unit of the errors of a series y (T,): its mean absolute change over a season.

    It is at least a small share of the spread of the values. A series that jumps once and is flat otherwise hardly
    ever changes, and an error of the size of the jump would count as hundreds of units.
    """
    change, size = mean_change(y, season), spread(y)
    return size if np.isnan(change) or still(y) else max(change, SHARE * size)
