"""A series stays where its past says that it must: above 0, and at most at everything if it is a share."""

from __future__ import annotations

import numpy as np
import pytest

import ostinato
from ostinato.local.methods import METHODS
from ostinato.local.support import Support

RISE = np.minimum(100.0, 90 + 1.5 * np.arange(12))


@pytest.mark.parametrize(
    ("y", "low", "high"),
    [
        (RISE, 0, 100),
        (RISE / 100, 0, 1),
        ([98, 99, 100, 100], 0, 100),
        ([0.2, np.nan, 1.0, 1.0], 0, 1),
        ([0.2, 0.7, 1.0], 0, np.inf),  # reached once
        ([0, 1, 1, 0, 1], 0, np.inf),  # counts
        ([0, 1, 1, 0] * 4, 0, 1),  # so many counts about .5 would have had a 2
        ([0, 0, 0, 0, 0, 0, 1, 0] * 4, 0, np.inf),  # and as many about .1 would not
        ([1, 1, 0, 1, 1, 1], 0, 1),
        ([0, 100, 100, 0], 0, np.inf),
        ([100] * 59 + [99], 0, 100),  # so many counts above 99 would have had a 101
        ([99] * 59 + [100, 100], 0, np.inf),  # and so few would not
        ([100.0, 100.0, 100.0], 0, np.inf),  # never changed
        ([99, 100, 100, 101], 0, np.inf),
        ([-1, 50, 100, 100], -np.inf, np.inf),
        ([49.5, 50.0, 50.0], 0, np.inf),
    ],
    ids=str,
)
def test_a_series_is_bounded_by_0_and_by_everything(y: list[float], low: float, high: float) -> None:
    support = Support.of([np.array(y, dtype=np.float64)])
    assert (support.low[0], support.high[0]) == (low, high)


@pytest.mark.parametrize("model", METHODS)
@pytest.mark.parametrize("most", [1.0, 100.0])
def test_a_share_is_not_forecast_beyond_everything_and_a_note_says_so(model: str, most: float) -> None:
    made = ostinato.forecast({"a": RISE * most / 100, "b": 2 * RISE}, horizon=6, model=model)
    a, b = (made.frame.filter(unique_id=key).drop("unique_id", "ds").to_numpy() for key in "ab")
    assert 0 <= a.min() <= a.max() == most
    assert b.max() > 200
    assert any("1 series reached 100, or 1, more than once" in note and note.endswith(": a") for note in made.notes)


@pytest.mark.parametrize("model", METHODS)
def test_yes_and_no_stay_between_0_and_1(model: str) -> None:
    for often in (0.5, 0.9):
        y = (np.random.default_rng(1).random(24) < often).astype(float)
        frame = ostinato.forecast({"a": y}, horizon=4, model=model).frame.drop("unique_id", "ds").to_numpy()
        assert 0 <= frame.min() <= frame.max() <= 1
