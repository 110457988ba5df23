"""The pictures of a diagnosis: the gradient through time, and the gain from the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ostinato.data.drawing import PICTURE, legend, stacked_panels, tidy
from ostinato.shapes import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ostinato.diagnosis.result import Diagnosis

#: The least norm that is drawn, as a share of the greatest.
LEAST = 1e-12
RED = "#c0392b"


def figure(found: Diagnosis) -> Figure:
    """Return the picture of a diagnosis: the gradient by lag, if any comes back, above the gain from the past.

    Args:
        found: A diagnosis.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    drawn = stacked_panels(1 + found.flowing)
    if found.flowing:
        gradient(drawn.axes[0], found, (PICTURE.blue, PICTURE.ink, RED), PICTURE.shades[1])
    gain(drawn.axes[-1], found, PICTURE.blue, PICTURE.ink)
    for axes, title in zip(reversed(drawn.axes), ("The gain from the past", "The gradient by lag"), strict=False):
        axes.set_title(title, loc="left", color=PICTURE.ink)
        legend(axes)
        tidy(axes)
    return drawn


def gradient(axes: Any, found: Diagnosis, colours: tuple[str, str, str], band: str) -> None:
    """Draw the norm of the gradient by lag, with a line for each layer.

    Args:
        axes: The axes of a drawing.
        found: A diagnosis.
        colours: The colours of the layers in turn; the last is also that of the reach of the gradient.
        band: The colour of the quartiles of a single layer.
    """
    lags, dashes = np.array(found.lags), ("-", "--", ":", "-.")
    for i, layer in enumerate(found.flows):
        colour = colours[i % len(colours)]
        shade = band if len(found.flows) == 1 else colour
        axes.fill_between(lags, _shown(layer.lower), _shown(layer.upper), color=shade, alpha=0.4, linewidth=0)
        axes.plot(lags, _shown(layer.median), color=colour, linestyle=dashes[i % len(dashes)], label=layer.layer)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.minorticks_off()
    top = max(max(layer.upper) for layer in found.flows)
    axes.set_ylim(max(axes.get_ylim()[0], top * LEAST), 3 * top)
    if found.effective_memory is not None:
        axes.axvline(found.effective_memory, color=colours[-1], linewidth=1, linestyle=":", label="99 % within")
    axes.set_xlabel("lag k, steps")
    axes.set_ylabel("norm of dL(t) / dh(t-k)")


def gain(axes: Any, found: Diagnosis, blue: str, ink: str) -> None:
    """Draw the gain of the model and of the reference by the number of past steps that are used.

    Args:
        axes: The axes of a drawing.
        found: A diagnosis.
        blue: The colour of the model.
        ink: The colour of the reference.
    """
    cuts, (gains, rewards) = np.array(found.cuts), gains_of(found)
    axes.errorbar(
        cuts, rewards, found.reward_errors, color=ink, linestyle="--", elinewidth=1, label="the reference gains"
    )
    axes.errorbar(cuts, gains, found.errors, color=blue, linewidth=2, elinewidth=1, label="the model gains")
    axes.axvline(found.model_reach, color=blue, linewidth=1, linestyle=":")
    axes.axvline(found.reach, color=ink, linewidth=1, linestyle=":")
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlabel("past that is used, steps")
    axes.set_ylabel("gain, nats a step")


def gains_of(found: Diagnosis) -> tuple[Array, Array]:
    """Return the gains of the model and of the reference over no past, at each of ``cuts``, in nats a step."""
    return np.array(found.scores) - found.scores[0], np.array(found.rewards)


def _shown(norms: tuple[float, ...]) -> Array:
    """Return norms for a logarithmic axis: NaN for a norm that underflowed to 0."""
    values = np.array(norms)
    return np.where(values > 0, values, np.nan)
