"""The held-out error of direct models, the choice of one, and the calibration of its intervals."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ostinato.direct.closed_form import ClosedForm
from ostinato.direct.model import predicted
from ostinato.direct.network import SegmentNetwork
from ostinato.direct.windows import Windows
from ostinato.direct_fit.closed_form import Choice, telling, thinned
from ostinato.direct_fit.losses import GREATEST, MARGIN, Losses, separate
from ostinato.direct_fit.panel import Panel
from ostinato.emissions.quantiles import LEVELS, MEDIAN, calibrated, calibration, coverage, quantile_loss
from ostinato.record import DirectRung
from ostinato.shapes import Array

NAIVES = ("naive", "seasonal naive")
#: The place of the 95 % interval among the central ones, widest first.
_NINETY_FIVE = int(np.argmin(np.abs(LEVELS[:MEDIAN] - 0.025)))


def _held(
    panel: Panel, direct: ClosedForm, nets: tuple[SegmentNetwork, ...], ids: tuple[str, ...]
) -> tuple[dict[str, Windows], Array]:
    held = panel.held_out(direct.window, direct.effects)
    return held, predicted(direct, nets, ids, held, {key: panel.covariates[key].static for key in held})


def _judge(
    panel: Panel, direct: ClosedForm, nets: tuple[SegmentNetwork, ...], ids: tuple[str, ...]
) -> tuple[Losses, float]:
    """Return the held-out losses, and the coverage of the 95 % intervals."""
    held, z = _held(panel, direct, nets, ids)
    units, first, losses = panel.units(direct.window.season), 0, {}
    for key, w in held.items():
        y = direct.window.restore(w.targets, w)
        each = quantile_loss(y, direct.window.forecast(z[first : first + len(w.inputs)], w))
        losses[key] = np.minimum(each / units[key], GREATEST).mean(axis=1)
        first += len(w.inputs)
    inside = coverage(np.concatenate([w.targets for w in held.values()]), z)
    return Losses.of(losses, panel), float(inside[_NINETY_FIVE])


@dataclass(frozen=True)
class IntervalCalibration:
    """How the intervals of a forecaster are widened.

    Attributes:
        factors: The factor of each central interval, (Q // 2,).
        before: The share of the held-out values within the 95 % intervals before the calibration.
        after: The share of the values of half of the series or windows within the intervals, calibrated on the rest.
    """

    factors: Array
    before: float
    after: float


class Selection:
    """The choice among forecasters by their held-out windows: one is kept if it beats all simpler ones.

    Args:
        panel: The series.
        ids: The names of all series, in the order of the networks' embeddings.
        on_rung: Called with the row of each forecaster when it is judged.

    Attributes:
        table: The rows of the forecasters, the simplest first.
        kept: The row, the choice, the closed form and the networks of the best forecaster so far.
    """

    def __init__(self, panel: Panel, ids: tuple[str, ...], on_rung: Callable[[DirectRung], None] | None) -> None:
        self._panel, self._ids, self._on_rung = panel, ids, on_rung
        self._begun = time.monotonic()
        self._losses: dict[str, Losses] = {}
        self.table: list[DirectRung] = []
        self.kept: tuple[DirectRung, Choice, ClosedForm, tuple[SegmentNetwork, ...]]

    def judge(self, choice: Choice, direct: ClosedForm, nets: tuple[SegmentNetwork, ...], detail: str) -> None:
        """Judge a forecaster; its recorded time is the time since the previous one.

        Args:
            choice: How its closed form was fitted.
            direct: Its closed form.
            nets: Its networks.
            detail: Its settings in words.
        """
        losses, inside = _judge(self._panel, direct, nets, self._ids)
        now = time.monotonic()
        judged = DirectRung(choice.name, losses.mean, inside, now - self._begun, detail)
        self._begun = now
        self._losses[choice.name] = losses
        if not self.table or losses.gain_over(self._losses[self.kept[0].name]).certain:
            self.kept = judged, choice, direct, nets
        self.table.append(judged)
        if self._on_rung:
            self._on_rung(judged)

    def verdict(self) -> str:
        """Return which forecaster is kept, how far it is ahead, and on how many windows that stands, in words."""
        name, losses = self.kept[0].name, {c.name: c.loss for c in self.table}
        stands = self._losses[name].words()
        if name in NAIVES:
            other = min((c for c in self.table if c.name != name), key=lambda c: c.loss)
            gain = self._losses[other.name].gain_over(self._losses[name])
            return (
                f"the {name} forecast is used, because nothing beats it by {MARGIN:.0%} and by more than chance on "
                f"{stands}: quantile loss {losses[name]:.4g} seasonal errors, {other.name} {other.loss:.4g}, "
                f"{gain.words()}"
            )
        naive = min((c for c in self.table if c.name in NAIVES), key=lambda c: c.loss).name
        gain = self._losses[name].gain_over(self._losses[naive])
        return f"{name} is used: its quantile loss on {stands} is {gain.words()} than the {naive} forecast's"


def calibrate(
    panel: Panel, direct: ClosedForm, nets: tuple[SegmentNetwork, ...], ids: tuple[str, ...]
) -> IntervalCalibration:
    """Calibrate the intervals on the held-out windows.

    Args:
        panel: The series and their held-out windows.
        direct: The closed form of the forecaster.
        nets: The networks of the forecaster.
        ids: The names of all series, in the order of the networks' embeddings.

    Returns:
        The factors by all held-out windows, and the coverage by the factors of half of them on the other half.
    """
    held, z = _held(panel, direct, nets, ids)
    before = float(coverage(np.concatenate([w.targets for w in held.values()]), z)[_NINETY_FIVE])
    told, votes = telling(held, panel), panel.votes(held)
    parts = np.split(z, np.cumsum([len(w.inputs) for w in held.values()])[:-1])
    parts = [part for k, part in zip(held, parts, strict=True) if votes[k] > 0]
    held = {k: w for k, w in held.items() if votes[k] > 0}
    rows = {k: np.flatnonzero(told[k])[thinned(int(told[k].sum()), votes[k])] for k in held}
    y = [w.targets[rows[k]] for k, w in held.items()]
    q = [part[rows[k]] for k, part in zip(held, parts, strict=True)]
    apart = [separate(len(rows[k]), panel) for k in held]
    if len(held) > 1:
        halves = [slice(0, None, 2), slice(1, None, 2)]
        (y0, q0), (y1, q1) = ((np.concatenate(y[s]), np.concatenate(q[s])) for s in halves)
        seen = float(sum(apart[halves[0]]))
    else:
        half = len(y[0]) // 2
        (y0, q0), (y1, q1), seen = (y[0][:half], q[0][:half]), (y[0][half:], q[0][half:]), apart[0] / 2
    after = before
    if len(y0) and len(y1):
        after = float(coverage(y1, calibrated(q1, calibration(y0, q0, seen)))[_NINETY_FIVE])
    factors = calibration(np.concatenate(y), np.concatenate(q), float(sum(apart)))
    return IntervalCalibration(factors, before, after)
