"""The kept model is fitted to everything: what is held out reaches the weights, and the parts count observed values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from rows import CASES, Row

from ostinato.data.alphabet import Alphabet
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.dispatch.fit import fit
from ostinato.evaluation.baselines import local_ar
from ostinato.fits.budget import Budget
from ostinato.inference.forecast import forecast
from ostinato.layers.front import InnovationFront, SymbolFront
from ostinato.model import SequenceModel
from ostinato.shapes import Array
from zoo import BACKBONES, KINDS, direct, made, sequential

SHORT = Budget(None, 6)


def series(*parts: Array | list[float], ids: tuple[str, ...] = ("y",)) -> SequenceSet:
    """Return a set of series, one for each part."""
    values = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])[:, None]
    offsets = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
    return SequenceSet("series", values, offsets, ids)


def least_squares(rows: list[Array], order: int, lags: Sequence[int] = ()) -> Array:
    """Return phi_1 .. phi_K and the constant of least squares on all rows, by numpy; 0 for a lag that is not taken."""
    taken = np.array(lags or range(1, order + 1), dtype=np.int64)
    X, y = [], []
    for x in rows:
        for t in range(order, len(x)):
            past = x[t - taken]
            if np.isfinite(x[t]) and np.isfinite(past).all():
                X.append([*past, 1.0])
                y.append(x[t])
    solved = np.linalg.lstsq(np.array(X), np.array(y), rcond=None)[0]
    out = np.zeros(order + 1)
    out[taken - 1], out[order] = solved[:-1], solved[-1]
    return out


def autoregression(model: SequenceModel, d: int = 0) -> tuple[int, Array]:
    """Return the order of the autoregression, and its coefficients and constant in model space."""
    assert isinstance(model.front, InnovationFront)
    ar, constant = model.front.ar, float(model.front.ar.bias[d, -1])
    phi = np.zeros(max(ar.lags, default=0))
    phi[np.array(ar.lags, dtype=np.int64) - 1] = ar.weight[d, -1].double().numpy()
    order = int(np.flatnonzero(phi).max(initial=-1)) + 1  # that of the channel, up to that of the model
    return order, np.append(phi[:order], constant)


def ahead(order: int, solution: Array, x: Array, horizon: int) -> Array:
    """Return the recursion of an autoregression after the values x."""
    path = list(x)
    for _ in range(horizon):
        path.append(float(solution[:order] @ np.array(path[len(path) - order :])[::-1] + solution[order]))
    return np.array(path[-horizon:])


def equals_least_squares(data: SequenceSet, **options: Any) -> str:
    """The autoregression of the kept model is least squares on every value, the held-out ones included."""
    model = sequential(fit(data, model="ar", **options).model)
    encoded = model.encoding.encode(data)
    z = encoded.values[:].double().numpy()
    for d in range(z.shape[1]):
        order, found = autoregression(model, d)
        rows = [z[a:b, d] for a, b in zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)]
        lags = [int(k) + 1 for k in np.flatnonzero(found[:order])]
        np.testing.assert_allclose(found, least_squares(rows, order, lags), rtol=1e-5, atol=2e-6)
    return f"right: AR({order}) on all {len(z)} steps"


RNG = np.random.default_rng(5)
WAVE = np.sin(np.arange(200) / 4) + 0.2 * RNG.standard_normal(200)
WALK = RNG.standard_normal(150).cumsum()
GAPS = WAVE.copy()
GAPS[[30, 31, 90, 185, 186]] = np.nan
SHIFT = np.concatenate([10 + 0.05 * RNG.standard_normal(90), 100 + 0.05 * RNG.standard_normal(10)])
DATA: dict[str, SequenceSet] = {
    "a wave": series(WAVE),
    "a random walk": series(WALK),
    "a shift of the level at the end": series(SHIFT),
    "missing values": series(GAPS),
    "missing values at the end": series(np.append(WAVE, [np.nan] * 9)),
    "a panel": series(WAVE, 50 + 3 * WALK, WAVE[:40], ids=("a", "b", "c")),
    "a panel with a series of one step": series(WAVE, [3.0], WALK, ids=("a", "b", "c")),
    "many short series": series(*(WAVE[i : i + 7] for i in range(40)), ids=tuple(f"s{i}" for i in range(40))),
    "large units": series(1e9 * WAVE),
    "small units": series(1e-9 * WAVE),
    "two channels": SequenceSet(
        "series", np.stack([WAVE, WAVE[::-1]], axis=1), np.array([0, 200]), ("y",), channels=("u", "v")
    ),
}
for _kind in ("series", "counts, normal", "channels", "panel", "sound"):
    DATA[f"{_kind} of the zoo"] = made(_kind).take([0, 2, 4])


def level_shift(forecaster: Callable[[SequenceSet], Array]) -> str:
    """After 90 values at 10 and 10 at 100 the forecast is near 100, as least squares on all says."""
    path = CASES / "forecast" / "level_shift.csv"
    if not path.exists():
        pytest.skip("needs ../shared/cases")
    data = read(path)
    y = data.values[:, 0].astype(np.float64)
    expected = ahead(1, least_squares([y], 1), y, 4)
    found = forecaster(data)
    np.testing.assert_allclose(expected, 100, atol=0.1)
    np.testing.assert_allclose(found, expected, atol=1.0)
    return f"right: {found.round(2).tolist()}, least squares {expected.round(2).tolist()}"


def by_fit(data: SequenceSet) -> Array:
    """Return the forecast of the model ar."""
    return np.asarray(forecast(fit(data, model="ar").model, data, 4).frame["ostinato"].to_numpy())


def by_series(data: SequenceSet) -> Array:
    """Return the forecast of an autoregression of each series, as ``ostinato forecast ar``."""
    y = data.values[:, 0].astype(np.float64)
    return local_ar(y, 7).ahead(y, 4)[0]


def trailing(share: float, empty: int) -> str:
    """Missing values at the end change neither the parts nor the model."""
    full, longer = series(WAVE[:30]), series(np.append(WAVE[:30], [np.nan] * empty))
    parts = [split(data, share).take("held-out", data).values for data in (full, longer)]
    assert np.isfinite(parts[1]).sum() == len(parts[0])
    models = [sequential(fit(data, model="ar", held_out=share).model) for data in (full, longer)]
    found = [autoregression(model)[1] for model in models]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    return f"right: {len(parts[0])} observed values held out"


def counts(text: str) -> str:
    """The chain of a text counts every pair, and a character of the held-out part alone is known."""
    data = SequenceSet(
        "text",
        np.array([ord(c) for c in text], dtype=np.int32)[:, None],
        np.array([0, len(text)]),
        ("t",),
        meta={"alphabet": "characters"},
    )
    model = sequential(fit(data, model="ar", max_order=1).model)
    assert isinstance(model.encoding, Alphabet)
    assert isinstance(model.front, SymbolFront)
    assert set(model.encoding.code_points) == set(map(ord, text))
    before = model.before_refit(data).encoding
    assert isinstance(before, Alphabet)
    assert set(before.code_points) < set(model.encoding.code_points)
    return f"right: {len(model.encoding.code_points)} characters, {len(before.code_points)} before"


def a_new_character(name: str) -> str:
    """The alphabet of a network has a character that only the held-out part has, and it draws from all characters."""
    text = "abcab" * 80 + "zab" * 12
    data = SequenceSet(
        "text",
        np.array([ord(c) for c in text], dtype=np.int32)[:, None],
        np.array([0, len(text)]),
        ("t",),
        meta={"alphabet": "characters"},
    )
    found = fit(data, model=name, hidden=8, embedding=4, budget=Budget(None, 60), learning_rate=0.05)
    model = sequential(found.model)
    assert model.encoding.prompt("z", 1).tolist() == [[ord("z")]]
    rows = [
        len(value)
        for m in (model.before_refit(data), model)
        for key, value in m.state_dict().items()
        if key == "front.embedding.weight"
    ]
    assert rows[1] == rows[0] + 1
    return "right: z is known"


def by_direct(networks: int) -> str:
    """A direct model is fitted to everything under the same name and default."""
    later = WAVE.copy()
    later[-15:] += 3
    one, two, held = (
        direct(fit(series(y), model="direct", horizon=4, season=1, networks=networks, refit=again, budget=SHORT).model)
        for y, again in ((WAVE, True), (later, True), (later, False))
    )
    assert not np.array_equal(one.base.weights, two.base.weights)
    assert two.description.direct_record.refit
    assert "fitted again to all 200 steps" in str(two.description.direct_record.refitted)
    assert held.description.direct_record.refitted is None
    return "right: the last values move the weights"


def by_network(kind: str, name: str) -> str:
    """A network is trained on the held-out part too, is the same each time, and keeps its weights from before."""
    data = made(kind).take([0, 2, 4])
    how: dict[str, Any] = {"model": name, "held_out": 0.2, "hidden": 6, "max_order": 3, "components": 2}
    how |= {"emission": KINDS[kind].emission, "budget": SHORT, "evaluate_every": 3, "learning_rate": 0.01}
    first, again = (sequential(fit(data, **how).model) for _ in range(2))
    weights = dict(first.named_parameters())
    assert all(torch.equal(p, weights[key]) for key, p in again.named_parameters())
    kept = sequential(fit(data, **how, refit=False).model)
    before = dict(first.before_refit(data).named_parameters())
    assert all(torch.equal(p, before[key]) for key, p in kept.named_parameters())
    assert first.before_refit(data) is not first
    moved = any(p.shape != before[key].shape or not torch.equal(p, before[key]) for key, p in first.named_parameters())
    # adaptive filters learn in each sequence anew, and a network on them that never improved makes no step again
    assert moved != (first.filtered and first.description.ladder_record.never_improved(name))
    return f"right: {first.description.ladder_record.refitted}"


KIND = "what is held out reaches the weights"
LEAST, COUNTS, TORCH = "numpy.linalg.lstsq", "counts by hand", "torch.equal with refit=False"
ROWS = [Row(KIND, f"ar of {name}", LEAST, partial(equals_least_squares, data)) for name, data in DATA.items()]
ROWS += [
    Row(KIND, f"ar of a wave with {share} held out", LEAST, partial(equals_least_squares, series(WAVE), held_out=share))
    for share in (0.02, 0.3, 0.5)
]
ROWS += [
    Row(KIND, "level shift by fit", LEAST, partial(level_shift, by_fit)),
    Row(KIND, "level shift by forecast ar", LEAST, partial(level_shift, by_series)),
    *(
        Row(
            KIND,
            f"{empty} empty values after 30, {share} held out",
            "the 30 values alone",
            partial(trailing, share, empty),
        )
        for share, empty in ((0.1, 3), (0.1, 30), (0.3, 7), (0.1, 1))
    ),
    Row(KIND, "characters of the last lines alone", COUNTS, partial(counts, "abcab" * 40 + "xyz" * 3)),
    Row(KIND, "a Korean character at the end", COUNTS, partial(counts, "abcab" * 40 + "가나")),
    *(Row(KIND, f"a new character for {name}", COUNTS, partial(a_new_character, name)) for name in ("gru", "conv")),
    *(Row(KIND, f"direct with {n} networks", "refit=False", partial(by_direct, n)) for n in (0, 1)),
    *(
        Row(KIND, f"{name} of {kind}", TORCH, partial(by_network, kind, name))
        for kind in KINDS
        for name in BACKBONES[1:]
        if kind in ("series", "lines") or name == "gru"
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_refit(row: Row) -> None:
    assert row.check()
