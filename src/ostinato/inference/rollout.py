"""The state after a history, and the sample paths from a state: shared by forecast and sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ostinato.data.encoded import Encoded
from ostinato.emissions.choice import Choice
from ostinato.emissions.draws import RowGenerators, Source, in_numpy
from ostinato.emissions.emission import Support
from ostinato.inference.live.paths import KeptSteps, plain_paths
from ostinato.inference.writing import Writing, drawn_symbols, written_symbols
from ostinato.model import SequenceModel
from ostinato.shapes import State

#: The fewest steps that are unrolled at a time, and the probabilities of symbols that are held at a time, which are
#: 32 MB.
LEAST_WINDOW, PROBABILITIES = 64, 1 << 23
#: A draw from the distribution itself.
PLAIN = Choice()


def state_after(model: SequenceModel, encoded: Encoded, rows: list[int]) -> State:
    """Return the state after all steps of some sequences, unrolled a window at a time.

    Args:
        model: The model.
        encoded: Sequences in model space.
        rows: The B sequences.

    Returns:
        The state, (B, ...) each.
    """
    lengths = torch.tensor([int(encoded.lengths[b]) for b in rows])
    state, window = model.initial_state(len(rows)), window_of(model, max(len(rows), 1))
    for start in range(0, int(lengths.max()) if rows else 0, window):
        left = (lengths - start).clamp(0, window)
        x = torch.zeros(int(left.max()), len(rows), encoded.values.shape[1], dtype=encoded.values.dtype)
        for b, row in enumerate(rows):
            at = int(encoded.offsets[row]) + start
            x[: int(left[b]), b] = encoded.values[at : at + int(left[b])]
        # without lengths the fastest implementation can run
        given = None if bool((left == len(x)).all()) else left.to(model.device)
        _, state = model.unroll(x.to(model.device), state, given)
    return state


def paths(
    model: SequenceModel,
    state: State,
    support: Support,
    horizon: int,
    generator: Source,
    *,
    choice: Choice = PLAIN,
    writing: Writing | None = None,
    keep: KeptSteps | None = None,
) -> Tensor:
    """Sample x_{t+1} .. x_{t+horizon} one after the other from P(x_t | x_<t), for every row of a state.

    Args:
        model: The model.
        state: The state after x_t, (B, ...) each.
        support: The support of the values, (B, D) each.
        horizon: The number T of steps.
        generator: The source of randomness: one of all rows, or one of each. Texts have one of each in any case.
        choice: The options of the draws; numbers have a temperature alone.
        writing: What ends a text. None draws T symbols of each row, whether they are a text or not.
        keep: What takes the distributions of the first steps of numbers.

    Returns:
        The sample paths in model space on the CPU, (T, B, D). Symbols are -1 after the end of a text, and there are
        fewer than T steps if all texts have ended.
    """
    if not model.description.traits.numeric:
        assert isinstance(generator, torch.Generator)
        seed = int(torch.randint(2**62, (), generator=generator))
        if writing is None:
            steps = drawn_symbols(model, state, horizon, choice, seed, int(support.low.max()))
        else:
            steps = written_symbols(model, state, horizon, choice, seed, writing)
        return torch.from_numpy(np.stack(list(steps)))[..., None]
    temperature = choice.temperature
    plain = plain_paths(model) if not bool((support.unit > 0).any()) else None
    if plain is not None:
        return plain.draw(state, horizon, in_numpy(generator), support, temperature, keep)
    out = []
    for _ in range(horizon):
        conditional, middle = model.predict(state)
        if keep is not None and keep.open:
            keep.append(conditional)
        x = conditional.sample(support, generator, temperature)
        out.append(x)
        state = model.observe(middle, x)
    return torch.stack(out).cpu()


def generators(model: SequenceModel, seed: int, rows: int) -> Source:
    """Return the source of randomness of samples: whatever the number of rows, one row has the same numbers.

    Args:
        model: The model.
        seed: The seed of all rows.
        rows: The number of rows.
    """
    return RowGenerators.of(seed, rows) if model.description.traits.numeric else torch.Generator().manual_seed(seed)


def one_step(rows: int) -> Callable[[SequenceModel], None]:
    """Return a function that takes one step of sample paths with a model, to time it.

    Args:
        rows: The number of paths.
    """

    def run(model: SequenceModel) -> None:
        conditional, middle = model.predict(model.initial_state(rows))
        model.observe(middle, conditional.params.new_zeros(rows, model.channels).to(model.value_type))

    return run


def window_of(model: SequenceModel, rows: int = 1) -> int:
    """Return the number of steps to unroll at a time, which bounds memory for sequences of any length.

    Args:
        model: The model.
        rows: The sequences that are unrolled side by side.
    """
    return max(LEAST_WINDOW, min(1024, PROBABILITIES // (rows * (model.encoding.vocabulary_size or 1))))
