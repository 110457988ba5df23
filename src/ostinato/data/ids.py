"""The ids of series: words inside the library, and of the type that they came in for the user."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from ostinato.data.cells import type_in_words
from ostinato.data.origin import Origin
from ostinato.errors import DataError
from ostinato.numbers import counted
from ostinato.wording import option

#: The name of each type of ids that needs no more than its name.
_PLAIN: dict[str, Any] = {
    "Categorical": pl.Categorical(),  # its own words for it differ between versions of polars
} | {
    str(t): t
    for t in (
        pl.String(), pl.Boolean(), pl.Date(), pl.Time(), pl.Binary(), pl.Float32(), pl.Float64(),
        pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.Int128(), pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64(),
    )
}  # fmt: skip
#: Where ``SequenceSet.meta`` keeps the type.
META = "id_type"


def as_words(column: pl.Series, origin: Origin, *, empty: str | None = None) -> pl.Series:
    """Return a column of ids as words.

    Args:
        column: The ids, (N,).
        origin: The origin of the rows, for an error.
        empty: The word for a missing id; None to refuse it.

    Returns:
        The ids as words, (N,). A whole number has the same word whether it is an integer or a float.

    Raises:
        DataError: An id is missing or empty, or the column has values of several types or of a type without words.
    """
    dtype, name = column.dtype, column.name
    if dtype == pl.Object:
        column = _of_objects(column, origin)
    elif dtype.is_nested():
        raise _unusable(column, origin)
    elif dtype.is_float():
        column = column.fill_nan(None)
        whole = column.drop_nulls()
        if (whole == whole.round()).all() and (whole.abs() < 2.0**53).all():
            column = column.cast(pl.Int64)
    elif dtype.is_temporal() and isinstance(dtype, pl.Duration):
        column = column.cast(pl.Int64)
    elif isinstance(dtype, pl.Datetime) and dtype.time_zone:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    try:
        words = column.cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise _unusable(column, origin) from error
    missing = (words.is_null() | (words.str.strip_chars() == "")).fill_null(value=True)
    if missing.any() and empty is not None:
        words = words.set(missing, empty)
    elif missing.any():
        rows, count = [int(i) for i in missing.arg_true().head(3)], int(missing.sum())
        raise DataError(
            f"the id in column {name!r} is empty" + (f" in {counted(count, 'row')}" if count > 1 else ""),
            where=", ".join([origin.at(rows[0]), *(origin.place(i) for i in rows[1:])]) + (" ..." if count > 3 else ""),
            fix=f"give every row an id, remove these rows, or choose another column with {option('--id-col')}",
        )
    _check_numbers(words, origin)
    return words.alias(name)


def _of_objects(column: pl.Series, origin: Origin) -> pl.Series:
    """Return Python objects as words if all have one type that has words."""
    first: dict[type, int] = {}
    for i, value in enumerate(column.to_list()):
        if value is not None and value == value:  # noqa: PLR0124 - NaN differs from itself
            first.setdefault(type(value), i)
    if len(first) > 1:
        (one, i), (other, j) = list(first.items())[:2]
        values = column.to_list()
        raise DataError(
            f"the ids in column {column.name!r} have several types: {values[i]!r} is {_article(one)} and {values[j]!r} "
            f"is {_article(other)}",
            where=f"{origin.at(i)} and {origin.place(j)}",
            fix="give all ids one type, for example with astype(str)",
        )
    if any(issubclass(t, list | tuple | dict | set | bytes | complex) or t is object for t in first):
        raise _unusable(column, origin)
    return pl.Series(column.name, [None if v is None else str(v) for v in column.to_list()], dtype=pl.String)


def _article(one: type) -> str:
    return f"{'an' if one.__name__[0] in 'aeiou' else 'a'} {one.__name__}"


def _unusable(column: pl.Series, origin: Origin) -> DataError:
    row = int(column.is_not_null().arg_max() or 0)
    value = column.to_list()[row] if len(column) else None
    return DataError(
        f"the ids in column {column.name!r} have the type {type_in_words(column)}, such as {str(value)[:40]!r}",
        where=origin.at(row) if len(column) else origin.name,
        fix="use words, whole numbers or dates as ids",
    )


def _check_numbers(words: pl.Series, origin: Origin) -> None:
    """Raise DataError if ids such as 1 and 1.0 name one number in two ways."""
    names = words.unique()
    twice = names.filter(names.str.contains(r"^-?\d+\.0+$") & names.str.replace(r"\.0+$", "").is_in(names.implode()))
    if len(twice):
        other = twice[0].split(".")[0]
        raise DataError(
            f"the ids {other!r} and {twice[0]!r} in column {words.name!r} are one number in two spellings",
            where=origin.at(int((words == twice[0]).arg_max() or 0)),
            fix="write every id in one way",
        )


def type_of(column: pl.Series) -> Any:
    """Return the type of a column of ids as JSON, for ``SequenceSet.meta``."""
    dtype = column.dtype
    if isinstance(dtype, pl.Enum):
        return {"enum": dtype.categories.to_list()}
    if isinstance(dtype, pl.Datetime):
        return {"datetime": [dtype.time_unit, dtype.time_zone]}
    if isinstance(dtype, pl.Duration):
        return {"duration": dtype.time_unit}
    if isinstance(dtype, pl.Decimal):
        return {"decimal": [dtype.precision, dtype.scale]}
    if isinstance(dtype, pl.Categorical):
        return "Categorical"
    return str(dtype) if str(dtype) in _PLAIN else "String"


def note_of(column: pl.Series) -> list[str]:
    """Return a note if the ids have a type, such as UUID, in which they do not come back."""
    if column.dtype == pl.String or dtype_of(type_of(column)) != pl.String:
        return []
    return [f"the ids in column {column.name!r} have the type {type_in_words(column)}, and come back as words"]


def alike(names: pl.Series) -> list[str]:
    """Return a note if ids differ only in the form of their letters, in blanks or in capitals.

    Args:
        names: The ids as words, all different.
    """
    if len(names) < 2:
        return []
    bare = names.str.normalize("NFKC").str.replace_all(r"[\p{Cf}\s]+", "").str.to_lowercase()
    again = bare.is_duplicated()
    if not again.any():
        return []
    pair = [repr(name) for name in names.filter(bare == bare.filter(again)[0]).head(2).to_list()]
    if pair[0].casefold() == pair[1].casefold():
        what = "capitals"
    else:
        what = "blanks, or in letters that look the same"
        pair = [ascii(name) for name in names.filter(bare == bare.filter(again)[0]).head(2).to_list()]
    return [f"the ids {pair[0]} and {pair[1]} differ only in {what}, and are two series"]


def dtype_of(kind: Any) -> Any:
    """Return the type of polars that ``type_of`` gave as JSON; words if it is None, as in older model files."""
    match kind:
        case {"enum": categories}:
            return pl.Enum(categories)
        case {"datetime": [unit, zone]}:
            return pl.Datetime(unit, zone)
        case {"duration": unit}:
            return pl.Duration(unit)
        case {"decimal": [precision, scale]}:
            return pl.Decimal(precision, scale)
        case _:
            return _PLAIN.get(str(kind), pl.String())


def restored(  # noqa: PLR0911 - one for each type
    words: Iterable[str], meta: dict[str, Any], name: str = "unique_id"
) -> pl.Series:
    """Return ids in the type that they came in.

    Args:
        words: The ids as words, (N,).
        meta: The ``SequenceSet.meta`` of their data.
        name: The name of the column.

    Returns:
        The ids, (N,): as words if one of them is not a value of that type.
    """
    series, dtype = pl.Series(name, words, dtype=pl.String), dtype_of(meta.get(META))
    if dtype == pl.String:
        return series
    try:
        if dtype == pl.Boolean:
            return series.replace_strict({"true": True, "false": False}, return_dtype=pl.Boolean)
        if isinstance(dtype, pl.Duration):
            return series.cast(pl.Int64).cast(dtype)
        if isinstance(dtype, pl.Datetime):
            naive = series.str.to_datetime(time_unit=dtype.time_unit)
            return naive.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone) if dtype.time_zone else naive
        if dtype == pl.Date:
            return series.str.to_date()
        if dtype == pl.Time:
            return series.str.to_time()
        return series.cast(dtype)
    except pl.exceptions.PolarsError:
        return series  # a panel that was extended by an id of another type


def id_column(ids: Iterable[str], repeats: Any, meta: dict[str, Any]) -> pl.Series:
    """Return the column unique_id of a table: every id in the type that it came in, as often as it has rows.

    Args:
        ids: The ids as words, B of them.
        repeats: The number of rows of each id, (B,), or one number for all.
        meta: The ``SequenceSet.meta`` of their data.
    """
    column = restored(ids, meta)
    return column.gather(np.repeat(np.arange(len(column)), repeats))
