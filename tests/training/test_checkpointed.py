"""A fit by CheckpointedBPTT goes the way of one by FullBPTT, in the loss and in every gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ostinato.data.batching import whole
from ostinato.data.encoding import fit_encoding
from ostinato.data.split import split
from ostinato.dispatch.fit import fit
from ostinato.fits.budget import Budget
from ostinato.fits.result import Fit
from ostinato.gradients.methods import CheckpointedBPTT, FullBPTT, Method
from ostinato.training.build import build
from ostinato.training.closed_form import closed_form
from ostinato.training.config import defaults
from ostinato.training.epochs import judged_pieces
from ostinato.training.material import Material
from ostinato.training.objective import in_segments, negative_log_likelihood
from zoo import KINDS, kept, made


@pytest.mark.parametrize(
    "method", [CheckpointedBPTT(3), CheckpointedBPTT(1000), CheckpointedBPTT(memory_limit="1MB")], ids=str
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_and_its_gradient_are_those_of_the_whole(kind: str, method: CheckpointedBPTT) -> None:
    data = made(kind).take([0, 2, 4])
    cut = split(data, 0.2)
    encoding = fit_encoding(cut.take("known", data), by_id=cut.by_time)
    material = Material(data, encoding.encode(data), encoding, cut)
    config = defaults(data)
    torch.manual_seed(0)
    model = build("gru", material, closed_form(material, config)[0], config).double().eval()
    batch = whole(material.encoded, judged_pieces(material, "train", 0))
    if batch.x.is_floating_point():
        wide: dict[str, Any] = {
            k: v.double() if isinstance(v, torch.Tensor) and v.dtype == torch.float32 else v
            for k, v in vars(batch).items()
        }
        batch = type(batch)(**wide)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn(p.shape, dtype=p.dtype))
    asked = [p for p in model.parameters() if p.requires_grad]
    loss, _ = negative_log_likelihood(model, batch, None)
    found = in_segments(model, batch, method)
    torch.testing.assert_close(found, loss, rtol=1e-10, atol=0)
    true = torch.autograd.grad(loss, asked, allow_unused=True)
    torch.testing.assert_close(torch.autograd.grad(found, asked, allow_unused=True), true, rtol=1e-9, atol=1e-9)


def test_a_fit_equals_the_fit_by_full_bptt() -> None:
    wave = np.sin(np.arange(700) / 5) + 0.3 * np.random.default_rng(0).standard_normal(700)

    def trained(method: Method) -> Fit:
        return fit(wave, model="gru", budget=Budget(None, 5), hidden=8, dropout=0.0, method=method)

    one, other = trained(FullBPTT()), trained(CheckpointedBPTT(20))
    assert kept(other).held_out == pytest.approx(kept(one).held_out, rel=1e-4)
    assert kept(other).steps == kept(one).steps
