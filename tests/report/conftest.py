"""Fixtures: a page of every kind of data, with names that would be HTML if they were not escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.fits.budget import Budget
from ostinato.fits.result import Fit
from ostinato.fitting import fit
from ostinato.report.page import write_report

HOSTILE = (
    '<script>window.hacked = 1; fetch("http://example.invalid/a")</script>',
    '"><img src="http://example.invalid/b" onerror="window.hacked = 1">',
    "{{ 7 * 7 }} $\\frac{1}$ &amp; \x07 \u202e right to left </style></svg>",
    "x" * 300,
)


def series() -> SequenceSet:
    rng = np.random.default_rng(0)
    waves = {key: 20 + 5 * np.sin(np.arange(150) / 4) + rng.standard_normal(150) for key in HOSTILE}
    rows = [(key, t, y, -y) for key, wave in waves.items() for t, y in enumerate(wave.tolist())]
    ids, times, first, second = zip(*rows, strict=True)
    columns: dict[str, Any] = {"unique_id": ids, "ds": times, HOSTILE[1]: first, "</title><b>": second}
    return read(pl.DataFrame(columns), target=[HOSTILE[1], "</title><b>"])


def prices() -> SequenceSet:
    walk = 50 * np.exp(np.random.default_rng(1).normal(0, 0.01, 300).cumsum())
    return read({HOSTILE[0]: walk, HOSTILE[3]: walk[:200]}, kind="prices")


def text() -> SequenceSet:
    lines = ["<script>window.hacked = 1</script>", "\u202e\x07 & &lt; 한국어", "</div>\u2028", "a" * 200]
    return read(lines * 20, kind="text")


def sound() -> SequenceSet:
    rng = np.random.default_rng(2)
    tones = [3000 * np.sin(np.arange(1500) / (3 + i)) + 50 * rng.standard_normal(1500) for i in range(3)]
    return SequenceSet(
        "sound",
        np.concatenate(tones).astype(np.int32)[:, None],
        np.arange(0, 4501, 1500),
        HOSTILE[:3],
        ("amplitude",),
        step=np.ones(3),
        meta={"sample_rate": 1000, "bits": 16, "channel": None},
    )


KINDS = {"series": series, "prices": prices, "text": text, "sound": sound}


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
