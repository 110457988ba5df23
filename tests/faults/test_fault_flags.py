"""Flags behind numbers, as offices of statistics write them, and letters behind numbers that are no flags."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import ostinato
from ostinato.data.numerals import as_numbers
from ostinato.errors import DataError

N = 30
PLAIN = [12 + i / 10 for i in range(N)]
#: The flags of Eurostat's table of codes, and those of other offices and loggers.
EUROSTAT = ["b", "c", "d", "e", "f", "n", "p", "r", "s", "u", "z", "bd", "be", "bep", "de", "dp", "ep", "bde"]
FLAGS = [
    *(f" {flag}" for flag in EUROSTAT),
    *EUROSTAT,
    *(f"({flag})" for flag in ("p", "r", "e", "P", "R")),
    *("*", "**", "†", " p)", " 1)", " [a]", "[1]", " E", " P", " R"),
]


def table(path: Path, cells: list[Any], sep: str = ",") -> Path:
    days = pd.date_range("2024-01-01", periods=len(cells)).strftime("%Y-%m-%d")
    path.write_text(f"date{sep}y\n" + "".join(f"{d}{sep}{c}\n" for d, c in zip(days, cells, strict=True)))
    return path


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("places", [[N - 1], [0, 1, 2], [3, 17, 20]])
def test_values_with_flags_are_read_and_the_flag_is_named(tmp_path: Path, flag: str, places: list[int]) -> None:
    cells = [f"{x:.1f}{flag}" if i in places else f"{x:.1f}" for i, x in enumerate(PLAIN)]
    data = ostinato.read(table(tmp_path / "a.csv", cells))
    np.testing.assert_allclose(data.values[:, 0], PLAIN)
    note = f"{flag.strip()} ({len(places)})"
    assert any(note in one and "flags behind numbers" in one for one in data.notes), data.notes


def test_the_rows_of_eurostat(tmp_path: Path) -> None:
    """A value with a flag, a missing value with a flag, and a blank behind each, as in its files."""
    rng = random.Random(4)
    cells, right = [], []
    for x in PLAIN:
        kind = rng.choice(["plain", "plain", "flag", "missing"])
        flag = rng.choice(EUROSTAT)
        cells.append({"plain": f"{x:.1f} ", "flag": f"{x:.1f} {flag}", "missing": f": {flag}"}[kind])
        right.append(np.nan if kind == "missing" else x)
    data = ostinato.read(table(tmp_path / "a.tsv", cells, "\t"))
    np.testing.assert_allclose(data.values[:, 0], right)
    assert any("sign for a missing value" in one for one in data.notes)


@pytest.mark.parametrize("comma", [True, False])
def test_flags_beside_other_signs(comma: bool) -> None:
    """A flag changes nothing of how the number before it is read: the cells without flags are the oracle."""
    bare = ["1.234,5", "2.345,6", "-3,5", "900"] if comma else ["1,234.5", "2,345.6", "-3.5", "900"]
    marked = [bare[0] + " p", *bare[1:3], bare[3] + "b", *bare[1:3]]
    right = as_numbers(pl.Series([bare[0], *bare[1:4], *bare[1:3]])).values
    assert as_numbers(pl.Series(marked)).values.to_list() == right.to_list()


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ([f"{x:.1f} s" for x in PLAIN], "unit 's'"),
        (["900000000"] * 20 + ["1.2b"], "1.2b"),
        ([str(x) for x in PLAIN] + ["12.3 m"], "12.3 m"),
        ([str(x) for x in PLAIN] + ["12.3 kg"], "12.3 kg"),
        ([str(x) for x in PLAIN] + ["12.3 (4)"], "12.3 (4)"),
        ([str(x) for x in PLAIN] + ["12.3²"], "12.3²"),
    ],
)
def test_units_and_others_are_no_flags(tmp_path: Path, cells: list[str], says: str) -> None:
    with pytest.raises(DataError) as caught:
        ostinato.read(table(tmp_path / "a.csv", cells))
    assert says in str(caught.value)


def test_letters_that_stand_for_thousands_stay(tmp_path: Path) -> None:
    data = ostinato.read(table(tmp_path / "a.csv", ["1.5K", "2.5K", "3.5K", "900"]))
    assert data.values[:, 0].tolist() == [1500, 2500, 3500, 900]


def test_lines_of_buses_are_ids_and_no_numbers_with_flags(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=N).strftime("%Y-%m-%d")
    rows = [f"{day},{line},{i * 7 % 11}\n" for i, day in enumerate(days) for line in ("1", "2", "3b", "4")]
    (tmp_path / "a.csv").write_text("date,line,riders\n" + "".join(rows))
    assert ostinato.read(tmp_path / "a.csv").ids == ("1", "2", "3b", "4")


def test_a_b_beside_thousands_and_millions_is_no_flag(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="12b"):
        ostinato.read(table(tmp_path / "a.csv", ["1.2K", "900", "3.4M", "12b", "800", "700"] * 5))
