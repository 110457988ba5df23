"""The roles of the columns of a table: the id, the time, and the values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ostinato.choices import advice
from ostinato.data.cells import number_of
from ostinato.data.codes import are_codes, seem_codes
from ostinato.data.held import held_by
from ostinato.data.keys import key_of
from ostinato.data.numerals import as_numbers, unit_of
from ostinato.data.order import refuse_lost_order
from ostinato.data.parts import may_be_parts, repeated
from ostinato.data.retold import retold
from ostinato.data.sides import refuse_sides
from ostinato.data.stamps import parse_times
from ostinato.data.time_column import NO_TIME, refuse_lost_zeros, refuse_yearless, time_of, uncertain_dates
from ostinato.data.time_numbers import seem_since_1970
from ostinato.data.wide import refuse_wide
from ostinato.errors import DataError
from ostinato.kinds import Kind
from ostinato.numbers import counted
from ostinato.wording import option

IDS = ("unique_id", "id", "series_id", "series", "ticker", "symbol", "item_id", "itemid", "item", "store")
TARGETS = ("y", "value", "target", "close", "price", "_value", "obs_value")
PRICES = ("adj close", "adj_close", "adjclose", "close", "price", "last")
#: Further names of columns that a user wants to model; if one cannot be read, no other column is taken for it.
WANTED = (
    "sales",
    "revenue",
    "turnover",
    "amount",
    "demand",
    "quantity",
    "sold",
    "load",
    "consumption",
    "매출",
    "판매량",
)
#: The number of rows up to which values may rise by 1 from row to row by chance.
_RISING = 20
#: The share of a step by which steps in a column without a name may be rounded.
_EVEN = 0.1
#: The number of names that a note lists.
_MOST = 20
#: The names of columns in which other programs write row numbers; the first two are not names of anything else.
_NUMBERS = ("", "unnamed: 0", "rownames", "index", "column_1")


@dataclass(frozen=True)
class Roles:
    """The columns of a table by their role.

    Attributes:
        id: The column of ids, or None.
        time: The column of times, or None.
        values: The columns to model, D of them.
        notes: The choices that were made for the user, in words.
    """

    id: str | None
    time: str | None
    values: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find(
    frame: pl.DataFrame,
    where: str,
    id_col: str | None,
    time_col: str | None,
    target: list[str] | None,
    covariates: tuple[str, ...] = (),
) -> Roles:
    """Find the roles of a table's columns from the given names, their usual names, or their content.

    Args:
        frame: The table.
        where: The name of the table, for an error.
        id_col: The column of ids, if given.
        time_col: The column of times, if given; "none" if the rows are steps in their order.
        target: The columns to model, if given.
        covariates: The columns of covariates, which have no other role.

    Returns:
        The role of each column that is used.

    Raises:
        DataError: A given column does not exist, no column holds numbers, or the columns are the steps of a series.
    """
    timeless = time_col == NO_TIME and NO_TIME not in frame.columns
    time_col = None if timeless else time_col
    given = (id_col, time_col, *(target or ()), *covariates)
    check_names(frame, where, given)
    left = [c for c in frame.columns if c not in given]
    if id_col is None:
        id_col = named(left, IDS)
    left = [c for c in left if c != id_col]
    if time_col is None and not timeless:  # a column may have no name
        time_col = time_of(frame, left, id_col)
        _refuse_two_tables(frame, time_col, where)
    if time_col is not None:
        refuse_lost_zeros(frame[time_col], where)
    said: list[str] = []
    if timeless:
        said.append("no column is read as the time, so the rows are steps in their order")
    elif time_col is None:
        refuse_lost_order(frame, left, id_col, where)
        refuse_yearless(frame, left, where)
        said += uncertain_dates(frame, left)
        said += [note for c in left if (note := seem_since_1970(frame[c])) is not None]
    elif id_col is None:
        id_col = key_of(frame, [c for c in left if c != time_col], time_col, where)
        if id_col is not None:
            said.append(
                f"the rows of one time differ in {id_col!r}, so it is read as the id "
                f"(use {option('--id-col')} to choose)"
            )
            left.remove(id_col)
    if target:
        return Roles(id_col, time_col, tuple(target), tuple(said))
    return _values(frame, [c for c in left if c != time_col], Roles(id_col, time_col, (), tuple(said)), where)


def _values(frame: pl.DataFrame, left: list[str], roles: Roles, where: str) -> Roles:
    """Return the roles with the columns to model, by their names or their content.

    Args:
        frame: The table.
        left: The columns that have no other role.
        roles: The columns of the ids and of the times, with the notes on them.
        where: The name of the table, for an error.
    """
    said, time_col = list(roles.notes), roles.time
    left = [c for c in left if not (c.lower() in _NUMBERS and _is_count(frame[c]))]
    labels = [c for c in left if c.lower() in _NUMBERS[:2] and time_col is not None and _are_labels(frame[c])]
    if labels and len(labels) < len(left):
        left = [c for c in left if c not in labels]
        said.append("the labels of the rows, in the column without a name, are left out")
    numbers = [c for c in left if holds_numbers(frame[c])]
    empty = [c for c in numbers if _is_empty(frame[c]) and c.lower() not in (*PRICES, *TARGETS, *WANTED)]
    empty = empty if len(empty) < len(numbers) else []
    if empty:
        numbers = [c for c in numbers if c not in empty]
        said.append(f"left out, because every cell is empty: {_listed(empty)}")
    counts = [c for c in numbers if _counts_rows(frame[c])]
    if counts and len(counts) < len(numbers):
        numbers = [c for c in numbers if c not in counts]
        said.append(f"left out, because they count the rows: {_listed(counts)} (use {option('--target')} to choose)")
    codes = [c for c in numbers if are_codes(frame[c])]
    if codes and len(codes) < len(numbers):
        numbers = [c for c in numbers if c not in codes]
        ways = f"use {option('--target')} to choose, or {option('--id-col')} if they name the series"
        said.append(f"left out, because they are codes that measure nothing: {_listed(codes)} ({ways})")
    parts = _parts_of(frame, numbers, time_col)
    if parts and len(parts) < len(numbers):
        numbers = [c for c in numbers if c not in parts]
        said.append(
            f"left out, because the time in {time_col!r} holds them: {', '.join(parts)} "
            f"(use {option('--target')} to choose)"
        )
    known = {*numbers, *counts, *codes, *parts, *empty}
    aside = [c for c in left if c not in known]
    refuse_sides(frame, aside, numbers, where)
    chosen = _by_name(numbers, aside, frame)
    if chosen is not None:
        note = f"modelled column: {chosen!r} of {_listed(numbers)} (use {option('--target')} to choose)"
        others = _aside([c for c in aside if c != chosen], frame, time_col)
        notes = [*said, *others, *([note] if len(numbers) > 1 else [])]
        return replace(roles, values=(chosen,), notes=tuple(notes))
    if not numbers:
        raise _without_numbers(frame, [c for c in left if frame[c].dtype == pl.String], where)
    if numbers == codes:
        what = f"the columns of numbers hold codes, which measure nothing: {_listed(codes)}"
        fix = f"give a table with a column of values, or use {option('--target')} if these are the values"
        raise DataError(what, where=where, fix=fix)
    refuse_wide(frame, numbers, roles.id, time_col, where)
    notes = [*said, *_aside(aside, frame, time_col), *filter(None, (seem_codes(frame[c]) for c in numbers))]
    if len(numbers) > 1:
        notes.append(f"{counted(len(numbers), 'channel')}: {_listed(numbers)} (use {option('--target')} to choose)")
    return replace(roles, values=tuple(numbers), notes=tuple(notes))


def _parts_of(frame: pl.DataFrame, numbers: list[str], time_col: str | None) -> list[str]:
    """Return the columns of numbers that hold the time of their row, or its year, its month and so on."""
    if time_col is None:
        return []
    again = retold(frame, numbers, time_col)
    times = parse_times(frame[time_col]) if may_be_parts(numbers) else None
    return again if times is None else [*repeated(frame, numbers, times), *again]


def _without_numbers(frame: pl.DataFrame, words: list[str], where: str) -> DataError:
    """Return the error for a table of which no column holds numbers, with its columns of words."""
    hint = f", or choose a column of text with {option('--target', words[-1])}" if words else ""
    united = next(((c, unit) for c in words if (unit := unit_of(frame[c]))), None)
    if united is not None:
        name, unit = united
        hint = f", and remove the unit {unit!r} from the cells of {name!r}, after bringing all of them to one unit"
        if unit.upper() in {"CR", "DR"}:  # credit and debit: without the letters, both would be above 0
            hint = f", and write the cells of {name!r} as numbers, with a minus sign in place of DR"
    kept = next(((c, found) for c in words if (found := held_by(frame[c]))), None)
    if kept is not None:
        hint = f". The cells of {kept[0]!r} hold {kept[1][0]}: {kept[1][1]}"
    # a single name with a sign inside, as in ds^y: its lines are cut at a sign that is no separator here
    if len(frame.columns) == 1 and re.search(r"\w[^\w\s.]+\w", frame.columns[0]):
        hint = ", and put a comma, a semicolon, a tab or | between the cells of a line"
    what = f"the table has no column of numbers; the columns are {_listed(frame.columns)}"
    return DataError(what, where=where, fix=f"give a table with a column of numbers{hint}")


def _by_name(numbers: list[str], aside: list[str], frame: pl.DataFrame) -> str | None:
    """Return the column to model by its name; also one that cannot be read, so that the error names its cell.

    Args:
        numbers: The columns that hold numbers.
        aside: The other columns.
        frame: The table.
    """
    order: tuple[str, ...] = (*PRICES, *TARGETS)
    if any(c.lower() in WANTED for c in numbers):
        # next to sales, a price is what they were sold for; a close is one of an exchange, also next to its turnover
        order = tuple(name for name in order if name != "price")
    readable = next((c for name in order for c in numbers if c.lower() == name), None)
    if readable is None:
        # a column of true and false, or of durations, can be modelled but is not guessed by its content
        readable = next((c for name in TARGETS for c in aside if c.lower() == name and _has_a_meaning(frame[c])), None)
    wanted = [c for name in (*order, *WANTED) for c in aside if c.lower() == name and c != readable]
    odd = [c for c in wanted if readable is None or _has_digits(frame[c])]
    return odd[0] if odd else readable


def _listed(names: Sequence[str]) -> str:
    """Return names for a note: all of them, or the first ones of very many."""
    more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _refuse_two_tables(frame: pl.DataFrame, time_col: str | None, where: str) -> None:
    """Raise DataError if a second column of the name of the times holds other times, as beside a second table."""
    if time_col is None:
        return
    for c in frame.columns:
        again = re.fullmatch(rf"{re.escape(time_col)}(?: \(\d+\)|\.\d+|_duplicated_\d+)", c)
        if again and not frame[c].equals(frame[time_col], check_names=False):
            raise DataError(
                f"two columns are called {time_col!r} and hold different times, so two tables stand side by side",
                where=where,
                fix=f"write each table to a file of its own, or choose one by {option('--time-col')} and "
                f"{option('--target')} ({c!r} is the second column of times)",
            )


def _aside(columns: list[str], frame: pl.DataFrame, time_col: str | None) -> list[str]:
    """Return notes on the columns that are not modelled because they hold no numbers, or other times."""
    times = [c for c in columns if time_col is not None and _are_times(frame[c])]
    if times:
        columns = [c for c in columns if c not in times]
        others = f"left out, because the times are those of {time_col!r}: {_listed(times)}"
        return [f"{others} (use {option('--time-col')} to choose)", *_aside(columns, frame, None)]
    if not columns:
        return []
    examples = [f"{c!r} ({_example(frame[c])})" for c in columns[:5]]
    more = f" and {len(columns) - 5} more" if len(columns) > 5 else ""
    ids = f"; if one of them holds the ids of the series, name it with {option('--id-col')}"
    units = ((c, unit_of(frame[c])) for c in columns if frame[c].dtype == pl.String)
    held = [f"{c!r} hold the unit {unit!r}" for c, unit in units if unit is not None]
    said = [f"the cells of {', '.join(held[:3])}, and are not read as numbers"] if held else []
    kinds = ((c, held_by(frame[c])) for c in columns if frame[c].dtype == pl.String)
    said += [f"the cells of {c!r} hold {found[0]}, and are not read ({found[1]})" for c, found in kinds if found][:3]
    return [f"left out, because they hold no numbers: {', '.join(examples)}{more}{ids}", *said]


def _are_times(column: pl.Series) -> bool:
    """Return whether the first cells of a column are times in words, or of a type of times."""
    return column.dtype in (pl.String, pl.Date, pl.Datetime) and parse_times(column.drop_nulls().head(50)) is not None


def _example(column: pl.Series) -> str:
    row = int(column.is_not_null().arg_max() or 0) if len(column) else 0
    return repr(str(column.slice(row, 1).to_list()[0])[:20]) if len(column) else "empty"


def _has_a_meaning(column: pl.Series) -> bool:
    return column.dtype == pl.Boolean or isinstance(column.dtype, pl.Duration)


def _has_digits(column: pl.Series) -> bool:
    """Return whether most cells of a column look like numbers that cannot be read."""
    if column.dtype != pl.String:
        return True
    seen = column.drop_nulls()
    return bool(len(seen)) and 2 * int(seen.str.contains(r"\d").sum()) > len(seen)


def kind_by_name(channels: Sequence[str]) -> Kind:
    """Return "prices" if every column has the name of a price, and "series" if not."""
    return "prices" if all(c.lower() in PRICES for c in channels) else "series"


def check_names(frame: pl.DataFrame, where: str, names: tuple[str | None, ...]) -> None:
    """Raise DataError if a column does not exist, with the column that was probably meant."""
    for name in names:
        if name is not None and name not in frame.columns:
            fix = advice(name, frame.columns, f"use one of the columns {_listed(frame.columns)}")
            raise DataError(f"there is no column {name!r}", where=where, fix=fix)


def holds_numbers(column: pl.Series) -> bool:
    """Return whether most cells of a column are numbers, so that a stray word leads to an error about that cell."""
    if column.dtype.is_numeric() or column.null_count() == len(column):
        return True
    if column.dtype == pl.Object:
        cells = [cell for cell in column.head(50).to_list() if cell is not None]
        return 2 * sum(not isinstance(cell, str) and number_of(cell) is not None for cell in cells) > len(cells)
    return column.dtype == pl.String and as_numbers(column).most


def named(columns: list[str], names: tuple[str, ...]) -> str | None:
    """Return the column whose name, in any case, comes first in ``names``; None if no column has one of them."""
    by_name = {c.lower(): c for c in reversed(columns)}
    return next((by_name[n] for n in names if n in by_name), None)


def _is_empty(column: pl.Series) -> bool:
    """Return whether no cell of a column holds a value."""
    if not len(column) or column.null_count() == len(column):
        return True
    return column.dtype.is_float() and column[0] != column[0] and bool(column.is_nan().all())


def _counts_rows(column: pl.Series) -> bool:
    """Return whether a column rises by 1 from row to row; in a few rows, values may do so by chance.

    A first column without a name may hold years with decimals that rise by one step, up to rounding.
    """
    if len(column) <= _RISING:
        return False
    return _is_count(column) or (column.name == "channel_1" and _are_decimal_years(column))


def _are_decimal_years(column: pl.Series) -> bool:
    if column.null_count() or not column.dtype.is_float() or not column.is_between(1500, 2200).all():
        return False
    x = column.cast(pl.Float64).to_numpy()
    step = float(x[-1] - x[0]) / (len(x) - 1)
    return 0 < step < 1 and bool(np.abs(x - np.linspace(x[0], x[-1], len(x))).max() <= _EVEN * step)


def _are_labels(column: pl.Series) -> bool:
    """Return whether whole numbers may be those of rows of which some were left out, or that were sorted."""
    return column.dtype.is_integer() and not column.is_duplicated().any() and bool((column >= 0).all())


def _is_count(column: pl.Series) -> bool:
    if not column.dtype.is_integer() or column.null_count():
        return False
    return bool((column.diff().drop_nulls() == 1).all())
