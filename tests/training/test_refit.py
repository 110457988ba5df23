"""The refit of the kept model: resumable to the bit, inside the budget, apart from what the held-out part judges."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ostinato
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.diagnosis.diagnose import diagnose
from ostinato.dispatch.fit import fit
from ostinato.evaluation.backtest import cross_validation
from ostinato.fits.budget import Budget
from ostinato.fits.progress import TrainingProgress
from ostinato.gradients.methods import FullBPTT, Method, TruncatedBPTT
from ostinato.inference.score import score
from ostinato.layers.ar import AR
from ostinato.layers.markov import Markov
from ostinato.model import SequenceModel
from ostinato.record import LadderRecord
from ostinato.training.closed_form import closed_form
from ostinato.training.config import LadderOptions
from ostinato.training.material import Material
from ostinato.training.trainer import Trainer
from zoo import kept, sequential

WAVE = np.sin(np.arange(300) / 5) + 0.2 * np.random.default_rng(0).standard_normal(300)
#: A learning rate and evaluations that let the network improve within a few steps.
HOW: dict[str, Any] = {
    "model": "gru",
    "hidden": 6,
    "max_order": 2,
    "budget": Budget(None, 40),
    "evaluate_every": 10,
    "learning_rate": 0.02,
    "dropout": 0.3,
}


class StoppedError(Exception):
    """Stops a fit, as a kill would."""


def weights(model: SequenceModel) -> dict[str, torch.Tensor]:
    """Return the weights and the buffers of a model."""
    return dict(model.state_dict())


def same(a: SequenceModel, b: SequenceModel) -> bool:
    """Return whether two models are equal to the bit."""
    ours, theirs = weights(a), weights(b)
    return ours.keys() == theirs.keys() and all(torch.equal(v, theirs[k]) for k, v in ours.items())


@pytest.mark.parametrize("at", [1, 4])
def test_a_refit_that_was_stopped_continues_to_the_bit(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(event: TrainingProgress) -> None:
        if event.name == "gru again" and event.step == at + 1:
            raise StoppedError

    # a slow disk must not make the checkpoints rarer
    monkeypatch.setattr("ostinato.training.trainer.WRITING", math.inf)
    straight = fit(WAVE, **HOW)
    again: dict[str, Any] = {"checkpoint": tmp_path, "checkpoint_every": 0.0}
    with pytest.raises(StoppedError):
        fit(WAVE, **HOW, **again, on_progress=stop)
    assert (tmp_path / "gru.refit.running").exists()
    seen: list[TrainingProgress] = []
    resumed = fit(WAVE, **HOW, **again, on_progress=seen.append)
    assert seen[0].name == "gru again"
    assert seen[0].step == at + 1
    assert same(sequential(straight.model), sequential(resumed.model))
    assert straight.table[1].held_out == resumed.table[1].held_out  # type: ignore[union-attr]


def test_a_checkpoint_of_a_fit_without_a_refit_is_another_fit(tmp_path: Path) -> None:
    fit(WAVE, model="ar", checkpoint=tmp_path)
    with pytest.raises(ostinato.ConfigError, match="other options"):
        fit(WAVE, model="ar", checkpoint=tmp_path, refit=False)


def test_the_steps_of_a_refit_follow_from_the_best_evaluation() -> None:
    seen: list[TrainingProgress] = []
    record = fit(WAVE, **HOW, on_progress=seen.append).model.description.ladder_record
    curve = record.curves_of("gru")["gru"]
    best = max(curve, key=lambda point: point[3])[0]
    expected = round(best * (300 / 243 - 1))  # 300 steps, of which 243 were the training part
    assert best > 0
    assert [e.step for e in seen if e.name == "gru again"] == list(range(1, expected + 1))
    assert seen[-1].share == 1
    assert f"{expected} optimiser steps from the kept weights on" in str(record.refitted)


def long_text() -> SequenceSet:
    """Return one text of 40,000 characters, of which the validation part is more than one block."""
    points = np.random.default_rng(0).choice(list(b"aaaabcde \n"), size=(40_000, 1)).astype(np.int32)
    return SequenceSet("text", points, np.array([0, len(points)]), ("a",), meta={"alphabet": "characters"})


@pytest.mark.parametrize("method", [FullBPTT(), TruncatedBPTT(32)], ids=["full", "truncated"])
@pytest.mark.parametrize("kind", ["one text", "lines", "series", "short series", "long series"])
def test_a_refit_draws_what_training_has_not_seen_first(
    kind: str, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "one text":
        data = long_text()
    else:
        rows, length = {"lines": (60, 20), "series": (3, 400), "short series": (60, 20), "long series": (2, 3000)}[kind]
        points = np.random.default_rng(0).integers(97, 101, (rows * length, 1))
        values = points.astype(np.int32) if kind == "lines" else points + np.random.default_rng(1).normal(size=(1,))
        offsets, ids = np.arange(rows + 1) * length, tuple(map(str, range(rows)))
        how: dict[str, Any] = {"terminated": True, "meta": {"alphabet": "characters"}} if kind == "lines" else {}
        data = SequenceSet("text" if kind == "lines" else "series", values, offsets, ids, **how)
    made: list[Trainer] = []

    def again(*args: Any, **more: Any) -> Trainer:
        made.append(Trainer(*args, **more))
        return made[-1]

    monkeypatch.setattr("ostinato.training.refit.Trainer", again)
    options: dict[str, Any] = {"hidden": 4, "max_order": 1, "batch_steps": 512, "learning_rate": 0.05}
    fit(data, model="gru", method=method, budget=Budget(None, 12), evaluate_every=4, **options)
    (trainer,) = made
    cut, encoded = split(data), trainer.material.encoded
    seen = {(b, t) for b, a, z in cut.spans("train", data.lengths, encoded.lengths) for t in range(a, z)}
    trainer.run.epoch, trainer.run.position, trainer.run.step = 0, 0, 0
    #: the counted steps of each piece, in the order in which the pieces begin
    pieces: list[list[tuple[int, int]]] = []
    going: list[list[tuple[int, int]]] = []
    for batch in trainer._epoch():
        for r, (row, start) in enumerate(zip(batch.rows, batch.starts, strict=True)):
            if batch.reset[r]:
                pieces.append([])
                going[r : r + 1] = [pieces[-1]]
            going[r] += [(row, start + t) for t in torch.nonzero(batch.weight[:, r].any(-1)).flatten().tolist()]
        if isinstance(method, FullBPTT):
            going = []
    counted = [step for piece in pieces for step in piece]
    assert sorted(counted) == [(b, t) for b, n in enumerate(encoded.lengths.tolist()) for t in range(n)]
    fresh = [not seen.issuperset(piece) for piece in pieces]
    assert fresh == sorted(fresh, reverse=True)
    if not isinstance(method, FullBPTT):
        assert sum(map(len, pieces[: sum(fresh)])) == len(counted) - len(seen)
        assert not all(fresh)


def test_a_refit_stays_inside_a_budget_of_seconds() -> None:
    seen: list[TrainingProgress] = []
    how = {**HOW, "budget": Budget(1e-2, None)}
    record = fit(WAVE, **how, on_progress=seen.append).model.description.ladder_record
    assert sum(event.name == "gru again" for event in seen) <= 1
    assert record.refitted is not None


def test_the_figures_are_those_of_the_model_before_the_refit(tmp_path: Path) -> None:
    data = read(WAVE)
    found, alone = fit(data, **HOW), fit(data, **HOW, refit=False)
    assert kept(found).held_out == kept(alone).held_out
    model = sequential(found.model)
    ostinato.save_model(model, tmp_path / "m.ost")
    loaded = sequential(ostinato.load_model(tmp_path / "m.ost"))
    assert same(loaded, model)
    assert not same(loaded, sequential(alone.model))
    assert same(loaded.before_refit(data), sequential(alone.model))
    scores = score(loaded.before_refit(data), data).surprisal[270:]
    assert kept(found).held_out == pytest.approx(-float(np.nanmean(scores)), abs=1e-4)
    assert loaded.before_refit(read(WAVE[:-1])) is loaded
    assert diagnose(loaded, data, max_lag=8, positions=16).score == pytest.approx(
        diagnose(alone.model, data, max_lag=8, positions=16).score
    )
    assert "gru was then fitted again to all 300 steps" in found.notes[-1]
    assert any("gru was fitted again to all 300 steps" in line for line in ostinato.inspect_model(loaded))
    record = alone.model.description.ladder_record
    assert record.refit is False
    assert record.refitted is None
    assert not any("fitted again" in note for note in alone.notes)


def test_a_record_of_an_early_version_says_nothing_about_a_refit() -> None:
    assert LadderRecord.from_json({"steps": 3}).refit is None


def test_a_convolution_keeps_its_depth_when_all_of_the_data_want_a_farther_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    def farther(
        whole: Material, options: LadderOptions, order: int | None = None
    ) -> tuple[AR | Markov, tuple[str, ...]]:
        return closed_form(whole, replace(options, max_order=128), order)

    monkeypatch.setattr("ostinato.training.refit.closed_form", farther)
    draws = np.random.default_rng(0).standard_normal(900)
    y = np.zeros(900)
    for t in range(1, 900):
        y[t] = np.sin(2 * y[t - 1]) + 0.2 * draws[t] + (0.4 * y[t - 70] if t > 70 else 0.0)
    made = fit(y, **{**HOW, "model": "conv", "dropout": 0.0})
    network = sequential(made.model)
    assert network.description.name == "conv"
    assert network.front.reach >= 64
    assert network.description.config["parts"]["depth"] == 1
    assert any("from the kept weights on" in note for note in made.notes), made.notes


def test_a_refit_takes_data_whose_held_out_part_has_other_values() -> None:
    for held_out in (-5.0, 0.0, 40.5):
        y = np.abs(WAVE) + 1
        y[270:] = held_out + 0.01 * np.arange(30)
        made = fit(y, **HOW)
        assert np.isfinite(score(made.model, y).log_prob)


@pytest.mark.parametrize(
    ("windows", "refit", "words"),
    [
        (2, True, "its weights before the refit make the forecasts, and they never saw these windows"),
        (5, True, "its weights before the refit make the forecasts, and they saw the values of 2 of the 5 windows"),
        (2, False, "its weights make the forecasts, and they never saw these windows"),
    ],
)
def test_a_backtest_says_what_the_weights_saw(windows: int, refit: bool, words: str) -> None:
    data = read(WAVE)
    model = fit(data, model="ar", refit=refit).model
    made = cross_validation(data, model, horizon=10, n_windows=windows, n_paths=20)
    assert any(words in note for note in made.notes), made.notes
    alone = cross_validation(data, fit(data, model="ar", refit=False).model, horizon=10, n_windows=windows, n_paths=20)
    assert made.table["wql"].to_list() == alone.table["wql"].to_list()


def test_a_backtest_of_a_direct_model_or_of_other_data_says_so() -> None:
    data = read(WAVE)
    for refit, words in ((True, "so it has seen what it forecasts"), (False, "they never saw these windows")):
        model = fit(data, model="direct", horizon=5, networks=0, refit=refit).model
        made = cross_validation(data, model, horizon=5, n_windows=2)
        assert any(words in note for note in made.notes), made.notes
    made = cross_validation(read(WAVE[:-20]), model, horizon=5, n_windows=2)
    assert any("was fitted to other data than these" in note for note in made.notes)


def test_parts_are_counted_in_observed_values() -> None:
    y = WAVE[:33].copy()
    y[30:] = np.nan
    data = SequenceSet("series", y[:, None], np.array([0, 33]), ("y",))
    cut = split(data, 0.1)
    assert cut.stops.tolist() == [[24, 27]]
    assert cut.words(data) == "split by time: training 24 observed steps, validation 3, held out 3"
    y[10:20] = np.nan
    assert split(SequenceSet("series", y[:, None], np.array([0, 33]), ("y",)), 0.2).stops.tolist() == [[24, 26]]
