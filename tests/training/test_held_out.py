"""The held-out table gives the same likelihood as ``score`` on the same steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ostinato.data.split import split
from ostinato.fits.budget import Budget
from ostinato.fitting import fit
from ostinato.inference.score import score
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
