"""The state after a history, and the sample paths from a state: shared by forecast and sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ostinato.data.encoded import Encoded
from ostinato.emissions.emission import Support
from ostinato.inference.live.paths import KeptSteps, plain_paths
from ostinato.model import SequenceModel
from ostinato.shapes import State


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
    state, window = model.initial_state(len(rows)), window_of(model)
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
    generator: torch.Generator,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    end: int | None = None,
    keep: KeptSteps | None = None,
) -> Tensor:
    """Sample x_{t+1} .. x_{t+horizon} one after the other from P(x_t | x_<t), for every row of a state.

    Args:
        model: The model.
        state: The state after x_t, (B, ...) each.
        support: The support of the values, (B, D) each.
        horizon: The number T of steps.
        generator: The source of randomness.
        temperature: Below 1 the draws keep to likely values; above 1 they vary more.
        top_p: Draw only from the likeliest symbols that have this probability together.
        end: The end symbol; sampling stops when every row has drawn it. None if there is no end.
        keep: What takes the distributions of the first steps.

    Returns:
        The sample paths in model space on the CPU, (T, B, D).
    """
    plain = plain_paths(model) if top_p == 1.0 and not bool((support.unit > 0).any()) else None
    if plain is not None:
        seed = int(torch.randint(2**62, (), generator=generator))
        return plain.draw(state, horizon, np.random.default_rng(seed), support, temperature, keep)
    out, ended = [], torch.zeros(len(state[0]), dtype=torch.bool, device=state[0].device)
    for _ in range(horizon):
        conditional, middle = model.predict(state)
        if keep is not None and keep.open:
            keep.append(conditional)
        x = conditional.sample(support, generator, temperature, top_p)
        if not model.description.traits.numeric:
            x = x.to(torch.int64)
        out.append(x)
        if end is not None:
            ended |= (x == end).any(-1)
            if bool(ended.all()):
                break
        state = model.observe(middle, x)
    return torch.stack(out).cpu()


def one_step(rows: int) -> Callable[[SequenceModel], None]:
    """Return a function that takes one step of sample paths with a model, to time it.

    Args:
        rows: The number of paths.
    """

    def run(model: SequenceModel) -> None:
        conditional, middle = model.predict(model.initial_state(rows))
        model.observe(middle, conditional.params.new_zeros(rows, model.channels).to(model.value_type))

    return run


def window_of(model: SequenceModel) -> int:
    """Return the number of steps to unroll at a time, which bounds memory for sequences of any length."""
    return max(64, min(1024, 131_072 // (model.encoding.vocabulary_size or 64)))
