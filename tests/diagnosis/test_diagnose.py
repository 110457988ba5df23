"""``diagnose`` names known lags, respects the windows of models, and touches only the sampled steps."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.diagnosis.ablation import ablate, geometric
from ostinato.diagnosis.diagnose import diagnose
from ostinato.diagnosis.gradient import backbone_window, in_float64, norms
from ostinato.diagnosis.result import Diagnosis, layers_for
from ostinato.diagnosis.stretches import Source, draw, log_probs
from ostinato.errors import ConfigError, DataError
from ostinato.inference.score import score
from ostinato.layers.build import BARE
from ostinato.model import SequenceModel
from ostinato.record import LadderRecord
from zoo import BACKBONES, PAIRS, build, fitted, made


@cache
def echo(lag: int, steps: int = 4000) -> SequenceSet:
    """x_t = 0.8 x_{t-lag} + 0.6 noise."""
    x = np.random.default_rng(lag).standard_normal(steps)
    for t in range(lag, steps):
        x[t] = 0.8 * x[t - lag] + 0.6 * x[t]
    return SequenceSet("series", x[:, None], np.array([0, steps]), ("echo",))


@cache
def model_of(lag: int, name: str, order: int) -> SequenceModel:
    return build(echo(lag), name, "normal", order=order)


@pytest.mark.parametrize("lag", [7, 50, 300])
def test_the_lag_that_data_were_made_with_is_named_by_a_model_that_cannot_reach_it(lag: int) -> None:
    for name in ("ar", "rnn") if lag < 300 else ("rnn",):
        found = diagnose(model_of(lag, name, 2), echo(lag), max_lag=lag + 10, positions=64)
        assert found.picked == (lag,)
        assert found.reach == lag
        assert f"the past up to lag {lag} improves the predictions of a reference model:" in found.verdict
        if name == "ar":
            assert found.window == 2
            assert f"max_order={lag}" in found.verdict
        elif lag > 7:
            assert found.effective_memory is not None
            assert found.effective_memory < lag
            assert f"use an LSTM, or a truncation window of at least {lag} steps" in found.verdict


@pytest.mark.parametrize("lag", [7, 50])
def test_a_model_that_reaches_the_lag_gains_up_to_it(lag: int) -> None:
    found = diagnose(model_of(lag, "ar", lag), echo(lag), max_lag=lag + 30, positions=256)
    grid = geometric(lag + 30)
    assert found.model_reach in (max(cut for cut in grid if cut <= lag), min(cut for cut in grid if cut >= lag))
    before = [s for cut, s in zip(found.cuts, found.scores, strict=True) if cut < lag / 2]
    # without the lag the variance is 1, with it 0.36
    assert found.score - np.mean(before) == pytest.approx(-0.5 * np.log(0.36), abs=0.12)
    assert found.scores[-1] == pytest.approx(found.score, abs=0.01)
    assert found.verdict.endswith("the model looks back far enough")


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_every_model_is_diagnosed(kind: str, name: str) -> None:
    found = diagnose(fitted(kind, name), made(kind), max_lag=12, positions=8)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["verdict"] == found.verdict
    assert found.lags == tuple(range(1, 13))
    assert len(found.scores) == len(found.errors) == len(found.rewards) == len(found.cuts)
    assert len(found.flows) == ({"conv": 6}.get(name, 1) if name not in BARE else 0)
    for flow in found.flows:
        assert len(flow.median) == 12
        assert all(a <= b <= c for a, b, c in zip(flow.lower, flow.median, flow.upper, strict=True))
    # the scale of a GARCH follows all of the past, and so do an adaptive filter and smoothing
    assert (found.window is not None) == (name in ("ar", "conv") and found.order is not None)
    assert (found.order is None) == ("price" in kind or name in ("filter", "ets"))


@pytest.mark.parametrize("kind", ["series", "lines"])
@pytest.mark.parametrize("name", ["ar", "conv"])
def test_a_window_is_the_last_input_that_counts(kind: str, name: str) -> None:
    model = in_float64(fitted(kind, name))
    window = backbone_window(model)
    assert window is not None
    torch.manual_seed(0)
    T = window + 8
    x = torch.randn(T, 1, 1, dtype=torch.float64) if kind == "series" else torch.randint(1, 4, (T, 1, 1))

    def last(moved: int) -> torch.Tensor:
        y = x.clone()
        y[T - 1 - moved] = 3 - y[T - 1 - moved] if kind == "series" else y[T - 1 - moved] % 3 + 1
        conditional = model.unroll(y)[0]
        h = conditional.params[-1, 0]
        return h if conditional.loc is None else torch.cat([h.flatten(), conditional.loc[-1, 0]])

    assert not torch.equal(last(window), last(window + 1))
    torch.testing.assert_close(last(window + 1), last(window + 2), rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["series", "panel", "prices", "text", "lines", "sound", "coarse sound"])
@pytest.mark.parametrize("name", ["ar", "gru"])
def test_a_stretch_is_scored_as_the_whole_is(kind: str, name: str) -> None:
    model, data = fitted(kind, name), made(kind)
    if model.description.kind != "text":
        data = data.take([0, 2, 4])
    source = Source(model, data, split(data, 0.3))
    whole = score(model, data)
    spans = [(b, 0, int(n)) for b, n in enumerate(np.diff(whole.offsets)) if n]
    rows = source.rows(spans)
    nats = log_probs(model, rows).numpy()
    for r, (b, _, stop) in enumerate(spans):
        at = int(whole.offsets[b])
        np.testing.assert_allclose(nats[:stop, r], -whole.surprisal[at : at + stop], rtol=1e-4, atol=1e-4)
    for b, _, stop in spans:
        if stop > 20:
            part, full = source.encode((b, 11, stop - 2)), source.encode((b, 0, stop))
            torch.testing.assert_close(part.values, full.values[11 : stop - 2], equal_nan=True)


def test_the_value_of_the_past_does_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    data = echo(7)
    source = Source(model_of(7, "rnn", 2), data, split(data, 0.1))
    first = ablate(source, geometric(30), 40, np.random.default_rng(0))
    monkeypatch.setattr("ostinato.diagnosis.ablation.ROWS", 7)
    again = ablate(source, geometric(30), 40, np.random.default_rng(0))
    np.testing.assert_allclose(first.lost, again.lost, atol=1e-6)
    one = norms(source, geometric(30), 20, np.random.default_rng(0))
    monkeypatch.setattr("ostinato.diagnosis.gradient.MOST_VALUES", 1)
    np.testing.assert_allclose(one, norms(source, geometric(30), 20, np.random.default_rng(0)), rtol=1e-10)


def test_the_seed_decides_the_result() -> None:
    def run(seed: int) -> Diagnosis:
        return diagnose(fitted("series", "gru"), made("series"), max_lag=10, positions=12, seed=seed)

    assert run(1) == run(1)
    assert run(1).scores != run(2).scores


def test_sequences_may_be_longer_than_memory(tmp_path: Path) -> None:
    """The values are on disk, and are read one stretch at a time."""
    data = echo(7, 50_000)
    np.save(tmp_path / "values.npy", data.values)
    values = np.load(tmp_path / "values.npy", mmap_mode="r")
    asked: list[int] = []

    class Watched(np.ndarray[Any, Any]):
        def __getitem__(self, key: Any) -> Any:
            out = super().__getitem__(key)
            asked.append(int(np.size(out)))
            return out

    source = Source(model_of(7, "rnn", 2), replace(data, values=values.view(Watched)), split(data, 0.1))
    ablate(source, geometric(50), 64, np.random.default_rng(0))
    assert asked
    assert max(asked) <= 2 * 50 + 1


def test_draws_have_a_past_and_lie_in_their_span() -> None:
    spans = [(0, 0, 5), (1, 90, 100), (2, 0, 1)]
    for before in (0, 20):
        drawn = draw(spans, 500, np.random.default_rng(0), before=before)
        assert {i for i, _ in drawn} == {0, 1}
        assert {t for i, t in drawn if i == 0} == {1, 2, 3, 4}
        assert {t for i, t in drawn if i == 1} == set(range(90 - before, 100))
    assert draw([(0, 0, 1)], 5, np.random.default_rng(0)) == []


def test_layers_of_a_convolution() -> None:
    assert [layers_for(lag) for lag in (1, 2, 3, 64, 65)] == [1, 1, 2, 6, 7]


@pytest.mark.parametrize("name", BACKBONES)
def test_arguments_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="max_lag must be at least 1, got 0"):
        diagnose(fitted("series", name), made("series"), max_lag=0)
    with pytest.raises(ConfigError, match="positions must be at least 1, got 0"):
        diagnose(fitted("series", name), made("series"), positions=0)
    values = np.array([[1.0], [2.0], [3.0], [np.nan], [np.nan], [np.nan]])
    empty = SequenceSet("series", values, np.array([0, 3, 6]), ("s", "empty"))
    with pytest.raises(DataError, match="no observed value"):
        diagnose(fitted("series", name), empty, held_out="empty")


def test_an_uncertain_reward_beyond_the_reach_is_given_with_its_error() -> None:
    """An uncertain rise of the reference beyond its reach is reported."""
    found = diagnose(fitted("series", "gru"), made("series"), max_lag=10, positions=12)
    rewards = tuple(0.1 * i for i in range(len(found.cuts)))
    rising = replace(found, data_reach=0, model_reach=0, rewards=rewards, data_beyond=(0.7, 0.4), reference_score=99.0)
    assert rising.reach == 0
    words = "no past input improves the predictions of a reference model (older inputs may add 0.7000 ± 0.4000 nats"
    assert words in rising.verdict
    assert replace(rising, data_beyond=(0.004, 0.4)).uncertain is None
    assert len(found.reward_errors) == len(found.rewards)
    assert found.data_beyond[0] >= 0


def test_a_network_that_training_left_at_its_start_is_not_advised_to_train_longer() -> None:
    found = diagnose(fitted("series", "gru"), made("series"), max_lag=10, positions=12)
    nothing = tuple(replace(flow, median=(0.0,) * 10, lower=(0.0,) * 10, upper=(0.0,) * 10) for flow in found.flows)
    silent = replace(found, flows=nothing, effective_memory=None, data_reach=8, model_reach=0, reference_score=99.0)
    for stuck in (silent, replace(silent, flows=found.flows, improved=False)):
        assert "train longer" not in stuck.verdict
        assert "training never improved on the closed form" in stuck.verdict
    assert "no gradient comes back" in silent.verdict
    assert "gradients still come back" not in silent.verdict


def test_improved_compares_with_the_start() -> None:
    def record(*validation: float) -> LadderRecord:
        return LadderRecord.from_json({"curves": {"gru": [[i, 0.1, None, v] for i, v in enumerate(validation)]}})

    assert record(-2.0, -2.1, -1.9).improved("gru") is True
    assert record(-2.0, -2.1, -2.0).improved("gru") is False
    assert record(-2.0).improved("lstm") is None
    assert LadderRecord.from_json({"curve": [[5, 0.1, 2.0, -1.0]]}).improved("gru") is None
