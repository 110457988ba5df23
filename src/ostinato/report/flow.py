"""How far back: the gradient that comes back through time, and what the past is worth, drawn of a diagnosis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.diagnosis.result import WORTH, Diagnosis
from ostinato.report.chart import BLUE, INK, MIDDLE, RED, Chart, Table, chart, plain

#: Rows of a table of lags: they are spread as the eye sees them, on a geometric grid.
ROWS = 12
#: A norm of less than this share of the greatest is nothing, and not drawn.
LEAST = 1e-12


def charts(found: Diagnosis) -> list[Chart]:
    """The gradient where there is a hidden state for it to come back through, and the worth of the past."""
    return [*([_gradient(found)] if flowing(found) else []), _worth(found)]


def flowing(found: Diagnosis) -> bool:
    """Whether any gradient comes back: not where there is no hidden state, or nothing is read from it."""
    return any(max(layer.upper) > 0 for layer in found.flows)


def facts(found: Diagnosis) -> list[tuple[str, str]]:
    """(what, words): the figures behind the verdict."""
    out = []
    if found.window is not None:
        out.append(("window", f"{_steps(found.window)}: nothing older can reach the model"))
    if flowing(found):
        beyond = f"more than {found.lags[-1]:,} steps"
        memory = beyond if found.effective_memory is None else _steps(found.effective_memory)
        out.append(("effective memory", f"{memory}: 99 % of the gradient's mass has come back by then"))
    if found.lyapunov is not None:
        fate = "grows" if found.lyapunov > 0 else "is forgotten"
        error = "" if found.lyapunov_error is None else f" \u00b1 {found.lyapunov_error:.4f}"
        out.append(
            ("Lyapunov exponent", f"{found.lyapunov:.4f}{error} nats a step: a difference between two states {fate}")
        )
    out.append(
        ("the model gains from", f"{_steps(found.model_reach)}: what is older brings it less than {WORTH} nats a step")
    )
    out.append(("the data reward", f"{_steps(found.data_reach)}, by the gain of {found.reference}"))
    if found.picked:
        out.append(("lags worth a parameter", ", ".join(map(str, found.picked))))
    return [*out, ("looked at", found.sampled)]


def _steps(count: int) -> str:
    return f"{count:,} step{'' if count == 1 else 's'}"


def _gradient(found: Diagnosis) -> Chart:
    lags = np.array(found.lags)
    inks, dashes = (BLUE, INK, RED), ("-", "--", ":", "-.")

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for i, layer in enumerate(found.flows):
            colour = inks[i % len(inks)]
            band = MIDDLE if len(found.flows) == 1 else colour
            axes.fill_between(lags, _shown(layer.lower), _shown(layer.upper), color=band, alpha=0.4, linewidth=0)
            axes.plot(lags, _shown(layer.median), color=colour, linestyle=dashes[i % len(dashes)], label=layer.layer)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.minorticks_off()
        top = max(max(layer.upper) for layer in found.flows)
        axes.set_ylim(max(axes.get_ylim()[0], top * LEAST), 3 * top)
        if found.effective_memory is not None:
            axes.axvline(found.effective_memory, color=RED, linewidth=1, linestyle=":", label="99 % of the mass")
        axes.set_xlabel("lag k, steps")
        axes.set_ylabel("norm of dL(t) / dh(t-k)")
        plain(axes)
        figure.legend(loc="outside upper left", ncols=3)

    said = []
    for layer in found.flows:
        first, last = layer.median[0], layer.median[-1]
        said.append(f"{layer.layer}: {first:.2g} at lag {lags[0]}, {last:.2g} at lag {lags[-1]:,}")
    words = "Median over steps, with the quartiles as a band. " + "; ".join(said) + "."
    rows = _spread(len(lags))
    head = ("lag", *(f"{layer.layer}, {part}" for layer in found.flows for part in ("lower", "median", "upper")))
    numbers = [
        (f"{lags[i]:,}", *(f"{x:.3g}" for f in found.flows for x in (f.lower[i], f.median[i], f.upper[i])))
        for i in rows
    ]
    return chart("What comes back of the gradient", words, draw, height=250, table=Table(head, tuple(numbers)))


def _worth(found: Diagnosis) -> Chart:
    cuts = np.array(found.cuts)
    gains, rewards = np.array(found.scores) - found.scores[0], np.array(found.rewards)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot(cuts, rewards, color=INK, linestyle="--", label="the data reward")
        axes.errorbar(cuts, gains, found.errors, color=BLUE, linewidth=2, elinewidth=1, label="the model gains")
        axes.axvline(found.model_reach, color=BLUE, linewidth=1, linestyle=":")
        axes.axvline(found.data_reach, color=INK, linewidth=1, linestyle=":")
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlabel("past that is seen, steps")
        axes.set_ylabel("gain, nats a step")
        plain(axes)
        figure.legend(loc="outside upper left", ncols=2)

    words = (
        f"The whole past brings the model {found.score - found.scores[0]:.4f} nats a step; beyond "
        f"{_steps(found.model_reach)} it brings less than {WORTH} more. The reference gains {rewards[-1]:.4f}, and "
        f"beyond {_steps(found.data_reach)} less than {WORTH}. Dotted lines are at these lags."
    )
    rows = [
        (f"{k:,}", f"{g:.4f}", f"{e:.4f}", f"{r:.4f}")
        for k, g, e, r in zip(cuts, gains, found.errors, rewards, strict=True)
    ]
    table = Table(("past, steps", "the model gains", "error", "the data reward"), tuple(rows))
    return chart("What the past is worth", words, draw, height=250, table=table)


def _shown(norms: tuple[float, ...]) -> NDArray[np.float64]:
    """Norms on a logarithmic axis: what has underflowed to 0 is not there."""
    values = np.array(norms)
    return np.where(values > 0, values, np.nan)


def _spread(count: int) -> list[int]:
    return sorted({int(i) for i in np.geomspace(1, count, min(ROWS, count)).round() - 1})
