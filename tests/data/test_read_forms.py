"""One table in many file forms is always read as the same sequences."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError

LONG = pl.DataFrame(
    {
        "unique_id": ["a", "b", "a", "a", "b"],
        "ds": ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-02"],
        "y": [1.5, -2.0, None, 3.25, 1e3],
    }
)
A, B = [1.5, np.nan, 3.25], [-2.0, 1000.0]


def check(data: SequenceSet) -> None:
    assert (data.kind, data.ids, data.offsets.tolist(), data.frequency) == ("series", ("a", "b"), [0, 3, 5], "1d")
    np.testing.assert_array_equal(data.values[:, 0], A + B)
    assert data.times is not None
    assert data.times.astype("datetime64[D]").astype(str).tolist() == [*LONG["ds"][[0, 2, 3]], *LONG["ds"][[1, 4]]]


def csv(separator: str = ",", **options: Any) -> bytes:
    text: str = LONG.write_csv(separator=separator, **options)
    return text.encode()


EUROPEAN = csv(";").replace(b".", b",")
FORMS = {
    "plain.csv": csv(),
    "tabs.tsv": csv("\t"),
    "semicolons.csv": csv(";"),
    "bars.csv": csv("|"),
    "european.csv": EUROPEAN,
    "quoted.csv": csv(quote_style="always"),
    "packed.csv.gz": gzip.compress(csv()),
    "packed": gzip.compress(csv()),
    "table.txt": csv(),
    "mark.csv": b"\xef\xbb\xbf" + csv(),
    "windows.csv": csv().replace(b"\n", b"\r\n"),
    "old-mac.csv": csv().replace(b"\n", b"\r"),
    "no-end.csv": csv().rstrip(),
    "blank-lines.csv": b"\n" + csv().replace(b"\n", b"\n\n"),
    "spaces.csv": csv().replace(b",", b" , "),
    "last-cell.csv": csv().replace(b"\n", b",\n"),
    "words.csv": csv().replace(b",\n", b",NA\n"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_of_writing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FORMS[name])
    check(read(tmp_path / name))


def test_a_series_may_be_called_na(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,ds,y\nDE,1,1.5\nNA,1,2.5\nNA,2,NA\n")
    data = read(tmp_path / "t.csv")
    assert (data.ids, data.lengths.tolist()) == (("DE", "NA"), [1, 2])
    np.testing.assert_array_equal(data.values[:, 0], [1.5, 2.5, np.nan])


def test_frames_and_parquet(tmp_path: Path) -> None:
    LONG.write_parquet(tmp_path / "t.parquet")
    frame = LONG.to_pandas()
    dated = LONG.with_columns(pl.col("ds").str.to_date())
    zoned = dated.with_columns(pl.col("ds").cast(pl.Datetime("ns", "UTC")))
    for source in (tmp_path / "t.parquet", LONG, LONG.lazy(), frame, dated, dated.to_pandas(), zoned):
        check(read(source))
    check(read(frame.assign(ds=pd.to_datetime(frame["ds"])).set_index("ds")))
    check(read(LONG.rename({"unique_id": "shop", "ds": "when", "y": "sold"}), id_col="shop", target="sold"))


def test_each_file_of_a_folder_is_a_series(tmp_path: Path) -> None:
    for name, part in (("a", LONG.filter(unique_id="a")), ("b", LONG.filter(unique_id="b"))):
        part.drop("unique_id").write_csv(tmp_path / f"{name}.csv")
    (tmp_path / ".hidden.txt").write_text("not data")
    (tmp_path / "notes.md").write_text("not data")
    check(read(tmp_path))
    check(read(f"{tmp_path}/[ab].csv"))


def test_a_folder_of_parts_of_one_panel(tmp_path: Path) -> None:
    LONG.head(3).write_csv(tmp_path / "1.csv")
    LONG.tail(2).select("y", "ds", "unique_id").write_csv(tmp_path / "2.csv")
    check(read(tmp_path))


def test_arrays() -> None:
    for source in ({"a": np.array(A), "b": B}, {"a": np.array(A)[:, None], "b": np.array(B)[:, None]}):
        data = read(source)
        assert (data.ids, data.offsets.tolist(), data.times) == (("a", "b"), [0, 3, 5], None)
        np.testing.assert_array_equal(data.values[:, 0], A + B)
    assert read([np.array(A), np.array(B)]).ids == ("0", "1")
    for one in (np.array(A), A, pl.Series(A), pd.Series(A)):
        assert read(one).offsets.tolist() == [0, 3]
    assert read(np.zeros((7, 2))).channels == ("channel_1", "channel_2")
    assert read(np.zeros((7, 2))).notes == ("series whose values never change: 1 (y)",)
    dated = read(pd.Series(A, index=pd.date_range("2024-01-01", periods=3, freq="MS"), name="sold"))
    assert (dated.frequency, dated.channels) == ("1mo", ("sold",))
    listed = read([pd.Series(A, index=pd.date_range("2024-01-01", periods=3)), pd.Series(B)])
    assert listed.notes == ("the index is left out, and the rows are steps in their order, in 1 sequence (0 ...)",)


@pytest.mark.parametrize(("unit", "frequency"), [("M", "1mo"), ("D", "1d"), ("h", "1h"), ("m", "1m"), ("s", "1s")])
def test_times_of_numpy_in_any_unit(unit: str, frequency: str) -> None:
    times = np.arange("2024-01", "2024-05", dtype="datetime64[M]").astype(f"M8[{unit}]")[:1] + np.arange(4)
    rows = np.array([*zip(times, A + B, strict=False)], dtype=[("ds", f"M8[{unit}]"), ("y", "f8")])
    data = read(rows)
    assert data.frequency == frequency
    assert data.times is not None
    np.testing.assert_array_equal(data.times, times.astype(data.times.dtype))


def test_lengths_of_0_and_1() -> None:
    data = read({"none": np.zeros(0), "one": np.array([2.5]), "two": np.array([1.0, 2.0]), "last": []})
    assert (data.ids, data.lengths.tolist()) == (("none", "one", "two", "last"), [0, 1, 2, 0])
    assert [len(x) for x in data] == [0, 1, 2, 0]
    lines = read({"1": "", "2": "a", "3": "bc"}, kind="text")
    assert (lines.lengths.tolist(), lines.terminated) == ([0, 1, 2], True)
    assert read(["", "a", "bc"], kind="text").lengths.tolist() == [0, 1, 2]


def test_each_row_can_hold_a_series_of_any_length(tmp_path: Path) -> None:
    header = ",".join(["id", *(f"V{i}" for i in range(2, 15))])
    cells = [["long", *map(str, range(13))], ["gap", "1", "", "3", *[""] * 10], ["none", *[""] * 13]]
    (tmp_path / "m.csv").write_text("\n".join([header, *map(",".join, cells)]) + "\n")
    data = read(tmp_path / "m.csv")
    assert (data.ids, data.lengths.tolist()) == (("long", "gap", "none"), [13, 3, 0])
    np.testing.assert_array_equal(data[1][:, 0], [1, np.nan, 3])


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ([np.zeros((2, 2)), np.zeros((2, 3))], r"different numbers of channels: \[2, 3\]"),
        (np.zeros((2, 2, 2)), "3 axes"),
        (["words"], r"cannot read 'words' in column 'y' as a number(.|\n)*sequence 'y', step 0(.|\n)*kind='text'"),
        (5, "cannot read sequences from an int"),
        ("https://example.com/sales.csv", "an address of the web is not read"),
        ("ds,y\n1,2\n2,3\n", r"a string of 3 lines is no path(.|\n)*polars.read_csv"),
        (["a.csv", "b.csv"], r"no paths: give the folder"),
        ([Path("a.csv")], r"no paths: give the folder"),
        ({"ds": [1, 2, 3], "y": [1.5, 2.5, 3.5]}, r"columns of a table: ds and y(.|\n)*polars.DataFrame"),
        (np.array(["2024-01", "2024-02"], dtype="datetime64[M]"), r"times of values, make a frame"),
        ([LONG.drop("unique_id")] * 2, "join the frames into one, with a column of ids"),
        (LONG.group_by("unique_id"), r"from a GroupBy(.|\n)*id_col"),
        (LONG.to_pandas().groupby("unique_id"), r"from a DataFrameGroupBy(.|\n)*id_col"),
        (io.StringIO("ds,y\n1,2\n"), r"from a StringIO\nfix: give the path"),
        ((v for v in [1.0, 2.0]), r"a generator, which can be read only once\nfix: make a list"),
        (None, "cannot read sequences from a NoneType"),
        ({"a": [1.0, np.inf]}, "the infinite value inf(.|\n)*sequence 'a', step 1"),
        ([[1.0], [1.0, np.nan, np.inf]], "sequence '1', step 2"),
        (LONG.with_columns(y=pl.lit(np.inf)), r"the frame, row 0 \(from 0\), series 'a'"),
    ],
)
def test_unreadable_sources_are_refused(source: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(source)


def test_ids_keep_their_leading_zeros(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,ds,y\n007,1,2.5\n007,2,2\n7,1,3\n7,2,4\n")
    assert read(path).ids == ("007", "7")
    path.write_text("shop,ds,y\n007,1,2.5\n007,2,2\n")
    assert read(path, id_col="shop").ids == ("007",)


def test_a_column_comes_before_an_index_of_its_name() -> None:
    frame = pd.DataFrame({"ds": [1, 2, 3, 4], "y": [0.5, 1.5, 2.5, 4.5]}, index=pd.Index([9, 9, 9, 9], name="y"))
    data = read(frame)
    np.testing.assert_array_equal(data.values[:, 0], frame["y"].to_numpy())
    assert any("index 'y' is left out" in note for note in data.notes)
