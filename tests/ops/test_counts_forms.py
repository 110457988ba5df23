"""The forms of adaptive counts: what older models say stays as it was, and the engine follows the specification."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ostinato import read
from ostinato.data.alphabet import Alphabet
from ostinato.data.spelled import respelled
from ostinato.data.spelling import spelling_from_json
from ostinato.errors import ConfigError
from ostinato.layers.counts import Counts
from ostinato.ops.counts.directory import Directory
from ostinato.ops.counts.form import CountsState, network_input
from ostinato.ops.counts.words import after, met
from ostinato.ops.engine import extension
from ostinato.training.adaptive import begins_of

V = 7
IMPLEMENTATIONS = ["reference"] + ([] if extension.ABSENT else ["native"])
every = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
#: The nats of 60 symbols by the engine that knew no later form, by form, alone and with a network.
BEFORE = {
    (1, False): -101.61212910711765,
    (1, True): -104.37988501042128,
    (2, False): -103.21123646199703,
    (2, True): -105.29551198706031,
}


def made(
    rng: np.random.Generator, implementation: str, form: int, *, network: bool = False, slots: int = 256
) -> Counts:
    symbols = np.minimum(rng.geometric(0.4, 150) - 1, V - 1)
    letters, begins = [s % 3 for s in range(V)], [s != 2 for s in range(V)]
    offsets = np.array([0, 75, 150])
    return Counts.fit(symbols, offsets, letters, begins=begins, network=network, slots=slots, form=form,
                      implementation=implementation)  # fmt: skip


def settled(counts: Counts, symbols: Tensor, network: Tensor | None = None) -> tuple[Tensor, CountsState]:
    state = CountsState(*counts.owned(counts.initial_state(1), learns=True))
    return counts.settle_(symbols[:, None], state, network)[:, 0], state


@every
@pytest.mark.parametrize("form", [1, 2])
@pytest.mark.parametrize("network", [False, True])
def test_counts_of_earlier_forms_say_what_they_always_said(implementation: str, form: int, network: bool) -> None:
    rng = np.random.default_rng(3)
    counts = made(rng, implementation, form, network=network)
    if network:
        counts.weights[:, network_input(form)] = 0.4
    symbols = torch.from_numpy(np.minimum(rng.geometric(0.4, 60) - 1, V - 1))
    logs = torch.from_numpy(rng.standard_normal((60, 1, V)).astype(np.float32)).log_softmax(-1) if network else None
    nats = settled(counts, symbols, logs)[0].sum().item()
    expected = BEFORE[form, network]
    assert nats == (expected if implementation == "native" else pytest.approx(expected, abs=1e-4))


@every
def test_a_description_without_a_form_is_of_the_first_one(implementation: str) -> None:
    old = made(np.random.default_rng(0), implementation, 1)
    assert "form" not in old.config()
    again = Counts.empty(old.config())
    again.implementation = implementation
    again.load_state_dict(old.state_dict())
    assert again.form == 1
    x = torch.arange(V).repeat(4)
    assert torch.equal(settled(again, x)[0], settled(old, x)[0])


@pytest.mark.parametrize(("form", "parts"), [(1, 9), (2, 9), (3, 11)])
def test_states_of_earlier_forms_have_the_parts_that_they_had(form: int, parts: int) -> None:
    counts = made(np.random.default_rng(2), "reference", form)
    state = counts.owned(counts.initial_state(2), learns=True)
    assert len(state) == len(counts.restarted(state, torch.tensor([True, False]))) == parts
    out, after = counts.unroll(torch.zeros(2, 2, 1), state)
    assert len(after) == parts
    assert bool(out.isfinite().all())


@pytest.mark.parametrize("form", [0, 4])
def test_another_form_is_refused(form: int) -> None:
    with pytest.raises(ConfigError, match="form must be 1, 2 or 3"):
        Counts(V, 64, 20, form=form)


@pytest.mark.skipif(bool(extension.ABSENT), reason="the engine is not compiled")
@pytest.mark.parametrize("form", [1, 2, 3])
@pytest.mark.parametrize("slots", [1, 2, 16, 1024], ids=lambda n: f"{n} slots")
def test_the_engine_follows_the_specification(form: int, slots: int) -> None:
    rng = np.random.default_rng(5)
    phrase = rng.integers(0, V, 30)
    text = torch.from_numpy(np.concatenate([phrase, [V], phrase, rng.integers(0, V, 20), phrase]))
    each = [made(np.random.default_rng(1), name, form, slots=slots) for name in ("native", "reference")]
    (fast, one), (written, other) = (settled(counts, text) for counts in each)
    torch.testing.assert_close(fast, written, rtol=0, atol=2e-4)
    assert torch.equal(one.path, other.path)
    assert torch.equal(one.entries, other.entries)
    assert torch.equal(one.history, other.history)
    torch.testing.assert_close(one.trust, other.trust, rtol=0, atol=1e-6)


def test_an_entry_stands_for_what_so_many_equal_answers_leave() -> None:
    entries = np.zeros((8, 2), dtype=np.uint32)
    directory, words = Directory(entries, 1 / 64), [0, 0]
    for times in range(1, 200):
        directory.place([12345 << 32])
        directory.learn(4)
        if times < 128:
            words = [after(word, y, 1 / 64) for y, word in enumerate(words)]
        directory.place([12345 << 32])
        assert directory.only == [4]
        assert directory.repeated(0) == tuple(words)
        assert met(words[0]) == min(times, 63)
    assert directory.widened(4) == {}
    assert directory.widened(2) == {0: (4, tuple(words))}
    directory.place([12345 << 32])
    assert directory.only == [-1]
    assert directory.entry[0] is not None


@pytest.mark.parametrize("vocabulary", ["character", "byte", "jamo"])
def test_a_character_begins_with_its_first_symbol(vocabulary: str) -> None:
    text = "각 나 é a"
    data = respelled(read([text], kind="text"), spelling_from_json({"name": vocabulary}))
    alphabet = Alphabet.fit(data)
    symbols = alphabet.encode(data).values[:, 0].numpy()
    begins = np.array(begins_of(alphabet))
    assert begins[symbols].sum() - alphabet.terminated == len(text)
