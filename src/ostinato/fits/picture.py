"""The picture of a fit: the held-out score of every candidate, and how the networks learned."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from ostinato.data.drawing import PICTURE, legend, stacked_panels, tidy
from ostinato.kinds import TRAITS
from ostinato.record import CurvePoint, DirectRung, Rung

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ostinato.fits.result import Fit

#: The forms of the lines of the networks that were not kept.
_DASHES = ("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)))


def figure(found: Fit) -> Figure:
    """Return the held-out score of every candidate and, if networks were trained, their learning curves below it.

    Args:
        found: The result of a fit.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    unit = f"nats a {TRAITS[found.model.description.kind].unit}"
    curves = _curves(found)
    drawn = stacked_panels(1 + bool(curves))
    _scores(drawn.axes[0], found.table, found.kept, unit)
    if curves:
        _learning(drawn.axes[1], curves, found.kept.name, unit)
    return drawn


def _curves(found: Fit) -> dict[str, list[CurvePoint]]:
    """Return the evaluations during the training of each network; none of a direct model, which keeps none."""
    if isinstance(found.kept, DirectRung):
        return {}
    curves = found.model.description.ladder_record.curves_of(found.kept.name)
    return {name: curve for name, curve in curves.items() if len(curve) > 1}


def _scores(axes: Any, table: tuple[Rung, ...] | tuple[DirectRung, ...], kept: Rung | DirectRung, unit: str) -> None:
    """Draw a point for each candidate, the first of the table on top, and the one that was kept in blue."""
    names = [rung.detail if rung.detail and isinstance(rung, Rung) else rung.name for rung in table]
    scores = [rung.loss if isinstance(rung, DirectRung) else rung.held_out for rung in table]
    best = [rung.name for rung in table].index(kept.name)
    others = [place for place in range(len(table)) if place != best]
    axes.plot(scores[best], best, "o", color=PICTURE.blue, markersize=8, clip_on=False, label="kept")
    if others:
        axes.plot(
            [scores[i] for i in others], others, "o", color=PICTURE.ink, markersize=5, clip_on=False, label="not kept"
        )
    axes.set_yticks(range(len(table)), names)
    axes.set_ylim(len(table) - 0.5, -0.5)
    direct = isinstance(kept, DirectRung)
    axes.set_xlabel("loss of the held-out windows, lower is better" if direct else f"{unit} held out, higher is better")
    axes.set_title("The candidates", loc="left", color=PICTURE.ink)
    legend(axes)
    tidy(axes)


def _learning(axes: Any, curves: dict[str, list[CurvePoint]], kept: str, unit: str) -> None:
    """Draw the log-likelihood of the validation part over the seconds of training."""
    dashes = cycle(_DASHES)
    for name, curve in curves.items():
        seconds, validation = [point[1] for point in curve], [point[3] for point in curve]
        if name == kept:
            axes.plot(seconds, validation, color=PICTURE.blue, linewidth=2, label=name)
        else:
            axes.plot(seconds, validation, color=PICTURE.ink, linestyle=next(dashes), linewidth=1.2, label=name)
    axes.set_xlabel("seconds of training")
    axes.set_ylabel(unit)
    axes.set_title("The validation part while the networks learned", loc="left", color=PICTURE.ink)
    legend(axes)
    tidy(axes)
