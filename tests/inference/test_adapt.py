"""The verbs with a model that goes on learning: what it learns, and how results and files say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError
from ostinato.model import SequenceModel
from ostinato.record import Rung

TEXT = "the cat sat on the mat and the dog sat on the log; "


def text(*parts: str, terminated: bool = False) -> SequenceSet:
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    points = np.array([ord(c) for part in parts for c in part], dtype=np.int32).reshape(-1, 1)
    ids = tuple(f"t{i}" for i in range(len(parts)))
    return SequenceSet("text", points, offsets, ids, terminated=terminated, meta={"alphabet": "characters"})


@pytest.fixture(scope="module")
def whole() -> ostinato.Fit:
    return ostinato.fit(text(TEXT * 12), model="counts", budget=30)


@pytest.fixture(scope="module")
def lines() -> ostinato.Fit:
    words = [w for w in TEXT.replace(";", "").split() for _ in range(9)]
    return ostinato.fit(text(*words, terminated=True), model="counts", budget=30)


def model_of(found: ostinato.Fit) -> SequenceModel:
    assert isinstance(found.model, SequenceModel)
    return found.model


def test_the_table_has_both_figures_and_adapting_is_the_better_one(whole: ostinato.Fit) -> None:
    ar, counts = whole.table
    assert isinstance(ar, Rung)
    assert isinstance(counts, Rung)
    assert ar.static is None
    assert counts.static is not None
    assert counts.held_out > counts.static


def test_score_goes_on_learning_unless_it_is_frozen(whole: ostinato.Fit) -> None:
    data = text("mane tooth hogs toad " * 20)
    learned, frozen = (ostinato.score(whole.model, data, adapt=adapt) for adapt in (None, False))
    assert learned.adapted
    assert not frozen.adapted
    assert learned.nats_per_step < 0.5 * frozen.nats_per_step
    # the model itself stays as it is
    again = ostinato.score(whole.model, data)
    np.testing.assert_array_equal(again.surprisal, learned.surprisal)


def test_a_stream_is_the_score_of_the_same_text(whole: ostinato.Fit) -> None:
    words = TEXT[:40] + "a new word, twice: a new word"
    expected = ostinato.score(whole.model, text(words)).surprisal
    live = ostinato.Stream(whole.model)
    found = np.concatenate([live.update(part).surprisal for part in (words[:7], words[7:8], words[8:])])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_stream_of_lines_learns_from_line_to_line_as_score_does(lines: ostinato.Fit) -> None:
    words = ["goath", "goath", "cat", "goath"]
    expected = ostinato.score(lines.model, text(*words, terminated=True)).surprisal
    found = ostinato.Stream(lines.model).update("".join(w + "\n" for w in words)).surprisal
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert expected[18:24].sum() < 0.5 * expected[:6].sum()


def test_a_copy_of_a_stream_learns_on_its_own(whole: ostinato.Fit) -> None:
    live = ostinato.Stream(whole.model)
    live.update("hogmen")
    other = live.copy()
    other.update(" hogmen" * 10)
    one, two = live.update(" hogmen").surprisal, other.update(" hogmen").surprisal
    assert two.sum() < one.sum()


def test_a_stream_that_forgets_sooner_follows_a_change_sooner(whole: ostinato.Fit) -> None:
    slow, fast = (ostinato.Stream(whole.model, forget=f) for f in (0.017, 0.2))
    for live in (slow, fast):
        live.update("ab" * 150)
    changed = "ba" + "aab" * 10
    assert fast.update(changed).surprisal.sum() < slow.update(changed).surprisal.sum()


def test_it_is_saved_with_what_training_learned(whole: ostinato.Fit, tmp_path: Path) -> None:
    ostinato.save_model(whole.model, tmp_path / "m.ost")
    other = ostinato.load_model(tmp_path / "m.ost")
    data = text(TEXT[5:60])
    for adapt in (True, False):
        one, two = (ostinato.score(m, data, adapt=adapt).surprisal for m in (whole.model, other))
        np.testing.assert_array_equal(one, two)


def test_it_draws_and_the_draws_teach_it_nothing(whole: ostinato.Fit) -> None:
    before = {k: v.clone() for k, v in model_of(whole).state_dict().items()}
    first = ostinato.sample(whole.model, 30, n_samples=3, prompt="the cat", seed=1)
    assert first == ostinato.sample(whole.model, 30, n_samples=3, prompt="the cat", seed=1)
    assert all(s.startswith("the cat") for s in first)
    assert all((v == before[k]).all() for k, v in model_of(whole).state_dict().items())


def test_a_model_that_does_not_adapt_says_so() -> None:
    plain = ostinato.fit(text(TEXT * 4), model="ar", budget=30).model
    with pytest.raises(ConfigError, match="does not go on learning here"):
        ostinato.score(plain, text("the"), adapt=True)
    with pytest.raises(ConfigError, match="goes on learning"):
        ostinato.Stream(plain, forget=0.1)
    assert not ostinato.score(plain, text("the")).adapted


def test_counts_are_for_text() -> None:
    wave = SequenceSet("series", np.sin(np.arange(60.0))[:, None], np.array([0, 60]), ("a",))
    with pytest.raises(ConfigError, match="for text"):
        ostinato.fit(wave, model="counts", budget=5)


def test_a_mixture_is_saved_streams_and_scores_alike(tmp_path: Path) -> None:
    found = ostinato.fit(text(TEXT * 12), model="mixture", budget=ostinato.Budget(None, 8), hidden=8, embedding=4)
    assert [row.name for row in found.table] == ["ar", "counts", "lstm", "mixture"]
    ostinato.save_model(found.model, tmp_path / "m.ost")
    other, data = ostinato.load_model(tmp_path / "m.ost"), text(TEXT[5:60])
    expected = ostinato.score(found.model, data).surprisal
    np.testing.assert_array_equal(ostinato.score(other, data).surprisal, expected)
    live = ostinato.Stream(other)
    seen = np.concatenate([live.update(part).surprisal for part in (TEXT[5:20], TEXT[20:21], TEXT[21:60])])
    np.testing.assert_allclose(seen, expected, rtol=0, atol=1e-4)
    assert not ostinato.score(found.model, data, adapt=False).adapted


def test_an_unknown_character_is_as_likely_as_new_ones_were() -> None:
    """Of a text in which every tenth character is new, and of one without new characters after the first hundred."""
    rng = np.random.default_rng(0)
    common = [chr(97 + i) for i in rng.integers(0, 20, 3000)]
    rich = "".join(chr(0x4E00 + i) if i % 10 == 0 else c for i, c in enumerate(common))
    surprisals = []
    for one in (rich, "".join(common)):
        model = model_of(ostinato.fit(text(one), model="counts", budget=30))
        nats = [ostinato.score(model, text(f"{one[: 40 + k]}\u2603"), adapt=False).surprisal[-1] for k in range(20)]
        surprisals.append(np.mean(nats) - np.log(0x110000))  # less the choice among all other characters
    assert surprisals[0] < 4.5  # a tenth is 2.3 nats
    assert surprisals[1] > 6
