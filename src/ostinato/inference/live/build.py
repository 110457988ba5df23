"""The step of a model in plain numbers, if every part of the model has such a form."""

from __future__ import annotations

import numpy as np
import torch

from ostinato.data.amplitude import Amplitude
from ostinato.inference.live.counts import LiveCounts
from ostinato.inference.live.filters import LiveFilters
from ostinato.inference.live.numbers import LiveNumbers
from ostinato.inference.live.robust import Robust
from ostinato.inference.live.smoothing import LiveSmoothing
from ostinato.inference.live.step import Live, steps_of
from ostinato.inference.live.symbols import LiveSymbols
from ostinato.layers.front import FilterFront, InnovationFront, SmoothingFront, SymbolFront
from ostinato.model import SequenceModel
from ostinato.ops.selection import prefers_native


def live(model: SequenceModel, unique_id: str, step: float = 1.0, robust: Robust | None = None) -> Live | None:
    """Return the step of a model in plain numbers for one series; None if a part of the model has no such form.

    The form exists for continuous values with a normal or Student's t emission, and for symbols with a categorical
    emission, if every layer of the backbone has a live step and the model is on the CPU. It also exists for adaptive
    filters and exponential smoothing without a backbone, and for adaptive counts, alone or mixed with a network.

    Args:
        model: The model.
        unique_id: The id of the series, which decides its location and scale.
        step: The spacing of the amplitudes of a sound.
        robust: Which values the state does not believe; adaptive filters have no form for it.
    """
    if model.device.type != "cpu":
        return None
    if isinstance(model.front, FilterFront):
        return _filters(model, model.front, unique_id, step) if robust is None else None
    return LiveCounts.of(model) if model.adaptive else _cells(model, unique_id, robust)


def _cells(model: SequenceModel, unique_id: str, robust: Robust | None) -> Live | None:
    """Return the step of a model without a backbone, or whose layers all have a live step; None for other models."""
    steps, emission = steps_of(model), model.emission
    if steps is None:
        return None
    match model.front, model.encoding.affine(unique_id):
        case InnovationFront(ar=ar), (location, scale) if emission.plain_density is not None:
            return LiveNumbers(model, steps, ar, location, scale, robust)
        case SmoothingFront(smoothing=smoothing), (location, scale) if emission.plain_density is not None:
            return LiveSmoothing(model, smoothing, location, scale, robust)
        case SymbolFront(markov=None) as front, None if emission.symbolic:
            return LiveSymbols(model, steps, front)
        case _:
            return None


def _filters(model: SequenceModel, front: FilterFront, unique_id: str, step: float) -> Live | None:
    """Return the step of adaptive filters; None with a network, with a bound, or for returns of prices."""
    bare = model.backbone is None and not bool(model.constant.any()) and model.constant.dtype == torch.float32
    bounded = bool(np.isfinite(model.encoding.least()).any() or np.isfinite(model.encoding.greatest()).any())
    if not bare or bounded or model.description.traits.log_returns or not prefers_native("filter"):
        return None
    if isinstance(model.encoding, Amplitude):
        return LiveFilters(model, front.filters, 0.0, model.encoding.scale, step)
    affine = model.encoding.affine(unique_id)
    return None if affine is None else LiveFilters(model, front.filters, *affine, 0.0)
