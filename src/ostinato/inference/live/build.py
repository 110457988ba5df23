"""The step of a model in plain numbers, if every part of the model has such a form."""

from __future__ import annotations

from ostinato.inference.live.numbers import LiveNumbers
from ostinato.inference.live.step import Live, steps_of
from ostinato.inference.live.symbols import LiveSymbols
from ostinato.layers.front import InnovationFront, SymbolFront
from ostinato.model import SequenceModel


def live(model: SequenceModel, unique_id: str) -> Live | None:
    """Return the step of a model in plain numbers for one series; None if a part of the model has no such form.

    The form exists for continuous values with a normal or Student's t emission, and for symbols with a categorical
    emission, if the engine can step the backbone and the model is on the CPU.

    Args:
        model: The model.
        unique_id: The id of the series, which decides its location and scale.
    """
    if model.device.type != "cpu":
        return None
    steps, emission = steps_of(model), model.emission
    if steps is None:
        return None
    match model.front, model.encoding.affine(unique_id):
        case InnovationFront(ar=ar), (location, scale) if emission.plain_density is not None:
            return LiveNumbers(model, steps, ar, location, scale, model.encoding.least())
        case SymbolFront(markov=None) as front, None if emission.symbolic:
            return LiveSymbols(model, steps, front)
        case _:
            return None
