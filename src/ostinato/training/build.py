"""A model before its first gradient step: it corrects a closed form, and starts from its likelihood."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ostinato.assemble import Architecture, assemble
from ostinato.description import Description
from ostinato.emissions.build import default_emission, emission_class
from ostinato.layers.ar import AR
from ostinato.layers.build import SMOOTHED, depth_for
from ostinato.layers.counts import Counts
from ostinato.layers.filter import AdaptiveFilter
from ostinato.layers.markov import Markov
from ostinato.layers.smoothing import Smoothing
from ostinato.model import SequenceModel
from ostinato.training.closed_form import Base
from ostinato.training.config import LadderOptions
from ostinato.training.innovations import start
from ostinato.training.material import Material

#: The most files whose names and lengths a model remembers.
REMEMBERED = 128


def build(
    name: str,
    material: Material,
    base: Base,
    options: LadderOptions,
    *,
    centred: bool = False,
    depth: int | None = None,
    memory: Counts | None = None,
    network: str = "",
) -> SequenceModel:
    """Return a model before its training.

    Args:
        name: "ar", "filter", "ets", "theta", "counts", "mixture" or a backbone.
        material: The data of the fit.
        base: The closed form that the model corrects.
        options: The options of the model.
        centred: Whether the location of a model without a backbone stays at the prediction of the closed form.
        depth: The number of layers. None takes that of the options, and for a convolution as many as reach the farthest
            lag of the closed form.
        memory: The fitted counts of an adaptive model.
        network: The backbone of the network of a mixture.
    """
    data = material.data
    emission = options.emission or default_emission(data.kind, data.count)
    if name in ("ar", *SMOOTHED) and emission_class(emission).needs_counts:
        # a linear prediction may be negative: the closed form predicts with a normal on the whole numbers instead
        emission = "normal"
    components = options.components
    if isinstance(base, AdaptiveFilter):
        # the filters predict a mixture of logistics, whose parameters a network moves
        emission, components = "logistic_mixture", base.form.mixed
    # the chain has counted the steps that a network is trained on, so there it would seem better than it is
    corrected = None if isinstance(base, Markov) and name != "ar" else base
    channels = len(data.channels)
    if depth is None:
        far = 0 if isinstance(base, AdaptiveFilter | Smoothing) else base.order
        depth = depth_for(name, options.depth, far)
    parts = Architecture(
        network or name,
        emission,
        channels,
        options.hidden,
        depth,
        options.dropout,
        options.embedding,
        components,
        {} if corrected is None else _shape(corrected),
        {} if memory is None else memory.config(),
    )
    source = {**data.meta, "channels": list(data.channels), "frequency": data.frequency, "count": data.count}
    if (files := _files(material)) is not None:
        source["files"] = files
    description = Description(name, data.kind, {"parts": parts.to_json()}, source)
    # a copy, because the model may move to a GPU, and the next model is built on the same closed form
    model = assemble(parts, material.encoding, description, copy.deepcopy(corrected), memory)
    if isinstance(base, AR | Smoothing):
        start(model, material, centred)
    return model


def _files(material: Material) -> dict[str, list[Any]] | None:
    """Return the names and lengths of some files that a model is fitted to; None for data whose sequences are no files.

    ``compress`` takes similar names and lengths for likely. The files are spread evenly over all, in their order.
    """
    data = material.data
    if data.traits.tabular or data.terminated:
        return None
    known = np.flatnonzero(material.split.stops[:, 1] > 0).tolist()
    if len(known) < 2:
        return None
    some = [known[i * len(known) // REMEMBERED] for i in range(REMEMBERED)] if len(known) > REMEMBERED else known
    files = {"names": [data.ids[b] for b in some], "lengths": data.lengths[some].tolist()}
    return files if data.step is None else {**files, "steps": data.step[some].astype(int).tolist()}


def _shape(base: Base) -> dict[str, Any]:
    """Return the kind and the sizes of a closed form, as the description of a model holds them."""
    match base:
        case AdaptiveFilter():
            return {"filter": base.form.to_json()}
        case Smoothing():
            return {"smoothing": base.to_json()}
        case AR():
            ar = {"order": base.order, "lags": list(base.lags), "channels": base.output_size}
            return {"ar": {**ar, "trend": False, "volatility": base.volatility is not None}}
        case Markov():
            return {"markov": base.config()}
