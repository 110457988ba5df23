"""Laws of the verbs, for every kind of sequence with every backbone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostinato.emissions.emission import Support
from ostinato.inference.forecast import forecast
from ostinato.inference.rollout import state_after
from ostinato.inference.sample import sample
from ostinato.inference.score import score
from ostinato.inference.scores import Scores
from ostinato.model import SequenceModel
from ostinato.model_file import load_model, save_model
from zoo import NUMBERS, PAIRS, as_text, fitted, live, made

every = pytest.mark.parametrize(("kind", "name"), PAIRS)
numbers = pytest.mark.parametrize(("kind", "name"), NUMBERS)
CLOSE: dict[str, Any] = {"rtol": 2e-4, "atol": 2e-4}


def of(scores: Scores, row: int) -> np.ndarray:
    return scores.surprisal[scores.offsets[row] : scores.offsets[row + 1]]


@every
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_score_is_the_stream_cut_anyhow(kind: str, name: str, data: st.DataObject) -> None:
    model, sequences = fitted(kind, name), made(kind)
    row = data.draw(st.sampled_from([0, 1, 3, 4]))
    values = sequences[row]
    inner = data.draw(st.lists(st.integers(0, len(values)), max_size=6))
    stream, seen = live(model, sequences, row), []
    for a, z in pairwise(sorted([0, *inner, len(values)])):
        block = as_text(values[a:z]) if sequences.kind == "text" else values[a:z]
        seen.append(stream.update(block).surprisal)
    expected = of(score(model, sequences), row)
    if sequences.terminated:
        seen.append(stream.update("\n").surprisal)
    np.testing.assert_allclose(np.concatenate(seen), expected, **CLOSE)
    assert stream.steps == len(expected)


@every
def test_a_batch_scores_as_its_rows_do(kind: str, name: str) -> None:
    model, data = fitted(kind, name), made(kind)
    together = score(model, data)
    for b in range(len(data)):
        np.testing.assert_allclose(of(together, b), score(model, data.take([b])).surprisal, **CLOSE)


@every
def test_a_saved_model_scores_bitwise_the_same(kind: str, name: str, tmp_path: Path) -> None:
    model, data = fitted(kind, name), made(kind)
    save_model(model, tmp_path / "m.ost")
    again = load_model(tmp_path / "m.ost")
    assert isinstance(again, SequenceModel)
    np.testing.assert_array_equal(score(model, data).surprisal, score(again, data).surprisal)
    np.testing.assert_array_equal(sample(model, 9, n_samples=2, seed=1)[0], sample(again, 9, n_samples=2, seed=1)[0])
    assert again.description == model.description
    assert again.encoding == model.encoding


@every
def test_step_by_step_is_the_unroll(kind: str, name: str) -> None:
    """The steps of forecast and sample (predict and observe) equal the unroll of score."""
    model, data = fitted(kind, name), made(kind)
    encoded = model.encoding.encode(data)
    x = encoded.values[:20, None]
    support = Support(encoded.unit[:1], encoded.low[:1], encoded.high[:1])
    q = torch.tensor([0.1, 0.5, 0.9])
    with torch.no_grad():
        unrolled, after = model.unroll(x)
        expected = unrolled.quantile(q, support).double()
        state, seen = model.initial_state(1), []
        for step in x:
            conditional, middle = model.predict(state)
            seen.append(conditional.quantile(q, support).double())
            state = model.observe(middle, step)
    torch.testing.assert_close(torch.stack(seen), expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(state, after, rtol=1e-3, atol=1e-3, equal_nan=True)
    assert [s.shape for s in state] == [s.shape for s in state_after(model, encoded, [0])]


@every
def test_same_seed_same_samples(kind: str, name: str) -> None:
    model = fitted(kind, name)
    first, again, other = (sample(model, 30, n_samples=2, seed=s) for s in (3, 3, 4))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert not np.array_equal(first[0], first[1])


@numbers
def test_forecasts_are_finite_ordered_and_repeatable(kind: str, name: str) -> None:
    model, data = fitted(kind, name), made(kind)
    one, two = (forecast(model, data, 5, (50, 90), n_paths=40, seed=1) for _ in range(2))
    other = forecast(model, data, 5, 50, n_paths=40, seed=2)
    for a, b in zip(one.paths, two.paths, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.paths[0], other.paths[0])
    assert one.frame.equals(two.frame)
    assert len(one.frame) == 5 * len(data) * len(data.channels)
    columns = [f"ostinato-{side}" for side in ("lo-90", "lo-50", "hi-50", "hi-90")]
    table = one.frame.select(columns).to_numpy()
    if kind.startswith("price"):  # an empty one has no price to go on from, and says so
        assert np.isnan(table[15:20]).all()
        assert "without a price" in one.notes[-1]
        table = np.delete(table, range(15, 20), axis=0)
    assert np.isfinite(table).all()
    assert (np.diff(table, axis=1) >= 0).all()


@pytest.mark.parametrize(("kind", "name"), [p for p in NUMBERS if "sound" not in p[0]])
def test_missing_steps_at_the_end_are_forecast_too(kind: str, name: str) -> None:
    model, data = fitted(kind, name), made(kind).take([4])
    gap = data.cut(np.array([0]), data.lengths - 4)
    holes = data.values.copy()
    holes[-4:] = np.nan
    # of 40 paths, the ends of this interval are quantiles of the paths, which are found at once
    beyond = forecast(model, gap, 7, 50, n_paths=40)
    through = forecast(model, type(data)(**{**vars(data), "values": holes}), 3, 50, n_paths=40)
    np.testing.assert_array_equal(beyond.paths[0][:, 4:], through.paths[0])


@every
def test_an_empty_sequence_and_one_step(kind: str, name: str) -> None:
    model, data = fitted(kind, name), made(kind)
    scores = score(model, data.take([3, 1]))
    ends = int(data.terminated)
    assert np.diff(scores.offsets).tolist() == [ends, 1 + ends]
    scored = [ends, ends + (data.kind != "prices")]  # a first price has no return
    assert scores.steps.tolist() == scored
    assert len(live(model, data, 3).update("" if data.kind == "text" else []).surprisal) == 0
    assert np.isnan(score(model, data.take([])).nats_per_step)
