"""The probabilities of a model add up to one in the units of the data, and its samples follow its distribution."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ostinato.data.alphabet import Alphabet
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.emission import Support
from ostinato.inference.rollout import paths
from ostinato.inference.sample import sample
from ostinato.inference.score import score
from ostinato.model import SequenceModel
from zoo import BACKBONES, KINDS, NUMBERS, PAIRS, as_text, fitted, made, of_every_symbol

HISTORY = 11


def continuations(data: SequenceSet, last: NDArray[Any]) -> SequenceSet:
    """Return the first steps of the first sequence, followed by each row of ``last`` (N, D)."""
    count = len(last)
    history = np.broadcast_to(data[0][:HISTORY], (count, HISTORY, data.values.shape[1]))
    values = np.concatenate([history, last[:, None]], axis=1).reshape(-1, data.values.shape[1])
    return SequenceSet(
        data.kind,
        values.astype(data.values.dtype),
        np.arange(count + 1, dtype=np.int64) * (HISTORY + 1),
        (data.ids[0],) * count,
        data.channels,
        step=None if data.step is None else np.repeat(data.step[:1], count),
        count=data.count,
        meta=data.meta,
    )


def probabilities(model: SequenceModel, data: SequenceSet, last: NDArray[Any]) -> NDArray[np.float64]:
    return np.exp(-score(model, continuations(data, last)).surprisal[HISTORY :: HISTORY + 1])


def grid(center: float, reach: float, count: int) -> NDArray[np.float64]:
    """Points that are dense at the centre and reach far out: a t's tails are long."""
    return center + reach * np.sinh(np.linspace(-9, 9, count)) / math.sinh(9)


def possible(kind: str, y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Those of the values y, ascending, that a series of this kind may have."""
    return y[y >= 0] if KINDS[kind].bounded else y


@pytest.mark.parametrize(("kind", "name"), [p for p in NUMBERS if not p[0].endswith("sound")])
def test_the_probabilities_of_the_next_value_add_up_to_one(kind: str, name: str) -> None:
    model, data = fitted(kind, name), made(kind)
    if data.count:
        total = probabilities(model, data, np.arange(0.0, 400.0)[:, None]).sum()
    elif data.kind == "prices":
        returns = grid(0.0, 5.0, 2001)
        prices = data[0][HISTORY - 1, 0] * np.exp(returns)
        total = np.trapezoid(probabilities(model, data, prices[:, None]), returns)
    elif len(data.channels) == 2:
        # an even grid of s in u = sinh(s), on which the trapezoid rule is exact for smooth densities of any tails
        s = np.linspace(0.0 if KINDS[kind].bounded else -9.0, 9.0, 101)
        u, v = (reach * np.sinh(s) / math.sinh(9) for reach in (300, 900))
        joint = probabilities(model, data, np.stack(np.meshgrid(u, v, indexing="ij"), -1).reshape(-1, 2))
        slopes = np.outer(300 * np.cosh(s), 900 * np.cosh(s)) / math.sinh(9) ** 2
        total = np.trapezoid(np.trapezoid(joint.reshape(len(u), len(v)) * slopes, s), s)
    else:
        y = possible(kind, grid(0.0 if KINDS[kind].bounded else 50.0, 30_000.0, 2001))
        total = np.trapezoid(probabilities(model, data, y[:, None]), y)
    assert total == pytest.approx(1.0, abs=3e-3)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("kind", ["small sound", "coarse sound"])
def test_the_probabilities_of_the_next_sample_add_up_to_one(kind: str, name: str) -> None:
    model, data = fitted(kind, name), made(kind)
    assert data.step is not None
    full, step = 2 ** (data.meta["bits"] - 1), int(data.step[0])
    total = probabilities(model, data, np.arange(-full, full, step)[:, None]).sum()
    assert total == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(("kind", "name"), [p for p in PAIRS if p[0] in ("text", "lines", "bytes")])
def test_the_probabilities_of_the_next_character_add_up_to_one(kind: str, name: str) -> None:
    model, data = fitted(kind, name), made(kind)
    assert isinstance(model.encoding, Alphabet)
    points = [*model.encoding.code_points, 0x2603]  # the last stands for every character outside the alphabet
    p = probabilities(model, data, np.array(points[:256])[:, None])
    if kind == "bytes":
        assert p.sum() + unknown(model, data) == pytest.approx(1.0, abs=1e-5)
        return
    others = 0x110000 - 0x800 - len(model.encoding.code_points)
    ends = math.exp(-score(model, ended(data)).surprisal[HISTORY]) if kind == "lines" else 0.0
    assert p[:-1].sum() + others * p[-1] + ends == pytest.approx(1.0, abs=1e-5)


def ended(data: SequenceSet) -> SequenceSet:
    return data.take([0]).cut(np.array([0]), np.array([HISTORY]))


def unknown(model: SequenceModel, data: SequenceSet) -> float:
    """Return the probability of the unknown symbol, which a sum over bytes leaves out, as all bytes are known."""
    encoded = model.encoding.encode(ended(data))
    with torch.no_grad():
        x = torch.cat([encoded.values[:], torch.zeros(1, 1, dtype=torch.int64)])[:, None]
        support = Support(encoded.unit, encoded.low, encoded.high)
        return float(model.unroll(x)[0].log_prob(x, support)[-1].exp())


@pytest.mark.parametrize("name", BACKBONES)
def test_the_probabilities_of_all_short_lines_and_of_longer_ones_add_up_to_one(name: str) -> None:
    """The sum runs over every ended string of up to 4 characters, known or unknown, and over all longer strings."""
    model = fitted("lines", name)
    assert isinstance(model.encoding, Alphabet)
    known = [*model.encoding.code_points, 0x2603]
    others = 0x110000 - 0x800 - len(known) + 1
    total = 0.0
    for length in range(6):
        strings = np.array(list(itertools.product(known, repeat=length)), dtype=np.int32)
        count, ends = len(strings), length < 5
        values, offsets = strings.reshape(-1, 1), np.arange(count + 1, dtype=np.int64) * length
        data = SequenceSet("text", values, offsets, ("x",) * count, terminated=ends, meta={"alphabet": "characters"})
        same = others ** (strings == 0x2603).sum(axis=-1).astype(float)
        total += float((np.exp(score(model, data).log_prob) * same).sum())
    assert total == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_samples_follow_the_distribution_of_the_model(kind: str, name: str) -> None:
    """The share of samples at or below each predicted quantile is the level of the quantile.

    On a lattice a quantile covers at least its level, and what lies strictly below it at most.
    """
    model, data = fitted(kind, name), made(kind)
    encoded, rows = model.encoding.encode(data.take([0])), 64
    support = of_every_symbol(model, encoded, rows)
    with torch.no_grad():
        x = paths(model, model.initial_state(rows), support, 40, torch.Generator().manual_seed(5))
        levels = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])
        quantile = model.unroll(x)[0].quantile(levels, support, x)
    # a cell of a lattice is not missed by a rounding
    slack = 1e-4 * (1 + x.abs()[..., None]) if x.is_floating_point() else 0.0
    below = (x[..., None] < quantile - slack).float().mean((0, 1, 2))
    at_most = (x[..., None] <= quantile + slack).float().mean((0, 1, 2))
    error = 5 * (levels * (1 - levels) / x.numel()).sqrt() + 1e-3
    assert bool((at_most >= levels - error).all())
    assert bool((below <= levels + error).all())
    if float(encoded.unit.max()) == 0:
        torch.testing.assert_close(at_most, levels, rtol=0, atol=float(error.max()))


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_draws_are_values_that_the_data_could_have(kind: str, name: str) -> None:
    model, data = fitted(kind, name), made(kind)
    drawn = sample(model, 200, n_samples=3, seed=2)
    if kind == "bytes":
        assert all(len(text.encode()) > 0 for text in drawn)  # bytes that are no UTF-8 become U+FFFD
        return
    if data.kind == "text":
        assert {c for text in drawn for c in text} <= {*as_text(data.values), "\ufffd"}
        assert data.terminated or all(len(text) == 200 for text in drawn)
        return
    values = np.concatenate(drawn)
    assert values.shape == (600, len(data.channels))
    assert np.isfinite(values).all()
    if data.kind == "prices":
        assert (values > 0).all()
    if data.count:
        assert (values >= 0).all()
        assert (values == np.rint(values)).all()
    if data.step is not None:
        full = 2 ** (data.meta["bits"] - 1)
        assert values.dtype == np.int64
        assert (values % int(data.step[0]) == 0).all()
        assert values.min() >= -full
        assert values.max() < full
