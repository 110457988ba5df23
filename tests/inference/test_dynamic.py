"""``score(adapt=True)`` of a network: dynamic evaluation predicts each window before it learns from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import ostinato
from ostinato.errors import ConfigError
from ostinato.inference.dynamic import WINDOW
from ostinato.inference.score import score
from zoo import fitted, made

NETWORKS = ("linear", "rnn", "gru", "lstm", "conv")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ["text", "lines", "series"])
def test_the_first_window_is_that_of_the_model_and_the_model_stays(kind: str, name: str) -> None:
    model, data = fitted(kind, name), made(kind)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    static, dynamic = score(model, data), score(model, data, adapt=True)
    assert dynamic.adapted
    assert not static.adapted
    first = static.surprisal[:WINDOW] if len(data) == 1 else static.surprisal[: int(data.lengths[0])]
    np.testing.assert_allclose(dynamic.surprisal[: len(first)], first, rtol=1e-4, atol=1e-5)
    assert not np.allclose(dynamic.surprisal, static.surprisal, rtol=1e-4, atol=1e-5, equal_nan=True)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    assert all(p.grad is None for p in model.parameters())


def test_a_step_is_predicted_before_it_is_learned() -> None:
    model, data = fitted("text", "gru"), made("text")
    values = data.values.copy()
    cut = 3 * WINDOW + 20
    values[cut:] = values[0]
    one, other = (score(model, replace(data, values=v), adapt=True).surprisal for v in (data.values, values))
    np.testing.assert_array_equal(one[:cut], other[:cut])


def test_a_text_whose_law_changes_is_learned() -> None:
    letters = np.frombuffer(b"abcd" * 300 + b"dcba" * 300, dtype=np.uint8).astype(np.int32)[:, None]
    data = ostinato.SequenceSet("text", letters, np.array([0, len(letters)]), ("a",))
    first = replace(data, values=letters[:1000], offsets=np.array([0, 1000]))
    model = ostinato.fit(first, model="gru", hidden=16, budget=ostinato.Budget(None, 60), refit=False).model
    static, dynamic = (score(model, data, adapt=how).surprisal for how in (False, True))
    assert dynamic[-600:].mean() < 0.8 * static[-600:].mean()


def test_a_model_without_weights_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not go on learning here"):
        score(fitted("text", "ar"), made("text"), adapt=True)
