"""Words as covariates: one column of 0 and 1 for each category, the same in the history and in the steps ahead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ostinato.data.read import read
from ostinato.dispatch.fit import fit
from ostinato.errors import DataError
from ostinato.inference.forecast import forecast
from ostinato.model_file import load_model, save_model

T, H = 240, 4
RNG = np.random.default_rng(3)
WORDS = RNG.choice(["rain", "sun", "snow"], size=T + H).tolist()
EFFECT = {"rain": -5.0, "sun": 5.0, "snow": 0.0}
FRAME = pl.DataFrame(
    {
        "ds": pd.date_range("2024-01-01", periods=T, freq="D"),
        "y": [10 + EFFECT[w] + e for w, e in zip(WORDS, 0.1 * RNG.normal(size=T), strict=False)],
        "weather": WORDS[:T],
        "open": [w != "snow" for w in WORDS[:T]],
    }
)
AHEAD = pl.DataFrame({"ds": pd.date_range("2024-01-01", periods=T + H, freq="D")[T:], "weather": WORDS[T:]})


def test_words_are_the_columns_that_pandas_makes() -> None:
    data = read(FRAME, target="y", future_covariates=["weather"], past_covariates=["open"])
    assert data.covariates is not None
    assert data.covariates.columns.known == ("weather=rain", "weather=snow", "weather=sun")
    expected = pd.get_dummies(FRAME["weather"].to_pandas(), prefix="weather", prefix_sep="=")
    assert tuple(expected.columns) == data.covariates.columns.known
    np.testing.assert_array_equal(data.covariates.known, expected.to_numpy(dtype=float))
    np.testing.assert_array_equal(data.covariates.past[:, 0], FRAME["open"].to_numpy())
    assert any("3 categories: rain, snow, sun" in note for note in data.notes)


@pytest.mark.parametrize("words", [pl.String, pl.Categorical, pl.Enum(["sun", "snow", "rain"])])
def test_a_direct_model_learns_the_effect_and_refuses_a_new_category(tmp_path: Path, words: Any) -> None:
    frame = FRAME.with_columns(pl.col("weather").cast(words))
    data = read(frame, target="y", future_covariates=["weather"])
    save_model(fit(data, model="direct", horizon=H, networks=0, budget=5).model, tmp_path / "m.ost")
    model = load_model(tmp_path / "m.ost")
    history = frame.tail(60)
    out = forecast(model, history, future=AHEAD).frame["ostinato"].to_numpy()
    np.testing.assert_allclose(out, [10 + EFFECT[w] for w in WORDS[T:]], atol=1.5)  # the categories differ by 5
    # a stretch of the history need not have every category
    few = frame.filter(pl.col("weather").cast(pl.String) != "snow").head(1)
    assert read(few, target="y", future_covariates=["weather"]).covariates is not None
    with pytest.raises(DataError, match="unknown category 'fog' in the column 'weather'"):
        forecast(model, history, future=AHEAD.with_columns(weather=pl.lit("fog")))
    with pytest.raises(DataError, match="unknown category 'fog'"):
        forecast(model, history.with_columns(weather=pl.lit("fog")), future=AHEAD)


def test_too_many_words_are_no_categories() -> None:
    frame = FRAME.with_columns(weather=pl.Series([f"word {i}" for i in range(T)]))
    with pytest.raises(DataError, match="240 different words, expected at most 50"):
        read(frame, target="y", future_covariates=["weather"])


def test_new_rows_keep_the_categories() -> None:
    data = read(FRAME.head(T - 5), target="y", future_covariates=["weather"])
    assert data.append(FRAME.tail(5)).covariates is not None
