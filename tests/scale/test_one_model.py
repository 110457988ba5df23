"""A fit and a search by the workers of a cluster give the results of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ostinato
from ostinato import scale
from ostinato.errors import ConfigError
from ostinato.fits.budget import Budget
from ostinato.fits.progress import TrainingProgress
from ostinato.fits.result import Rung
from ostinato.scale.global_fit import _work
from zoo import kept, rungs


@pytest.fixture
def wave(tmp_path: Path) -> Path:
    path = tmp_path / "wave.csv"
    values = np.sin(np.arange(1500) / 5) + 0.3 * np.random.default_rng(0).standard_normal(1500)
    path.write_text("y\n" + "".join(f"{v:.4f}\n" for v in values))
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # of its own settings
def test_two_workers_train_the_same_model_as_one_process(wave: Path, tmp_path: Path, cluster: str) -> None:
    how: dict[str, Any] = {"model": "gru", "hidden": 8, "dropout": 0.0, "budget": Budget(None, 30)}
    told: list[TrainingProgress] = []
    done: list[Rung] = []
    shown: dict[str, Any] = {"on_progress": told.append, "on_rung": done.append}
    there = scale.fit(wave, tmp_path / "there.ost", on=scale.ray(workers=2), **shown, **how)
    assert [rung.name for rung in done] == ["ar", "gru"]
    assert told
    assert {event.name for event in told} <= {"gru", "gru again"}  # again: the refit, if it lasts long enough
    here = ostinato.fit(wave, **how)
    assert kept(there).steps == kept(here).steps == 30
    for one, other in zip(rungs(here), rungs(there), strict=True):
        assert other.held_out == pytest.approx(one.held_out, abs=1e-5)
    assert there.notes == here.notes


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_an_error_of_the_first_worker_stops_the_others(wave: Path, tmp_path: Path, cluster: str) -> None:
    spot = tmp_path / "spot"
    spot.mkdir()
    (spot / "run").write_text("another's")
    with pytest.raises(ConfigError, match="checkpoint belongs to a fit of other data"):
        scale.fit(wave, tmp_path / "there.ost", on=scale.ray(workers=2), model="gru", hidden=4, checkpoint=spot)


def test_a_worker_gives_a_mistake_back(wave: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"source": str(wave), "reading": {}, "options": {"model": "grue"}}
    asked["output"] = str(tmp_path / "bad.ost")
    asked |= {"queue": None, "commanded": False}
    assert "unknown model 'grue'" in str(_work(asked))
    assert not (tmp_path / "bad.ost").exists()


def test_a_search_has_its_trials_and_keeps_the_best(wave: Path, tmp_path: Path, cluster: str) -> None:
    found, table = scale.search(wave, 2, tmp_path / "search", on=scale.ray(workers=2), budget=Budget(None, 5))
    assert len(table) == 2
    assert found.kept.name == table[0].asked["model"]
    assert kept(found).held_out == table[0].held_out
    assert found.model.description.record["search"] == [vars(row) for row in table]
