"""The layer of exponential smoothing streams what fit_ets found; its laws are in tests/conformance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ostinato.layers.exponential_smoothing import ExponentialSmoothing
from ostinato.local.ets import STABLE, fit_ets
from ostinato.local.panel import Panel
from ostinato.ops.ets.form import Form


@pytest.mark.parametrize("form", STABLE, ids=str)
def test_the_layer_predicts_as_the_fit_does(form: Form) -> None:
    rng = np.random.default_rng(0)
    t = np.arange(70)
    y = 100 + t * 0.5 + 9 * np.sin(2 * np.pi * t / 4) + rng.normal(0, 2, 70)
    y[[7, 20]] = np.nan
    fit = fit_ets(Panel((y,), (4,)), [form])
    layer = ExponentialSmoothing(1, form, 4).double()
    layer.set_parameters(torch.from_numpy(fit.theta[0][None]))
    out, state = layer.unroll(torch.from_numpy(y)[:, None, None])
    errors = y[1:] - out.detach().numpy()[:-1, 0, 0]
    relative = errors / out.detach().numpy()[:-1, 0, 0] if form.error == "M" else errors
    np.testing.assert_allclose(relative, fit.residuals[0][1:], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose([s.item() for s in state], fit.last[0], rtol=1e-6, atol=1e-8)
    assert out[-1].item() == pytest.approx(fit.ahead(1, np.array([0.5])).point[0, 0], rel=1e-6)
