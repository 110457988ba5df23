"""What a fitted model says of a share, a percentage, or of yes and no is cut off at 1 or 100, whatever its memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ostinato
from ostinato.data.upper_bound import upper_bound
from ostinato.model import SequenceModel

RNG = np.random.default_rng(5)
#: A percentage that often reaches 100, a share, and yes or no.
PERCENT = np.minimum(100.0, 96 + 5 * RNG.standard_normal(60))
DATA = {"percent": (PERCENT, 100.0), "share": (PERCENT / 100, 1.0), "yes": ((RNG.random(60) < 0.6).astype(float), 1.0)}
MODELS = ("ar", "ets", "theta", "gru", "direct")


def fitted(y: np.ndarray, model: str, **options: Any) -> Any:
    if model == "direct":
        return ostinato.fit({"a": y}, model=model, horizon=6, networks=0).model
    return ostinato.fit({"a": y}, model=model, budget="2s", **options).model


def numbers(made: ostinato.Forecast) -> np.ndarray:
    return np.asarray(made.frame.drop("unique_id", "ds").to_numpy())


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("model", MODELS)
def test_no_forecast_goes_beyond_everything_and_notes_say_so(model: str, name: str, tmp_path: Path) -> None:
    y, most = DATA[name]
    one = fitted(y, model)
    made = ostinato.forecast(one, {"a": y}, horizon=6)
    assert numbers(made).max() == most
    assert any("1 series reached 100, or 1, more than once" in note for note in made.notes)
    one.save(tmp_path / "m.ost")
    again = ostinato.forecast(ostinato.load_model(tmp_path / "m.ost"), {"a": y}, horizon=6)
    np.testing.assert_allclose(numbers(again), numbers(made), rtol=1e-12)


@pytest.mark.parametrize("model", ["ar", "ets", "gru"])
def test_paths_samples_and_streams_end_there_too(model: str) -> None:
    y, most = DATA["share"]
    one = fitted(y, model)
    assert isinstance(one, SequenceModel)
    made = ostinato.forecast(one, {"a": y}, horizon=6)
    assert made.paths is not None
    assert made.paths[0].max() == most
    # the doubt of the coefficients widens paths, which are then cut off again
    np.testing.assert_allclose(numbers(made)[:, 0], made.paths[0].mean(axis=0)[:, 0], rtol=1e-3)
    assert max(sample.max() for sample in ostinato.sample(one, n_samples=4, length=50)) == most
    stepped, blocked = ostinato.Stream(one), ostinato.Stream(one)
    said = np.concatenate([stepped.update(value).prediction for value in y])
    assert stepped.quantiles([0.5, 0.999]).max() == most
    np.testing.assert_allclose(said, blocked.update(y).prediction, rtol=1e-5)
    assert said.max() <= most


def test_the_user_may_lift_the_bound() -> None:
    y, most = DATA["percent"]
    assert numbers(ostinato.forecast(fitted(y, "ar", support="real"), {"a": y}, horizon=6)).max() > most


def test_a_fit_says_that_forecasts_are_cut_off() -> None:
    notes = ostinato.fit({"a": DATA["percent"][0]}, model="ar").notes
    assert any("no value is above 100, and several are equal to it" in note for note in notes)


def test_one_value_above_the_bound_means_that_it_is_not_a_share() -> None:
    y = np.append(DATA["percent"][0], 100.5)
    assert upper_bound(y) == np.inf
    assert numbers(ostinato.forecast(fitted(y, "ar"), {"a": y}, horizon=6)).max() > 100.5
