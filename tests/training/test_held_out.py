"""The held-out table gives the same likelihood as ``score`` on the same steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.dispatch.fit import fit
from ostinato.fits.budget import Budget
from ostinato.gradients.methods import TruncatedBPTT
from ostinato.inference.score import score
from ostinato.training.build import build
from ostinato.training.closed_form import closed_form
from ostinato.training.config import LadderOptions
from ostinato.training.material import material_of
from ostinato.training.setup import Setup
from ostinato.training.trainer import Trainer
from zoo import KINDS, kept, made


@pytest.mark.parametrize("name", ["ar", "gru"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_held_out_result_equals_the_score(kind: str, name: str) -> None:
    data = made(kind).take([0, 2, 4])
    emission = KINDS[kind].emission
    how: dict[str, Any] = {"emission": emission, "hidden": 8, "max_order": 3, "refit": False}
    result = fit(data, model=name, budget=Budget(None, 4), held_out=0.2, **how)
    scores = score(result.model, data)
    spans = split(data, 0.2).spans("held-out", data.lengths, np.diff(scores.offsets))
    nats = np.concatenate([scores.surprisal[scores.offsets[b] + a : scores.offsets[b] + z] for b, a, z in spans])
    assert kept(result).held_out == pytest.approx(-np.nanmean(nats), rel=1e-4, abs=1e-4)


def long_text() -> SequenceSet:
    """Return one text of 40,000 characters, of which the validation part is more than one block."""
    points = np.random.default_rng(0).choice(list(b"abcde \n"), size=(40_000, 1)).astype(np.int32)
    return SequenceSet("text", points, np.array([0, len(points)]), ("a",), meta={"alphabet": "characters"})


def test_a_network_is_never_trained_on_what_it_is_stopped_by() -> None:
    data, options = long_text(), LadderOptions(hidden=4)
    given = material_of(data, split(data))
    base, _ = closed_form(given, options, 1)
    trainer = Trainer(build("gru", given, base, options), Setup(given, options), TruncatedBPTT(128))
    parts = {
        "train": [range(p.counted, p.stop) for p in trainer.epochs.pieces],
        "validation": [range(p.counted, p.stop) for p in trainer.watched],
        "held-out": [range(a, z) for _, a, z in given.spans("held-out")],
    }
    assert len(given.spans("validation")) > 1
    counted = [step for spans in parts.values() for span in spans for step in span]
    assert sorted(counted) == list(range(len(data.values)))
