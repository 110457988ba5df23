"""The section "How far back": the gradient through time and the gain of the past, drawn from a diagnosis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ostinato.diagnosis.picture import gain, gains_of, gradient
from ostinato.diagnosis.result import WORTH, Diagnosis
from ostinato.numbers import counted
from ostinato.report.chart import BLUE, INK, MIDDLE, RED, Chart, Table, chart, plain

#: The number of rows in a table of lags. They lie on a geometric grid.
ROWS = 12


def charts(found: Diagnosis) -> list[Chart]:
    """Return the chart of the gradient, if any gradient comes back, and the chart of the gain of the past.

    Args:
        found: A diagnosis.
    """
    return [*([_gradient(found)] if found.flowing else []), _gain(found)]


def facts(found: Diagnosis) -> list[tuple[str, str]]:
    """Return the numbers behind the verdict, each with its name.

    Args:
        found: A diagnosis.
    """
    out = []
    if found.window is not None:
        out.append(("window of the model", f"{_steps(found.window)}: older inputs cannot reach its predictions"))
    if found.flowing:
        beyond = f"more than {counted(found.lags[-1], 'step')}"
        reach = beyond if found.effective_memory is None else _steps(found.effective_memory)
        out.append(("reach of the gradient", f"{reach}: the norms up to this lag are 99 % of their sum over all lags"))
    if found.lyapunov is not None:
        change = "grows" if found.lyapunov > 0 else "shrinks"
        error = "" if found.lyapunov_error is None else f" \u00b1 {found.lyapunov_error:.4f}"
        out.append(
            (
                "Lyapunov exponent",
                f"{found.lyapunov:.4f}{error} nats a step: a small difference between two hidden states {change}",
            )
        )
    out.append(
        (
            "reach of the model",
            f"{_steps(found.model_reach)}: older inputs improve its log-likelihood by less than {WORTH} nats a step, "
            "or by less than three standard errors",
        )
    )
    out.append(("reach of the data", _data_reach(found)))
    if found.picked:
        out.append(("lags that the reference uses", ", ".join(map(str, found.picked))))
    return [*out, ("reference", found.reference), ("measured on", found.sampled)]


def _data_reach(found: Diagnosis) -> str:
    """Return how far back the past improves predictions, by which model, and what is uncertain about it."""
    if found.reach != found.data_reach:
        return (
            f"{_steps(found.reach)}: so far back the model gains from inputs. It is better than the reference, which "
            f"gains from inputs up to {_steps(found.data_reach)} back"
        )
    words = f"{_steps(found.reach)}: older inputs improve the log-likelihood of the reference by "
    if found.uncertain is None:
        return words + f"less than {WORTH} nats a step"
    gain, error = found.uncertain
    return words + f"another {gain:.4f} \u00b1 {error:.4f} nats a step, which is less than two standard errors"


def _steps(count: int) -> str:
    """Return a number of steps in words."""
    return counted(count, "step")


def _gradient(found: Diagnosis) -> Chart:
    """Return the chart of the norm of the gradient by lag, with a line for each layer."""
    lags = found.lags

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        gradient(axes, found, (BLUE, INK, RED), MIDDLE)
        plain(axes)
        figure.legend(loc="outside upper left", ncols=3)

    ends = []
    for layer in found.flows:
        first, last = layer.median[0], layer.median[-1]
        ends.append(f"{layer.layer}: {first:.2g} at lag {lags[0]}, {last:.2g} at lag {lags[-1]:,}")
    words = (
        "How strongly the loss at step t depends on the hidden state k steps earlier: the median over the sampled "
        "steps, with the quartiles as a band. " + "; ".join(ends) + "."
    )
    rows = _spread(len(lags))
    head = (
        "lag",
        *(f"{layer.layer}, {part}" for layer in found.flows for part in ("lower quartile", "median", "upper quartile")),
    )
    numbers = [
        (f"{lags[i]:,}", *(f"{x:.3g}" for f in found.flows for x in (f.lower[i], f.median[i], f.upper[i])))
        for i in rows
    ]
    return chart("The gradient by lag", words, draw, height=250, table=Table(head, tuple(numbers)))


def _gain(found: Diagnosis) -> Chart:
    """Return the chart of the gain of the model and of the reference by the number of past steps that are used."""
    gains, rewards = gains_of(found)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        gain(axes, found, BLUE, INK)
        plain(axes)
        figure.legend(loc="outside upper left", ncols=2)

    words = (
        "The gain in log-likelihood over a prediction without any past, by the number of past steps that are used. "
        f"With the whole past, the gain of the model is {found.score - found.scores[0]:.4f} nats a step, and "
        f"that of the reference is {rewards[-1]:.4f}. "
        "The error bars are standard errors of the further gain from older inputs. "
        f"Dotted lines: the reach of the model, {_steps(found.model_reach)}, and the reach of the data, "
        f"{_steps(found.reach)}."
    )
    rows = [
        (f"{cut:,}", *(f"{x:.4f}" for x in numbers))
        for cut, *numbers in zip(found.cuts, gains, found.errors, rewards, found.reward_errors, strict=True)
    ]
    head = ("past, steps", "the model gains", "standard error", "the reference gains", "standard error")
    return chart("The gain from the past", words, draw, height=250, table=Table(head, tuple(rows)))


def _spread(count: int) -> list[int]:
    """Return at most ROWS places in 0 .. count - 1 on a geometric grid."""
    return sorted({int(i) for i in np.geomspace(1, count, min(ROWS, count)).round() - 1})
