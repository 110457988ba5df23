"""Tables and texts in UTF-16, as Windows and Excel write them, are those in UTF-8."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ostinato.data.read import read
from ostinato.errors import DataError

NAMES = ["Zürich", "서울", "\U0001f600 x", "plain"]
TABLE = "city\tds\ttemperature °C\n" + "".join(
    f"{name}\t2024-01-{i + 1:02}\t{i % 5}.5\n" for name in NAMES for i in range(12)
)
TEXT = "".join(f"{name}, one line\n" for name in NAMES * 10)
ENCODINGS = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t", "t.csv.gz"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_table_is_read_as_by_pandas(tmp_path: Path, encoding: str, name: str, ends: str) -> None:
    raw = ENCODINGS[encoding] + TABLE.replace("\n", ends).encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    data = read(tmp_path / name, id_col="city")
    frame = pd.read_csv(tmp_path / name, encoding="utf-16", sep="\t", compression="infer")
    assert list(data.ids) == list(frame["city"].unique())
    assert np.array_equal(data.values[:, 0], frame["temperature °C"])
    assert name.endswith(".gz") or data.notes[0] == f"{name} is text in UTF-16"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_text_is_read_as_in_utf_8(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.txt").write_bytes(ENCODINGS[encoding] + TEXT.encode(encoding))
    (tmp_path / "u.txt").write_text(TEXT, encoding="utf-8")
    assert np.array_equal(read(tmp_path / "t.txt").values, read(tmp_path / "u.txt").values)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_error_names_its_line(tmp_path: Path, encoding: str) -> None:
    odd = TABLE.replace("2024-01-03\t2.5", "2024-01-03\tmany", 1)
    (tmp_path / "t.csv").write_bytes(ENCODINGS[encoding] + odd.encode(encoding))
    with pytest.raises(DataError, match="many") as caught:
        read(tmp_path / "t.csv", id_col="city")
    assert str(caught.value.where).endswith("line 4")


def test_a_cut_file_and_one_without_a_mark_are_refused(tmp_path: Path) -> None:
    for raw, words in (
        (TABLE.encode("utf-16")[:-1], "UTF-16, expected"),
        (TABLE.encode("utf-16-le"), "seems to be UTF-16 without"),
        (TABLE.encode("utf-32"), "UTF-32"),
    ):
        (tmp_path / "t.csv").write_bytes(raw)
        with pytest.raises(DataError, match=words):
            read(tmp_path / "t.csv")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [
        "내가 학교에 가는 날\n",
        "今日は雨です。\n今日\n",
        "Это дождь, да.\n",
        "day one\n",
        "\U0001f469\u200d\U0001f467 일\n",
    ],
)
def test_utf16_without_a_mark_is_named_in_any_script(tmp_path: Path, encoding: str, text: str) -> None:
    (tmp_path / "t.txt").write_bytes((text * 30).encode(encoding))
    with pytest.raises(DataError, match="seems to be UTF-16 without") as caught:
        read(tmp_path / "t.txt")
    assert f"iconv -f {encoding.replace('-le', 'le').replace('-be', 'be')}" in str(caught.value)


@pytest.mark.parametrize("raw", [b"abc\0def\n" * 30, bytes(range(256)) * 3, b"\x01\0\x02\0" * 40, b"ab\0c" * 30])
def test_other_bytes_with_zeros_are_not_taken_for_it(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "t.txt").write_bytes(raw)
    with pytest.raises(DataError, match="binary"):
        read(tmp_path / "t.txt")
