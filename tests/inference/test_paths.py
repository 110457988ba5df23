"""Sample paths in plain numbers are those of the model: with no noise the same values, with noise its law."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ostinato.emissions.emission import Support
from ostinato.inference.live.paths import plain_paths
from ostinato.inference.rollout import state_after
from ostinato.model import SequenceModel
from ostinato.shapes import State
from zoo import KINDS, NUMBERS, fitted, made

#: Adaptive filters assert a mixture, and the state of exponential smoothing has a matrix: neither has a plain path.
PLAIN = [
    (kind, name)
    for kind, name in NUMBERS
    if KINDS[kind].emission in ("normal", "student_t") and "counts" not in kind and name not in ("filter", "ets")
]


def after(kind: str, name: str) -> tuple[SequenceModel, State]:
    """Return a model, and its state after the first, third and last sequence, one of which is short."""
    model, data = fitted(kind, name), made(kind).take([0, 1, 4])
    with torch.no_grad():
        return model, state_after(model, model.encoding.encode(data), [0, 1, 2])


def support_of(kind: str, model: SequenceModel, times: int) -> Support:
    """Return the support of the three sequences of ``after``, each row ``times`` times."""
    encoded = model.encoding.encode(made(kind))
    return Support(*(s[:3].repeat_interleave(times, 0) for s in (encoded.unit, encoded.low, encoded.high)))


def test_the_models_with_plain_paths_are_known() -> None:
    for kind, name in NUMBERS:
        assert (plain_paths(fitted(kind, name)) is not None) == ((kind, name) in PLAIN), kind


@pytest.mark.parametrize(("kind", "name"), PLAIN)
@torch.no_grad()
def test_a_path_without_noise_follows_the_locations(kind: str, name: str) -> None:
    model, state = after(kind, name)
    plain = plain_paths(model)
    assert plain is not None
    support = support_of(kind, model, 1)
    path = plain.draw(state, 7, np.random.default_rng(0), support, 0.0)
    for t in range(7):
        conditional, middle = model.predict(state)
        x = conditional.sample(support, torch.Generator(), 0.0)
        torch.testing.assert_close(path[t], x, rtol=1e-4, atol=1e-5)
        state = model.observe(middle, path[t])


@pytest.mark.parametrize(
    ("kind", "name"),
    [("prices", "gru"), ("prices", "ar"), ("channels", "lstm"), ("nonnegative", "gru"), ("nonnegative channels", "ar")],
)
@torch.no_grad()
def test_each_step_is_drawn_given_the_path_before_it(kind: str, name: str) -> None:
    """The PIT of every step of many paths under the model's own conditional is uniform."""
    model, state = after(kind, name)
    plain, many = plain_paths(model), model.repeated(state, 3000)
    assert plain is not None
    support = support_of(kind, model, 3000)
    path = plain.draw(many, 4, np.random.default_rng(0), support, 1.0)
    for t in range(4):
        conditional, middle = model.predict(many)
        pit = np.sort(conditional.cdf(path[t], support).flatten().numpy())
        distance = np.abs(pit - (np.arange(len(pit)) + 0.5) / len(pit)).max()
        assert distance < 2.2 / np.sqrt(len(pit)), t  # one in eight thousand by chance
        many = model.observe(middle, path[t])
