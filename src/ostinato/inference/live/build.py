"""The plain form of a model, where it has one."""

from __future__ import annotations

import numpy as np

from ostinato.data.alphabet import Alphabet
from ostinato.data.scaling import Scaling
from ostinato.inference.live.numbers import LiveNumbers
from ostinato.inference.live.step import Live, steps_of
from ostinato.inference.live.symbols import LiveSymbols
from ostinato.layers.front import InnovationFront, SymbolFront
from ostinato.model import SequenceModel


def live(model: SequenceModel, unique_id: str) -> Live | None:
    """The model's step in plain numbers, for the series unique_id; None where one of its parts has no plain form.

    It has one where values are continuous or symbols, the emission is normal, Student-t or categorical, and the memory
    is one that the engine steps.
    """
    steps = steps_of(model)
    if steps is None:
        return None
    match model.encoding, model.front:
        case Scaling(counts=False) as scaling, InnovationFront(ar=ar) if model.emission.plain_density is not None:
            location, scale = scaling.per_id.get(unique_id, (scaling.location, scaling.scale))
            return LiveNumbers(model, steps, ar, np.array(location), np.array(scale))
        case Alphabet() as alphabet, SymbolFront(markov=None) as front if model.emission.symbolic:
            return LiveSymbols(model, steps, front, alphabet)
        case _:
            return None
