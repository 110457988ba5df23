"""A live step in plain numbers is the model's step: the same surprisals, expectations and state."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ostinato.emissions.build import build_emission
from ostinato.emissions.emission import Support
from ostinato.errors import DataError
from ostinato.inference.live.build import live as plain_form
from ostinato.inference.live.few import Few
from ostinato.inference.live.rows import Rows
from ostinato.ops.engine import extension
from zoo import BACKBONES, KINDS, PAIRS, as_text, fitted, live, made

#: The emissions with a log density in plain Python.
DENSITIES = ("normal", "student_t")
PLAIN = [
    (kind, name)
    for kind, name in PAIRS
    if KINDS[kind].emission in (*DENSITIES, "categorical") and kind != "counts, normal"
    if (name == "ar" and KINDS[kind].emission != "categorical") or name in ("linear", "rnn", "gru", "lstm", "conv")
]
#: Adaptive filters without a bound have one of their own.
PLAIN += [(kind, name) for kind, name in PAIRS if name == "filter" and kind != "nonnegative"]
PLAIN += [(kind, name) for kind, name in PAIRS if name == "ets" and kind != "counts, normal"]
engine = pytest.mark.skipif(bool(extension.ABSENT), reason=str(extension.ABSENT))


@engine
def test_the_models_with_a_plain_step_are_known() -> None:
    found = [(kind, name) for kind, name in PAIRS if plain_form(fitted(kind, name), "a") is not None]
    assert found == PLAIN
    assert set(BACKBONES) <= {name for _, name in found}


@engine
@pytest.mark.parametrize(("kind", "name"), PLAIN)
def test_one_at_a_time_is_a_block(kind: str, name: str) -> None:
    """Missing values and blocks in between use the torch step, and the state is carried along."""
    model, data = fitted(kind, name), made(kind)
    row = as_text(data[4]) if data.kind == "text" else np.asarray(data[4], dtype=float)
    whole, single = live(model, data, 4), live(model, data, 4)
    expected = whole.update(row)
    cuts = [*range(31), 37, *range(38, len(row) + 1)]
    parts = [single.update(row[a:b]) for a, b in pairwise(cuts)]
    assert single.steps == whole.steps == len(row)
    found = np.concatenate([p.surprisal for p in parts])
    np.testing.assert_allclose(found, expected.surprisal, rtol=1e-4, atol=1e-4)
    found = np.concatenate([p.prediction for p in parts])
    np.testing.assert_allclose(found, expected.prediction, rtol=1e-4, atol=1e-4)


@engine
def test_invalid_values_are_refused_after_live_steps() -> None:
    model, data = fitted("channels", "gru"), made("channels")
    stream = live(model, data, 4)
    for bad in ([[1.0, np.inf]], [1.0], [[1.0]], [[1.0, 2.0, 3.0]], [["a", "b"]]):
        one = stream.update([[0.5, -1.0]])
        assert np.isfinite(one.surprisal).all()
        with pytest.raises((DataError, ValueError)):
            stream.update(bad)
    assert stream.steps == 5


#: One step of the value 3, in types that numbers come in, and whether the step in plain numbers takes it.
STEPS: list[tuple[Any, bool]] = [
    *[([kind(3)], True) for kind in (int, float, np.int8, np.uint64, np.float16, np.float32, np.float64)],
    *[([[kind(3)]], True) for kind in (int, np.int32, np.float32)],
    *[(np.array([[3]], dtype), True) for dtype in ("u1", "i8", "f4", object)],
    *[(torch.tensor(shape), True) for shape in ([3.0], [[3.0]], [3])],
    *[(frame, True) for frame in (pd.DataFrame([[3.0]]), pd.DataFrame({9: [3]}), pd.Series([3], index=[9]))],
    (((3,),), True),
    (range(3, 4), False),
    (np.ma.masked_array([3.0, 9.0], [False, True])[:1], True),
    (np.float64(3.0), False),
    ([np.array(3.0)], False),
]
#: What holds no number at a step.
NO_NUMBERS: list[Any] = [
    *({9: 3.0}, {3.0}, b"3", "3", [{9: 3.0}], [b"3"], ["3"], [True], np.array([True]), [np.True_], [3j], [{3.0}]),
    *([np.timedelta64(3, "s")], np.array([3], "m8[ns]"), [np.datetime64("2020-01-01")], pd.DataFrame({9: ["3"]})),
]


@engine
@pytest.mark.parametrize("name", ["ar", "gru", "filter", "ets"])
def test_a_step_may_come_in_any_type_of_number(name: str) -> None:
    model, data = fitted("series", name), made("series")
    known = live(model, data, 4)
    expected, later = known.update([3.0]), known.update([1.0])
    for given, plain in STEPS:
        stream, step = live(model, data, 4), plain_form(model, "a")
        assert step is not None
        step.hold(model.initial_state(1))
        assert (step.take(given) is not None) == plain, given
        seen = stream.update(given)
        np.testing.assert_allclose(seen.surprisal, expected.surprisal, rtol=1e-5, err_msg=repr(given))
        np.testing.assert_allclose(stream.update([1.0]).surprisal, later.surprisal, rtol=1e-5)
    for given in NO_NUMBERS:
        with pytest.raises(DataError):
            live(model, data, 4).update(given)


@engine
def test_a_masked_value_is_missing() -> None:
    model, data = fitted("channels", "ar"), made("channels")
    masked = np.ma.masked_array([[0.5, 9.0], [1.0, 2.0]], [[False, True], [False, False]])
    expected = live(model, data, 4).update([[0.5, np.nan], [1.0, 2.0]])
    np.testing.assert_array_equal(live(model, data, 4).update(masked).surprisal, expected.surprisal)
    single = live(model, data, 4)
    found = np.concatenate([single.update(masked[t : t + 1]).surprisal for t in range(2)])
    np.testing.assert_allclose(found, expected.surprisal, rtol=1e-5)


@pytest.mark.parametrize("name", DENSITIES)
def test_densities_of_one_number_are_the_emissions(name: str) -> None:
    emission = build_emission(name, symbols=None, components=3)
    raw = torch.tensor([-30.0, -5.0, -0.1, 0.0, 0.7, 4.0, 40.0, 1e4], dtype=torch.float64)
    x = torch.tensor([0.0, 1e-3, -1.0, 7.0, -1e6, 1e30], dtype=torch.float64)
    params = torch.cartesian_prod(*[raw] * emission.parameters)
    true = emission.log_prob(params[:, None], x, Support.real(torch.float64))
    density = emission.plain_density
    assert density is not None
    found = [[density(p, v) for v in x.tolist()] for p in params.tolist()]
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), true, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("kind", "name"), [pair for pair in PLAIN if pair[1] == "ets"])
def test_the_ring_of_a_stream_leaves_the_state_of_score(kind: str, name: str) -> None:
    """After steps in plain numbers the state is that of a block, to the last digits of float64."""
    model, data = fitted(kind, name), made(kind)
    row = np.asarray(data[4], dtype=float)[:30]
    row = row[np.isfinite(row).all(-1)]
    whole, single = live(model, data, 4), live(model, data, 4)
    whole.update(row)
    for value in row:
        single.update(value[None])
    for a, b in zip(single.held().state, whole.held().state, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


FEW = [(kind, name) for kind, name in PLAIN if Few.of(fitted(kind, name)) is not None]


@engine
def test_the_models_whose_few_steps_are_plain_are_known() -> None:
    assert FEW
    assert all(KINDS[kind].emission in DENSITIES for kind, _ in FEW)
    left = {kind for kind, _ in PLAIN if KINDS[kind].emission in DENSITIES} - {kind for kind, _ in FEW}
    assert left == {"prices", "price panel"}


@engine
@pytest.mark.parametrize(("kind", "name"), FEW)
def test_a_few_sequences_step_as_a_batch_does(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sequence has its own scale, state and number of steps; a missing value takes the way of the batch."""
    model, data = fitted(kind, name), made(kind)
    rows, ids, one = Rows(model), [data.ids[b] for b in (4, 3, 4)], np.ones(3, dtype=np.int64)
    few, batch = rows.start(3), rows.start(3)
    values = np.asarray(data[4], dtype=float)
    for t in range(40):
        y = np.stack([values[t], values[t + 1] + 0.1, values[t + 2]])
        found = rows.step(ids, y, one, few)
        with monkeypatch.context() as patched:
            patched.setattr(rows, "_few", None)
            wanted = rows.step(ids, y, one, batch)
        np.testing.assert_allclose(found.surprisal, wanted.surprisal, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found.expected, wanted.expected, rtol=1e-4, atol=1e-4)
        few, batch = found.state, wanted.state
        assert all(a.shape == b.shape and a.dtype == b.dtype for a, b in zip(few, batch, strict=True))
