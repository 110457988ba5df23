"""Rows, signs and times that a reader may lose in silence: each file holds all of its rows, or is refused.

The right values are those that a file is written from, and the right times are those of pandas.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from files_read import in_file, refused
from rows import Row, rows_of

from ostinato.data.read import read
from ostinato.errors import ModelFileError, WriteError
from ostinato.storage.bundles import load_bundle
from ostinato.storage.files import atomic_write

N = 30
Y = [round(3.5 + 7 * i % 11 + i / 10, 2) for i in range(N)]
#: The numbers of a series that begins below 0.
LOW = [i - 8.5 for i in range(N)]
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(N)]
SECONDS = 1_704_067_200  # 2024-01-01


def lines(cells: Iterable[Sequence[object]], separator: str = ",") -> str:
    """Return rows of cells as the text of a table."""
    return "".join(separator.join(map(str, row)) + "\n" for row in cells)


def comma(values: Iterable[float]) -> list[str]:
    """Return numbers with a decimal comma."""
    return [str(value).replace(".", ",") for value in values]


def right(
    text: str,
    values: Sequence[float],
    *,
    times: Any = None,
    column: int = 0,
    ending: str = ".csv",
    notes: Sequence[str] = (),
    **options: Any,
) -> str:
    """A file has these values in one channel, the times if they are given, and the notes."""
    data = in_file(text, ending, **options)
    np.testing.assert_allclose(data.values[:, column], values, rtol=1e-12)
    if times is not None:
        assert data.times is not None, data.notes
        np.testing.assert_array_equal(data.times, np.asarray(times, dtype="datetime64[us]"))
    for note in notes:
        assert any(note in one for one in data.notes), data.notes
    return f"right: {len(values)} rows"


def beginning(first: Sequence[object], *, rest: Callable[[int], object] = lambda i: i + 10) -> str:
    """Return a table whose first rows begin with these cells, above rows that begin with a number."""
    rows = [*((cell, i) for i, cell in enumerate(first)), *((rest(i), i) for i in range(20))]
    return "y,x\n" + lines(rows)


def missing(first: int) -> list[float]:
    """Return the values of ``beginning`` where the first cells are missing."""
    return [np.nan] * first + [i + 10.0 for i in range(20)]


def ids() -> str:
    """A panel whose last ids begin with a digit keeps the rows of the others."""
    rows = [*(("A", i) for i in range(12)), *(("B", i) for i in range(12)), *(("7", i) for i in range(12))]
    data = in_file("id,y\n" + lines(rows), ".csv")
    assert data.ids == ("A", "B", "7")
    assert data.values[:, 0].tolist() == [*range(12)] * 3
    return "right: 36 rows"


def hours(first: int, last: int) -> list[int]:
    """Return the hours of two days as digits, each day from ``first`` to ``last``."""
    return [2024010000 + 100 * day + hour for day in (1, 2) for hour in range(first, last + 1)]


HOURS = pd.date_range("2024-01-01", periods=49, freq="h")
MINUTES = pd.date_range("2024-01-01", periods=N, freq="min")
KINDS: dict[str, dict[str, Callable[[], str]]] = {
    "first rows": {
        "below 0 under names": partial(right, "y,x\n" + lines(zip(LOW, Y, strict=True)), LOW),
        "below 0 without names": partial(right, lines(zip(LOW, Y, strict=True)), LOW),
        "brackets": partial(right, beginning(["(8.5)"] * 6), [-8.5] * 6 + missing(0)),
        "-.5": partial(
            right, beginning([f"-.{i + 1}" for i in range(6)]), [-(i + 1) / 10 for i in range(6)] + missing(0)),
        **{
            f"{word!r} in front": partial(right, beginning([word] * 6), missing(6))
            for word in ("", "NA", "nan", "null")
        },
        "words in front": partial(refused, beginning(["calibrating"] * 6), "calibrating", "line 2"),
        "ids that begin with a letter": ids,
    },
    "logs": {
        "seconds since 1970 and new words": partial(
            right, lines((SECONDS + 60 * i, f"event {i}", Y[i]) for i in range(N)), Y, column=1, notes=["first row"]),
        "milliseconds since 1970 and new words": partial(
            right, lines(((SECONDS + 60 * i) * 1000, f"event {i}", Y[i]) for i in range(N)), Y, times=MINUTES),
        "milliseconds since 1970": partial(
            right, lines(((SECONDS + 60 * i) * 1000, Y[i]) for i in range(N)), Y, times=MINUTES),
        "digits of dates and new words": partial(
            right, lines((f"{DAYS[i]:%Y%m%d}", f"event {i}", Y[i]) for i in range(N)), Y, times=DAYS),
        "digits of dates behind an id": partial(
            right, lines(("A", f"{DAYS[i]:%Y%m%d}", Y[i]) for i in range(N)), Y, times=DAYS),
        "digits of dates and clocks": partial(
            right, lines(((f"{t:%Y%m%d %H%M%S}", Y[i]) for i, t in enumerate(MINUTES)), ";"), Y, times=MINUTES),
        "a date and a clock": partial(
            right, lines((f"{t:%Y.%m.%d}", f"{t:%H:%M}", Y[i]) for i, t in enumerate(MINUTES)), Y, times=MINUTES),
        "new words and a decimal": partial(
            right, lines((f"up of host {i}", Y[i]) for i in range(N)), Y, notes=["first row"]),
        "names above a blank line": partial(
            right, "# a station\n# STN,YYYYMMDD, TG\n\n" + lines((260, f"{DAYS[i]:%Y%m%d}", Y[i]) for i in range(N)),
            Y, times=DAYS, column=1, ending=".txt"),
    },
    "decimal commas": {
        "two decimals": partial(right, lines([[f"{i + 0.05 + i / 8:.2f}".replace(".", ",")] for i in range(N)]),
                                [round(i + 0.05 + i / 8, 2) for i in range(N)]),
        "a year and a month, or a decimal": partial(
            refused, lines((2020 + i // 12, f"{1 + i % 12:02d}") for i in range(N)), "2020,01", "decimal="),
        "below 0": partial(right, lines([[cell] for cell in comma([-0.5, *Y])]), [-0.5, *Y]),
        "below a name": partial(right, "Wert\n" + lines([[cell] for cell in comma(Y)]), Y),
        "by --decimal": partial(right, lines([[cell] for cell in comma(Y)]), Y, decimal=","),
        "open": partial(right, lines([[cell] for cell in comma(Y)]), [float(int(y)) for y in Y], notes=["decimal="]),
        "between blanks": partial(
            right, lines(zip(comma(LOW), comma(Y), strict=True), " "), Y, column=1, ending=".txt"),
        "between blanks, with names": partial(
            right, "a b\n" + lines(zip(comma(LOW), comma(Y), strict=True), " "), Y, column=1, ending=".txt"),
    },
    "digits of hours": {
        "0 to 23": partial(right, "when_time,y\n" + lines(zip(hours(0, 23), range(48), strict=True)), [*range(48)],
                           times=HOURS[:48]),
        "1 to 24": partial(right, "측정일시,y\n" + lines(zip(hours(1, 24), range(48), strict=True)), [*range(48)],
                           times=HOURS[1:], notes=["hour 24"]),
        "1 to 25": partial(refused, "timestamp,y\n" + lines(zip(hours(1, 25), range(50), strict=True)), "2024010125"),
        "minute 60": partial(
            refused, "timestamp,y\n" + lines((202401010030 + i, i) for i in range(31)), "202401010060"),
    },
    "names of times": {
        "years called Zeit": partial(right, "Zeit,y\n" + lines(zip(range(1990, 2020), Y, strict=True)), Y,
                                     times=pd.date_range("1990", periods=N, freq="YS")),
        "parts of SPSS": partial(
            right, "YEAR_,MONTH_,DATE_,y\n"
            + lines((2022 + i // 12, 1 + i % 12, f"{1 + i % 12:02d}/{2022 + i // 12}", Y[i]) for i in range(N)), Y,
            times=pd.date_range("2022", periods=N, freq="MS"), notes=["YEAR_, MONTH_"]),
        "parts of SPSS alone": partial(
            right, "YEAR_,MONTH_,y\n" + lines((2022 + i // 12, 1 + i % 12, Y[i]) for i in range(N)), Y,
            times=pd.date_range("2022", periods=N, freq="MS")),
        "Kibana": partial(right, "@timestamp;y\n" + lines(
            ((f"{day:%b} {day.day}, {day.year} @ 00:00:00.000", Y[i]) for i, day in enumerate(DAYS)), ";"), Y,
            times=DAYS),
    },
    "sides of an account": {
        **{
            f"{words[0]} and {words[1]}": partial(
                refused, f"Day;Amount;{name}\n" + lines(((DAYS[i], Y[i], words[i % 3 > 0]) for i in range(N)), ";"),
                repr(name), words[0], words[1], "minus sign")
            for name, words in {
                "Soll/Haben": ("H", "S"), "Debit/Credit": ("C", "D"), "Type": ("credit", "debit"), "Sign": ("+", "-"),
                "구분": ("대변", "차변"),
            }.items()
        },
        "amounts with signs": partial(
            right, "Day;Amount;Type\n" + lines(((DAYS[i], LOW[i], ("debit", "credit")[i % 2]) for i in range(N)), ";"),
            LOW),
        "by --target": partial(
            right, "Day;Amount;Type\n" + lines(((DAYS[i], Y[i], ("debit", "credit")[i % 2]) for i in range(N)), ";"),
            Y, target="Amount"),
        "letters of another meaning": partial(
            right, "Day;Amount;Size\n" + lines(((DAYS[i], Y[i], "SH"[i % 2]) for i in range(N)), ";"), Y),
    },
    "cells": {
        "85+ among numbers": partial(
            refused, "ds,y\n" + lines((DAYS[i], "85+" if i % 4 == 0 else i) for i in range(N)), "'85+'", "or more"),
        "plus and minus behind all": partial(
            right, "ds,y\n" + lines((DAYS[i], f"{abs(LOW[i])}{'-' if LOW[i] < 0 else '+'}") for i in range(N)), LOW),
        "3.2bn among numbers": partial(
            refused, "ds,y\n" + lines((DAYS[i], "3.2bn" if i % 4 == 0 else i) for i in range(N)), "'3.2bn'"),
        "an exponent and a decimal comma": partial(
            right, "ds;y\n" + lines(((DAYS[i], f"{i + 1},125E3") for i in range(N)), ";"),
            [(i + 1.125) * 1000 for i in range(N)]),
        "an exponent and a comma in quotes": partial(
            right, "ds,y\n" + lines((DAYS[i], f'"{i + 1},125E3"') for i in range(N)),
            [(i + 1.125) * 1000 for i in range(N)]),
        "two decimal signs and an exponent": partial(
            refused, "ds;y\n" + lines(((DAYS[i], "1.234E3" if i % 4 == 0 else "2,5") for i in range(N)), ";"),
            "1.234E3", "decimal sign"),
        **{
            f"{sign} in front": partial(right, "ds,y\n" + lines((DAYS[i], f"{sign}{Y[i]}") for i in range(N)), Y,
                                        notes=["currency"])
            for sign in ("S$", "RM ", "Rp ", "TL ", "AED ", "ZAR ", "MX$", "NZ$", "RUB ")
        },
    },
    "records within objects": {
        "ECOS": partial(
            right, json.dumps({"StatisticSearch": {"list_total_count": N, "row": [
                {"TIME": f"{DAYS[i]:%Y%m%d}", "DATA_VALUE": str(Y[i])} for i in range(N)]}}), Y, times=DAYS,
            ending=".json", notes=["'StatisticSearch.row'"]),
        "Elasticsearch": partial(
            right, json.dumps({"took": 1, "hits": {"total": {"value": N}, "hits": [
                {"_id": f"{i:x}a", "_source": {"@timestamp": f"{DAYS[i]}T00:00:00.000Z", "load": Y[i]}}
                for i in range(N)]}}), Y, times=DAYS, ending=".json", notes=["'hits.hits'"]),
        "several lists": partial(
            refused, json.dumps({"a": {"x": [{"y": 1}], "z": [{"y": 2}]}}), "list", ending=".json"),
    },
    "no tables": {
        "the line protocol of InfluxDB": partial(
            refused, lines([[f"cpu,host=a usage={Y[i]} {(SECONDS + i) * 10**9}"] for i in range(N)]), "InfluxDB",
            ending=".txt"),
        "fields with their names": partial(
            refused, lines([[f"ts={DAYS[i]} level=info value={Y[i]}"] for i in range(N)]), "in each line",
            ending=".log"),
        "YAML": partial(refused, lines([[f"- ds: {DAYS[i]}\n  y: {Y[i]}"] for i in range(N)]), "in each line",
                        ending=".yaml"),
        "XML": partial(refused, "<rows>\n" + lines([[f"<row><y>{Y[i]}</y></row>"] for i in range(N)]) + "</rows>\n",
                       "read_xml", ending=".xml"),
        "HTML in a file .xls": partial(
            refused, "<html><table>\n" + lines([[f"<tr><td>{Y[i]}</td></tr>"] for i in range(N)]) + "</table>\n",
            "page of HTML", ending=".xls"),
        "times in brackets": partial(
            refused, lines([[f"[{DAYS[i]} 00:00:00] temp {Y[i]}"] for i in range(N)]), "rows of numbers",
            ending=".log"),
        "another separator": partial(refused, "ds~y\n" + lines(((DAYS[i], Y[i]) for i in range(N)), "~"),
                                     "rows of numbers", ending=".txt"),
        "another separator in .csv": partial(refused, "ds^y\n" + lines(((DAYS[i], Y[i]) for i in range(N)), "^"),
                                             "between the cells of a line"),
        "numbers in one line": partial(refused, " ".join(map(str, Y)) + "\n", "one line", ending=".txt"),
        "numbers in one row": partial(refused, ",".join(map(str, Y)) + "\n", "a line of its own"),
        "a vector of R": partial(
            refused, " [1] " + " ".join(map(str, Y[:15])) + "\n[16] " + " ".join(map(str, Y[15:])) + "\n",
            "a vector as R prints it", ending=".txt"),
        "months of R": partial(
            refused, "     Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec\n1949 112 118 132 129 121 135 148 148 136"
            " 119 104 118\n1950 115 126 141\n", "a time series as R prints it", "write.csv", ending=".txt"),
    },
}  # fmt: skip
ROWS = rows_of(KINDS, "the rows that the file is written from, or an error")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_lost_rows(row: Row) -> None:
    assert row.check()


#: Names of columns that hold numbers, and must not be read as a first row of values.
NAMES = ("station,0.5,1.5", "model,0.1,0.5,0.9", "part,12345678", "id,10.5", "ds,20240131")


@pytest.mark.parametrize("names", NAMES)
def test_numbers_that_are_names_stay_names(names: str) -> None:
    width = names.count(",")
    data = in_file(names + "\n" + lines([f"s{i}", *[i / 10] * width] for i in range(N)), ".csv", time_col="none")
    assert len(data.values) == N


#: Arrays and frames of pandas in which rows or axes may be meant in another way, and what the note says.
DOUBTS: dict[str, tuple[Any, str]] = {
    "pairs in a list": ([[y, -y] for y in Y], "sequences of 2 steps"),
    "an array of one row": (np.array([Y]), "transpose"),
    "a series sorted by its values": (pd.Series(Y).sort_values(), "in another order"),
    "a series in steps back": (pd.Series(Y)[::-1], "in another order"),
    "a series without some rows": (pd.Series(Y).drop([3, 4, 9]), "with gaps"),
    "a frame sorted by its values": (pd.DataFrame({"y": Y}).sort_values("y"), "in another order"),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_doubts_about_arrays_are_noted(name: str) -> None:
    source, note = DOUBTS[name]
    assert any(note in one for one in read(source).notes)


@pytest.mark.parametrize(
    "source", [pd.Series(Y), pd.Series(Y)[5:], pd.DataFrame({"ds": DAYS, "y": Y}).sort_values("y")]
)
def test_an_index_that_hides_nothing_has_no_note(source: Any) -> None:
    assert not any("the index" in note for note in read(source).notes)


@pytest.mark.parametrize("path", ["\0", "a\0b.ost"])
def test_a_path_with_a_null_character_is_refused(path: str) -> None:
    with pytest.raises(WriteError, match="null character"):
        atomic_write(path, b"")
    with pytest.raises(ModelFileError, match="null"):
        load_bundle(path)
