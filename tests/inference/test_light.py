"""Texts drawn by recurrent weights of 8 bits: the rounding is bounded, and texts are made as in float32."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.errors import ConfigError
from ostinato.inference.live import logits
from ostinato.inference.sample import _in_precision, sample
from ostinato.model import SequenceModel
from ostinato.ops.engine import extension, light
from zoo import fitted

pytestmark = pytest.mark.skipif(bool(extension.ABSENT), reason=str(extension.ABSENT))


@given(st.integers(1, 3), st.integers(1, 11), st.integers(0, 2**32 - 1), st.sampled_from([1e-20, 1.0, 1e20]))
@settings(max_examples=60, deadline=None)
def test_no_weight_moves_by_more_than_half_a_place(rows: int, hidden: int, seed: int, size: float) -> None:
    weight = torch.randn(rows, hidden, generator=torch.Generator().manual_seed(seed)) * size
    weight[0, seed % hidden] = 0.0
    moved = (light.Rounded(weight).weight - weight).abs()
    assert bool((moved <= weight.abs().amax(-1, keepdim=True) / 254 * (1 + 1e-5)).all())


def test_a_layer_is_the_same_to_the_bit_for_any_number_of_rows() -> None:
    model = fitted("text", "lstm")
    one, many = (sample(model, 80, n_samples=n, precision="int8", threads=2) for n in (1, 37))
    assert many[:1] == one


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("kind", ["text", "lines"])
def test_few_texts_are_the_first_of_many_by_the_same_weights(kind: str, name: str) -> None:
    model = fitted(kind, name)
    few, many = (sample(model, 30, n_samples=n, prompt="a", precision="int8") for n in (2, 9))
    assert few == many[:2]


@pytest.mark.parametrize("kind", ["text", "lines"])
def test_texts_by_eight_bits_end_and_are_shown_as_other_texts_are(kind: str) -> None:
    """The engine's call for many symbols gives what a call for each symbol gives."""
    model = fitted(kind, "gru")
    pieces: list[str] = []
    whole = sample(model, 70, prompt="a", precision="int8")
    assert sample(model, 70, prompt="a", precision="int8", on_text=pieces.append) == whole
    assert "".join(pieces) == whole[0]
    stopped = sample(model, 70, prompt="a", precision="int8", stop=whole[0][3:5])[0]
    assert whole[0].startswith(stopped)
    assert stopped.endswith(whole[0][3:5])


def test_rounded_copies_are_made_once_and_again_after_a_change() -> None:
    model = copy.deepcopy(fitted("text", "lstm"))
    first = _in_precision(model, "int8")
    assert first is not model
    assert _in_precision(model, "int8") is first
    assert logits.prepared_of(first, 1) is logits.prepared_of(first, 2) is not None
    assert logits.prepared_of(model, 1) is not logits.prepared_of(model, 1)
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    assert _in_precision(model, "int8") is not first


def test_eight_bits_are_close_to_float32() -> None:
    model = fitted("text", "lstm")
    x = torch.tensor([1, 2, 1, 3, 3, 2]).reshape(-1, 1, 1)
    with torch.no_grad():
        exact, near = (m.unroll(x)[0].params.double().log_softmax(-1) for m in (model, _in_precision(model, "int8")))
    assert float((exact.exp() * (exact - near)).sum(-1).max()) < 1e-3


@pytest.mark.parametrize(("kind", "name"), [("series", "lstm"), ("text", "ar"), ("text", "conv")])
def test_what_has_no_such_weights_is_refused(kind: str, name: str) -> None:
    model = fitted(kind, name)
    assert isinstance(model, SequenceModel)
    with pytest.raises(ConfigError, match="precision int8 needs"):
        sample(model, 3, precision="int8")


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown precision 'int4'"):
        sample(fitted("text", "lstm"), 3, precision="int4")
