"""Texts that the engine draws in blocks: they follow the likelihood, and are those of a step at a time."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from ostinato.data.alphabet import Alphabet
from ostinato.data.readable import Readable
from ostinato.emissions.choice import Choice
from ostinato.inference import writing
from ostinato.inference.live import logits
from ostinato.inference.sample import sample
from ostinato.model import SequenceModel
from ostinato.ops.engine import extension
from zoo import WORDS, fitted

pytestmark = pytest.mark.skipif(bool(extension.ABSENT), reason=str(extension.ABSENT))

NETWORKS = ("rnn", "gru", "lstm")
OPTIONS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"temperature": 1.7, "top_k": 3},
    {"top_p": 0.8},
    {"temperature": 0.6, "min_p": 0.2, "prompt": "ab☃"},
    {"stop": ["ab", "ca"], "prompt": "b"},
]


@pytest.fixture
def step_by_step(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that draws as ``sample`` does, by NumPy and one step a call."""

    def draw(*args: Any, **options: Any) -> list[str]:
        with monkeypatch.context() as patch:
            patch.setattr(logits, "prepared_of", lambda *_: None)
            patch.setattr(writing, "BLINK", 0.0)
            return sample(*args, **options)

    return draw


@pytest.mark.parametrize("how", OPTIONS)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", WORDS)
def test_texts_are_those_of_numpy_by_the_same_numbers(
    kind: str, name: str, how: dict[str, Any], step_by_step: Any
) -> None:
    model = fitted(kind, name)
    assert isinstance(
        logits.writer_of(model, model.initial_state(1), 9), logits._EngineWriter
    )  # else this compares nothing
    for rows in (1, 5, 64):
        assert sample(model, 70, n_samples=rows, seed=rows, **how) == step_by_step(
            model, 70, n_samples=rows, seed=rows, **how
        )


@pytest.mark.parametrize("name", [*NETWORKS, "conv", "linear", "ar"])
@pytest.mark.parametrize("kind", WORDS)
def test_blocks_do_not_change_a_text(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(kind, name)
    whole = sample(model, 150, n_samples=3, stop="bcb", seed=3)
    pieces: list[str] = []
    shown = sample(model, 150, stop="bcb", seed=3, on_text=pieces.append)
    assert shown == whole[:1] == ["".join(pieces)]
    monkeypatch.setattr(writing, "BLINK", 0.0)
    assert sample(model, 150, n_samples=3, stop="bcb", seed=3) == whole


@pytest.mark.parametrize("temperature", [1.0, 0.7, 2.0])
@pytest.mark.parametrize("name", NETWORKS)
def test_draws_follow_the_likelihood(name: str, temperature: float) -> None:
    """Chi-square of 20,000 texts of three symbols against the probability of each, by ``unroll``."""
    model = fitted("text", name)
    alphabet = model.encoding
    assert isinstance(alphabet, Alphabet)
    every = list(itertools.product(range(1, alphabet.size), repeat=3))
    x = torch.tensor(every).T[..., None]
    with torch.no_grad():
        found = model.unroll(x)[0].params[:, :, 0].double() / temperature
    found[..., 0] = -torch.inf  # the unknown symbol is not drawn
    p = found.log_softmax(-1).gather(-1, x)[..., 0].sum(0).exp().numpy()
    np.testing.assert_allclose(p.sum(), 1.0, rtol=1e-5)
    texts = sample(model, 3, n_samples=20_000, temperature=temperature, seed=11)
    number = {alphabet.text(np.array(symbols)): i for i, symbols in enumerate(every)}
    counts = np.bincount([number[text] for text in texts], minlength=len(every))
    common = p * len(texts) >= 5
    seen, wanted = (np.append(v[common], v[~common].sum() + extra) for v, extra in ((counts, 1), (p * len(texts), 1)))
    assert stats.chisquare(seen, wanted * seen.sum() / wanted.sum()).pvalue > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_texts_are_the_same_for_any_number_of_texts_and_threads(name: str) -> None:
    model = fitted("text", name)
    one, many, more = (sample(model, 90, n_samples=n, threads=t, seed=5) for n, t in ((1, 1), (64, 1), (130, 2)))
    assert one == many[:1]
    assert many == more[:64]


def test_changed_weights_are_drawn_from() -> None:
    model = copy.deepcopy(fitted("text", "lstm"))
    assert isinstance(model, SequenceModel)
    before = sample(model, 40, seed=1)
    assert model.head is not None
    with torch.no_grad():
        model.head.weight.data.mul_(-30.0)  # which no version counts
    assert sample(model, 40, seed=1) != before


def test_the_likeliest_symbol_is_taken_at_temperature_zero() -> None:
    model = fitted("text", "gru")
    drawn = logits.writer_of(model, model.initial_state(2), 30)
    every = np.arange(model.encoding.vocabulary_size or 0)[None] >= 1
    readable = Readable(every, np.zeros(every.shape, dtype=np.int64), np.zeros(1, dtype=np.int64))
    drawing = logits.Drawing(Choice(0.0), readable, -1, np.zeros(2, dtype=np.int64), np.zeros(2, dtype=bool))
    symbols = torch.from_numpy(drawn.write(drawing, np.random.default_rng(1).random((30, 2)), 30))
    with torch.no_grad():
        found = model.unroll(symbols[..., None])[0].params[:, :, 0]
    found[..., 0] = -torch.inf
    assert torch.equal(found.argmax(-1), symbols)
