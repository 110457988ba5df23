"""A frame as people write it, made clean: rows that are not data are left out, and words that are numbers are read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.codes import padded
from ostinato.data.margins import TOTAL
from ostinato.data.missing_signs import without_signs
from ostinato.data.number import MISSING
from ostinato.data.numerals import Numerals, as_numbers, without_errors
from ostinato.data.origin import Origin

#: The rows above a sum without a name, and by how much of itself the sum may be rounded.
_LEAST, _ROUNDED = 3, 1e-6
#: The numbers above 0 whose sum the last number of a column is by no chance.
_SURE = 6
#: The number of rows at the end of a table that may hold sums.
_TAIL = 4


def without_odd_rows(frame: pl.DataFrame, origin: Origin) -> tuple[pl.DataFrame, Origin]:
    """Set aside the rows that repeat the names of the columns, and the rows of sums at the end.

    Args:
        frame: The table.
        origin: The origin of its rows.

    Returns:
        The other rows and their origin, with a note on each kind of row that was left out.
    """
    words = [c for c in frame.columns if frame[c].dtype == pl.String]
    keep = np.ones(len(frame), dtype=bool)
    if words and len(words) == frame.width and frame.width > 1:
        again = pl.Series([True]) if not len(frame) else _repeats(frame)
        at = np.flatnonzero(again.to_numpy()) if len(again) == len(frame) else np.zeros(0, dtype=np.int64)
        if 0 < len(at) < len(frame):
            places = ", ".join(origin.place(int(i)) for i in at[:3])
            more = " ..." if len(at) > 3 else ""
            origin = origin.noting(f"names of columns that occur again are left out: {places}{more}")
            keep[at] = False
    marks = _marks(frame, words)
    if 0 < len(marks) < len(frame):
        origin = origin.noting(f"rows that mark a pause of WinCC are left out: {origin.place(int(marks[0]))}")
        keep[marks] = False
    for row in range(len(frame) - 1, max(len(frame) - 1 - _TAIL, 0), -1):
        if not keep[row]:
            continue
        if not keep.all() and all(map(_is_blank, frame.row(row))):
            keep[row] = False  # an empty row between the table and its sums
            continue
        numbers = _sums_of_numbers(frame, row) if keep.all() else 0
        if 0 < numbers < _SURE:
            last = ", ".join(map(str, frame.row(row)))
            said = f"the last row is the sum of the others ({last[:60]}); if it is a total, remove it"
            origin = origin if said in origin.notes else origin.noting(said)
        if not (_is_total(frame, words, row) or (keep.all() and _is_bare_total(frame, row)) or numbers >= _SURE):
            break
        cells = ", ".join(str(v) for v in frame.row(row) if v is not None)
        origin = origin.noting(f"a row of sums is left out: {origin.place(row)} ({cells[:60]})")
        keep[row] = False
    if keep.all():
        return frame, origin
    return frame.filter(pl.Series(keep)), origin.kept(np.flatnonzero(keep))


def differing(frame: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return the columns in which rows differ that are alike in the given columns."""
    others = [c for c in frame.columns if c not in columns and frame[c].dtype != pl.Object]
    others = [c for c in others if not frame[c].dtype.is_nested()]
    counts = frame.group_by(list(dict.fromkeys(columns))).agg(pl.col(others).n_unique())
    return [c for c in others if (counts[c] > 1).any()]


def _repeats(frame: pl.DataFrame) -> pl.Series:
    same = pl.all_horizontal(pl.col(c).str.strip_chars() == c.strip() for c in frame.columns)
    return frame.select(same.fill_null(value=False).alias("again")).to_series()


def _marks(frame: pl.DataFrame, words: Sequence[str]) -> NDArray[np.intp]:
    """Return the rows in which WinCC notes the end or the pause of its record, with a value of 0: $RT_OFF$."""
    if not words or frame.width == 1:
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(frame[words[0]].str.contains(r"^\$RT_\w+\$$").fill_null(value=False).to_numpy())


def _is_total(frame: pl.DataFrame, words: Sequence[str], row: int) -> bool:
    """Return whether the words of a row are one word for a sum, which its column has nowhere else."""
    cells = {name: (frame[name][row] or "").strip() for name in words}
    cells = {name: cell for name, cell in cells.items() if cell not in MISSING}
    sums = [name for name, cell in cells.items() if TOTAL.fullmatch(cell)]
    if not sums or any((frame[name].str.strip_chars() == cells[name]).sum() > 1 for name in sums):
        return False
    others = [c for c in frame.columns if c not in words and frame[c].dtype.is_temporal()]
    return all(frame[c][row] is None for c in others) and all(
        as_numbers(pl.Series([cell])).all for name, cell in cells.items() if name not in sums
    )


def _is_blank(cell: object) -> bool:
    """Return whether a cell is empty. The cell of a column of lists is a series, which is compared by its elements."""
    return cell is None or (isinstance(cell, str) and not cell)


def _is_bare_total(frame: pl.DataFrame, row: int) -> bool:
    """Return whether the last row has no time, number or word, where all others have them, and a number that is a sum.

    A column of whole numbers that rise counts the rows; the row of a sum may leave it empty.
    """
    empty = [c for c in frame.columns if _is_blank(frame[c][row])]
    if row < _LEAST or not empty:
        return False
    rest, filled = frame.head(row), {c for c in frame.columns if c not in empty}
    labels = [
        c
        for c in empty
        if frame[c].dtype == pl.String
        or frame[c].dtype.is_temporal()
        or (frame[c].dtype.is_integer() and bool((rest[c].diff().drop_nulls() > 0).all()))
    ]
    if not filled or not any(rest[c].null_count() == 0 for c in labels):
        return False
    sums = []
    for name in filled:
        found = as_numbers(frame[name]) if frame[name].dtype == pl.String else None
        if not frame[name].dtype.is_numeric() and (found is None or not found.all):
            return False
        values = frame[name].cast(pl.Float64) if found is None else found.values
        last, total = float(values[row]), float(values.head(row).sum())
        sums.append(total != 0 and abs(last - total) <= _ROUNDED * abs(total))
    return any(sums)


def _sums_of_numbers(frame: pl.DataFrame, row: int) -> int:
    """Return the fewest numbers above 0 of which the last row is the sum, in each column of a table of numbers alone.

    It is 0 if some column has another last number, or numbers below 0, or holds the sum of its rows twice, as 1, 1, 2,
    4, 8 does.
    """
    fewest = 0
    for column in frame.iter_columns() if row >= _LEAST else ():
        if column.dtype != pl.String and not column.dtype.is_numeric():
            return 0
        if column.dtype == pl.String and not as_numbers(column.tail(1)).all:
            return 0
        values = as_numbers(column).values if column.dtype == pl.String else column
        x = values.cast(pl.Float64).to_numpy()
        if not np.isfinite(x).all() or (x < 0).any() or abs(x[:-1].sum() - x[-1]) > _ROUNDED * x[-1]:
            return 0
        many = int((x[:-1] > 0).sum())
        if many < _LEAST or abs(x[:-2].sum() - x[-2]) <= _ROUNDED * x[-2]:
            return 0
        fewest = min(fewest or many, many)
    return fewest


def numerals_of(frame: pl.DataFrame, key: str | None, decimal: str | None, usual: str | None) -> dict[str, Numerals]:
    """Return the numbers in every column of words.

    Args:
        frame: The table.
        key: The column of ids, which stay words.
        decimal: The decimal sign where the cells leave it open; None to find it.
        usual: The decimal sign if no column shows one; None if columns of numbers show that it is a point.

    Returns:
        The numbers by the name of the column. The columns that show a decimal sign decide for the others.
    """
    words = [c for c in frame.iter_columns() if c.dtype == pl.String and c.name != key]
    first = {c.name: as_numbers(c, decimal) for c in words}
    signs = {one.decimal for one in first.values() if one.most} - {None}
    sign = "," if signs == {","} else usual if not signs else None
    return first if sign is None or decimal else {c.name: as_numbers(c, None, sign) for c in words}


def tidied(frame: pl.DataFrame, found: dict[str, Numerals], origin: Origin) -> tuple[pl.DataFrame, Origin]:
    """Return a table with columns of words as numbers where all their cells are numbers or missing.

    In a column of words, only an empty cell is missing: a series may be called NA.

    Args:
        frame: The table.
        found: The numbers in its columns of words.
        origin: The origin of its rows.

    Returns:
        The table, and the origin with the notes on the cells.
    """
    columns = []
    for column in frame.iter_columns():
        one = found.get(column.name)
        if column.dtype != pl.String:
            columns.append(column)
        elif one is None:
            columns.append(column.str.strip_chars())
            if columns[-1].n_unique() < column.n_unique():
                odd = column.filter(column != columns[-1])[0]
                origin = origin.noting(
                    f"blanks at the ends of ids are removed, as in {odd!r}; ids that differ only in such blanks are one"
                )
        elif one.all and one.values.count():
            whole = _are_whole(column)
            columns.append(_whole(column) if whole else one.values.rename(column.name))
            zeros = padded(column) if whole else None
            origin = origin.noting(*one.notes, *([zeros] if zeros else []), column=column.name)
        else:
            words = column.str.strip_chars()
            words = without_signs(without_errors(words)[0])[0] if one.most else words
            # a column of mostly numbers keeps its stray word, which becomes an error if the column is used
            columns.append(words.set(words.is_in(list(MISSING) if one.most or one.all else [""]), None))
    # from a list, polars would call a column without a name column_0
    return pl.DataFrame({column.name: column for column in columns}), origin


def _are_whole(column: pl.Series) -> bool:
    """Return whether all words are whole numbers, which may be dates such as 20240131."""
    return bool(column.str.contains(r"^\s*[+-]?[0-9]{1,18}\s*$").all())


def _whole(column: pl.Series) -> pl.Series:
    return column.str.strip_chars().cast(pl.Int64)
