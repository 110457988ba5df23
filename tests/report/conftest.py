"""Fixtures: a page of every kind of data, with names that would be HTML if they were not escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hostile import HOSTILE, KINDS
from ostinato.data.sequences import SequenceSet
from ostinato.dispatch.fit import fit
from ostinato.fits.budget import Budget
from ostinato.fits.result import Fit
from ostinato.report.page import write_report


@pytest.fixture(scope="session")
def fits() -> dict[str, tuple[Fit, SequenceSet]]:
    """A small model of each kind, in training just long enough to have a curve."""
    how: dict[str, Any] = {"budget": Budget(None, 8), "evaluate_every": 2, "hidden": 8, "max_order": 3}
    return {kind: (fit(data, model="gru", **how), data) for kind, data in ((k, make()) for k, make in KINDS.items())}


def trials() -> list[dict[str, Any]]:
    """Return the table of a search: two complete trials, and eighteen that ended early."""
    asked = {"depth": 2, "dropout": 0.125, "hidden": 96, "learning_rate": 0.000325, "model": "linear", "window": 128}
    end = {"asked": asked, "validation": None, "held_out": None, "seconds": 0.4, "state": "pruned"}
    whole = {"validation": -1234.56789, "held_out": -1233.21, "seconds": 1234.5, "state": "complete"}
    return [{**end, "number": n, **(whole if n in (7, 12) else {})} for n in (7, 12, *range(20, 38))]


@pytest.fixture(scope="session")
def pages(fits: dict[str, tuple[Fit, SequenceSet]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the page of each model."""
    folder = tmp_path_factory.mktemp("pages")
    for kind, (result, data) in fits.items():
        if kind == "series":
            result.model.description.record["search"] = trials()
        result.model.description.record["command"] = f"ostinato fit '{HOSTILE[0]}'"
        write_report(result.model, data, folder / f"{kind}.html")
    return {kind: folder / f"{kind}.html" for kind in fits}
