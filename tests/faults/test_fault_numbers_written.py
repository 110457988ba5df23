"""Numbers as people write them, and rows that are no data: read by one rule a column, with a note, or refused."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from rows import Row

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "cases" / "forecast"


def table(text: str, **options: Any) -> SequenceSet:
    """Read the text of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text(text, encoding="utf-8")
        return read(path, **options)


def cells(
    words: list[str], expected: list[float], *notes: str, separator: str = ",", **options: Any
) -> Callable[[], str]:
    """Return a check of one column in a file and in a frame of words."""

    def check() -> str:
        days = [f"2024-01-{i + 1:02}" for i in range(len(words))]
        text = pl.DataFrame({"ds": days, "y": words}).write_csv(separator=separator)
        for data in (
            table(text, **options),
            *([] if options or separator == ";" else [read(pl.DataFrame({"y": words}))]),
        ):
            np.testing.assert_array_equal(data.values[:, 0], expected)
            for note in notes:
                assert any("column 'y'" in one and note in one for one in data.notes), data.notes
        return f"right: {words[0]} is {expected[0]:g}"

    return check


def by_pandas(words: list[str], thousands: str | None, decimal: str) -> list[float]:
    """Return the numbers that pandas reads from words."""
    text = "y\n" + "\n".join(f'"{w}"' for w in words) + "\n"
    return [float(x) for x in pd.read_csv(io.StringIO(text), thousands=thousands, decimal=decimal, sep=";")["y"]]


GROUPED: dict[str, tuple[tuple[str | None, str], list[str]]] = {
    "1,603.05": ((",", "."), ["1,603.05", "2.5", "12,000,000.1"]),
    "1.603,05": ((".", ","), ["1.603,05", "2,5", "12.000.000,1"]),
    "1 603,05": ((" ", ","), ["1 603,05", "2,5", "12 000 000,1"]),
    "1'603.05": (("'", "."), ["1'603.05", "2.5", "12'000'000.1"]),
    "0,125": ((None, ","), ["0,125", "0,250"]),
    "-1,603.05": ((",", "."), ["-1,603.05", "+2.5"]),
}
SPACES = {"NBSP": "\u00a0", "thin space": "\u2009", "narrow NBSP": "\u202f", "figure space": "\u2007"}
#: The words that pandas.read_csv takes for a missing value, by its documentation.
NA = ["#N/A", "#N/A N/A", "#NA", "-NaN", "-nan", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
CURRENCIES = ["$", "€ ", "£", "₩", "¥", "₹", "US$", "R$ ", "CHF ", "USD ", "kr "]


def plain(words: list[str], strip: str) -> list[float]:
    """Return the numbers of words without some signs, by Python's float."""
    return [float("".join(c for c in w if c not in strip)) for w in words]


WRITTEN: dict[str, tuple[str, Callable[[], str]]] = {
    **{
        f"as {name}": ("pandas.read_csv", cells(words, by_pandas(words, *signs)))
        for name, (signs, words) in GROUPED.items()
    },
    **{
        f"groups by {name}": ("float", cells([f"1{sign}603,5", "2,25"], [1603.5, 2.25], "thousands"))
        for name, sign in SPACES.items()
    },
    **{
        f"currency {sign.strip()}": (
            "float",
            cells([f"{sign}1603.05", f"{sign}5"], plain(["1603.05", "5"], ""), sign.strip()),
        )
        for sign in CURRENCIES
    },
    "currency after the number": ("float", cells(["1603.05 €", "5 €"], [1603.05, 5], "€")),
    "won after the number": ("float", cells(["1200원", "5원"], [1200, 5], "원")),
    "currency in some rows": ("float", cells(["$5", "6"], [5, 6], "$")),
    "minus before the currency": ("float", cells(["-$5.50", "$6"], [-5.5, 6], "$")),
    "minus after the currency": ("float", cells(["$-5.50", "$6"], [-5.5, 6], "$")),
    "percent": ("float", cells(["12%", "3.5 %"], plain(["12%", "3.5 %"], "% "), "nothing is divided")),
    "brackets": ("float", cells(["(1,234.5)", "5.5"], [-float("1234.5"), 5.5], "brackets")),
    "brackets with a currency": ("float", cells(["($5.25)", "$6"], [-5.25, 6], "brackets", "$")),
    "minus at the end": ("float", cells(["5.5-", "6"], [-5.5, 6], "minus sign follows")),
    "unicode minus": ("float", cells(["\u22125.5", "6"], [-5.5, 6])),
    "full-width digits": ("unicodedata", cells(["\uff11\uff12\uff0e\uff15", "6"], [12.5, 6])),
    **{
        f"{script} digits": ("float", cells(words, [float(w) for w in words]))
        for script, words in {
            "Arabic": ["\u0661\u0662", "\u0669"],
            "Persian": ["\u06f1\u06f2", "\u06f9"],
            "Devanagari": ["\u0967\u0968.5", "\u096f"],
            "mixed": ["1", "\u0669", "2.5"],
        }.items()
    },
    **{
        f"{word} is missing": ("pandas", cells(["1.5", word, "3"], by_pandas(["1.5", word, "3"], None, ".")))
        for word in NA
    },
    "plus": ("float", cells(["+5.5", "6"], [float("+5.5"), 6])),
    "1e3": ("float", cells(["1e3", "2.5E-2"], [float("1e3"), float("2.5E-2")])),
    "$1e3": ("float", cells(["$1e3", "$2"], [float("1e3"), 2])),
    ".5": ("float", cells(["$.5", "$6."], [0.5, 6])),
    "12.3M": ("float", cells(["12.3M", "345.6K"], [12.3 * 1e6, 345.6 * 1e3], "millions")),
    "lakh": ("float", cells(["12,34,567.5", "1.5"], plain(["12,34,567.5", "1.5"], ","), "thousands")),
    "NA among them": ("pandas", cells(["$5", "NA", "$6"], [5, np.nan, 6])),
    "1,234 everywhere": (
        "pandas thousands",
        cells(["1,234", "5,678"], by_pandas(["1,234", "5,678"], ",", "."), "decimal="),
    ),
    "1,234 everywhere, decimal comma": (
        "pandas decimal",
        cells(["1,234", "5,678"], by_pandas(["1,234", "5,678"], None, ","), decimal=","),
    ),
    "1.234 everywhere, decimal comma": (
        "pandas thousands",
        cells(["1.234", "5.678"], by_pandas(["1.234", "5.678"], ".", ","), decimal=","),
    ),
    "1.234 everywhere": ("float", cells(["1.234", "5.678"], [1.234, 5.678])),
    "1,234 between semicolons": (
        "pandas decimal",
        cells(["1,234", "5,678"], by_pandas(["1,234", "5,678"], None, ","), "decimal=", separator=";"),
    ),
    "1,234 and 500": ("pandas thousands", cells(["1,234", "500"], by_pandas(["1,234", "500"], ",", "."), "decimal=")),
}

DAYS = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
BODY = "".join(f"{day},{i}.5\n" for i, day in enumerate(DAYS))
PANEL = "".join(f"{key},{day},{i}.5\n" for key in "ab" for i, day in enumerate(DAYS))


def lines(text: str, *notes: str, channels: tuple[str, ...] = ("y",), **options: Any) -> Callable[[], str]:
    """Return a check that a file has the values of BODY, and that its notes have these words."""

    def check() -> str:
        data = table(text, **options)
        expected = pd.read_csv(io.StringIO("ds,y\n" + BODY))
        assert data.channels == channels
        np.testing.assert_array_equal(data.values[:4, 0], expected["y"])
        assert data.times is not None
        assert data.times[:4].tolist() == pd.to_datetime(expected["ds"]).to_numpy().astype("datetime64[us]").tolist()
        for note in notes:
            assert any(note in one for one in data.notes), data.notes
        return f"right: {len(data.values)} rows"

    return check


def refused(text: str, *says: str, **options: Any) -> Callable[[], str]:
    """Return a check that a file is refused with these words."""

    def check() -> str:
        with pytest.raises(DataError) as caught:
            table(text, **options)
        for word in says:
            assert word in str(caught.value), str(caught.value)
        return f"refused: {caught.value.what[:60]}"

    return check


TOTALS = ["Total", "TOTAL:", "Grand Total", "Sum", "Average", "합계", "총계", "Summe", "Итого", "合計"]
YF = "Price,Close,High\nTicker,AAPL,AAPL\nDate,,\n" + "".join(f"{d},{i}.5,9\n" for i, d in enumerate(DAYS))
TWO = "Price,Close,Close\nTicker,AAPL,MSFT\nDate,,\n" + "".join(f"{d},{i}.5,9\n" for i, d in enumerate(DAYS))
BACK = "".join(reversed(BODY.splitlines(keepends=True)))
MIXED = "".join(BODY.splitlines(keepends=True)[i] for i in (2, 0, 3, 1))

ODD: dict[str, Callable[[], str]] = {
    **{f"a row of {word}": lines(f"ds,y\n{BODY}{word},8\n", "row of sums", "line 6", word) for word in TOTALS},
    "two rows of sums": lines(f"ds,y\n{BODY}Sum,8\nMean,2\n", "line 6", "line 7"),
    "a sum of fewer cells": lines(
        "ds,y,z\n" + BODY.replace("\n", ",7\n") + "Total,8\n", "below the table: line 6", target="y"
    ),
    "a source below": lines(f"ds,y\n{BODY}\nSource: a page\n", "below the table: lines 6 to 7", "Source: a page"),
    "empty rows below": lines(f"ds,y\n{BODY},\n,\n"),
    "a comment above": lines(
        f"# made by a program\nds,y\n{BODY}", "above the table are left out: line 1 (made by a program)"
    ),
    "a title above": lines(f"Sales of a shop\n\nds,y\n{BODY}", "above the table: lines 1 to 2", "Sales of a shop"),
    "names and values above": lines(
        f"Station,Seoul\nds,y,z\n{BODY.replace(chr(10), ',7' + chr(10))}", "line 1", target="y"
    ),
    "names again": lines(f"ds,y\n{BODY}ds,y\n2024-01-05,3\n", "occur again", "line 6"),
    "newest first": lines(f"ds,y\n{BACK}", "newest first"),
    "shuffled": lines(f"ds,y\n{MIXED}", "not in order of time"),
    "newest first in each series": lines(
        "id,ds,y\n" + "".join(reversed(PANEL.splitlines(keepends=True))), "newest first and are sorted, in 2 series"
    ),
    "a row twice": lines(f"ds,y\n{BODY}2024-01-02,1.5\n", "occur twice"),
    "a download of one ticker": lines(YF, "names of the columns", "AAPL", channels=("Close",)),
    "a download of two tickers": lines(TWO, "names of the columns", channels=("AAPL", "MSFT")),
    "a column of words": lines(
        "ds,shop,y\n" + BODY.replace(",", ",Bonn,"), "left out, because they hold no numbers: 'shop'"
    ),
    "other columns of numbers": lines("ds,y,z\n" + BODY.replace("\n", ",7\n"), "modelled column: 'y' of y, z"),
    "two values of one time": refused(f"ds,y\n{BODY}2024-01-02,9\n", "2024-01-02 occurs twice", "line 6", "line 3"),
    "a cut last row": refused(f"ds,y\n{BODY}2024-01-0\n", "has 1 cell, expected 2", "line 6"),
    "two currencies": refused("ds,y\n2024-01-01,$5\n2024-01-02,€6\n2024-01-03,$7\n", "several units", "line 3"),
    "percent and none": refused("ds,y\n2024-01-01,5%\n2024-01-02,6\n2024-01-03,7%\n", "percent", "line 3"),
    "decimal points and decimal commas": refused(
        'ds,y\n2024-01-01,"1,234.5"\n2024-01-02,"1.234,5"\n2024-01-03,2.5\n', "the decimal sign is a point", "line 3"
    ),
    **{
        f"a column {name} that is not read": refused(
            f"ds,{name},volume\n2024-01-01,5/a,1\n2024-01-02,6/b,2\n", "'5/a'", f"'{name}'"
        )
        for name in ("y", "value", "price", "close", "sales", "매출")
    },
    "an empty id": refused(f"id,ds,y\n{PANEL},2024-01-01,1\n", "'id' is empty", "line 10"),
    "ids 1 and 1.0": refused("id,ds,y\n1,2024-01-01,1\n1.0,2024-01-01,1\n", "'1' and '1.0'", "line 3"),
}


def a_series_called_total() -> str:
    """A panel may have a series of totals."""
    data = table("id,ds,y\n" + PANEL.replace("b,", "Total,"))
    assert data.ids == ("a", "Total")
    return "right: a, Total"


def given_case() -> str:
    """The given file with empty ids is refused with its rows."""
    if not SHARED.exists():
        pytest.skip("needs ../shared/cases")
    with pytest.raises(DataError, match="is empty"):
        read(SHARED / "empty_id.csv")
    return "refused: the id is empty"


KIND = "numbers as written"
ROWS = [
    *(Row(KIND, name, source, check) for name, (source, check) in WRITTEN.items()),
    *(Row(KIND, name, "pandas.read_csv of the rows alone", check) for name, check in ODD.items()),
    Row(KIND, "a series called Total", "the file", a_series_called_total),
    Row(KIND, "empty_id.csv", "a DataError", given_case),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_numbers_as_written(row: Row) -> None:
    assert row.check()


@pytest.mark.parametrize(("decimal", "value"), [(None, 1234.0), (".", 1234.0), (",", 1.234)])
def test_a_note_asks_for_the_decimal_sign_only_if_none_is_given(decimal: str | None, value: float) -> None:
    data = read(pl.DataFrame({"ds": [1, 2, 3], "y": ["1,234", "2,345", "3,456"]}), decimal=decimal)
    assert data.values[0, 0] == value
    assert any("decimal=" in note for note in data.notes) == (decimal is None)
