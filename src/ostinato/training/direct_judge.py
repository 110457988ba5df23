"""How good a direct forecaster is on what was held out of a panel, and the factors that its intervals lack."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ostinato.data.windows import Windows
from ostinato.direct import Direct, predicted
from ostinato.emissions.quantiles import LEVELS, MEDIAN, calibrated, calibration, coverage, quantile_loss
from ostinato.layers.segments import Segments
from ostinato.training.panel import Panel
from ostinato.training.result import Candidate

Array = NDArray[np.float64]

#: The place of the 95 % interval among the central ones, widest first.
_NINETY_FIVE = int(np.argmin(np.abs(LEVELS[:MEDIAN] - 0.025)))


def _held(
    panel: Panel, direct: Direct, nets: tuple[Segments, ...], ids: tuple[str, ...]
) -> tuple[dict[str, Windows], Array]:
    held = panel.held_out(direct.window, direct.effects)
    return held, predicted(direct, nets, ids, held, {key: panel.beside[key].static for key in held})


def judge(
    name: str,
    panel: Panel,
    direct: Direct,
    nets: tuple[Segments, ...],
    ids: tuple[str, ...],
    begun: float,
    detail: str,
) -> Candidate:
    """The candidate's line, on the held-out windows of panel; every series weighs the same."""
    held, z = _held(panel, direct, nets, ids)
    units, first, losses = panel.units(direct.window.season), 0, []
    for key, w in held.items():
        q = direct.window.restore(z[first : first + len(w.inputs)], w)
        loss = quantile_loss(direct.window.restore(w.targets, w), q) / units[key]
        losses.append(float(np.minimum(loss, 1e6).mean()))
        first += len(w.inputs)
    inside = coverage(np.concatenate([w.targets for w in held.values()]), z)
    return Candidate(name, float(np.mean(losses)), float(inside[_NINETY_FIVE]), time.monotonic() - begun, detail)


def calibrate(
    panel: Panel, direct: Direct, nets: tuple[Segments, ...], ids: tuple[str, ...]
) -> tuple[Array, float, float]:
    """Factors by all held-out windows; the 95 % coverage without them, and by those of every other series or window."""
    held, z = _held(panel, direct, nets, ids)
    y = np.concatenate([w.targets for w in held.values()])
    if len(held) > 1:
        half = np.repeat(np.arange(len(held)) % 2, [len(w.inputs) for w in held.values()]) == 0
    else:
        half = np.arange(len(y)) < len(y) // 2
    before = float(coverage(y, z)[_NINETY_FIVE])
    after = before
    if half.any() and not half.all():
        after = float(coverage(y[~half], calibrated(z[~half], calibration(y[half], z[half])))[_NINETY_FIVE])
    return calibration(y, z), before, after
