"""Dropout by few random numbers drops the share it is given, keeps the mean, and passes the gradient of its mask."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ostinato import Budget, fit
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError
from ostinato.kinds import Kind
from ostinato.layers.build import build_backbone
from ostinato.layers.dropout import Dropout
from ostinato.model import SequenceModel


@pytest.mark.parametrize("share", [0.01, 0.15, 0.5, 0.9])
def test_the_share_is_dropped_and_the_mean_is_kept(share: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(127, 5, 101, dtype=torch.float64)
    y = Dropout(share)(x)
    values = y.unique()
    dropped = (y == 0).double().mean().item()
    error = math.sqrt(share * (1 - share) / x.numel())
    assert len(values) == 2
    assert abs(dropped - share) < 5 * error + 2**-16
    # what is kept is divided by the exact probability of being kept
    assert abs(y.mean().item() - 1) < 5 * error / (1 - share)


def test_neighbours_are_dropped_independently() -> None:
    """Four values share a random number, and the bits of one must be independent of those of another."""
    torch.manual_seed(1)
    kept = (Dropout(0.5)(torch.ones(400_000)) != 0).double() - 0.5
    for lag in range(1, 9):
        assert abs((kept[lag:] * kept[:-lag]).mean().item() * 4) < 5 / math.sqrt(len(kept))


def test_the_gradient_is_that_of_the_mask() -> None:
    torch.manual_seed(2)
    x = torch.randn(33, 7, dtype=torch.float64, requires_grad=True)
    y = Dropout(0.3)(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(slope * x, y)


def test_the_generator_decides_and_other_types_draw_the_same() -> None:
    found = []
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        torch.manual_seed(3)
        found.append(Dropout(0.4)(torch.ones(50, 3, dtype=dtype)) != 0)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], Dropout(0.4)(torch.ones(50, 3)) != 0)


def test_nothing_is_dropped_where_nothing_is_to_be() -> None:
    x = torch.randn(9, 4)
    layer = Dropout(0.4)
    assert layer.eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert Dropout(0.4)(x[:0]).shape == (0, 4)
    assert torch.equal(Dropout(1.0)(x), torch.zeros_like(x))


def test_a_locked_mask_is_one_for_all_steps_and_another_for_each_row_and_unit() -> None:
    torch.manual_seed(4)
    x = torch.randn(50, 31, 203, dtype=torch.float64, requires_grad=True)
    y = Dropout(0.3, locked=True)(x)
    kept = (y != 0).double()
    assert torch.equal(kept, kept[:1].expand_as(kept))
    error = math.sqrt(0.3 * 0.7 / kept[0].numel())
    assert abs(kept[0].mean().item() - 0.7) < 5 * error + 2**-16
    # rows and units that are neighbours are dropped independently
    centred = kept[0] - 0.7
    for a, b in ((centred[1:], centred[:-1]), (centred[:, 1:], centred[:, :-1])):
        assert abs((a * b).mean().item()) < 5 * 0.21 / math.sqrt(a.numel())
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(slope * x, y)
    torch.testing.assert_close(slope.max().item(), 1 / (1 - round(0.3 * 2**16) / 2**16))


def test_a_locked_mask_is_drawn_anew_by_each_call() -> None:
    torch.manual_seed(5)
    layer, x = Dropout(0.5, locked=True), torch.ones(3, 4, 50)
    assert not torch.equal(layer(x), layer(x))
    assert layer.eval()(x) is x


@pytest.mark.parametrize(("kind", "locked"), [("text", True), ("series", False)])
def test_the_dropout_of_text_is_locked(kind: Kind, locked: bool) -> None:
    values = np.random.default_rng(0).integers(97, 101, (400, 1))
    meta = {"alphabet": "characters"} if kind == "text" else {}
    data = SequenceSet(kind, values.astype(np.int32 if meta else np.float64), np.array([0, 400]), ("a",), meta=meta)
    model = fit(data, model="gru", budget=Budget(None, 1), hidden=4, dropout=0.2, refit=False).model
    assert isinstance(model, SequenceModel)
    (layer,) = [part for part in model.modules() if isinstance(part, Dropout)]
    assert (layer.share, layer.locked) == (0.2, locked)


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan])
def test_a_share_outside_of_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="dropout must be at least 0 and at most 1"):
        build_backbone("gru", 2, 3, dropout=share)


def test_the_draws_are_where_the_values_are() -> None:
    """A default device of torch, such as a card, is that of new tensors, and not that of x."""
    layer, x = Dropout(0.5), torch.ones(100)
    with torch.device("meta"):
        assert 0 < int((layer(x) == 0).sum()) < 100
