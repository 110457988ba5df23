"""Types in and out: ids come back as they came in, and every type of value is read or refused by its name."""

# ruff: noqa: E501 - a table of inputs, one on each line

from __future__ import annotations

import datetime as dt
import io
import tempfile
import uuid
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from rows import Row

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.dispatch.fit import fit
from ostinato.errors import DataError
from ostinato.evaluation.backtest import cross_validation
from ostinato.inference.forecast import forecast
from ostinato.inference.score import score
from ostinato.model_file import load_model, save_model

N = 24
RNG = np.random.default_rng(7)
Y = RNG.normal(size=2 * N).round(3)
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(N)]


# ---- ids


def pairs(values: list[Any]) -> list[Any]:
    """Two ids, N rows each."""
    return [v for v in values for _ in range(N)]


POLARS_IDS: dict[str, pl.Series] = {
    "Int64": pl.Series(pairs([7, 12])),
    "UInt8": pl.Series(pairs([7, 12]), dtype=pl.UInt8),
    "Int128 beyond 2^64": pl.Series(pairs([2**70, 1]), dtype=pl.Int128),
    "String 007 and 7": pl.Series(pairs(["007", "7"])),
    "Categorical": pl.Series(pairs(["b", "a"]), dtype=pl.Categorical),
    "Enum": pl.Series(pairs(["b", "a"]), dtype=pl.Enum(["b", "a", "c"])),
    "Boolean": pl.Series(pairs([True, False])),
    "Date": pl.Series(pairs([dt.date(2020, 1, 1), dt.date(1999, 5, 4)])),
    "Datetime with a zone": pl.Series(pairs([dt.datetime(2020, 1, 1), dt.datetime(2020, 7, 1)])).dt.replace_time_zone(
        "Asia/Seoul"
    ),
    "Float64": pl.Series(pairs([1.5, 2.0])),
    "Decimal": pl.Series(pairs([Decimal("1.50"), Decimal("2.00")])),
    "Duration": pl.Series(pairs([dt.timedelta(1), dt.timedelta(2)])),
    "Binary": pl.Series(pairs([b"a", b"b"])),
}


def joins(ids: pl.Series) -> str:
    """Forecast, backtest and the saved model give ids that join with the input, in polars."""
    frame = pl.DataFrame({"unique_id": ids, "ds": DAYS * 2, "y": Y})
    model = fit(frame, model="ar").model
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, Path(folder) / "m.ost")
        loaded = load_model(Path(folder) / "m.ost")
    tables = (
        forecast(model, frame, horizon=2).frame,
        forecast(loaded, frame, horizon=2).frame,
        cross_validation(frame, (), horizon=2).frame,
    )
    known = frame.select("unique_id").unique()
    for table in tables:
        assert table["unique_id"].dtype == ids.dtype
        assert len(table.join(known, on="unique_id", how="inner")) == 4
    scored = score(loaded, frame).most_surprising(1)[0].unique_id
    assert scored in ids.to_list()
    return f"right: {len(known)} ids join, {ids.dtype}"


PANDAS_IDS: dict[str, pd.Series[Any]] = {
    "int32": pd.Series(pairs([3, 4]), dtype="int32"),
    "Int64 nullable": pd.Series(pairs([3, 4]), dtype="Int64"),
    "string[pyarrow]": pd.Series(pairs(["x", "y"]), dtype="string[pyarrow]"),
    "int64[pyarrow]": pd.Series(pairs([3, 4]), dtype="int64[pyarrow]"),
    "object of words": pd.Series(pairs(["x", "y"]), dtype=object),
    "category of words": pd.Series(pairs(["x", "y"]), dtype="category"),
    "category of numbers": pd.Series(pairs([3, 4])).astype("category"),
    "boolean": pd.Series(pairs([True, False]), dtype="boolean"),
    "float64": pd.Series(pairs([1.0, 2.0])),
    "datetime64[ns]": pd.Series(pd.to_datetime(pairs(["2020-01-01", "2021-01-01"]))),
}


def merges(ids: pd.Series[Any]) -> str:
    """The forecast as a frame of pandas merges with the input."""
    frame = pd.DataFrame({"unique_id": ids, "ds": pd.to_datetime(DAYS * 2), "y": Y})
    table = forecast(fit(frame, model="ar").model, frame, horizon=2).frame.to_pandas()
    whole = table.merge(frame[["unique_id"]].drop_duplicates(), on="unique_id")
    assert len(whole) == 4
    return f"right: 4 rows merge, {ids.dtype}"


def written(ids: list[str], dtype: Any) -> str:
    """The ids of a CSV file have the type that polars gives them, except that 007 stays as it is written."""
    text = pl.DataFrame({"id": pairs(ids), "ds": DAYS * 2, "y": Y}).write_csv()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text(text)
        frame = forecast(fit(read(path), model="ar").model, read(path), horizon=1).frame
    assert frame["unique_id"].dtype == dtype
    assert frame["unique_id"].cast(pl.String).to_list() == ids
    assert dtype in {pl.String, pl.read_csv(io.StringIO(text))["id"].dtype}
    return f"right: {frame['unique_id'].to_list()}"


def indexed() -> str:
    """A MultiIndex of ids and times."""
    index = pd.MultiIndex.from_product([[10, 20], pd.to_datetime(DAYS)], names=["unique_id", "ds"])
    frame = pd.DataFrame({"y": Y}, index=index)
    for source in (frame, frame["y"]):
        table = forecast(fit(source, model="ar").model, source, horizon=1).frame.to_pandas()
        assert len(table.merge(frame.reset_index()[["unique_id"]].drop_duplicates())) == 2
    return "right: 2 rows merge"


def indexed_without_names() -> str:
    """Without names, the index of a frame of several series still holds its ids and times."""
    index = pd.MultiIndex.from_product([["a", "b"], pd.to_datetime(DAYS)])
    data, named = (read(pd.DataFrame({"y": Y}, index=i)) for i in (index, index.set_names(["unique_id", "ds"])))
    assert data.ids == named.ids == ("a", "b")
    np.testing.assert_array_equal(data.values, named.values)
    np.testing.assert_array_equal(data.times, named.times)
    assert data.frequency == "1d"
    return "right: 2 series"


def mapping() -> str:
    data = read({3: Y[:N], 4: Y[N:]})
    assert forecast(fit(data, model="ar").model, data, horizon=1).frame["unique_id"].to_list() == [3, 4]
    return "right: 3, 4"


# ---- values


def refused(source: Any, *says: str, **options: Any) -> Callable[[], str]:
    """Return a check that a source is refused with a DataError that has these words."""

    def check() -> str:
        with pytest.raises(DataError) as caught:
            read(source() if callable(source) else source, **options)
        message = str(caught.value)
        for word in says:
            assert word in message, message
        assert caught.value.fix
        return f"refused: {caught.value.what[:60]}"

    return check


def equal(source: Any, expected: Any, note: str = "", **options: Any) -> Callable[[], str]:
    """Return a check that a source is read as these values, with a note that has these words."""

    def check() -> str:
        data: SequenceSet = read(source, **options)
        np.testing.assert_array_equal(data.values[:, 0], np.asarray(expected, dtype=np.float64))
        assert any(note in one for one in data.notes) if note else True
        return f"right: {data.values[0, 0]:g} ..."

    return check


def column(values: Any, **more: Any) -> pd.DataFrame:
    return pd.DataFrame({"y": values, **more})


BIG = [2**53 + 1, 2, 3]
TD = pd.to_timedelta([1.5, 2, 3], unit="h")
DEC = [Decimal("1.25"), Decimal("2.5"), Decimal("-3")]
LONG = [Decimal("0.12345678901234567890123"), Decimal(1), Decimal(2)]
F16 = np.array([0.1, 0.2, 0.5], dtype=np.float16)
STRUCTURED = np.array([(1, 2.5), (2, 3.5)], dtype=[("id", "i4"), ("y", "f8")])
BF16 = torch.tensor([0.1, 0.25, 3.0], dtype=torch.bfloat16)


class Labelled:
    """An array with labels, as in xarray."""

    dims = ("time",)
    name = "y"

    def to_dataframe(self) -> pd.DataFrame:
        return pd.DataFrame({"y": [1.0, 4.0, 9.0]}, index=pd.date_range("2024", periods=3, name="time"))


READ: dict[str, tuple[str, Callable[[], str]]] = {
    "timedelta64 column": ("pandas total_seconds", equal(column(TD), TD.total_seconds(), "seconds")),
    "pl.Duration in ms": (
        "pandas", equal(pl.DataFrame({"y": pl.Series(TD).cast(pl.Duration("ms"))}), TD.total_seconds(), "seconds"),
    ),
    "timedelta64 array": ("pandas", equal(TD.to_numpy(), TD.total_seconds(), "seconds")),
    "Decimal objects": ("float(Decimal)", equal(column(DEC), [float(x) for x in DEC])),
    "pl.Decimal": ("float(Decimal)", equal(pl.DataFrame({"y": DEC}), [float(x) for x in DEC])),
    "Decimal of 23 digits": ("float(Decimal)", equal(column(LONG), [float(x) for x in LONG], "more digits")),
    "list of Decimal": ("float(Decimal)", equal(DEC, [float(x) for x in DEC])),
    "list of Fraction": ("float(Fraction)", equal([Fraction(1, 3), Fraction(2, 3)], [1 / 3, 2 / 3])),
    "list with None": ("Python", equal([1, None, 3], [1, np.nan, 3])),
    "list of numpy scalars": ("numpy", equal([np.float32(0.5), np.int8(2)], [0.5, 2])),
    "Boolean column y": ("Python", equal(column([True, False, True]), [1, 0, 1])),
    "boolean with NA": ("pandas", equal(column(pd.array([True, None, False], dtype="boolean")), [1, np.nan, 0])),
    "Int64 with NA": ("pandas", equal(column(pd.array([1, None, 3], dtype="Int64")), [1, np.nan, 3])),
    "Float64 with NA": ("pandas", equal(column(pd.array([1.5, None, 3], dtype="Float64")), [1.5, np.nan, 3])),
    "double[pyarrow]": ("pandas", equal(column(pd.array([1.5, None, 3], dtype="double[pyarrow]")), [1.5, np.nan, 3])),
    "string[pyarrow] of numbers": ("float", equal(column(pd.array(["1.5", None], dtype="string[pyarrow]")), [1.5, np.nan])),
    "decimal128[pyarrow]": (
        "float(Decimal)",
        equal(column(pd.Series(DEC, dtype=pd.ArrowDtype(pa.decimal128(9, 2)))), [float(x) for x in DEC]),
    ),
    "Sparse": ("pandas", equal(column(pd.arrays.SparseArray([0.0, 0.0, 2.5])), [0, 0, 2.5])),
    "category of numbers": ("pandas", equal(column(pd.Categorical([1.5, 2.5, 1.5])), [1.5, 2.5, 1.5])),
    "float16": ("numpy", equal(column(F16), F16.astype(np.float64))),
    "longdouble": ("numpy", equal(np.array([0.5, 1.5], dtype=np.longdouble), [0.5, 1.5])),
    "Int64 of 2^53 + 1": ("Python float", equal(column(BIG), [float(x) for x in BIG], "2^53")),
    "UInt64 of 2^63 + 1": (
        "Python float", equal(column(np.array([2**63 + 1, 1], dtype=np.uint64)), [float(2**63 + 1), 1], "2^53"),
    ),
    "Int128": ("Python float", equal(pl.DataFrame({"y": pl.Series([2**100 + 1, 1], dtype=pl.Int128)}), [2.0**100, 1], "2^53")),
    "array of int64 over 2^53": ("Python float", equal(np.array(BIG), [float(x) for x in BIG], "2^53")),
    "list of int over 2^64": ("Python float", equal([2**70 + 1, 1], [2.0**70, 1], "2^53")),
    "masked array": ("numpy.ma", equal(np.ma.array([1.0, 99.0, 3.0], mask=np.array([False, True, False])), [1, np.nan, 3])),
    "masked array of whole numbers": ("numpy.ma", equal(np.ma.array([1, 99, 3], mask=np.array([False, True, False])), [1, np.nan, 3])),
    "structured array": ("numpy", equal(STRUCTURED, [2.5, 3.5])),
    "record array": ("numpy", equal(STRUCTURED.view(np.recarray), [2.5, 3.5])),
    "object array": ("Python", equal(np.array([1, 2.5, None], dtype=object), [1, 2.5, np.nan])),
    "pandas Series with words as index": ("pandas", equal(pd.Series([1.5, 2.5], index=["a", "b"]), [1.5, 2.5], "index")),
    "pandas Series of Int64": ("pandas", equal(pd.Series([1, None, 3], dtype="Int64"), [1, np.nan, 3])),
    "pyarrow Table": ("pyarrow", equal(pa.table({"y": [1.5, None, 2.5]}), [1.5, np.nan, 2.5])),
    "pyarrow Array": ("pyarrow", equal(pa.array([1.5, None, 2.5]), [1.5, np.nan, 2.5])),
    "labelled array": ("pandas", equal(Labelled(), [1, 4, 9])),
    "tensor that requires grad": ("torch", equal(torch.tensor([1.5, 2.5], requires_grad=True), [1.5, 2.5])),
    "tensor of bfloat16": ("torch", equal(BF16, BF16.double().tolist())),
    "list of tensors": ("torch", equal([torch.tensor([1.0, 2.0], dtype=torch.float16)], [1, 2])),
    "sparse tensor": ("torch", equal(torch.tensor([0.0, 2.0]).to_sparse(), [0, 2])),
    "names that are numbers": ("pandas", equal(pd.DataFrame({0: [1.5, 2.5]}), [1.5, 2.5])),
    "target named by a number": ("pandas", equal(pd.DataFrame({0: [1.5, 2.5], 1: [7, 8]}), [7, 8], target=1)),
    "MultiIndex columns of one ticker": (
        "pandas",
        equal(
            pd.DataFrame([[1.5, 9], [2.5, 9]], columns=pd.MultiIndex.from_product([["Close", "Volume"], ["AAPL"]])),
            [1.5, 2.5], "levels",
        ),
    ),
    "PeriodIndex": ("pandas", equal(pd.Series([1.0, 2.0], index=pd.period_range("2024-01", periods=2, freq="M")), [1, 2])),
    "Period column as time": ("pandas", equal(column([1.0, 2.0], ds=pd.period_range("2024-01", periods=2, freq="M")), [1, 2])),
    "a column of intervals that is not used": (
        "pandas", equal(column([1.0, 2.0], bins=pd.interval_range(0, 2)), [1, 2], "left out"),
    ),
    "small values": ("Python", equal([0.0, 1e-149, None], [0.0, 1e-149, np.nan])),
    "list of arrays without axes": ("numpy", equal([np.array(1.5), np.array(2)], [1.5, 2])),
    "list of tensors without axes": ("torch", equal([torch.tensor(1.5, requires_grad=True), torch.tensor(2)], [1.5, 2])),
    "pl.Object of times": ("polars", equal(pl.DataFrame({"ds": pl.Series(DAYS[:2], dtype=pl.Object), "y": [1.5, 2.5]}), [1.5, 2.5])),
    "LazyFrame with pl.Object of floats": (
        "polars", equal(pl.DataFrame({"y": pl.Series([1.5, 2.5], dtype=pl.Object)}).lazy(), [1.5, 2.5]),
    ),
    "array of strings as text": ("Python", equal(np.array(["ab", "c"]), [97, 98, 99], kind="text")),
    "array of objects as text": ("Python", equal(np.array(["ab", "c"], dtype=object), [97, 98, 99], kind="text")),
    "pandas Series as text": ("Python", equal(pd.Series(["ab", "c"]), [97, 98, 99], kind="text")),
    "pl.Series as text": ("Python", equal(pl.Series(["ab", "c"]), [97, 98, 99], kind="text")),
    "small changes of large values": (
        "numpy float32", equal(1e9 * np.ones(9) + np.tile([0, 1e-3, 9e8], 3), 1e9 + np.tile([0, 1e-3, 9e8], 3)),
    ),
}  # fmt: skip

REFUSED: dict[str, Callable[[], str]] = {
    "interval column": refused(column(pd.interval_range(0, 3)), "'y'", "Interval", "row 0"),
    "lists in cells": refused(column([[1, 2], [3]]), "'y'", "list", "row 0"),
    "pl.List": refused(pl.DataFrame({"y": [[1, 2], [3]]}), "'y'", "List(Int64)", target="y"),
    "pl.Array": refused(pl.DataFrame({"y": pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2))}), "Array", target="y"),
    "pl.Struct": refused(pl.DataFrame({"y": [{"a": 1}]}), "'y'", "Struct", target="y"),
    "dictionaries in cells": refused(column([{"a": 1}, {"a": 2}]), "'y'", "dict"),
    "pl.Object": refused(lambda: pl.DataFrame({"y": pl.Series([object()], dtype=pl.Object)}), "'y'", "object"),
    "pl.Binary": refused(pl.DataFrame({"y": [b"1", b"2"]}), "'y'", "Binary", target="y"),
    "dates as values": refused(pl.DataFrame({"y": DAYS}), "'y'", "Date", target="y"),
    "complex column": refused(column(np.array([1j, 2])), "'y'", "complex"),
    "complex array": refused(np.array([1 + 2j, 3]), "complex"),
    "complex tensor": refused(torch.tensor([1j]), "complex"),
    "tensor on meta": refused(torch.zeros(3, device="meta"), "tensor"),
    "array of dates": refused(np.array(["2024-01-01"], dtype="M8[D]"), "Date"),
    "list of dates": refused([dt.date(2024, 1, 1)], "Date"),
    "0-d array": refused(np.array(5.0), "0 axes"),
    "3-d array": refused(np.zeros((2, 2, 2)), "3 axes"),
    "generator": refused(lambda: (x for x in [1.0]), "generator", "list(...)"),
    "set": refused({1.0, 2.0}, "set"),
    "bytes": refused(b"123", "bytes"),
    "list of words": refused(["a", "b"], "'a'", "step 0"),
    "1_000 in words": refused(column(["1_000", "2", "3"]), "'1_000'", "row 0"),
    "duplicated columns": refused(pd.DataFrame([[1, 2]], columns=["y", "y"]), "2 columns have the name 'y'"),
    "columns 1 and '1'": refused(pd.DataFrame([[1, 2]], columns=pd.Index([1, "1"], dtype=object)), "2 columns"),
    "pyarrow duplicated columns": refused(pa.Table.from_arrays([pa.array([1])] * 2, names=["y", "y"]), "2 columns"),
    "a missing id": refused(column([1.0, 2.0], unique_id=["a", None]), "'unique_id' is empty", "row 1"),
    "an empty id": refused(column([1.0, 2.0], unique_id=["a", " "]), "'unique_id' is empty", "row 1"),
    "an id that is NaN": refused(column([1.0, 2.0], unique_id=[1, np.nan]), "'unique_id' is empty", "row 1"),
    "ids 1 and 1.0": refused(column([1, 2], unique_id=pd.Series([1, 1.0], dtype=object)), "several types", "int", "float"),
    "ids 1 and 'a'": refused(column([1, 2], unique_id=[1, "a"]), "several types", "row 0", "row 1"),
    "ids of a mapping 1 and '1'": refused({1: [1.0], "1": [2.0]}, "same id"),
    "lists as ids": refused(pl.DataFrame({"unique_id": [[1], [2]], "y": [1, 2]}), "'unique_id'", "List"),
    "lists as times": refused(pl.DataFrame({"ds": [[1], [2]], "y": [1, 2]}), "'ds'", "List"),
    "objects as times": refused(column([1, 2], ds=[object(), object()]), "'ds'", "object"),
    "half a character in an id": refused(column([1.0], unique_id=pd.Series(["a\ud800"], dtype=object)), "lone surrogate", "row 0"),
    "half a character in a key": refused({"\ud800": [1.0]}, "lone surrogate"),
    "half a character in the name of a column": refused(pd.DataFrame([[1.0]], columns=pd.Index(["\ud800"], dtype=object)), "lone surrogate"),
    "half a character in a path": refused("\ud800.csv", "half a character"),
    "None among strings": refused(["a", None], "'None'", "expected a string", kind="text"),
    "NaN among strings": refused(pd.Series(["a", None]), "expected a string", kind="text"),
    "bytes as text": refused([b"a"], "bytes", "expected a string", kind="text"),
    "values of a dict": refused({"a": 1.0}.values(), "dict_values", "list(...)"),
    "infinity in a tensor": refused(torch.tensor([1.0, float("inf")]), "infinite"),
    "values too small for their squares": refused([0.0, 1e-160, -2e-160], "at most 2e-160", "too small"),
    "denormal values": refused([5e-324, 1e-323], "too small"),
    "a whole number over 1e308": refused([10**400, 1], "infinite"),
}  # fmt: skip


def uuids() -> str:
    keys = [uuid.UUID(int=1), uuid.UUID(int=2)]
    frame = column(Y, unique_id=pairs(keys), ds=pd.to_datetime(DAYS * 2))
    assert read(frame).ids == tuple(map(str, keys))
    return "right: UUIDs as words"


ROWS = [
    *(Row("types", f"id {name}", "polars join", partial(joins, ids)) for name, ids in POLARS_IDS.items()),
    *(Row("types", f"pandas id {name}", "pandas merge", partial(merges, ids)) for name, ids in PANDAS_IDS.items()),
    Row("types", "id 007 in CSV", "the file", lambda: written(["007", "8"], pl.String)),
    Row("types", "id 7 in CSV", "polars read_csv", lambda: written(["7", "8"], pl.Int64)),
    Row("types", "MultiIndex of ids and times", "pandas merge", indexed),
    Row("types", "MultiIndex without names", "the named index", indexed_without_names),
    Row("types", "mapping of whole numbers", "Python", mapping),
    Row("types", "UUIDs", "uuid", uuids),
    *(Row("types", name, source, check) for name, (source, check) in READ.items()),
    *(Row("types", name, "a DataError", check) for name, check in REFUSED.items()),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_types(row: Row) -> None:
    assert row.check()
