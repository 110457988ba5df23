"""``update``: rows that are added to a history equal rows that were read with it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato.errors import DataError


def frame() -> pl.DataFrame:
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 3), "1h", eager=True)
    parts = [
        pl.DataFrame({"unique_id": key, "ds": times, "y": np.arange(49.0) ** 1.5 + b, "heat": np.cos(np.arange(49.0))})
        for b, key in enumerate("ab")
    ]
    return pl.concat(parts)


def test_rows_added_are_as_rows_read() -> None:
    whole = ostinato.read(frame(), target="y", future_covariates=["heat"])
    cut = pl.datetime(2024, 1, 2)
    old = ostinato.read(frame().filter(pl.col("ds") < cut), target="y", future_covariates=["heat"])
    new = frame().filter(pl.col("ds") >= cut)
    assert old.append(new).digest == whole.digest
    assert ostinato.update(old, new).digest == whole.digest
    one = old
    for _, rows in new.group_by("ds", maintain_order=True):
        one = ostinato.update(one, rows)
    assert one.digest == whole.digest


def test_a_step_left_out_is_missing_and_a_series_may_be_new() -> None:
    old = ostinato.read(frame().filter(pl.col("ds") < pl.datetime(2024, 1, 2)), target="y")
    new = (
        frame().filter(pl.col("ds") > pl.datetime(2024, 1, 2)).with_columns(unique_id=pl.lit("a") + pl.col("unique_id"))
    )
    out = ostinato.update(old, new.with_columns(unique_id=pl.col("unique_id").replace("aa", "a")))
    assert out.ids == ("a", "b", "ab")
    assert np.isnan(out[0][24, 0])


def test_rows_that_do_not_follow_are_named() -> None:
    old = ostinato.read(frame(), target="y")
    with pytest.raises(DataError, match="out of order") as error:
        ostinato.update(old, frame().filter(pl.col("ds") == pl.datetime(2024, 1, 2)))
    assert "the new rows, row 0" in str(error.value)
    with pytest.raises(DataError, match="other columns"):
        ostinato.update(old, ostinato.read(frame(), target="heat"))
