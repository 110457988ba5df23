"""Rows of sums without a name, columns that are steps, and very many columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.errors import DataError

N = 20
DAYS = [f"2024-01-{i + 1:02}" for i in range(N)]
Y = [float(i * i) + 0.25 for i in range(N)]


def written(path: Path, head: str, rows: list[str]) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("share", [True, False])
def test_a_last_row_without_a_time_that_is_the_sum_is_set_aside(tmp_path: Path, quoted: bool, share: bool) -> None:
    """Google Analytics writes such a row: sums of counts, and means of shares."""
    cells = [f'"{1000 + x:,.2f}"' if quoted else f"{1000 + x}" for x in Y]
    total = sum(1000 + x for x in Y)
    last = f'"{total:,.2f}"' if quoted else str(total)
    more = [f",{x / 400:.3f}" if share else "" for x in Y]
    rows = [f"{d},{c}{m}" for d, c, m in zip(DAYS, cells, more, strict=True)]
    rows.append(f",{last}{',0.321' if share else ''}")
    data = ostinato.read(written(tmp_path / "a.csv", "date,users" + (",share" if share else ""), rows))
    np.testing.assert_allclose(data.values[:, 0], [1000 + x for x in Y])
    assert data.times is not None
    assert any("row of sums is left out" in note and "line 22" in note for note in data.notes), data.notes


def test_a_last_row_without_its_number_that_is_the_sum_is_set_aside(tmp_path: Path) -> None:
    rows = [f"{i + 1},{y}" for i, y in enumerate(Y)]
    data = ostinato.read(written(tmp_path / "a.csv", "n,y", [*rows, f",{sum(Y)}"]))
    np.testing.assert_array_equal(data.values[:, 0], Y)
    assert any("row of sums is left out" in note for note in data.notes), data.notes
    gaps = ostinato.read(written(tmp_path / "b.csv", "n,y", [*rows, ",3.5"]))
    assert len(gaps.values) == N + 1


def test_a_last_row_without_a_time_that_is_no_sum_is_refused(tmp_path: Path) -> None:
    rows = [f"{d},{y}" for d, y in zip(DAYS, Y, strict=True)]
    with pytest.raises(DataError, match="missing"):
        ostinato.read(written(tmp_path / "a.csv", "date,users", [*rows, ",77.5"]))


def test_a_last_value_that_is_the_sum_stays_where_it_has_a_time(tmp_path: Path) -> None:
    rows = [f"{d},{y}" for d, y in zip(DAYS, Y, strict=True)]
    data = ostinato.read(written(tmp_path / "a.csv", "date,users", [*rows, f"2024-01-21,{sum(Y)}"]))
    assert len(data.values) == N + 1


@pytest.mark.parametrize(
    ("values", "kept", "note"),
    [
        ([3, 5, 8, 2, 9, 11, 7, 45], 7, "a row of sums is left out: line 9 (45)"),
        ([*Y, sum(Y)], N, "a row of sums is left out"),
        ([3, 5, 9, 17], 4, "the last row is the sum of the others (17)"),
        ([1, 1, 2, 4, 8, 16, 32, 64, 128], 9, ""),  # each is the sum of those before it
        ([0, 0, 3, 0, 0, 0, 3], 7, ""),
        ([3, 5, 8, 2, 9, 11, 7, 46], 8, ""),
    ],
)
@pytest.mark.parametrize("doubled", [False, True])
def test_a_last_number_that_is_the_sum_of_a_table_of_numbers(
    tmp_path: Path, values: list[float], kept: int, note: str, doubled: bool
) -> None:
    rows = [f"{x},{2 * x}" if doubled else str(x) for x in values]
    data = ostinato.read(written(tmp_path / "a.csv", "a,b" if doubled else "a", rows))
    np.testing.assert_allclose(data.values[:, 0], values[:kept])
    said = [one for one in data.notes if "row of sums" in one or "sum of the others" in one]
    assert len(said) == bool(note), data.notes
    assert not note or said[0].startswith(note.rstrip(")")[:40])


@pytest.mark.parametrize(
    "head",
    [",Jan,Feb,Mar", "year,Apr,May,Jun,Jul", ",Qtr1,Qtr2,Qtr3,Qtr4", "year,Q1,Q2,Q3,Q4", "year,1Q,2Q,3Q,4Q",
     "Jahr,Januar,Februar,März", "년,1분기,2분기,3분기,4분기"],
)  # fmt: skip
def test_months_and_quarters_beside_each_other_are_steps(tmp_path: Path, head: str) -> None:
    columns = head.count(",")
    rows = [",".join([str(2000 + k), *(f"{k + c + 0.5}" for c in range(columns))]) for k in range(6)]
    with pytest.raises(DataError, match="steps of a series lie next to each other"):
        ostinato.read(written(tmp_path / "a.csv", head, rows))


@pytest.mark.parametrize("head", ["date,T1,T2,T3", "date,Q1,Q2,Q3,Q4", "date,may,june,july"])
def test_sensors_of_days_are_no_quarters(tmp_path: Path, head: str) -> None:
    rows = [",".join([day, *(f"{k + c + 0.5}" for c in range(head.count(",")))]) for k, day in enumerate(DAYS)]
    assert ostinato.read(written(tmp_path / "a.csv", head, rows)).channels == tuple(head.split(",")[1:])


def test_a_note_on_very_many_columns_is_short(tmp_path: Path) -> None:
    head = ",".join(["date", *(f"c{i}" for i in range(2000))])
    rows = [",".join([d, *(f"{(i * 7 + k) % 13}.5" for i in range(2000))]) for k, d in enumerate(DAYS[:4])]
    data = ostinato.read(written(tmp_path / "a.csv", head, rows))
    note = next(one for one in data.notes if "channels" in one)
    assert "2,000 channels" in note
    assert "1,980 more" in note
    assert max(map(len, data.notes)) < 400
    with pytest.raises(DataError) as caught:
        ostinato.read(tmp_path / "a.csv", target=["nothing"])
    assert len(str(caught.value)) < 600
