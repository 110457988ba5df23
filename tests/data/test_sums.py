"""A series that is the sum of the others is named in a note: a table of people ends with a row of totals."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import ostinato

RNG = np.random.default_rng(0)
MONTHS = np.arange("2020-01", "2024-01", dtype="datetime64[M]").astype("datetime64[us]")
PARTS = RNG.uniform(100, 900, (4, len(MONTHS))).round(2)
SAYS = "is the sum of the other 4 series"


def notes(rows: np.ndarray, last: str = "Zusammen") -> list[str]:
    """Return the notes on a long table of rows (B, T), whose last series has this name."""
    names = [*(f"hotel {k}" for k in range(len(rows) - 1)), last]
    frame = pl.DataFrame(
        {"unique_id": np.repeat(names, len(MONTHS)), "ds": np.tile(MONTHS, len(rows)), "y": rows.ravel()}
    )
    return [note for note in ostinato.read(frame).notes if "is the sum of" in note]


@pytest.mark.parametrize("last", ["Summe", "Total", "합계", "Zusammen"])
def test_a_row_of_sums_is_named_whatever_it_is_called(last: str) -> None:
    (note,) = notes(np.vstack([PARTS, PARTS.sum(0)]), last)
    assert note.startswith(f"series {last!r} {SAYS}")


def test_sums_of_numbers_that_are_shown_rounded_are_sums() -> None:
    assert len(notes(np.vstack([PARTS, (PARTS + RNG.uniform(-0.005, 0.005, PARTS.shape)).sum(0).round(2)]))) == 1


def test_steps_with_a_missing_value_show_nothing_and_the_others_decide() -> None:
    rows = np.vstack([PARTS, PARTS.sum(0)])
    rows[1, 5] = np.nan
    assert len(notes(rows)) == 1
    rows[1, 3:] = np.nan
    assert len(notes(rows)) == 1
    rows[1, 2] = np.nan
    assert notes(rows) == []


@pytest.mark.parametrize(
    "rows",
    [
        np.vstack([PARTS, PARTS.mean(0)]),
        np.vstack([PARTS, PARTS.sum(0) * 1.001]),
        np.vstack([PARTS, PARTS.sum(0) + (np.arange(len(MONTHS)) == 7)]),
        np.vstack([PARTS[:1], PARTS[:1]]),
        np.vstack([PARTS[:1], PARTS[:1], np.zeros((1, len(MONTHS)))]),
        np.zeros((4, len(MONTHS))),
    ],
    ids=["mean", "another scale", "one step differs", "twins", "twins and nothing", "nothing"],
)
def test_what_is_no_sum_is_not_called_one(rows: np.ndarray) -> None:
    assert notes(rows) == []
