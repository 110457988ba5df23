"""The id column of a table in which no column has the usual name of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

import polars as pl

from ostinato.data.cells import number_of
from ostinato.data.clocks import are_clocks
from ostinato.data.month_names import number_of_part
from ostinato.data.origin import Origin
from ostinato.data.stamps import parse_times
from ostinato.errors import DataError
from ostinato.wording import option

#: The rows of each time, on average, from which repeated times are several series and not a slip.
_SERIES = 1.5
#: Names of columns whose whole numbers may be ids.
_SAYS_ID = re.compile(
    r"(?<![^\W\d_])(?:id|nr|no|num|number|code|key|meter|sensor|station|site|node|device|shop|branch|zone|region|product|sku"
    r"|customer|client|account|machine|location|loc|building|house|household|turbine|plant|dept|department|outlet|route)"
    r"(?![^\W\d_])|nummer|zähler|filiale|standort|messstelle|코드|번호|지점|매장|점포|센서|호기",
    re.IGNORECASE,
)
#: The number of rows from which whole numbers do not tell the rows of each time apart by chance.
_LEAST = 20
#: The fewest months or quarters that are told from ids.
_MONTHS = 3
#: The rows in which two files have to agree to overlap, and not by chance.
_OVERLAP = 3


def key_of(frame: pl.DataFrame, columns: Sequence[str], time: str, where: str) -> str | None:
    """Return the column of words that distinguishes the rows of one time, or None.

    Args:
        frame: The table.
        columns: The columns that may be ids.
        time: The column of times.
        where: The name of the table, for an error.

    Returns:
        The column. None if most times have one row, if a column holds lists or objects, or if no column of words tells
        the rows of each time apart.

    Raises:
        DataError: Two columns together tell the rows apart, and no column alone does.
    """
    if any(kind == pl.Object or kind.is_nested() for kind in frame.dtypes):
        return None  # such cells are refused later, by name; Polars compares no Python objects
    if len(frame) < _SERIES * frame[time].n_unique():
        return None
    words = [c for c in columns if _names(frame[c], len(frame))]
    numbers = [c for c in columns if _numbers(frame, time, c)]
    for c in (*words, *numbers):
        if _apart(frame, time, c):
            _refuse_months(frame, c, time, where)
            return c
    for pair in combinations(words, 2):
        if _apart(frame, time, *pair):
            first, second = pair
            raise DataError(
                f"the rows of one time differ in {first!r} and {second!r}, expected one column of ids",
                where=where,
                fix=f"join {first!r} and {second!r} into one column, and name it with {option('--id-col')}",
            )
    return None


def _refuse_months(frame: pl.DataFrame, column: str, time: str, where: str) -> None:
    """Raise DataError if a column that tells the rows of one time apart holds months, and the time is their years.

    Read as ids, twelve series would each hold one month of all years.
    """
    if frame[column].dtype != pl.String:
        return
    words = frame[column].unique().to_list()
    if len(words) < _MONTHS or not any(all(number_of_part(w, p) for w in words) for p in ("month", "quarter")):
        return
    times = parse_times(frame[time])
    years = frame[time].dtype.is_integer() and bool(frame[time].is_between(1000, 2600).all())
    if years or (times is not None and times.dtype.kind == "M" and bool((times.astype("M8[Y]") == times).all())):
        raise DataError(
            f"the rows of one year in {time!r} differ in {column!r}, whose cells seem to be months or quarters",
            where=where,
            fix="call the two columns year and month (or quarter), with cells such as 1, Jan or Q1, and leave out "
            f"rows of whole years; or use {option('--id-col')} if its cells are ids",
        )


def check_second_key(frame: pl.DataFrame, id_col: str, time: str, used: Sequence[str], origin: Origin) -> None:
    """Raise DataError if the rows of one series and time are of several series, by another column of words.

    Args:
        frame: The table.
        id_col: The column of ids.
        time: The column of times.
        used: The columns that are not ids.
        origin: The origin of the rows.
    """
    if any(kind == pl.Object or kind.is_nested() for kind in frame.dtypes):
        return
    if len(frame) < _SERIES * frame.select(id_col, time).n_unique():
        return
    others = [c for c in frame.columns if c not in {id_col, time, *used} and _names(frame[c], len(frame))]
    for c in others:
        if _apart(frame, id_col, time, c):
            raise DataError(
                f"the rows of one id and time differ in {c!r}, expected one column of ids",
                where=origin.name,
                fix=f"join {id_col!r} and {c!r} into one column, and name it with {option('--id-col')}; or "
                f"keep the rows of one {c!r} alone",
            )


def check_one_row(
    frame: pl.DataFrame, keys: Sequence[str], values: Sequence[str], odd: Sequence[str], origin: Origin
) -> None:
    """Raise DataError if rows with the same time and values differ in another column: they may be parts of one total.

    A column whose cells are all different within each file, such as a row number, is not evidence of that. Where files
    overlap in rows of equal values, a column that is the same in a whole file, such as the day of its download, is none
    either. If rows of the same time have different values, nothing is raised here, because another check refuses them.

    Args:
        frame: The table.
        keys: The columns of the ids, if there is one, and of the times.
        values: The columns of the values.
        odd: The columns in which rows differ that are equal in ``keys`` and ``values``.
        origin: The origin of the rows.
    """
    by_file = frame.with_columns(pl.Series("\0file", origin.files(len(frame))))
    overlap = _overlap(by_file, keys, values)
    name = next((c for c in odd if _may_be_a_key(by_file, c, overlap=overlap)), None)
    if name is None:
        return
    alike = [*keys, *values]
    rows = frame.select(pl.int_range(pl.len()).alias("\0row"), *alike, name).group_by(alike, maintain_order=True)
    if frame.select(keys).n_unique() < frame.select(alike).n_unique():
        return
    several = rows.agg(pl.col("\0row"), pl.col(name).n_unique().alias("\0kinds")).filter(pl.col("\0kinds") > 1)
    first, second = several["\0row"][0].to_list()[:2]
    key = f"join {keys[0]!r} and {name!r} into one column, and name it with" if len(keys) > 1 else f"name {name!r} with"
    raise DataError(
        f"two rows have the same time and the same values, but differ in {name!r}",
        where=f"{origin.at(second)}; the other is {origin.place(first)}",
        fix=f"if they are parts of one total, add them up; if they are of several series, {key} "
        f"{option('--id-col')}; if one is a duplicate, remove it",
    )


def _overlap(by_file: pl.DataFrame, keys: Sequence[str], values: Sequence[str]) -> bool:
    """Return whether all rows of one key are of different files, and several of them have values that change."""
    if by_file["\0file"].n_unique() < 2 or by_file.select(*keys, "\0file").is_duplicated().any():
        return False
    again = by_file.filter(by_file.select(keys).is_duplicated())
    return again.select(keys).n_unique() >= _OVERLAP and any(again[c].n_unique() >= _OVERLAP for c in values)


def _may_be_a_key(by_file: pl.DataFrame, column: str, *, overlap: bool) -> bool:
    """Return whether a column may tell series apart: it does not number the rows of a file, nor files that overlap."""
    kinds = by_file.select(column, "\0file").n_unique()
    return kinds < len(by_file) and not (overlap and kinds == by_file["\0file"].n_unique())


def _names(column: pl.Series, rows: int) -> bool:
    """Return whether a column holds words that come again and again, with none missing, and no times of day."""
    few = column.dtype in (pl.String, pl.Categorical, pl.Enum) and not column.null_count()
    return (
        few
        and 2 * column.n_unique() <= rows
        and not are_clocks(column)
        and (any(number_of(c) is None for c in column.head(50).to_list()))
    )


def _numbers(frame: pl.DataFrame, time: str, column: str) -> bool:
    """Return whether a column holds whole numbers, such as those of sensors, of which most times have most of them."""
    if not frame[column].dtype.is_integer() or frame[column].null_count() or not _SAYS_ID.search(column):
        return False
    kinds = frame[column].n_unique()
    return kinds > 1 and 2 * len(frame) > frame[time].n_unique() * kinds and len(frame) >= _LEAST


def _apart(frame: pl.DataFrame, *columns: str) -> bool:
    """Return whether no two rows are alike in the columns, except for rows that occur twice as a whole."""
    return frame.select(columns).n_unique() == len(frame.unique() if frame.is_duplicated().any() else frame)
