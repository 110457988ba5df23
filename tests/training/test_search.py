"""A search reaches its number of trials, also after an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError
from ostinato.fits.budget import Budget
from ostinato.inference.describe import describe_model
from ostinato.training import search as module
from ostinato.training.search import SearchPlan, search
from zoo import kept

pytest.importorskip("optuna", reason="needs ostinato[ray]")
BUDGET = Budget(None, 25)


@pytest.fixture
def data() -> SequenceSet:
    return read(np.sin(np.arange(300) / 3) + 0.3 * np.random.default_rng(0).standard_normal(300))


def test_a_stopped_search_resumes(data: SequenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, real = 0, module.attempt

    def stopping(data: SequenceSet, asked: dict[str, Any], *rest: Any, **options: Any) -> tuple[float, float]:
        nonlocal count
        count += 1
        if count == 3:
            stopped.update(asked)
            raise KeyboardInterrupt
        return real(data, asked, *rest, **options)

    stopped: dict[str, object] = {}
    monkeypatch.setattr(module, "attempt", stopping)
    with pytest.raises(KeyboardInterrupt):
        search(data, SearchPlan(5, BUDGET), tmp_path)
    before = (tmp_path / "trial-0000.ost").stat().st_mtime_ns
    found, table = search(data, SearchPlan(5, BUDGET), tmp_path)
    assert count == 6  # two, the one that was stopped, and the three that were left
    assert len(table) == 5
    assert [row.number for row in sorted(table, key=lambda row: row.number)] == [0, 1, 3, 4, 5]
    assert [row.asked for row in table if row.number == 3] == [stopped]  # it is asked for once more
    assert (tmp_path / "trial-0000.ost").stat().st_mtime_ns == before
    whole = [row for row in table if row.state == "complete"]
    assert table[: len(whole)] == tuple(sorted(whole, key=lambda row: row.validation or 0.0, reverse=True))
    best, record = table[0], found.model.description.record
    assert found.kept.name == best.asked["model"]
    assert max(point[3] for point in record["curve"]) == best.validation
    assert (best.held_out, best.seconds > 0) == (kept(found).held_out, True)
    assert record["search"] == [vars(row) for row in table]
    assert any("of 5 trials of a search" in line for line in describe_model(found.model))
    again, _ = search(data, SearchPlan(5, BUDGET), tmp_path)
    assert count == 6
    assert again.kept == found.kept


def test_invalid_searches_are_refused(data: SequenceSet, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trials must be at least 1, got 0"):
        search(data, SearchPlan(0), tmp_path)
    search(data, SearchPlan(1, BUDGET), tmp_path)
    with pytest.raises(ConfigError, match="a fit of other data or other options"):
        search(data, SearchPlan(1, BUDGET, seed=1), tmp_path)
