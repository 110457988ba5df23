"""Calibration and learning curves, drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from ostinato.evaluation.calibration import Calibration
from ostinato.report.chart import BLUE, INK, MIDDLE, RED, Chart, Table, chart, plain

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
BINS = 10
#: Learning curves of at most so many points are drawn.
POINTS = 400


def pit(found: Calibration) -> Chart:
    """The histogram, with the band in which 95 of 100 bars of a true model would lie."""
    share = found.histogram(BINS)
    middle, half = 1 / BINS, 1.96 * np.sqrt((1 / BINS) * (1 - 1 / BINS) / len(found.pit))
    edges = np.arange(BINS) / BINS

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.bar(edges, BINS * share, 1 / BINS, align="edge", color=MIDDLE, edgecolor=BLUE, linewidth=0.8)
        axes.axhspan(BINS * (middle - half), BINS * (middle + half), color=RED, alpha=0.18, linewidth=0)
        axes.axhline(1, color=RED, linewidth=1)
        axes.set_xlabel("share of probability that lay below" if not found.ranked else "share that was likelier")
        axes.set_ylabel("density")
        plain(axes)
        axes.set_xlim(0, 1)

    outside = int((np.abs(share - middle) > half).sum())
    words = (
        f"{outside} of {BINS} bars lie outside the band that holds 95 of 100 bars of a true model; "
        f"the lowest is {BINS * share.min():.2f}, the highest {BINS * share.max():.2f}, and level would be 1."
    )
    rows = tuple((f"{a:.1f} to {a + 1 / BINS:.1f}", f"{s:.2%}") for a, s in zip(edges, share, strict=True))
    return chart("Where the values fell (PIT)", words, draw, table=Table(("part", "share of values"), rows))


def coverage(found: Calibration) -> Chart:
    """What intervals promise, and what they held."""
    held = [found.coverage(level) for level in LEVELS]
    line = np.linspace(0.01, 0.99, 50)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=RED, linewidth=1, label="as promised")
        axes.plot(100 * line, [100 * found.coverage(x) for x in line], color=BLUE, label="held")
        axes.plot([100 * x for x in LEVELS], [100 * x for x in held], "o", color=BLUE, markersize=3.5)
        axes.set_xlabel("promised, %")
        axes.set_ylabel("held, %")
        axes.legend(loc="upper left")
        plain(axes)
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 101)

    words = "; ".join(f"{x:.0%} promised, {y:.1%} held" for x, y in zip(LEVELS, held, strict=True)) + "."
    rows = tuple((f"{x:.0%}", f"{y:.2%}") for x, y in zip(LEVELS, held, strict=True))
    return chart("Coverage", words, draw, table=Table(("promised", "held"), rows))


def verdict(found: Calibration) -> str:
    """Calibration in a sentence."""
    gap, count = float(np.mean([found.coverage(level) - level for level in LEVELS])), len(found.pit)
    what = "sets of likeliest symbols" if found.ranked else "intervals"
    if abs(gap) < max(0.01, 0.6 / np.sqrt(count)):  # twice the standard error of such a mean, or a percent
        few = f"; {count} predictions are few, and would show gross mistakes alone" if count < 200 else ""
        return f"The {what} hold about what they promise{few}."
    more = "more" if gap > 0 else "less"
    width = "too wide: the model is less sure than it could be" if gap > 0 else "too narrow: the model is too sure"
    return f"The {what} hold {abs(gap):.1%} {more} than they promise, on average: they are {width}."


#: (step, seconds, training, validation): log-likelihoods in nats a step, higher is better; NaN before the first step
Curve = list[tuple[int, float, float, float]]


def curves(found: dict[str, Curve], kept: str) -> list[Chart]:
    """Validation of every model of the ladder over time, and training beside validation of the one that was kept."""
    found = {name: curve for name, curve in found.items() if curve}
    return [*([_ladder(found, kept)] if found else []), *([_kept(found[kept], kept)] if kept in found else [])]


def _ladder(found: dict[str, Curve], kept: str) -> Chart:
    dashes = ["-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2))]

    def draw(figure: Any) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.subplots()
        for (name, curve), dash in zip(found.items(), dashes, strict=False):
            _, seconds, _, validation = zip(*_thinned(curve), strict=True)
            style = {"color": BLUE, "linewidth": 2.2} if name == kept else {"color": INK, "linestyle": dash}
            axes.plot(seconds, validation, label=name, marker=_marker(curve), **style)
        _from_where_it_matters(axes, [v for curve in found.values() for _, _, _, v in curve])
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel("seconds of training")
        axes.set_ylabel("validation, nats a step")
        plain(axes)
        figure.legend(loc="outside upper left", ncols=5)

    best = {name: max(v for _, _, _, v in curve) for name, curve in found.items()}
    words = "Best on validation, in nats a step: " + ", ".join(f"{k} {v:.4f}" for k, v in best.items()) + "."
    rows = tuple((k, f"{c[-1][0]:,}", f"{c[-1][1]:.1f}", f"{best[k]:.4f}") for k, c in found.items())
    table = Table(("model", "steps", "seconds", "best, nats a step"), rows)
    return chart("Every model while it learned", words, draw, height=250, table=table)


def _kept(curve: Curve, kept: str) -> Chart:
    def draw(figure: Any) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.subplots()
        steps, _, training, validation = zip(*_thinned(curve), strict=True)
        marker = _marker(curve)
        axes.plot(steps, training, color=INK, linestyle="--", marker=marker, label="training")
        axes.plot(steps, validation, color=BLUE, linewidth=2.2, marker=marker, label="validation")
        _from_where_it_matters(axes, [x for x in (*training, *validation) if np.isfinite(x)])
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel("optimiser steps")
        axes.set_ylabel("nats a step")
        plain(axes)
        figure.legend(loc="outside upper left", ncols=2)

    best = max(curve, key=lambda point: point[3])
    words = f"{kept} was best on validation after {best[0]:,} of {curve[-1][0]:,} steps: {best[3]:.4f} nats a step"
    if best[0]:
        words += f", where training was at {best[2]:.4f}. Training is with dropout, a running mean over steps."
    else:
        words += ". Nothing that it learned was better than the closed form that it began as."
    points = _thinned(curve, 12)
    rows = tuple((f"{n:,}", f"{s:.1f}", f"{t:.4f}" if n else "", f"{v:.4f}") for n, s, t, v in points)
    table = Table(("step", "seconds", "training", "validation"), rows)
    return chart("The model that was kept", words, draw, height=250, table=table)


def _marker(curve: Curve) -> str:
    return "." if len(curve) < 10 else ""


def _thinned(curve: Curve, count: int = POINTS) -> Curve:
    """At most ``count`` points, the first and the last among them."""
    places = np.unique(np.linspace(0, len(curve) - 1, count).round().astype(int))
    return [curve[i] for i in places]


def _from_where_it_matters(axes: Any, values: list[float]) -> None:
    """Leave out the first steps, where they are so bad that nothing else could be seen."""
    low, middle, high = np.quantile(np.array(values), [0.0, 0.25, 1.0])
    if middle - low > 3 * (high - middle) > 0:
        axes.set_ylim(middle - (high - middle), high + 0.1 * (high - middle))
