"""Numbers such as 1.200, whose sign may be between thousands, and signs and brackets in front of a unit.

The right values are those that the numbers had before they were written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import Row

from ostinato.data.numerals import as_numbers
from ostinato.data.read import read
from ostinato.data.tables import parse
from ostinato.errors import DataError

DAYS = pd.date_range("2024-01-01", periods=12).strftime("%Y-%m-%d")
NOTE = "thousands are separated"


def cells(words: list[str], values: list[float], note: str = "", *, separator: str = ";", quote: str = "") -> str:
    """A column of words in a file has these values."""
    rows = (f"{day}{separator}{quote}{word}{quote}\n" for day, word in zip(DAYS, words, strict=False))
    frame, origin = parse(f"ds{separator}y\n{''.join(rows)}".encode(), "t.csv")
    np.testing.assert_array_equal(frame["y"].cast(pl.Float64).fill_null(np.nan).to_numpy(), values)
    notes = " ".join(origin.on(("y",)))
    assert note in notes if note else not notes, notes
    return f"right: {note or 'no note'}"


def refused(words: list[str]) -> str:
    """Cells that hold a sign or a bracket twice are no numbers."""
    assert not as_numbers(pl.Series(words)).all
    return "refused"


GERMAN, VALUES = ["1.200", "2.345", "900"], [1200.0, 2345.0, 900.0]
KINDS: dict[str, dict[str, Callable[[], str]]] = {
    "thousands": {
        **{f"{sign!r} {quote or 'bare'}": partial(cells, GERMAN, VALUES, NOTE, separator=sign, quote=quote)
           for sign in (";", "\t", "|", ",") for quote in ("", '"')},
        "negative, missing": partial(cells, ["-1.200", "NA", "-900", ""], [-1200, np.nan, -900, np.nan], NOTE),
        "a comma": partial(cells, ["1,200", "2,345", "900"], VALUES, NOTE),
        "won": partial(cells, ["1,200원", "2,345원", "900원"], VALUES, NOTE),
    },
    "decimals": {
        "no zeros at the end": partial(cells, ["1.2", "2.345", "900"], [1.2, 2.345, 900]),
        "nearer to each other": partial(cells, ["1.250", "2.500", "3"], [1.25, 2.5, 3], "the decimal sign is open"),
        "nearer, commas": partial(
            cells, ["1.250", "2.500", "3"], [1.25, 2.5, 3], "the decimal sign is open", separator=","),
        "three digits each": partial(cells, ["1.234", "2.345"], [1.234, 2.345], "the decimal sign is open"),
        "three digits each, commas": partial(cells, ["1.234", "2.345"], [1.234, 2.345], separator=","),
    },
    "units": {
        "brackets": partial(cells, ["(5) €", "7 €", "(1.234,5) €"], [-5, 7, -1234.5], "brackets"),
        "minus": partial(cells, ["5- kr", "7 kr"], [-5, 7], "the minus sign follows"),
        "percent": partial(cells, ["5-%", "7%"], [-5, 7], "percent"),
        "two signs": partial(refused, ["5- kr -", "7 kr"]),
        "two brackets": partial(refused, ["(5) €)", "7 €"]),
    },
}  # fmt: skip
ROWS = [Row(kind, name, "the numbers before", check) for kind, rows in KINDS.items() for name, check in rows.items()]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_open_points(row: Row) -> None:
    assert row.check()


@settings(max_examples=60, deadline=None)
@given(
    digits=st.integers(0, 6),
    size=st.sampled_from([1.0, 30.0, 900.0, 5e4]),
    drop=st.booleans(),
    data=st.data(),
)
def test_a_number_with_a_point_is_never_read_in_silence_as_another(
    digits: int, size: float, drop: bool, data: st.DataObject
) -> None:
    """Decimals that a program writes, with or without zeros at the end, are read as they are, or a note says so."""
    values = data.draw(st.lists(st.floats(-size, size), min_size=2, max_size=12))
    words = [f"{value:.{digits}f}" for value in values]
    if drop:
        words = [word.rstrip("0").rstrip(".") if "." in word else word for word in words]
    rows = "".join(f"{i},{word}\n" for i, word in enumerate(words))
    frame, origin = parse(f"n,y\n{rows}".encode(), "t.csv")
    same = frame["y"].cast(pl.Float64).to_list() == [float(word) for word in words]
    assert same or any("'y'" in note for note in origin.on(("y",)))
    assert same or not drop


def test_text_cells_of_json_are_told_from_numbers(tmp_path: Path) -> None:
    """A number has no zeros at its end, so "1.200" beside 900 is a word; numbers alone stay as they are."""
    for cells_, right in (([*GERMAN[:2], 900], VALUES), ([1.234, 2.345, 900], [1.234, 2.345, 900])):
        path = tmp_path / "t.json"
        rows = [{"ds": day, "y": cell} for day, cell in zip(DAYS, cells_, strict=False)]
        path.write_text(json.dumps(rows), encoding="utf-8")
        assert read(path).values[:, 0].tolist() == right


@pytest.mark.parametrize("values", [[1.5, 1.5], [1.5, 2.5]], ids=["equal", "different"])
def test_no_row_of_two_keys_is_lost(values: list[float]) -> None:
    """Two columns of words that tell the rows apart are refused by name, whether the values are equal or not."""
    keys = [(store, product) for store in "ab" for product in "xy"]
    rows = [(*key, day, values[key[1] == "y"]) for key in keys for day in DAYS]
    frame = pl.DataFrame(rows, schema=["store", "product", "ds", "y"], orient="row")
    with pytest.raises(DataError, match="differ in 'product'") as caught:
        read(frame)
    assert "join 'store' and 'product'" in (caught.value.fix or "")
    assert len(read(frame.with_columns(pl.format("{}{}", "store", "product").alias("unique_id"))).ids) == 4


@pytest.mark.parametrize(("ids", "note"), [([1, "1"], True), ([True, "true"], True), ([1, "2"], False)])
def test_ids_of_two_types_in_json_are_named(tmp_path: Path, ids: list[object], note: bool) -> None:
    path = tmp_path / "t.json"
    rows = [{"unique_id": ids[i % 2], "ds": day, "y": i + 0.5} for i, day in enumerate(DAYS)]
    path.write_text(json.dumps(rows), encoding="utf-8")
    data = read(path)
    assert any("read as one id" in one for one in data.notes) is note
    assert len(data.ids) == (1 if note else 2)


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        ("Größe;Maß", "cp1252", "cp1252"),
        ("날짜;값;온도", "cp949", "cp949"),
        ("öß;äö", "cp1252", "cp1252"),
        ("시점;총지수;쌀", "cp949", "cp949"),
        ("日付;値;カメラ", "cp932", "cp932"),
        ("時間軸（月次）;大阪支店", "cp932", "cp932"),
        ("日付;値;のり", "euc-jp", "euc-jp"),
        ("日期;数值;地区;上海", "gbk", "gbk"),
        ("日期;數值;臺北;高雄", "big5", "big5"),
        ("дата;значение;Пермь", "koi8-r", "koi8-r"),
    ],
)
def test_the_advice_on_an_encoding_is_right(tmp_path: Path, text: str, encoding: str, name: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes((text + "\n" + "1;2;3\n"[: 2 * text.count(";") + 2] + "\n").encode(encoding))
    with pytest.raises(DataError) as caught:
        read(path)
    assert f"looks like {name}:" in (caught.value.fix or "")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("sure", "value"), [("1.200\n2.345\n900", 1234.0), ("1,5\n2,5\n3,5", 1234.0), ("0.5\n1.25\n2.5", 1.234)]
)
def test_what_one_file_leaves_open_the_others_decide(tmp_path: Path, sure: str, value: float, *, first: bool) -> None:
    for name, cells_ in (("ab"[first], sure), ("ba"[first], "1.234\n2.345\n3.456")):
        rows = "".join(f"{day};{cell}\n" for day, cell in zip(DAYS, cells_.split("\n"), strict=False))
        (tmp_path / f"{name}.csv").write_text(f"ds;y\n{rows}", encoding="utf-8")
    data = read(tmp_path)
    assert dict(zip(data.ids, data, strict=True))["ba"[first]][0, 0] == value
    assert not any("is open" in note for note in data.notes)
