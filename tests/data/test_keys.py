"""What files of other programs hold: ids without a usual name, row numbers, nested records, other encodings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.data.nested import flat
from ostinato.data.read import read
from ostinato.errors import DataError

DAYS = [f"2024-01-{day:02d}" for day in range(1, 13)]


def rows(*columns: str, cells: tuple[tuple[str, ...], ...]) -> str:
    """Return a table with a row for each day and each group of cells."""
    body = [",".join((day, *group, str(at + 10 * len(group[0])))) for at, day in enumerate(DAYS) for group in cells]
    return "\n".join([",".join(("date", *columns, "sold")), *body]) + "\n"


def test_a_column_of_words_that_tells_the_rows_of_a_time_apart_is_the_id(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(rows("remark", "product", cells=(("new", "tea"), ("new", "milk"), ("old", "rye bread"))))
    data = read(file)
    assert data.ids == ("tea", "milk", "rye bread")
    assert data.meta["id_col"] == "product"
    assert any("differ in 'product'" in note and "id_col=" in note for note in data.notes)


def test_the_id_is_found_with_a_target_too(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(rows("product", cells=(("tea",), ("milk",))))
    data = read(file, target=["sold"])
    assert data.ids == ("tea", "milk")
    assert any("differ in 'product'" in note for note in data.notes)


def test_two_columns_that_tell_the_rows_apart_together_are_named(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(rows("shop", "product", cells=(("a", "tea"), ("a", "milk"), ("b", "tea"), ("b", "milk"))))
    with pytest.raises(DataError, match="differ in 'shop' and 'product'") as error:
        read(file)
    assert error.value.fix is not None
    assert "id_col=" in error.value.fix


@pytest.mark.parametrize(
    "last",
    ["2024-01-12,fixed,9", "2024-01-12,ok,9"],
    ids=["with another word", "with the same word"],
)
def test_a_slip_in_the_times_makes_no_ids(tmp_path: Path, last: str) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(rows("remark", cells=(("ok",),)) + last + "\n")
    with pytest.raises(DataError, match="2024-01-12 occurs twice"):
        read(file)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("date,Müller\n2024-01-01,3 €\n", "cp1252"),
        ("date,Äpfel und Äste\n2024-01-01,3\n", "cp1252"),
        ("날짜,매출\n2024-01-01,3\n", "cp949"),
        ("날짜,뷁\n2024-01-01,3\n", "cp949"),
    ],
)
def test_the_error_about_another_encoding_says_how_to_convert_it(tmp_path: Path, text: str, encoding: str) -> None:
    file = tmp_path / "sales.csv"
    file.write_bytes(text.encode(encoding))
    with pytest.raises(DataError, match="is not valid UTF-8") as error:
        read(file)
    assert re.search(rf"iconv -f {encoding} -t utf-8", error.value.fix or "")


def test_a_column_that_counts_the_rows_is_no_channel(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("ds,seq,y1,y2\n" + "".join(f"2024-01-{d:02d},{d + 6},{d % 3},{d % 5}\n" for d in range(1, 29)))
    data = read(file)
    assert data.channels == ("y1", "y2")
    assert any("count the rows: seq" in note for note in data.notes)
    assert read(file, target=["seq"]).channels == ("seq",)


def test_an_object_within_a_record_becomes_columns(tmp_path: Path) -> None:
    nested, plain = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    nested.write_text(
        "".join(f'{{"ds": "{day}", "room": {{"in": {at}, "out": {{"y": 2.5}}}}}}\n' for at, day in enumerate(DAYS))
    )
    plain.write_text("".join(f'{{"ds": "{day}", "room.in": {at}, "room.out.y": 2.5}}\n' for at, day in enumerate(DAYS)))
    one, two = read(nested), read(plain)
    assert one.channels == two.channels == ("room.in", "room.out.y")
    np.testing.assert_array_equal(one.values, two.values)


def test_two_fields_of_one_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"ds": "2024-01-01", "a": {"b": 1}, "a.b": 2}\n')
    with pytest.raises(DataError, match=r"two fields have the name 'a\.b'"):
        read(file)


@settings(deadline=None, max_examples=50)
@given(st.recursive(st.integers(), lambda inner: st.dictionaries(st.text("ab", min_size=1), inner), max_leaves=8))
def test_flattening_keeps_every_leaf(item: Any) -> None:
    def leaves(one: Any) -> int:
        return sum(map(leaves, one.values())) if isinstance(one, dict) and one else 1

    found = flat({"x": item})
    assert len(found) == leaves(item)
    assert flat(found) == found


@pytest.mark.parametrize(
    ("other", "name", "channels"),
    [
        ("open", "price", ("price",)),
        ("sales", "price", ("sales", "price")),
        ("sales", "Price", ("sales", "Price")),
        ("turnover", "close", ("close",)),  # of an exchange
    ],
)
def test_a_price_is_modelled_alone_unless_something_was_sold_for_it(
    other: str, name: str, channels: tuple[str, ...]
) -> None:
    frame = pl.DataFrame({"date": DAYS, other: np.arange(12) + 0.5, name: np.linspace(9, 10, 12)})
    assert read(frame).channels == channels


@pytest.mark.parametrize("price", [["cheap"] * 12, ["A-9"] * 12])
def test_a_price_in_words_next_to_sales_is_set_aside_by_name(price: list[str]) -> None:
    data = read(pl.DataFrame({"date": DAYS, "sales": np.arange(12) + 0.5, "price": price}))
    assert data.channels == ("sales",)
    assert any("'price'" in note for note in data.notes)
