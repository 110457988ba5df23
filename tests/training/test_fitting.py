"""``fit``: one place chooses the ladder or the direct fit, and options come as values or as keywords."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ostinato
from ostinato.direct_fit.options import ALIASES, DirectOptions
from ostinato.dispatch.fit import fields_for, fit
from ostinato.errors import ConfigError
from ostinato.fits.budget import Budget
from ostinato.fits.fields import DirectFields, LadderFields
from ostinato.fits.progress import TrainingProgress
from ostinato.fits.result import Fit
from ostinato.gradients.methods import CheckpointedBPTT
from ostinato.inference.describe import verdict
from ostinato.record import DirectRecord, DirectRung, LadderRecord, Rung
from ostinato.training.config import Config, LadderOptions
from ostinato.training.ladder import no_time_left
from zoo import rungs

WAVE = np.sin(np.arange(240) / 5) + 0.1 * np.random.default_rng(0).standard_normal(240)


def test_the_keywords_of_fit_match_the_option_classes() -> None:
    assert set(LadderFields.__annotations__) == {f.name for f in fields(LadderOptions)}
    assert set(DirectFields.__annotations__) == {f.name for f in fields(DirectOptions)} | set(ALIASES)
    assert Config is LadderOptions is ostinato.LadderOptions


def test_options_keywords_and_config_give_the_same_fit() -> None:
    how: dict[str, Any] = {"model": "gru", "budget": Budget(None, 3)}
    options = LadderOptions(hidden=4, max_order=3)
    tables = [
        [(r.name, r.held_out) for r in rungs(found)]
        for found in (
            fit(WAVE, options=options, **how),
            fit(WAVE, config=options, **how),
            fit(WAVE, options=LadderOptions(max_order=3), hidden=4, **how),
        )
    ]
    assert tables[0] == tables[1] == tables[2]


def direct_rungs(found: Fit) -> list[DirectRung]:
    """Return the table of a direct fit."""
    rows = [row for row in found.table if isinstance(row, DirectRung)]
    assert len(rows) == len(found.table)
    return rows


def test_earlier_names_of_direct_options_give_the_same_fit() -> None:
    how: dict[str, Any] = {"model": "direct", "horizon": 4, "budget": Budget(None, 3), "networks": 1, "hidden": 4}
    tables = [
        [(r.name, r.loss, r.detail) for r in direct_rungs(found)]
        for found in (
            fit(WAVE, **how, lookback=12, backbone="rnn"),
            fit(WAVE, **how, window=12, memory="rnn"),
            fit(WAVE, **how, options=DirectOptions(lookback=12, backbone="rnn")),
        )
    ]
    assert tables[0] == tables[1] == tables[2]
    assert CheckpointedBPTT(memory="1MB") == CheckpointedBPTT(memory_limit="1MB")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "ar", "hiden": 3}, "a fit of the ladder has no option 'hiden'\nfix: did you mean 'hidden'"),
        ({"modle": "ar"}, "a fit of the ladder has no option 'modle'\nfix: did you mean 'model'"),
        ({"model": "ar", "target": "y"}, r"has no option 'target'\nfix: give it to read(.|\n)*target="),
        ({"model": "filter", "season": 3}, "has no option 'season'"),
        ({"model": "gru", "steps": 60}, "has no option 'steps'\nfix: give the limit as budget"),
        ({"model": "direct", "horizon": 4, "epochs": 3}, "has no option 'epochs'\nfix: give the limit as budget"),
        (
            {"model": "direct", "horizon": 4, "lokback": 12},
            "a direct fit has no option 'lokback'\nfix: did you mean 'lookback'",
        ),
        ({"model": "direct", "horizon": 4, "max_order": 2}, "has no option 'max_order'\nfix: use one of"),
        ({"model": "direct", "horizon": 4, "window": 9, "lookback": 9}, "lookback is given under two names"),
        ({"model": "direct", "horizon": 4, "checkpoint": "spot"}, "a direct fit does not use checkpoint"),
        ({"model": "direct", "horizon": 4, "checkpoint_every": 1.0}, "a direct fit does not use checkpoint_every"),
        ({"model": "auto", "horizon": 4, "options": LadderOptions()}, "takes DirectOptions, got LadderOptions"),
        ({"model": "gru", "options": DirectOptions()}, "takes LadderOptions, got DirectOptions"),
        ({"model": "gru", "horizon": 4}, "a fit of gru takes no horizon, got 4"),
        ({"options": LadderOptions(), "config": LadderOptions()}, "options is given under two names"),
    ],
)
def test_options_of_the_wrong_fit_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        fit(WAVE, **arguments)


def test_each_kind_of_fit_gets_its_own_options() -> None:
    options = {"season": 4, "hidden": 3, "max_order": 2, "seed": 1, "budget": 3.0, "method": None}
    assert fields_for("direct", options) == {"season": 4, "hidden": 3, "seed": 1, "budget": 3.0}
    assert fields_for("ladder", options) == {"hidden": 3, "max_order": 2, "seed": 1, "budget": 3.0, "method": None}


def test_the_training_of_direct_networks_is_reported() -> None:
    seen: list[TrainingProgress] = []
    how: dict[str, Any] = {
        "model": "direct",
        "horizon": 4,
        "budget": Budget(None, 3),
        "networks": 2,
        "hidden": 4,
        "refit": False,
    }
    fit(WAVE, on_progress=seen.append, **how)
    assert [event.step for event in seen] == [1, 2, 3, 1, 2, 3]
    assert [event.share for event in seen] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert {(event.name, event.measure) for event in seen} == {("gru", "quantile loss")}
    assert all(np.isfinite(event.loss) for event in seen)


def test_a_network_that_never_improved_gives_a_note() -> None:
    """With a learning rate of almost 0 the weights stay where they began, at the closed form."""
    found = fit(WAVE, model="gru", hidden=4, budget=Budget(None, 2), learning_rate=1e-30, weight_decay=0.0)
    assert found.model.description.ladder_record.never_improved("gru")
    assert any("training did not improve gru: it is still the closed form AR(" in note for note in found.notes)
    assert "training never improved on its start" in verdict(found.model.description)


def test_a_network_that_improved_gives_no_note() -> None:
    rung = Rung("gru", -1.0, 1.0, 20, 9)
    better = LadderRecord(table=(rung,), curves={"gru": [(0, 0.0, None, -2.0), (20, 1.0, 2.0, -1.0)]})
    assert not better.never_improved("gru")
    assert not better.never_improved("rnn")


def test_a_budget_that_is_gone_before_the_networks_gives_a_note() -> None:
    found = LadderRecord(table=tuple(Rung(name, -1.0, 12.5, 1, 9) for name in ("ar", "counts", "lstm", "mixture")))
    assert no_time_left(found, 20.0) == (
        "no time was left to train lstm, because ar, counts took 25 s of a budget of 20 s: give a larger budget"
    )
    for seconds in (None, 26.0):
        assert not no_time_left(found, seconds)
    assert not no_time_left(LadderRecord(table=found.table[:2]), 20.0)  # nothing was to be trained


def test_a_record_is_loaded_unchanged(tmp_path: Path) -> None:
    ladder = fit(WAVE, model="ar").model
    direct = fit(WAVE, model="direct", horizon=4, backbone=None).model
    for model in (ladder, direct):
        ostinato.save_model(model, tmp_path / "m.ost")
        loaded = ostinato.load_model(tmp_path / "m.ost").description
        name = "direct_record" if model is direct else "ladder_record"
        assert getattr(loaded, name) == getattr(model.description, name)
        assert getattr(loaded, name).to_json() == loaded.record
    assert LadderRecord.from_json({}) == LadderRecord()
    assert DirectRecord.from_json({"of a later version": 1}) == DirectRecord()


def test_held_out_lines_that_the_rest_has_too_are_said() -> None:
    drawn = np.random.default_rng(0)
    new = ["".join(drawn.choice(list("abcdefgh "), 20)) for _ in range(60)]
    for lines, repeated in ((["the cat sat", "a dog ran"] * 30, True), (new, False)):
        result = ostinato.fit(ostinato.read(["\n".join(lines)], kind="text"), model="ar", budget=1)
        assert any("lines that the rest of the text has too" in note for note in result.notes) == repeated
