"""The small inputs next to the checkout: small values, a trend, a constant, and one panel in two units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rows import CASES

import ostinato
from ostinato.cli.render import as_table
from ostinato.evaluation.backtest import cross_validation
from ostinato.fits.result import Fit

FOLDER = CASES / "forecast"


def case(name: str) -> Path:
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"needs ../shared/cases/forecast/{name}.csv")
    return path


def direct(path: Path) -> Fit:
    return ostinato.fit(path, model="direct", horizon=4, networks=0)


def test_small_values_keep_their_digits() -> None:
    path = case("small_1e-7")
    frame = ostinato.forecast(ostinato.fit(path, model="ar").model, path, 4).frame
    again = pl.read_csv(as_table(frame).encode())["ostinato"]
    np.testing.assert_array_equal(again, frame["ostinato"])
    np.testing.assert_allclose(again, 5e-7, rtol=0.1)


def test_a_trend_goes_on_inside_its_intervals() -> None:
    path = case("trend")
    frame = ostinato.forecast(direct(path).model, path).frame
    np.testing.assert_allclose(frame["ostinato"], [125, 127, 129, 131], atol=0.05)
    assert frame.select((pl.col("ostinato") >= pl.col("ostinato-lo-80")).all()).item()
    assert frame.select((pl.col("ostinato") <= pl.col("ostinato-hi-80")).all()).item()


def test_a_constant_is_a_tie() -> None:
    result = cross_validation(ostinato.read(case("constant")), ["ar"], horizon=3, n_windows=2)
    assert result.notes[-1].startswith("a tie")


def test_a_panel_in_two_units_gets_one_choice() -> None:
    one, other = case("panel_units"), case("panel_units_1e-12")
    fits = direct(one), direct(other)
    assert fits[0].kept.name == fits[1].kept.name
    found = [
        ostinato.forecast(fit.model, path).frame.select(pl.selectors.float()).to_numpy()
        for fit, path in zip(fits, (one, other), strict=True)
    ]
    np.testing.assert_allclose(found[1] * 1e12, found[0], rtol=1e-9)
