"""Months by name, as Babel writes them in ten languages; a date without a certain year is refused with its reason."""

from __future__ import annotations

import datetime
import email.utils
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato.cli.render import as_table
from ostinato.data.month_names import MONTHS, folded
from ostinato.data.read import read
from ostinato.data.stamps import read_times
from ostinato.errors import DataError

dates = pytest.importorskip("babel.dates")
LANGUAGES = ("en", "en_GB", "de", "de_AT", "fr", "es", "es_MX", "it", "pt", "pt_PT", "nl", "da", "nb", "sv")
MONTHLY = pl.date_range(pl.date(2022, 1, 1), pl.date(2024, 6, 1), "1mo", eager=True).to_list()
DAILY = pl.date_range(pl.date(2023, 12, 20), pl.date(2024, 2, 20), "1d", eager=True).to_list()
FORMS_OF_MONTHS = ("MMMM y", "MMM y", "LLLL y", "LLL y", "MMM-y", "MMMM/y", "y MMM", "y-MMMM", "MMMM 'de' y")
FORMS_OF_DAYS = (
    "d MMMM y",
    "d. MMMM y",
    "dd MMM y",
    "dd-MMM-y",
    "dd/MMM/y",
    "MMM d, y",
    "d 'de' MMMM 'de' y",
    "y MMM d",
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", [str, str.lower, str.upper, str.capitalize])
@pytest.mark.parametrize("form", [*FORMS_OF_MONTHS, *FORMS_OF_DAYS])
def test_what_babel_writes_is_read_and_written_again(language: str, case: type[str], form: str) -> None:
    truth = MONTHLY if form in FORMS_OF_MONTHS else DAILY
    words = [case(dates.format_date(one, form, locale=language)) for one in truth]
    found = read_times(pl.Series("ds", words))
    assert found is not None
    assert found.times.astype("datetime64[D]").tolist() == truth
    if case is not str.upper and "de" not in form and case is not str.capitalize and found.form.months:
        assert found.form.column(found.times).to_list() == words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", ["long", "medium"])
def test_a_date_as_a_language_writes_it(language: str, form: str) -> None:
    words = [dates.format_date(one, form, locale=language) for one in DAILY]
    found = read_times(pl.Series("ds", words), day_first=language != "en")
    assert found is not None
    assert found.times.astype("datetime64[D]").tolist() == DAILY


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", ["wide", "abbreviated"])
@pytest.mark.parametrize("context", ["format", "stand-alone"])
def test_a_word_means_the_month_that_babel_says(language: str, width: str, context: str) -> None:
    for month, word in dates.get_month_names(width, context, language).items():
        assert MONTHS[folded(word)] == month


@pytest.mark.parametrize(
    ("words", "after"),
    [
        (["Okt. 2024", "Nov. 2024", "Dez. 2024"], ["Jan. 2025", "Feb. 2025", "März 2025"]),
        (
            ["octubre de 2024", "noviembre de 2024", "diciembre de 2024"],
            ["enero de 2025", "febrero de 2025", "marzo de 2025"],
        ),
        (["OTT-2024", "NOV-2024", "DIC-2024"], ["GEN-2025", "FEB-2025", "MAR-2025"]),
        (["fevrier 2024", "mars 2024", "avril 2024"], ["mai 2024", "juin 2024", "juillet 2024"]),
        (["Oct. 2024", "Nov. 2024", "Dec. 2024"], ["Jan. 2025", "Feb. 2025", "Mar. 2025"]),
        (["July 2024", "Aug 2024", "Sept 2024"], ["Oct 2024", "Nov 2024", "Dec 2024"]),
        (["8. Mai 2024", "9. Mai 2024", "10. Mai 2024"], ["11. Mai 2024", "12. Mai 2024", "13. Mai 2024"]),
        (["Q2 2024", "Q3 2024", "Q4 2024"], ["Q1 2025", "Q2 2025", "Q3 2025"]),
        (["2024-T2", "2024-T3", "2024-T4"], ["2025-T1", "2025-T2", "2025-T3"]),
        (["2024년 2분기", "2024년 3분기", "2024년 4분기"], ["2025년 1분기", "2025년 2분기", "2025년 3분기"]),
        (["1st Jan 2024", "2nd Jan 2024", "3rd Jan 2024"], ["2024-01-04", "2024-01-05", "2024-01-06"]),
        (["1 Jan 2024 10:00", "1 Jan 2024 11:00", "1 Jan 2024 12:00"], [f"1 Jan 2024 {h}:00" for h in (13, 14, 15)]),
    ],
)
def test_a_forecast_continues_the_words_of_a_file(tmp_path: Path, words: list[str], after: list[str]) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("month;sales\n" + "".join(f"{word};{3 + k % 2}.5\n" for k, word in enumerate(words)))
    made = ostinato.forecast(file, horizon=3, model="naive")
    names, *written = (line.split(",") for line in as_table(made.frame, made.history.time_form).splitlines())
    assert "ds" in names
    assert len(names) == len(made.frame.columns), "the words stand in the column of times, and not in one more"
    assert [line[names.index("ds")] for line in written] == after


def test_words_of_two_languages_are_read_and_written_as_numbers() -> None:
    found = read_times(pl.Series("ds", ["Mai 2024", "June 2024", "juillet 2024"]))
    assert found is not None
    assert found.times.astype("datetime64[M]").tolist() == [datetime.date(2024, month, 1) for month in (5, 6, 7)]
    assert found.form.column(found.times).to_list() == ["2024-05-01", "2024-06-01", "2024-07-01"]


@pytest.mark.parametrize("name", ["month", "period"])
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["Jan-24", "Feb-24", "Mar-24"], "a month of a year of two digits, or a day of a year that is not given"),
        (["24-Jan", "25-Jan", "26-Jan"], "a month of a year of two digits, or a day of a year that is not given"),
        (["Okt 24", "Nov 24", "Dez 24"], "a month of a year of two digits, or a day of a year that is not given"),
        (["Jan '44", "Feb '44", "Mar '44"], "a year of two digits has no certain meaning"),
        (["01-Jan-24", "01-Feb-24", "01-Mar-24"], "a year of two digits has no certain meaning"),
        (["01.02.03", "02.03.04", "03.04.05"], "a year of two digits has no certain meaning"),
        (["Q1 44", "Q2 44", "Q3 44"], "a year of two digits has no certain meaning"),
    ],
)
def test_a_date_without_a_certain_year_is_refused(name: str, words: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=reason) as error:
        read(pl.DataFrame({name: words, "sales": [1.5, 2.5, 3.5]}))
    assert "write the whole year" in str(error.value.fix)


def test_months_without_a_year_are_named_in_a_column_of_times_alone() -> None:
    table = pl.DataFrame({"month": ["Jan", "Feb", "Mar"], "sales": [1.5, 2.5, 3.5]})
    with pytest.raises(DataError, match="it names no year"):
        read(table)
    assert read(table.rename({"month": "season"})).times is None


def test_the_row_that_is_no_date_is_named() -> None:
    words = ["Januar 2024", "Februar 2024", "Marzipan 2024", "April 2024"]
    with pytest.raises(DataError, match=r"cannot read 'Marzipan 2024'(.|\n)*row 2"):
        read(pl.DataFrame({"month": words, "sales": np.arange(4) + 0.5}))


@pytest.mark.parametrize("word", ["Marvin 2024", "Mayor 2024", "Sept 31, 2024", "30. Februar 2024", "May 5 de 24"])
def test_a_word_or_a_day_that_does_not_exist_is_no_time(word: str) -> None:
    assert read_times(pl.Series("ds", [word])) is None


def test_the_date_of_a_letter_is_read() -> None:
    hours = [datetime.datetime(2024, 1, 31, hour, tzinfo=datetime.UTC) for hour in range(24)]
    for words in ([email.utils.format_datetime(one, usegmt=gmt) for one in hours] for gmt in (True, False)):
        found = read_times(pl.Series("ds", words))
        assert found is not None
        assert found.times.tolist() == [one.replace(tzinfo=None) for one in hours]
        assert found.form.zone == "UTC"
