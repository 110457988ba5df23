"""The charts of the calibration and of the learning curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from ostinato.evaluation.calibration import Calibration
from ostinato.report.chart import BLUE, INK, MIDDLE, RED, Chart, Table, chart, plain

#: The coverages of the intervals in the chart of the coverage.
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
#: The number of bars in the histogram of the PIT.
BINS = 10
#: The greatest number of points of a learning curve that are drawn.
POINTS = 400


def pit(found: Calibration) -> Chart:
    """Return the histogram of the PIT, with the band that contains 95 of 100 bars of a calibrated model.

    Args:
        found: The calibration of a model.
    """
    share = found.histogram(BINS)
    middle, half = 1 / BINS, 1.96 * np.sqrt((1 / BINS) * (1 - 1 / BINS) / len(found.pit))
    edges = np.arange(BINS) / BINS

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.bar(edges, BINS * share, 1 / BINS, align="edge", color=MIDDLE, edgecolor=BLUE, linewidth=0.8)
        axes.axhspan(BINS * (middle - half), BINS * (middle + half), color=RED, alpha=0.18, linewidth=0)
        axes.axhline(1, color=RED, linewidth=1)
        axes.set_xlabel("probability of likelier symbols" if found.ranked else "predicted probability below the value")
        axes.set_ylabel("density")
        plain(axes)
        axes.set_xlim(0, 1)

    outside = int((np.abs(share - middle) > half).sum())
    what = "symbols" if found.ranked else "values"
    words = (
        f"Each bar is the share of {what} that fell into one tenth of the predicted probability, divided by one tenth. "
        "For a calibrated model every bar is close to 1, and 95 of 100 bars lie in the red band. "
        f"Here {outside} of {BINS} bars {'lies' if outside == 1 else 'lie'} outside it; the lowest bar is "
        f"{BINS * share.min():.2f} and the highest {BINS * share.max():.2f}."
    )
    rows = tuple((f"{a:.1f} to {a + 1 / BINS:.1f}", f"{s:.2%}") for a, s in zip(edges, share, strict=True))
    table = Table(("predicted probability", f"share of {what}"), rows)
    return chart("Probability integral transform (PIT)", words, draw, table=table)


def coverage(found: Calibration) -> Chart:
    """Return the chart of the share of values inside intervals of each level.

    Args:
        found: The calibration of a model.
    """
    held = [found.coverage(level) for level in LEVELS]
    line = np.linspace(0.01, 0.99, 50)
    what, places = ("symbols", "likeliest sets") if found.ranked else ("values", "intervals")

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=RED, linewidth=1, label="calibrated")
        axes.plot(100 * line, [100 * found.coverage(x) for x in line], color=BLUE, label="measured")
        axes.plot([100 * x for x in LEVELS], [100 * x for x in held], "o", color=BLUE, markersize=3.5)
        axes.set_xlabel(f"predicted probability of the {places}, %")
        axes.set_ylabel(f"{what} inside, %")
        axes.legend(loc="upper left")
        plain(axes)
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 101)

    first = "sets of the likeliest symbols contain" if found.ranked else "intervals contain"
    shares = "; ".join(f"{x:.0%} {first} {y:.1%}" for x, y in zip(LEVELS, held, strict=True))
    words = f"How many {what} lie in the {places}: {shares}."
    rows = tuple((f"{x:.0%}", f"{y:.2%}") for x, y in zip(LEVELS, held, strict=True))
    return chart("Coverage", words, draw, table=Table(("predicted probability", f"{what} inside"), rows))


def verdict(found: Calibration) -> str:
    """Return in words whether a model is calibrated.

    Args:
        found: The calibration of a model.
    """
    gap, count = float(np.mean([found.coverage(level) - level for level in LEVELS])), len(found.pit)
    what, values = ("sets of the likeliest symbols", "symbols") if found.ranked else ("intervals", "values")
    # the bound is twice the standard error of the mean gap, and at least one percent
    if abs(gap) < max(0.01, 0.6 / np.sqrt(count)):
        few = f" With only {count} predictions, only a gross error would be visible." if count < 200 else ""
        return f"The {what} contain about as many {values} as the model predicts.{few}"
    more, width = ("more", "too wide") if gap > 0 else ("fewer", "too narrow")
    sure = "the model is less certain than it could be" if gap > 0 else "the model is too certain"
    return (
        f"On average, the {what} contain {100 * abs(gap):.1f} percentage points {more} {values} than predicted. "
        f"They are {width}: {sure}."
    )


#: The points of a learning curve: the optimiser step, the seconds, and the log-likelihoods of the training and the
#: validation part in nats a step, or a character of text (higher is better). That of the training part is NaN before
#: the first step.
Curve = list[tuple[int, float, float, float]]


def curves(found: dict[str, Curve], kept: str, unit: str) -> list[Chart]:
    """Return the learning curves of all models of the ladder in one chart, and that of the kept model in another.

    Args:
        found: The curve of each model by name. It is empty if the model was not trained.
        kept: The name of the kept model.
        unit: The word for what a mean likelihood is for.
    """
    found = {name: curve for name, curve in found.items() if curve}
    charts = [_ladder(found, kept, unit)] if found else []
    return [*charts, *([_kept(found[kept], kept, unit)] if kept in found else [])]


def _ladder(found: dict[str, Curve], kept: str, unit: str) -> Chart:
    """Return the chart of the validation part over the seconds of training, with a line for each model."""
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
        axes.set_ylabel(f"validation, nats a {unit}")
        plain(axes)
        figure.legend(loc="outside upper left", ncols=5)

    best = {name: max(v for _, _, _, v in curve) for name, curve in found.items()}
    figures = ", ".join(f"{k} {v:.4f}" for k, v in best.items())
    words = f"The best log-likelihood of each model on the validation part, in nats a {unit}: {figures}."
    rows = tuple((k, f"{c[-1][0]:,}", f"{c[-1][1]:.1f}", f"{best[k]:.4f}") for k, c in found.items())
    table = Table(("model", "steps", "seconds", f"best, nats a {unit}"), rows)
    return chart("Learning curves of all models", words, draw, height=250, table=table)


def _kept(curve: Curve, kept: str, unit: str) -> Chart:
    """Return the chart of the training and the validation part over the optimiser steps of the kept model."""

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
        axes.set_ylabel(f"nats a {unit}")
        plain(axes)
        figure.legend(loc="outside upper left", ncols=2)

    best = max(curve, key=lambda point: point[3])
    words = (
        f"{kept} was best on the validation part after {best[0]:,} of {curve[-1][0]:,} optimiser steps, with "
        f"{best[3]:.4f} nats a {unit}. "
    )
    if best[0]:
        words += (
            f"The log-likelihood of the training part was then {best[2]:.4f}, a running mean over optimiser steps that "
            "is measured with dropout."
        )
    else:
        words += "No later step was better than the start, from which it predicts as the closed form does."
    points = _thinned(curve, 12)
    rows = tuple((f"{n:,}", f"{s:.1f}", f"{t:.4f}" if n else "", f"{v:.4f}") for n, s, t, v in points)
    table = Table(("step", "seconds", "training", "validation"), rows)
    return chart("Learning curve of the kept model", words, draw, height=250, table=table)


def _marker(curve: Curve) -> str:
    """Return the marker of the points of a curve: a dot if the points are few."""
    return "." if len(curve) < 10 else ""


def _thinned(curve: Curve, count: int = POINTS) -> Curve:
    """Return at most ``count`` points of a curve, with the first and the last among them."""
    places = np.unique(np.linspace(0, len(curve) - 1, count).round().astype(int))
    return [curve[i] for i in places]


def _from_where_it_matters(axes: Any, values: list[float]) -> None:
    """Limit the vertical axis if the first steps are so bad that the rest of the curve would look flat."""
    low, middle, high = np.quantile(np.array(values), [0.0, 0.25, 1.0])
    if middle - low > 3 * (high - middle) > 0:
        axes.set_ylim(middle - (high - middle), high + 0.1 * (high - middle))
