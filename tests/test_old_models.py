"""Model files of earlier formats load for ever, and give the numbers that they gave then.

The files in fixtures/format1 were written before the modules moved, from the models and data of ``zoo``. Those in
fixtures/format2 were written by fixtures/keep_models.py. answers.npz holds the answers that they gave. On the machine
that wrote them the numbers are equal to the bit; other instruction sets round differently.
"""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import ostinato
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.quantiles import MEDIAN
from ostinato.forecasting.table import Forecast
from ostinato.storage import save_described
from zoo import KINDS, made

FOLDER = Path(__file__).parent / "fixtures" / "format1"
ANSWERS = np.load(FOLDER / "answers.npz")
SCORED = sorted(name.removesuffix("/score") for name in ANSWERS.files if name.endswith("/score"))
TOLERANCE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}


def data_of(name: str) -> SequenceSet:
    """The data that the release scored with this model."""
    kinds = {kind.replace(", ", "-").replace(" ", "-"): kind for kind in KINDS}
    kind = kinds.get(name.rsplit("-", 1)[0])
    shipped = Path(ostinato.__file__).parent / "datasets" / "sunspots.csv"
    return ostinato.read(shipped) if kind is None else made(kind)


@pytest.mark.parametrize("name", SCORED)
def test_likelihoods_of_old_models_are_unchanged(name: str) -> None:
    model = ostinato.load_model(FOLDER / f"{name}.ost")
    found = ostinato.score(model, data_of(name)).surprisal
    np.testing.assert_allclose(found, ANSWERS[f"{name}/score"], **TOLERANCE)


@pytest.mark.parametrize("name", SCORED)
def test_an_old_model_is_saved_as_a_new_one_with_the_same_numbers(name: str, tmp_path: Path) -> None:
    model = ostinato.load_model(FOLDER / f"{name}.ost")
    ostinato.save_model(model, tmp_path / "new.ost")
    again = ostinato.load_model(tmp_path / "new.ost")
    data = data_of(name)
    np.testing.assert_array_equal(ostinato.score(again, data).surprisal, ostinato.score(model, data).surprisal)
    assert b"memory" not in (tmp_path / "new.ost").read_bytes()


def floats(forecast: Forecast) -> NDArray[np.float64]:
    """The columns of numbers of a forecast."""
    numbers: NDArray[np.float64] = forecast.frame.select(pl.selectors.float()).to_numpy()
    return numbers


def test_forecasts_of_old_direct_models_are_unchanged() -> None:
    frame = pl.read_csv(FOLDER / "panel.csv", try_parse_dates=True)
    plain = ostinato.read(frame.select("unique_id", "ds", "y"))
    model = ostinato.load_model(FOLDER / "direct-least-squares.ost")
    result = ostinato.forecast(model, plain, 6)
    np.testing.assert_allclose(floats(result)[:, 1:], ANSWERS["direct-least-squares/forecast"][:, 1:], **TOLERANCE)
    # earlier versions gave the least-squares forecast as the point, which could lie outside the intervals
    assert result.quantiles is not None
    np.testing.assert_array_equal(floats(result)[:, 0], result.quantiles[:, :, MEDIAN].ravel())


def test_forecasts_of_old_direct_models_with_networks_and_covariates_are_unchanged() -> None:
    rows = pl.read_csv(FOLDER / "panel.csv", try_parse_dates=True).group_by("unique_id", maintain_order=True)
    history = ostinato.read(rows.head(150), future_covariates=["temperature"], static_covariates=["store"])
    model = ostinato.load_model(FOLDER / "direct-gru-covariates.ost")
    found = floats(ostinato.forecast(model, history, 6, future=rows.tail(10).drop("y")))
    np.testing.assert_allclose(found, ANSWERS["direct-gru-covariates/forecast"], **TOLERANCE)


FORMAT2 = FOLDER.with_name("format2")
NEWER = np.load(FORMAT2 / "answers.npz")
#: The data of each model of format 2.
DATA2 = {
    "series-ar": "sales.csv",
    "series-gru": "sales.csv",
    "panel-lstm": "shops.csv",
    "panel-direct": "shops.csv",
    "prices-ar": "prices.csv",
    "text-markov": "sentences.txt",
    "text-counts": "sentences.txt",
    "text-counts-3": "sentences.txt",
    "korean-rnn": "korean.txt",
    "series-filter": "sensor.csv",
    "series-filter-2": "sensor.csv",
}


@pytest.mark.parametrize("name", sorted(NEWER.files))
def test_models_of_format_2_give_what_they_gave(name: str, tmp_path: Path) -> None:
    file = FORMAT2 / f"{name}.ost"
    if not file.exists():
        file = tmp_path / file.name
        file.write_bytes(lzma.decompress((FORMAT2 / f"{name}.ost.xz").read_bytes()))
    model, data = ostinato.load_model(file), ostinato.read(FORMAT2 / DATA2[name])
    if isinstance(model, ostinato.DirectModel):
        found = floats(ostinato.forecast(model, data))[:, 0]
    else:
        found = ostinato.score(model, data).surprisal
    np.testing.assert_allclose(found, NEWER[name], **TOLERANCE)


def test_many_channels_without_a_coupling_are_independent(tmp_path: Path) -> None:
    """A file from before the coupling of channels, of a network whose sizes are compared with its tensors."""
    x = np.random.default_rng(0).standard_normal((80, 24))
    model = ostinato.fit(x, model="rnn", hidden=64, max_order=1, budget=ostinato.Budget(max_steps=1), refit=False).model
    tensors, document = model.to_parts()
    older = {name: t for name, t in tensors.items() if not name.startswith("coupling.")}
    assert len(older) == len(tensors) - 1
    save_described(tmp_path / "m.ost", model.description, older, document)
    loaded, _ = ostinato.load_model(tmp_path / "m.ost").to_parts()
    assert not loaded["coupling.weight"].any()
