"""The plain form of a model, where it has one."""

from __future__ import annotations

import numpy as np
import torch

from ostinato.data.alphabet import Alphabet
from ostinato.data.scaling import Scaling
from ostinato.emissions.live import DENSITIES
from ostinato.inference.live.numbers import LiveNumbers
from ostinato.inference.live.step import Live
from ostinato.inference.live.symbols import LiveSymbols
from ostinato.layers.cell import Cell
from ostinato.layers.front import Innovations, Symbols
from ostinato.layers.stack import Stack
from ostinato.model import SequenceModel


def live(model: SequenceModel, unique_id: str) -> Live | None:
    """The model's step in plain numbers, for the series unique_id; None where one of its parts has no plain form.

    It has one where values are continuous or symbols, the emission is normal, Student-t or categorical, and the memory
    is one that the engine steps.
    """
    layers = list(model.memory.layers) if isinstance(model.memory, Stack) else []
    steps = [layer.live() for layer in layers if isinstance(layer, Cell)]
    whole = [step for step in steps if step is not None]
    if model.constant.dtype != torch.float32 or len(whole) < len(layers) or (model.memory is not None and not whole):
        return None
    match model.encoding, model.front:
        case Scaling(counts=False) as scaling, Innovations(ar=ar) if model.emission.name in DENSITIES:
            location, scale = scaling.per_id.get(unique_id, (scaling.location, scaling.scale))
            return LiveNumbers(model, whole, ar, np.array(location), np.array(scale))
        case Alphabet() as alphabet, Symbols(markov=None) as front if model.emission.name == "categorical":
            return LiveSymbols(model, whole, front, alphabet)
        case _:
            return None
