"""JSON whose values are legal and mean nothing here: long numbers, empty objects, objects as ids, numbers as dates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_fault_stream import lines, run

import ostinato
from ostinato.data.json_words import json_words
from ostinato.errors import ConfigError, DataError

LONG = "9" * 5_000
FIRST, SECOND = ({"ds": f"2021-02-{day:02}", "y": 20.0} for day in (4, 5))


@pytest.mark.parametrize(
    ("number", "words"),
    [(5, "fitted to dates"), (0, "fitted to dates"), (-1, "fitted to dates"), ("5", "cannot read '5' as a time")],
)
def test_a_number_among_dates_is_refused_and_the_dates_go_on(number: Any, words: str) -> None:
    code, out, _ = run(lines({"ds": number, "y": 1.0}, FIRST, SECOND), "--skip-bad")
    assert code == 0
    assert words in json.loads(out[0])["error"]
    assert [json.loads(line)["ds"] for line in out[1:]] == [FIRST["ds"], SECOND["ds"]]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"unique_id": {}, "y": 1}, "the id of a series is a string or a whole number, got {}"),
        ({"unique_id": {"a": 1}, "y": 1}, "got an object with the field 'unique_id.a'"),
        ({"id": {"$oid": "x"}, "y": 1}, "got an object with the field 'id.$oid'"),
        ({"ds": {}, "y": 1}, "cannot read '{}' as a time"),
        ({"ds": {"$date": "2021-02-04"}, "y": 1}, "a time is a string or a whole number"),
        ({"y": {}}, "cannot read {} as a number"),
    ],
)
def test_an_object_is_no_id_no_time_and_no_value(row: dict[str, Any], words: str) -> None:
    code, out, err = run(lines(row))
    assert code == 2
    assert words in json.loads(out[0])["error"]
    assert "Traceback" not in err


@pytest.mark.parametrize("field", ["y", "ds", "unique_id", "other"])
def test_a_line_with_a_number_of_many_digits_is_refused_in_words(field: str) -> None:
    code, out, err = run(f'{{"y": 1, "a": {{"{field}": {LONG}}}}}\n'.encode())
    assert code == 2
    assert "a whole number in it has more than 4,300 digits" in json.loads(out[0])["error"]
    assert "set_int_max_str_digits" not in err


@pytest.mark.parametrize("form", ['{"y": 1}\n{"y": NUMBER}\n', '[{"y": 1}, {"y": NUMBER}]', '{"y": {"0": NUMBER}}'])
def test_a_file_with_a_number_of_many_digits_is_refused_in_words(tmp_path: Path, form: str) -> None:
    (tmp_path / "a.json").write_text(form.replace("NUMBER", LONG))
    with pytest.raises(DataError, match="a whole number in it has more than 4,300 digits"):
        ostinato.read(tmp_path / "a.json")


def test_an_empty_object_in_a_table_is_a_missing_value(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(f'{{"y": {y}}}\n' for y in (1, "{}", 3, 4)))
    values = ostinato.read(tmp_path / "a.jsonl").values[:, 0]
    np.testing.assert_array_equal(values, [1.0, np.nan, 3.0, 4.0])


@pytest.mark.parametrize("name", ["horizon", "season", "level", "threads"])
def test_an_argument_of_many_digits_is_refused_in_words(tmp_path: Path, name: str) -> None:
    (tmp_path / "s.csv").write_text("y\n" + "1\n2\n3\n" * 5)
    given: dict[str, Any] = {"horizon": 2} | {name: 10**5_000}
    with pytest.raises(ConfigError, match=r"a number of about 5,000 digits"):
        ostinato.forecast(tmp_path / "s.csv", **given)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, LONG])
def test_each_fault_of_json_has_words(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)) as found:
        json.loads(text)
    words = json_words(found.value)
    assert words
    assert "sys." not in words
    assert "recursion" not in words
