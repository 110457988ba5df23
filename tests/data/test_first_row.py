"""The first row of a table holds the names of its columns, or it is a row of values like the others."""

from __future__ import annotations

from pathlib import Path

import pytest

import ostinato
from ostinato.data.dialect import sniff

DAYS = [f"2024-01-{1 + i:02d}" for i in range(20)]
VALUES = [f"{3 + i % 5}.{i % 7}5" for i in range(20)]


def logged(separator: str, *, clock: bool, comma: bool) -> str:
    """Return the log of one sensor, without names of columns."""
    times = [f"{day}T08:00:00Z" if clock else day for day in DAYS]
    values = [value.replace(".", ",") if comma else value for value in VALUES]
    return "".join(separator.join([t, "pump-1", v, "°C"]) + "\n" for t, v in zip(times, values, strict=True))


@pytest.mark.parametrize("clock", [False, True])
@pytest.mark.parametrize(("separator", "comma"), [(",", False), (";", False), (";", True), ("\t", True)])
def test_a_log_without_names_keeps_its_first_row(tmp_path: Path, separator: str, *, clock: bool, comma: bool) -> None:
    path = tmp_path / "sensor.csv"
    path.write_text(logged(separator, clock=clock, comma=comma))
    data = ostinato.read(str(path))
    assert data.values[:, 0].tolist() == [float(value) for value in VALUES]
    assert str(data.times[0]).startswith(DAYS[0])  # type: ignore[index]
    assert any("the first row is read as values" in note for note in data.notes)


def test_ids_that_occur_again_and_numbers_are_values(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("".join(f"{shop},{value}\n" for shop in ("Bath", "York") for value in VALUES))
    data = ostinato.read(str(path))
    assert len(data.values) == 40


@pytest.mark.parametrize(
    ("first", "row"),
    [
        ("id,0.1,0.5,0.9", "a,1.0,2.0,3.0"),
        ("shop,2022,2023", "Bath,4.0,5.0"),
        ("date,pump-1", "2024-01-01,3.5"),
        ("place,5", "Bath,4.0"),
        # names that occur again below themselves
        ("country,total,2020,2021", "country,total,3,4"),
        ("sex,0,1,2", "sex,4,5,6"),
        ("item,202301,202302,202303", "item,1,2,3"),
        ("state,01,02,04", "state,1,2,3"),
        ("site,00060,00010", "site,5,6"),
        ("station,12345,67890", "station,50.1,51.2"),
        ("product,2023", "product,12"),
        ("id,kind,2020", "id,kind,3"),
        ("time,8,9", "time,3,1"),
        # a word above numbers is a name, whatever stands above the dates
        ("2024-12-31,Revenue,2023", "2024-01-01,5,7"),
    ],
)
def test_names_stay_names(first: str, row: str) -> None:
    assert sniff("\n".join([first, *[row] * 3]) + "\n", "names.csv").header


@pytest.mark.parametrize(
    "rows",
    [
        ["web,GET,200,512", "web,GET,200,513", "api,GET,404,88", "web,POST,200,90"],
        ["a,-1", "a,-2", "b,-3"],
        ["10:00,a,5", "10:01,a,6", "10:02,b,7"],
        ["2024-01-01,a,5,NA", "2024-01-02,b,NA,4"],
    ],
)
def test_logs_of_few_rows_keep_their_first_row(rows: list[str]) -> None:
    found = sniff("\n".join(rows) + "\n", "log.csv")
    assert not found.header
    assert "the first row is read as values" in found.note
