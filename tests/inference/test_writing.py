"""Texts that are drawn: the bounds of a draw, rows that stand alone, stop strings, and text that can be read back."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ostinato.data.alphabet import Alphabet
from ostinato.data.lines import decode
from ostinato.data.readable import Readable
from ostinato.data.spelling import spelling_from_json
from ostinato.emissions.choice import Choice
from ostinato.inference.live.logits import _PlainLogits, logits_of
from ostinato.inference.sample import sample
from ostinato.inference.writing import stop_strings
from ostinato.ops.engine import extension
from zoo import BACKBONES, WORDS, fitted

PAIRS = [(kind, name) for kind in WORDS for name in BACKBONES]
P = np.array([0.25, 0.05, 0.4, 0.2, 0.1])


def shares(choice: Choice, count: int = 20_000) -> np.ndarray:
    u = np.random.default_rng(1).random(count)
    return np.bincount(choice.pick(np.log(P)[None].repeat(count, 0), u), minlength=len(P)) / count


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (Choice(), [0, 1, 2, 3, 4]),
        (Choice(top_k=1), [2]),
        (Choice(top_k=3), [0, 2, 3]),
        (Choice(top_k=99), [0, 1, 2, 3, 4]),
        (Choice(min_p=0.5), [0, 2, 3]),
        (Choice(min_p=1.0), [2]),
        (Choice(top_p=0.6), [0, 2]),
        (Choice(top_k=2, top_p=0.6), [2]),
        (Choice(top_k=4, min_p=0.4), [0, 2, 3]),
    ],
)
def test_the_bounds_keep_the_likeliest_in_their_proportions(choice: Choice, kept: list[int]) -> None:
    found, expected = shares(choice), np.zeros(len(P))
    expected[kept] = P[kept] / P[kept].sum()
    assert set(np.flatnonzero(found)) == set(kept)
    # one cell alone has no degrees of freedom, so a cell of 1 is added to both sides
    others = np.array([1.0]), np.array([1.0])
    seen, wanted = (np.concatenate([p[kept] * 20_000, one]) for p, one in zip((found, expected), others, strict=True))
    assert stats.chisquare(seen, wanted).pvalue > 1e-4


@given(st.lists(st.floats(-40, 40), min_size=1, max_size=9), st.floats(0, 1, exclude_max=True), st.integers(0, 8))
@settings(max_examples=100, deadline=None)
def test_one_row_is_drawn_as_in_a_batch_and_never_an_impossible_symbol(z: list[float], u: float, out: int) -> None:
    logits = np.array([*z, 0.0])
    logits[out % len(z)] = -np.inf
    for choice in (Choice(), Choice(top_k=2), Choice(0.3, 0.9, None, 0.1), Choice(temperature=0.0)):
        alone = choice.pick(logits[None], np.array([u]))
        batch = choice.pick(logits[None].repeat(3, 0), np.array([u, 0.0, np.nextafter(1.0, 0.0)]))
        assert alone[0] == batch[0]
        assert np.isfinite(logits[batch]).all()


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_the_first_texts_of_more_are_those_of_fewer(kind: str, name: str) -> None:
    model = fitted(kind, name)
    many = sample(model, 70, n_samples=5, seed=4)
    assert sample(model, 70, n_samples=1, seed=4) == many[:1]
    assert sample(model, 70, n_samples=3, seed=4) == many[:3]
    assert len(set(many)) > 1
    assert sample(model, 70, n_samples=5, seed=5) != many


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_top_k_of_1_is_greedy(kind: str, name: str) -> None:
    model = fitted(kind, name)
    assert sample(model, 20, top_k=1, seed=3) == sample(model, 20, temperature=0, seed=8)


@pytest.mark.parametrize("kind", WORDS)
def test_a_text_ends_after_its_first_stop_string(kind: str) -> None:
    model = fitted(kind, "gru")
    free = sample(model, 60, n_samples=20, seed=2)
    pairs = Counter(text[i : i + 2] for text in free for i in range(len(text) - 1))
    stop = [pair for pair, _ in pairs.most_common(2)]
    ended = sample(model, 60, n_samples=20, seed=2, stop=stop)
    expected = [text[: min((text.find(s) + 2 for s in stop if s in text), default=len(text))] for text in free]
    assert ended == expected
    assert any(a != b for a, b in zip(ended, free, strict=True))


def test_a_stop_string_has_the_ends_of_lines_of_every_text() -> None:
    assert stop_strings(("\r\n", "a\rb", "."), symbols=True) == ("\n", "a\nb", ".")


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_pieces_are_the_text(kind: str, name: str) -> None:
    pieces: list[str] = []
    (text,) = sample(fitted(kind, name), 30, prompt="ab", on_text=pieces.append)
    assert "".join(pieces) == text
    assert pieces[0] == "ab"


@pytest.mark.parametrize("name", BACKBONES)
def test_drawn_bytes_are_read_back(name: str) -> None:
    for text in sample(fitted("bytes", name), 25, n_samples=50, temperature=3.0):
        assert "\ufffd" not in text
        assert decode(text.encode(), "a sample").encode().removeprefix(b"\xef\xbb\xbf") == text.encode()


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_the_bytes_of_every_text_may_follow_each_other(text: str) -> None:
    raw = [b for b in text.replace("\r", "").replace("\0", "").encode() if b]
    readable, place = (
        Readable.of(Alphabet(tuple(range(256)), False, spelling_from_json({"name": "byte"}))),
        np.zeros(1, dtype=np.int64),
    )
    for i, byte in enumerate(raw):
        assert readable.at(place, len(raw) - 1 - i)[0, byte + 1]
        place = readable.after[place, byte + 1]
    assert place[0] == 0


@pytest.mark.parametrize("name", BACKBONES)
def test_an_unknown_character_of_a_prompt_is_the_unknown_symbol(name: str) -> None:
    model = fitted("text", name)
    assert sample(model, 5, prompt="a☃")[0][1:] != ""
    first, other = (sample(model, 9, prompt="b" + c, seed=6)[0] for c in "☃é")
    assert first[:2] == "b☃"
    assert first[2:] == other[2:]


@pytest.mark.skipif(bool(extension.ABSENT), reason=str(extension.ABSENT))
@pytest.mark.parametrize("name", ["linear", "rnn", "gru", "lstm", "conv"])
def test_the_live_step_gives_the_logits_of_the_model(name: str) -> None:
    model = fitted("text", name)
    for rows in (1, 3):
        plain = logits_of(model, model.initial_state(rows))
        assert isinstance(plain, _PlainLogits)
        state = model.initial_state(rows)
        for symbol in (1, 2, 3, 2):
            conditional, middle = model.predict(state)
            np.testing.assert_allclose(plain.pending(), conditional.params[:, 0].detach().numpy(), rtol=1e-4, atol=1e-4)
            x = np.full(rows, symbol)
            plain.observe(x)
            state = model.observe(middle, conditional.params.new_full((rows, 1), symbol).long())
