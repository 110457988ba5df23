"""A value that stays the same for unusually long is noted, and what rests by nature is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.data.stuck import LEAST, rests, stuck


def readings(steps: int = 2000) -> np.ndarray:
    return (20 + 3 * np.sin(np.arange(steps) / 40) + np.random.default_rng(0).normal(0, 0.3, steps)).round(1)


def test_a_stuck_stretch_is_named_with_its_place(tmp_path: Path) -> None:
    x = readings()
    x[900:960] = x[900]
    rows = [f"2025-01-01T{i // 60 % 24:02d}:{i % 60:02d},{value}" for i, value in enumerate(x[:1400]) if i != 930]
    (tmp_path / "log.csv").write_text("\n".join(["time,pump", *rows]))
    [note] = [one for one in ostinato.read(tmp_path / "log.csv").notes if "stays the same" in one]
    length = 59 + int(x[899] == x[900]) + int(x[960] == x[900])
    first = 901 - int(x[899] == x[900])
    assert f"the value {x[900]:g} of " in note
    assert f"for {length} observed steps from step {first} on" in note
    assert "leave these cells empty" in note


def test_the_longest_of_several_series_is_named() -> None:
    one, other = readings(), readings()
    one[100:130], other[300:380] = one[100], other[300]
    note = stuck([("a", one), ("b", other), ("c", readings())])
    assert note is not None
    assert " of b stays" in note
    assert "of 1 other series (" in note


def test_channels_are_called_so() -> None:
    x = np.stack([readings(), readings() / 2, readings() / 3], axis=1)
    x[100:140] = x[100]
    [note] = [one for one in ostinato.read(x).notes if "stays the same" in one]
    assert "of 2 other channels (" in note


def steps(length: int) -> np.ndarray:
    return np.repeat(np.random.default_rng(1).permutation(60) / 10, length)


def dry(runs: int) -> np.ndarray:
    rain = np.where(np.arange(2000) % 100 < runs, 0.0, readings() / 7)
    return rain


@pytest.mark.parametrize(
    "values",
    [
        readings(),
        readings(10),
        np.full(100, 3.5),
        steps(40),
        dry(60),
        -dry(60),
        np.minimum(readings(), 20.1),
        np.full(30, np.nan),
        np.zeros(0),
        np.where(np.arange(300) < 200, np.nan, 1.5),
    ],
)
def test_what_rests_by_nature_is_not_noted(values: np.ndarray) -> None:
    assert stuck([("x", values)]) is None


@pytest.mark.parametrize("length", [0, 1, LEAST - 1, LEAST, LEAST + 1])
@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("after", [0, 3])
def test_a_run_is_looked_at_from_its_least_length_on(length: int, before: int, after: int) -> None:
    row = [*range(before), *[9.5] * length, np.nan, *range(20, 20 + after)]
    assert rests(np.array(row)) == (length >= LEAST)
