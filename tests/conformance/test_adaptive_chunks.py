"""Chunks joined equal the whole, for every memory that goes on learning and under every vocabulary."""

from __future__ import annotations

import importlib.util
import itertools
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ostinato
from ostinato.data.encoded import Encoded
from ostinato.data.spelled import in_spelling
from ostinato.data.spelling import VOCABULARIES
from ostinato.inference.adapt import Learner
from ostinato.shapes import State
from zoo import NUMBERS, fitted, made

_HERE = [v for v in VOCABULARIES if v != "bpe" or importlib.util.find_spec("tokenizers")]
TEXTS = [("counts", v) for v in _HERE] + [("mixture", v) for v in _HERE]
FILTERS = [(name, kind) for kind, name in NUMBERS if name == "filter"]
STEPS, ROWS = 40, 3
_WORDS = [
    f"{a} {b}를 {c}" for a in ("나는", "sea") for b in ("사과", "e\u0301") for c in ("본다 ㅋ", "saw it!", "漢字")
]
every = pytest.mark.parametrize(("name", "of"), TEXTS + FILTERS)


@cache
def model(name: str, of: str) -> ostinato.SequenceModel:
    if name == "filter":
        return fitted(of, name)
    data = ostinato.read(_WORDS * 2, kind="text")
    budget = ostinato.Budget(None, 4)
    options = ostinato.LadderOptions(hidden=8, embedding=4, max_order=2, vocabulary=of, refit=False)
    found = ostinato.fit(data, model=name, budget=budget, options=options)
    return found.model.likelihood("test")


def inputs(name: str, of: str) -> Tensor:
    """Return STEPS steps of ROWS rows, (T, B, D)."""
    own = model(name, of)
    if name == "filter":
        values = own.encoding.encode(made(of)).values[:]
    else:
        data = ostinato.read({"a": " ".join(_WORDS) * 2}, kind="text")
        values = own.encoding.encode(in_spelling(data, own.description.source)).values[:]
    return torch.stack([values[7 * b : 7 * b + STEPS] for b in range(ROWS)], 1)


def same(a: State, b: State) -> None:
    for one, other in zip(a, b, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@every
@pytest.mark.parametrize("learns", [True, False], ids=["learns", "frozen"])
@settings(deadline=None, max_examples=3)
@given(cuts=st.sets(st.integers(1, STEPS - 1), max_size=4))
def test_any_chunking_is_one_pass(name: str, of: str, learns: bool, cuts: set[int]) -> None:
    own, x = model(name, of), inputs(name, of)
    start = own.initial_state(ROWS, learns=learns)
    state, parts = start, []
    with torch.no_grad():
        whole, last = own.unroll(x, start)
        for a, z in itertools.pairwise([0, *sorted(cuts), STEPS]):
            conditional, state = own.unroll(x[a:z], state)
            parts.append(conditional.params.expand(z - a, ROWS, *conditional.params.shape[2:]))
    torch.testing.assert_close(torch.cat(parts), whole.params.expand_as(torch.cat(parts)), rtol=1e-5, atol=1e-6)
    same(state, last)


@pytest.mark.parametrize(("name", "of"), TEXTS)
@settings(deadline=None, max_examples=3)
@given(cut=st.integers(1, STEPS - 1))
def test_what_a_span_is_worth_does_not_depend_on_what_follows(name: str, of: str, cut: int) -> None:
    own, x = model(name, of), inputs(name, of)[:, :1]
    flat = torch.ones(1, 1)
    encoded = Encoded(x[:, 0], np.array([0, STEPS]), flat, flat, flat, torch.zeros(STEPS, 1))
    whole = torch.cat([*Learner(own).nats(encoded, [(0, 0, STEPS)])])
    first = torch.cat([*Learner(own).nats(encoded, [(0, 0, cut)])])
    torch.testing.assert_close(first, whole[:cut], rtol=1e-5, atol=1e-6)
