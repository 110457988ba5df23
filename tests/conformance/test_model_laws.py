"""Laws of the whole model, over every kind of data and every backbone."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from ostinato.data.batching import aligned, pieces, whole
from ostinato.data.encoding import fit_encoding
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.dispatch.fit import fit
from ostinato.fits.budget import Budget
from ostinato.kinds import Kind
from ostinato.model import SequenceModel
from ostinato.training.build import build
from ostinato.training.closed_form import closed_form
from ostinato.training.config import LADDER, Config
from ostinato.training.material import Material
from ostinato.training.objective import negative_log_likelihood
from zoo import rungs

KINDS = ("series", "channels", "counts", "prices", "text", "lines", "sound")
PAIRS = [(kind, name) for kind in KINDS for name in LADDER]


def made(what: str) -> SequenceSet:
    """Return a small set of each kind, of uneven lengths, with missing values if the kind has them."""
    rng = np.random.default_rng(7)
    lengths = [60, 1, 37, 90]
    total = sum(lengths)
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    ids = ("a", "b", "c", "d")
    wave = np.sin(np.arange(total) / 3)[:, None] + 0.1 * rng.standard_normal((total, 1))
    match what:
        case "series":
            wave[5] = np.nan
            return SequenceSet("series", 50 + 9 * wave, offsets, ids)
        case "channels":
            return SequenceSet("series", np.hstack([wave, -3 * wave]), offsets, ids, ("u", "v"))
        case "counts":
            return SequenceSet("series", rng.poisson(3 + 2 * (1 + wave)).astype(float), offsets, ids, count=True)
        case "prices":
            return SequenceSet("prices", 90 * np.exp(0.01 * rng.standard_normal((total, 1)).cumsum(0)), offsets, ids)
        case "sound":
            samples = (2000 * wave).round().astype(np.int32)
            step = np.array([1.0, 1.0, 1.0, 1.0])
            return SequenceSet("sound", samples, offsets, ids, step=step, meta={"bits": 16, "sample_rate": 8000})
        case _:
            points = rng.choice([97, 98, 99, 0xAC00], size=(total, 1), p=[0.5, 0.2, 0.2, 0.1]).astype(np.int32)
            kind: Kind = "text"
            return SequenceSet(kind, points, offsets, ids, terminated=what == "lines")


@cache
def fitted(what: str, name: str) -> SequenceModel:
    """The named model itself, with weights far from their start."""
    data = made(what)
    cut = split(data, 0.2)
    encoding = fit_encoding(cut.take("known", data), by_id=True)
    material = Material(data, encoding.encode(data), encoding, cut)
    config = Config(hidden=8, embedding=6, max_order=3, components=3)
    base, _ = closed_form(material, config)
    torch.manual_seed(1)
    model = build(name, material, base, config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize(("what", "name"), [p for p in PAIRS if p[1] != "ar"])
def test_truncation_beyond_the_end_is_full_bptt(what: str, name: str) -> None:
    model, data = fitted(what, name), made(what)
    encoded = model.encoding.encode(data)
    items = pieces([(b, 0, int(n)) for b, n in enumerate(encoded.lengths)], 1000, 0)
    window = int(encoded.lengths.max()) + 1
    gradients = []
    for batch in (whole(encoded, items), *aligned(encoded, items[::-1], len(items) * window, window)):
        model.zero_grad()
        torch.autograd.backward(negative_log_likelihood(model, batch, model.initial_state(len(items)))[0])
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    assert len(gradients) == 2
    torch.testing.assert_close(gradients[0], gradients[1], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("what", KINDS)
def test_the_same_seed_gives_the_same_model(what: str) -> None:
    first, again = (
        fit(made(what), model="gru", budget=Budget(None, 6), held_out=0.2, hidden=8, max_order=2) for _ in range(2)
    )
    assert isinstance(first.model, SequenceModel)
    assert isinstance(again.model, SequenceModel)
    assert [r.held_out for r in rungs(first)] == [r.held_out for r in rungs(again)]
    for a, b in zip(first.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)
