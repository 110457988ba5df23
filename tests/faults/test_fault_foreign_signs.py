"""Signs for a missing value, and dates of other calendars: read with a note, or refused by name, and never a number.

The signs are those that the World Bank, the International Monetary Fund, Eurostat, Stata, R and MySQL document.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.errors import DataError

DAYS = [str(date(2024, 1, 1) + timedelta(days=i)) for i in range(20)]


def table(tmp_path: Path, words: list[object], days: list[str], head: str = "ds,y") -> Path:
    path = tmp_path / "a.csv"
    rows = "".join(f"{day},{word}\n" for day, word in zip(days, words, strict=False))
    path.write_text(f"{head}\n{rows}", encoding="utf-8")
    return path


@pytest.mark.parametrize("word", ["..", "...", "…", ":", ": c", ".a", "\\N", "?", "n.a.", "N.A.", "NA_real_"])
def test_signs_of_programs_are_missing_and_named(tmp_path: Path, word: str) -> None:
    data = ostinato.read(table(tmp_path, [1.5, word, *range(18)], DAYS))
    assert np.isnan(data.values[:, 0]).tolist() == [False, True, *[False] * 18]
    assert any(repr(word) in note and "missing" in note for note in data.notes), data.notes


@pytest.mark.parametrize("word", ["Null", "NONE", "none", "NaT", "Nan", "N/a"])
def test_the_words_of_pandas_are_missing_in_every_case(tmp_path: Path, word: str) -> None:
    assert np.isnan(ostinato.read(table(tmp_path, [1.5, word, *range(18)], DAYS)).values[1, 0])


@pytest.mark.parametrize("word", ["없음", "нет", "n/d", "x", "c", ":)", "....", ".5.", "fehlt", "-"])
def test_other_words_are_an_error_with_their_cell(tmp_path: Path, word: str) -> None:
    with pytest.raises(DataError, match="line 3") as caught:
        ostinato.read(table(tmp_path, [1.5, word, *range(2, 20)], DAYS))
    assert repr(word) in str(caught.value)


@pytest.mark.parametrize(("times", "named"), [(1, False), (2, True)])
def test_a_code_of_two_nines_is_named_if_it_comes_again(tmp_path: Path, times: int, named: bool) -> None:
    data = ostinato.read(table(tmp_path, [*[-99] * times, *(i % 5 + 0.5 for i in range(20 - times))], DAYS))
    assert data.values[0, 0] == -99
    assert any("-99" in note for note in data.notes) == named, data.notes


@pytest.mark.parametrize(
    ("first", "days", "calendar"),
    [
        ("113/01/", 20, "Taiwan"),
        ("民國113年1月", 20, "Taiwan"),
        ("11301", 20, "Taiwan"),
        ("R6.1.", 20, "Japan"),
        ("令和6年1月", 20, "Japan"),
        ("140301", 20, "Persian"),
    ],
)
def test_dates_of_other_calendars_are_refused_by_name(tmp_path: Path, first: str, days: int, calendar: str) -> None:
    path = table(tmp_path, [*range(days)], [f"{first}{day + 1:02}" for day in range(days)], "date,y")
    with pytest.raises(DataError, match=calendar):
        ostinato.read(path)


@pytest.mark.parametrize(
    ("year", "calendar"), [(2467, "Buddhist"), (1403, "Persian"), (1445, "Islamic"), (5784, "Hebrew"), (2024, "")]
)
@pytest.mark.parametrize("form", ["{}-01-{:02}", "{}-{:02}", "{}-{:02}-01"])
def test_a_note_names_the_calendar_of_years(tmp_path: Path, year: int, calendar: str, form: str) -> None:
    path = table(tmp_path, [*range(12)], [form.format(year, i + 1) for i in range(12)], "date,y")
    notes = " ".join(ostinato.read(path).notes)
    assert ("Gregorian" in notes) == bool(calendar), notes
    assert calendar in notes, notes


@pytest.mark.parametrize(("step", "unit", "words"), [(3600, 1, "seconds"), (60_000, 1000, "milliseconds")])
def test_a_note_offers_times_since_1970_under_another_name(tmp_path: Path, step: int, unit: int, words: str) -> None:
    stamps = [str(1_704_067_200 * unit + step * i) for i in range(20)]
    values = [i % 3 + 0.5 for i in range(20)]
    notes = ostinato.read(table(tmp_path, [*values], stamps, "t,y")).notes
    assert any(f"{words} since 1970, from 2024-01-01T00:00:00" in note for note in notes), notes
    offered = ostinato.read(table(tmp_path, [*values], stamps, "timestamp,y"))
    assert offered.times is not None
    assert str(offered.times[0])[:10] == "2024-01-01"


@pytest.mark.parametrize(
    ("separator", "other", "first"),
    [(";", "", 1200.0), (",", "", 1.2), ("\t", "", 1.2), (";", "0.5", 1.2), (";", "0,5", 1200.0)],
)
def test_a_bare_zero_beside_zeros_at_the_end(tmp_path: Path, separator: str, other: str, first: float) -> None:
    """Between semicolons the point stands between thousands, unless another column shows that it is a decimal sign."""
    words, path = ["1.200", "2.340", "0", "3.110"] * 5, tmp_path / "a.csv"
    more = [f"{separator}{other}"] * 20 if other else [""] * 20
    rows = [f"{d}{separator}{w}{m}" for d, w, m in zip(DAYS, words, more, strict=True)]
    path.write_text("\n".join([separator.join(["ds", "y", *(["x"] if other else [])]), *rows]))
    data = ostinato.read(path, target=["y"])
    np.testing.assert_allclose(data.values[:4, 0], [first, first * 1.95, 0, first / 1.2 * 3.11])


def test_a_bare_zero_between_commas_leaves_the_sign_open(tmp_path: Path) -> None:
    words = ["1.200", "2.340", "0", "3.110"] * 5
    data = ostinato.read(table(tmp_path, [*words], DAYS))
    assert data.values[0, 0] == 1.2
    assert any("the decimal sign is open" in note for note in data.notes), data.notes


def test_constant_series_have_one_note_in_a_forecast(tmp_path: Path) -> None:
    notes = ostinato.forecast(table(tmp_path, [5.5] * 20, DAYS), horizon=3).notes
    assert sum("never change" in note for note in notes) == 1, notes


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-16-le", "utf-16le"),
        ("utf-16-be", "utf-16be"),
        ("mac_roman", "macintosh"),
        ("cp850", "cp850"),
        ("cp1252", "looks like cp1252"),
    ],
)
def test_the_error_names_the_encoding(tmp_path: Path, encoding: str, named: str) -> None:
    path = table(tmp_path, [*range(20)], DAYS, "ds,Température d’été".replace("’", "'"))
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    with pytest.raises(DataError, match=named):
        ostinato.read(path)


def test_a_cell_of_text_in_a_sheet_of_numbers_is_named(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter", reason="writes the sheet of this test")
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["ds", "y"])
        for i, day in enumerate(DAYS):
            sheet.write_row(1 + i, 0, [day, ["1.200", 2345, 1.5, 3110][i % 4]])
    data = ostinato.read(path)
    assert data.values[:2, 0].tolist() == [1.2, 2345]
    assert any("'1.200' is text" in note for note in data.notes), data.notes
