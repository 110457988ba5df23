"""The live step of adaptive counts is the model's step, whether they learn or not, alone or with a network."""

from __future__ import annotations

import pickle
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch

import ostinato
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.inference.live import logits
from ostinato.inference.live.counts import CountsStep, LiveCounts
from ostinato.inference.stream import Stream
from ostinato.model import SequenceModel
from ostinato.ops.engine import extension

pytestmark = pytest.mark.skipif(bool(extension.ABSENT), reason=str(extension.ABSENT))
WORDS = "the cat sat on the mat and the dog sat on the log\n"
NEW = "the hog sat on a log\na dog; the hog\n" * 3
MODELS = [(name, ends) for name in ("counts", "mixture") for ends in (False, True)]


@cache
def made(name: str, *, ends: bool) -> SequenceModel:
    parts = [w for w in WORDS.split() for _ in range(9)] if ends else [WORDS * 12]
    points = np.array([ord(c) for part in parts for c in part], dtype=np.int32).reshape(-1, 1)
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    ids = tuple(f"t{i}" for i in range(len(parts)))
    data = SequenceSet("text", points, offsets, ids, terminated=ends, meta={"alphabet": "characters"})
    budget = ostinato.Budget(None, 8)
    found = ostinato.fit(data, model=name, budget=budget, hidden=8, embedding=4)
    assert isinstance(found.model, SequenceModel)
    return found.model


def by_torch(stream: Stream) -> Stream:
    stream._live = None
    return stream


@pytest.mark.parametrize("adapt", [True, False])
@pytest.mark.parametrize(("name", "ends"), MODELS)
def test_one_at_a_time_is_a_block_is_a_score(name: str, *, ends: bool, adapt: bool) -> None:
    """Unknown characters and blocks in between use the torch step, and the state is carried along."""
    model = made(name, ends=ends)
    single, whole = Stream(model, adapt=adapt), by_torch(Stream(model, adapt=adapt))
    assert isinstance(single._live, LiveCounts)
    text = f"{NEW}s☃t{NEW}"
    cuts = [*range(31), 37, *range(38, len(text) + 1)]
    parts = [single.update(text[a:b]) for a, b in pairwise(cuts)]
    expected = whole.update(text)
    assert single.steps == whole.steps == len(text)
    np.testing.assert_allclose(np.concatenate([p.surprisal for p in parts]), expected.surprisal, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(np.concatenate([p.prediction for p in parts]), expected.prediction)
    own, other = (by_torch(one.copy()).update(NEW).surprisal for one in (single, whole))
    np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "ends"), MODELS)
def test_a_copy_goes_on_from_the_same_step_and_leaves_the_stream_alone(name: str, *, ends: bool) -> None:
    stream = Stream(made(name, ends=ends))
    for c in NEW:
        stream.update(c)
    copies = [stream.copy(), pickle.loads(pickle.dumps(stream))]
    held = stream.held()
    expected = [float(stream.update(c).surprisal[0]) for c in NEW]
    for copy in copies:
        assert [float(copy.update(c).surprisal[0]) for c in NEW] == expected
    for _ in range(2):  # what a stream learns does not reach what it resumed from
        stream.resume(held)
        assert [float(stream.update(c).surprisal[0]) for c in NEW] == expected


@pytest.mark.parametrize("name", ["counts", "mixture"])
def test_a_refused_value_leaves_the_stream_as_it_was(name: str) -> None:
    model = made(name, ends=False)
    stream, other = Stream(model), Stream(model)
    for c in NEW:
        with pytest.raises(DataError):
            stream.update(3.0)  # type: ignore[arg-type]
        assert stream.update(c).surprisal == other.update(c).surprisal


@pytest.mark.parametrize("name", ["counts", "mixture"])
def test_a_stream_learns_apart_from_the_model_at_the_rate_of_forget(name: str) -> None:
    model = made(name, ends=False)
    kept = [s.clone() for s in model.initial_state(1)]
    options: list[dict[str, object]] = [{"adapt": False}, {}, {"forget": 0.3}]
    sums = []
    for one in options:
        live, torch_step = Stream(model, **one), by_torch(Stream(model, **one))  # type: ignore[arg-type]
        sums.append(sum(float(live.update(c).surprisal[0]) for c in NEW))
        np.testing.assert_allclose(sums[-1], torch_step.update(NEW).surprisal.sum(), rtol=1e-4)
    assert len(set(sums)) == len(options)
    assert sums[1] < sums[0]
    for own, before in zip(model.initial_state(1), kept, strict=True):
        np.testing.assert_array_equal(own, before)


@pytest.mark.parametrize(("name", "ends"), MODELS)
def test_texts_are_drawn_by_the_step_as_by_torch(name: str, *, ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(name, ends=ends)
    state = model.repeated(model.unroll(torch.full((1, 1, 1), 2))[1], 3)
    drawn = ostinato.sample(model, 40, n_samples=3, prompt="the ")
    by_step = logits.logits_of(model, state)
    assert isinstance(by_step, logits._CountsLogits)
    monkeypatch.setattr(CountsStep, "of", classmethod(lambda cls, model: None))
    by_torch = logits.logits_of(model, state)
    assert isinstance(by_torch, logits._TorchLogits)
    for symbol in ([1, 2, 3], [3, 3, 1]):
        np.testing.assert_allclose(by_step.pending(), by_torch.pending(), rtol=1e-5, atol=1e-5)
        for one in (by_step, by_torch):
            one.observe(np.array(symbol))
    assert drawn == ostinato.sample(model, 40, n_samples=3, prompt="the ")
