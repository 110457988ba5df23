"""Sound and series whose judging the budget does not allow are judged on a part, and a note says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.data.batching import Batch, Piece, whole
from ostinato.data.encoded import Encoded
from ostinato.data.sequences import SequenceSet
from ostinato.fits.budget import Budget
from ostinato.fits.result import Rung
from ostinato.training import judging, objective
from ostinato.training.closed_form import Base
from ostinato.training.config import LadderOptions
from ostinato.training.judging import BARE_TIMES, Passes
from ostinato.training.material import STRETCH, Judged, Material
from zoo import kept


@pytest.fixture(params=["sound", "series"])
def data(request: pytest.FixtureRequest) -> SequenceSet:
    rng = np.random.default_rng(0)
    lengths = rng.integers(300, 900, 40) if request.param == "sound" else np.array([24_000])
    walk = np.zeros(lengths.sum())
    for t in range(1, len(walk)):
        walk[t] = 0.9 * walk[t - 1] + rng.normal(0, 40)
    ids = tuple(f"{i:02d}" for i in range(len(lengths)))
    meta = {"bits": 16} if request.param == "sound" else {}
    return SequenceSet(request.param, np.rint(walk)[:, None], np.cumsum([0, *lengths]), ids, meta=meta)


@pytest.fixture
def few(data: SequenceSet, monkeypatch: pytest.MonkeyPatch) -> SequenceSet:
    """A quarter of the data, and of what is judged without an estimate."""
    monkeypatch.setattr(judging, "LEAST", 256)
    return data.take(range(10)) if data.kind == "sound" else data.cut(np.array([0]), data.lengths // 4)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LEAST": 1024, "RATE": 1}.items():
        monkeypatch.setattr(judging, name, value)


def held_out(fit: ostinato.Fit) -> list[float]:
    return [rung.held_out for rung in fit.table if isinstance(rung, Rung)]


@pytest.mark.usefixtures("small")
def test_what_the_budget_does_not_allow_is_left_out_with_a_note(
    data: SequenceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted(seconds: float) -> ostinato.Fit:
        monkeypatch.setattr(judging, "seconds_of", lambda *_: seconds)
        return ostinato.fit(data, model="gru", budget=Budget(100, 2), threads=1, device="cpu", refit=False)

    whole, part = fitted(0.0), fitted(1.0)
    assert not any("larger budget takes more" in note for note in whole.notes)
    (note,) = (note for note in part.notes if "larger budget takes more" in note)
    assert "about 1,024 steps" in note
    # the figure of a part has an error, and is within four of it of that of all steps
    error, own = kept(part).error, kept(part)
    assert error is not None
    assert any(f"{error:.2g} for {own.name}" in note for note in part.notes)
    assert abs(own.held_out - kept(whole).held_out) < 4 * error
    assert kept(whole).error is None
    assert kept(part).held_out != kept(whole).held_out
    # the data have one law, so that a part of them has nearly the figure of all
    assert kept(part).held_out == pytest.approx(kept(whole).held_out, abs=0.1)


@pytest.mark.usefixtures("small")
def test_an_estimate_changes_no_result_of_data_that_fit_in_their_budget(
    few: SequenceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted(limits: Budget) -> ostinato.Fit:
        return ostinato.fit(few, model="lstm", budget=limits, threads=1, device="cpu")

    calls, timed = list[str](), judging.seconds_of

    def counting(name: str, material: Material, base: Base, options: LadderOptions) -> float:
        calls.append(name)
        timed(name, material, base, options)
        return 0.0

    whole = fitted(Budget(None, 2))
    monkeypatch.setattr(judging, "seconds_of", counting)
    monkeypatch.setattr(Budget, "spent", lambda _self, _seconds, steps: steps / 2)
    found = fitted(Budget(100, 2))
    assert calls == (["ar", "filter", "lstm"] if few.kind == "sound" else ["ar", "lstm"])
    assert held_out(found) == held_out(whole)


@pytest.mark.parametrize("lengths", [[40_000], [3000] * 40, [7] * 20_000, [30_000, *[5] * 9000]])
@pytest.mark.parametrize("steps", [1 << 12, 1 << 14])
def test_stretches_are_spread_over_a_part(lengths: list[int], steps: int) -> None:
    spans = [(b, 0, n) for b, n in enumerate(lengths)]
    found = Judged(steps).spread(spans)
    assert found == sorted(set(found))
    assert all(0 <= a < z <= lengths[b] and z - a <= STRETCH for b, a, z in found)
    assert sum(z - a for _, a, z in found) == pytest.approx(steps, rel=0.2)
    # no gap is longer than two and a half distances; sequences of one length, because the others weigh unequally
    begins = np.cumsum([0, *lengths])
    places = np.array([begins[b] + a for b, a, _ in found]) / begins[-1]
    assert len(lengths) > 9000 or np.diff([0, *places, 1]).max() < 2.5 / len(found)
    assert Judged(int(begins[-1])).spread(spans) == spans


def test_the_greatest_part_that_a_cost_allows() -> None:
    made: list[tuple[int, int, dict[str, float]]] = [
        (400_000, 60_000, dict.fromkeys(["ar", "gru", "lstm", "rnn"], 1e-3)),
        (1000, 60_000, {"lstm": 1.0}),
        (50_000, 20, {"ar": 0.5, "filter": 2.0}),
    ]
    for held, watched, each in made:
        passes = Passes.of(held, watched, each)
        for seconds in (0, 10, 5_000, 90_000, 10**9):
            most = passes.most(seconds)
            assert passes.cost(most) <= seconds
            assert most == max(passes.held, passes.watched) or passes.cost(most + 1) > seconds


def test_models_without_a_network_are_judged_on_the_held_out_part_alone() -> None:
    passes = Passes.of(1000, 500, {"ar": 1.0, "filter": 10.0})
    assert passes.cost(10_000) == 1000 * (BARE_TIMES["ar"] + 10 * BARE_TIMES["filter"])


@pytest.mark.usefixtures("small")
def test_a_fit_keeps_its_estimate_for_one_that_continues(few: SequenceSet, tmp_path: Path) -> None:
    ostinato.fit(few, model="rnn", budget=Budget(100, 1), device="cpu", checkpoint=tmp_path, refit=False)
    # a step of this network takes between a nanosecond and a millisecond on any machine
    assert 1e-9 < float((tmp_path / "judging.rnn.seconds").read_text()) < 1e-3


def test_a_batch_has_fewer_steps_if_each_has_the_probabilities_of_more_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ostinato.read([f"{i:09b}" for i in range(40)], kind="text")
    model = ostinato.fit(data, model="ar", budget=5, refit=False).model.likelihood("the test")
    encoded, sizes = model.encoding.encode(data), list[int]()
    items = [Piece(b, 0, 0, int(n)) for b, n in enumerate(encoded.lengths)]

    def seen(encoded: Encoded, group: list[Piece]) -> Batch:
        batch = whole(encoded, group)
        sizes.append(batch.x.shape[0] * batch.x.shape[1])
        return batch

    monkeypatch.setattr(objective, "whole", seen)
    together = objective.evaluate(model, encoded, items)
    assert sizes == [len(encoded.values)]
    monkeypatch.setattr(objective, "SYMBOLS", 25 * (model.encoding.vocabulary_size or 0))
    apart = objective.evaluate(model, encoded, items)
    assert 10 <= max(sizes[1:]) <= 25
    assert apart.nats == pytest.approx(together.nats, rel=1e-5)
