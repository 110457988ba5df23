"""``sample``: temperature 0, the nucleus, prompts, and the end of a text."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from ostinato.data.alphabet import Alphabet
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError
from ostinato.inference.rollout import state_after
from ostinato.inference.sample import sample
from ostinato.model import SequenceModel
from zoo import BACKBONES, NUMBERS, fitted, made

WORDS = [(kind, name) for kind in ("text", "lines") for name in BACKBONES]


def alphabet(model: SequenceModel) -> Alphabet:
    assert isinstance(model.encoding, Alphabet)
    return model.encoding


def next_symbol(model: SequenceModel, prompt: str) -> torch.Tensor:
    """Return the probabilities of the symbol after a prompt, (V,)."""
    points = [alphabet(model).code_points.index(ord(c)) + 1 for c in prompt]
    x = torch.tensor(points, dtype=torch.int64).reshape(-1, 1, 1)
    with torch.no_grad():
        state = model.unroll(x)[1] if points else model.initial_state(1)
        conditional, _ = model.predict(state)
    known = conditional.params[0, 0].clone()
    known[0] = -torch.inf  # the unknown symbol is never drawn
    return known.softmax(-1)


@pytest.mark.parametrize(("kind", "name"), WORDS)
def test_cold_text_is_the_likeliest_symbol_each_time(kind: str, name: str) -> None:
    model = fitted(kind, name)
    cold = sample(model, 12, n_samples=2, prompt="a", temperature=1e-5)
    assert cold[0] == cold[1]
    text, encoding = "a", alphabet(model)
    for _ in range(12):
        best = int(next_symbol(model, text)[1:].argmax()) + 1  # the unknown symbol, 0, is never drawn
        if best == encoding.end_symbol:
            break
        text += chr(encoding.code_points[best - 1])
    assert cold[0] == text


@pytest.mark.parametrize(("kind", "name"), [p for p in NUMBERS if p[0] != "counts"])
def test_cold_numbers_are_all_alike(kind: str, name: str) -> None:
    model = fitted(kind, name)
    first, other = sample(model, 10, n_samples=2, temperature=1e-8, seed=1)
    if "mixture" not in kind and "sound" not in kind:  # of which the likeliest component is taken
        x = torch.zeros(0, 1, model.channels)
        with torch.no_grad():
            support = Support.real()
            mean = model.predict(model.unroll(x)[1])[0].mean(support)[0].double().numpy()
        data = made(kind)
        start = data.take([3]) if data.kind != "prices" else None
        if start is not None and not data.count:
            np.testing.assert_allclose(first[0], model.encoding.decode(mean[None, None], start, 0)[0, 0], rtol=1e-3)
    unit = made(kind).step
    np.testing.assert_allclose(first, other, rtol=1e-2, atol=1e-2 if unit is None else 2 * float(unit[0]))


@pytest.mark.parametrize(("kind", "name"), WORDS)
def test_first_symbols_are_as_frequent_as_they_are_probable(kind: str, name: str) -> None:
    model, count = fitted(kind, name), 3000
    p = next_symbol(model, "b").double().numpy()
    drawn = Counter(text[1:2] for text in sample(model, 1, n_samples=count, prompt="b"))
    table = ["\ufffd", *map(chr, alphabet(model).code_points), ""][: len(p)]
    seen = np.array([drawn[c] for c in table])
    assert seen.sum() == count
    assert seen[0] == 0, "the unknown symbol is never drawn"
    assert stats.chisquare(seen[1:], count * p[1:] / p[1:].sum()).pvalue > 1e-4


@pytest.mark.parametrize(("kind", "name"), WORDS)
def test_top_p_keeps_to_the_nucleus(kind: str, name: str) -> None:
    model = fitted(kind, name)
    p = next_symbol(model, "b")
    order = p.argsort(descending=True)
    nucleus = order[: int((p[order].cumsum(0) < 0.6).sum()) + 1].tolist()
    table = ["\ufffd", *map(chr, alphabet(model).code_points), ""]
    drawn = {text[1:2] for text in sample(model, 1, n_samples=500, prompt="b", top_p=0.6)}
    assert drawn == {table[i] for i in nucleus}


@pytest.mark.parametrize("name", BACKBONES)
def test_samples_continue_the_prompt(name: str) -> None:
    model = fitted("text", name)
    texts = sample(model, 7, n_samples=3, prompt="abc가", seed=9)
    assert all(text.startswith("abc가") and len(text) == 11 for text in texts)
    data = made("series").take([0])
    numbers = fitted("series", name)
    state = state_after(numbers, numbers.encoding.encode(data), [0])
    with torch.no_grad():
        mean = numbers.predict(state)[0].mean(Support.real())
    cold = sample(numbers, 1, prompt=data, temperature=1e-6)[0]
    expected = numbers.encoding.decode(mean.double().numpy()[None], data, 0)[0]
    np.testing.assert_allclose(cold, expected, rtol=1e-4)


@pytest.mark.parametrize("name", BACKBONES)
def test_sampled_lines_end_at_the_end_symbol(name: str) -> None:
    """The share of empty lines is the probability of the end symbol, which is never printed."""
    model, count = fitted("lines", name), 2000
    end = float(next_symbol(model, "")[alphabet(model).vocabulary_size - 1])
    drawn = sample(model, 30, n_samples=count)
    assert all("\n" not in text and len(text) <= 30 for text in drawn)
    assert sum(not text for text in drawn) == pytest.approx(count * end, abs=5 * np.sqrt(count * end) + 1)


def test_prices_start_at_a_hundred_or_continue_their_prompt() -> None:
    model = fitted("prices", "ar")
    assert sample(model, 1, temperature=1e-6)[0][0, 0] == pytest.approx(100, rel=0.05)
    history = made("prices").take([0])
    assert sample(model, 1, prompt=history, temperature=1e-6)[0][0, 0] == pytest.approx(history[0][-1, 0], rel=0.05)


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("text", {"length": 0}),
        ("text", {"n": 0}),
        ("text", {"temperature": float("inf")}),
        ("text", {"temperature": -1.0}),
        ("text", {"top_p": 0.0}),
        ("text", {"top_p": 1.5}),
        ("text", {"top_k": 0}),
        ("text", {"min_p": 1.5}),
        ("text", {"stop": ""}),
        ("text", {"stop": 3}),
        ("text", {"stop": [3]}),
        ("text", {"prompt": b"ab"}),
        ("text", {"prompt": 3}),
        ("series", {"prompt": 3}),
        ("text", {"n_samples": 2, "on_text": print}),
        ("series", {"top_k": 3}),
        ("series", {"stop": "a"}),
        ("series", {"on_text": print}),
        ("series", {"top_p": 0.5}),
        ("series", {"prompt": "words"}),
    ],
)
def test_arguments_out_of_range_are_refused(kind: str, how: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        sample(fitted(kind, "ar"), **{"length": 3, **how})  # type: ignore[arg-type]


def test_what_the_memory_cannot_hold_is_refused_and_what_may_end_is_not() -> None:
    for model in (fitted("text", "gru"), fitted("series", "ar")):
        with pytest.raises(ConfigError, match=r"1 sequence of 1,000,000,000,000 steps would take about [\d,]+ GB"):
            sample(model, 10**12)
        with pytest.raises(ConfigError, match="memory"):
            sample(model, 10**6, n_samples=10**7)
    # a line ends by itself
    assert len(sample(fitted("lines", "ar"), 10**12, seed=1)[0]) < 10**4


@pytest.mark.parametrize("name", BACKBONES)
def test_the_narrowest_choices_are_the_likeliest_text(name: str) -> None:
    model = fitted("text", name)
    cold = sample(model, 30, temperature=0)
    for options in ({"top_k": 1}, {"top_p": 1e-9}, {"min_p": 1.0}, {"temperature": 1e-30}):
        assert sample(model, 30, **options) == cold


PROMPTS = ("", "a", "\u20ac", "\U0001f600a", "e\u0301", "\u110b", "\ufeffa")


@pytest.mark.parametrize(
    ("kind", "prompt"), [*((k, p) for k in ("text", "lines") for p in PROMPTS), ("text", "a\r\na")]
)
@pytest.mark.parametrize("name", BACKBONES)
def test_any_prompt_is_continued_and_the_first_text_is_that_of_more(kind: str, name: str, prompt: str) -> None:
    model = fitted(kind, name)
    one, two = (sample(model, 20, n_samples=n, prompt=prompt, seed=4) for n in (1, 2))
    assert one[0] == two[0]
    assert one[0].startswith(prompt.replace("\r\n", "\n"))
    assert one[0].encode().decode() == one[0]


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_the_first_sequences_of_many_are_those_of_few(kind: str, name: str) -> None:
    """Each row draws from a generator of its own, also where values below a bound are drawn again."""
    model, prompt = fitted(kind, name), made(kind).take([4])
    for rows, how in ((1, {}), (2, {"prompt": prompt})):
        few, five = (sample(model, 25, n_samples=n, seed=4, **how) for n in (rows, 5))  # type: ignore[arg-type]
        unit = made(kind).step
        # the rounding of the arithmetic depends on the number of rows, and may move a value of a lattice to the next
        within = 1e-5 * float(np.abs(five).max()) if unit is None else float(unit[0])
        for a, b in zip(few, five[:rows], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=within)
        assert not np.array_equal(five[0], five[1])
    again = sample(model, 25, n_samples=1, seed=5, prompt=prompt)
    assert not np.array_equal(again[0], few[0])
