"""Covariates: future, past and static information in addition to the values of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.choices import unknown
from ostinato.data import checks
from ostinato.data.columns import check_names, holds_numbers
from ostinato.data.origin import Origin
from ostinato.errors import DataError
from ostinato.numbers import counted
from ostinato.shapes import Array
from ostinato.wording import option

#: The largest number of different words in a column of categories.
MOST_CATEGORIES = 50


@dataclass(frozen=True)
class Columns:
    """The columns of a table that hold covariates.

    Attributes:
        known: The future covariates, which are also known for the steps ahead, for example holidays.
        past: The past covariates, which are known only up to the present.
        static: The static covariates: one word for a whole sequence.
    """

    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """The names of all covariates."""
        return (*self.known, *self.past, *self.static)

    def expanded(self, categories: dict[str, list[str]]) -> Columns:
        """Return the columns with a name such as "weather=rain" for each category of a column of words."""
        known, past = (
            tuple(f"{c}={word}" if c in categories else c for c in names for word in categories.get(c, [""]))
            for names in (self.known, self.past)
        )
        return Columns(known, past, self.static)


@dataclass(frozen=True)
class Covariates:
    """The covariates of B sequences with N steps in all.

    Attributes:
        columns: The names of the covariates: C future, P past and S static ones.
        known: The future covariates of the steps, (N, C), without missing values.
        past: The past covariates of the steps, (N, P), NaN where a value is missing.
        static: The S words of each sequence.
        ahead: The future covariates after the end of each sequence, (F, C) for its F known steps ahead.
    """

    columns: Columns
    known: Array
    past: Array
    static: tuple[tuple[str, ...], ...]
    ahead: tuple[Array, ...]

    def of(self, spans: Sequence[tuple[int, int]], rows: Sequence[int], offsets: NDArray[np.int64]) -> Covariates:
        """Return the covariates of parts of the sequences.

        Args:
            spans: The first step of each part and the step after its last one, counted over all sequences.
            rows: The number of each part's sequence.
            offsets: The borders of the sequences, (B + 1,).

        Returns:
            The covariates of the parts. The future covariates after the end of a part are those of its steps ahead.
        """
        index = np.concatenate([np.arange(a, z) for a, z in spans]) if spans else np.zeros(0, dtype=np.int64)
        ahead = [
            np.concatenate([self.known[z : offsets[b + 1]], self.ahead[b]])
            for (_, z), b in zip(spans, rows, strict=True)
        ]
        static = tuple(self.static[b] for b in rows)
        return Covariates(self.columns, self.known[index], self.past[index], static, tuple(ahead))

    def update(self, sha: Any) -> None:
        """Add the covariates to a digest."""
        sha.update(repr((self.columns, self.static)).encode())
        for part in (self.known, self.past, *self.ahead):
            sha.update(part.tobytes())


@dataclass(frozen=True)
class Indicators:
    """The columns of covariates of a table, in which words become one column of 0 and 1 for each category.

    Attributes:
        given: The columns as they are in the table.
        columns: The same with a name such as "weather=rain" for each category of a column of words.
        categories: The categories of each column of words, in order.
    """

    given: Columns
    columns: Columns
    categories: dict[str, list[str]]

    @staticmethod
    def of(
        frame: pl.DataFrame, given: Columns, origin: Origin, categories: dict[str, list[str]] | None = None
    ) -> Indicators:
        """Return the columns of covariates of a table.

        Args:
            frame: The table.
            given: The columns of covariates.
            origin: The origin of the rows, for an error.
            categories: The categories of an earlier reading; None to find them.

        Raises:
            DataError: A column does not exist, or has too many different words to be one of categories.
        """
        check_names(frame, origin.name, given.all)
        dated = [c for c in (*given.known, *given.past) if categories is None and _is_words(frame[c])]
        found = {c: _categories_of(frame[c], origin) for c in dated} if categories is None else categories
        return Indicators(given, given.expanded(found), found)

    @property
    def notes(self) -> list[str]:
        """What became of the columns of words, in words."""
        return [
            f"the covariate {name!r} has {counted(len(words), 'category')}: "
            f"{', '.join(words[:4])}{' ...' if words[4:] else ''}"
            for name, words in self.categories.items()
        ]

    def numbers(self, frame: pl.DataFrame, names: Sequence[str], origin: Origin) -> Array:
        """Return columns of numbers, of true and false, of yes and no, or of categories as one array.

        Args:
            frame: The table.
            names: The columns.
            origin: The origin of the rows, for an error.

        Returns:
            The numbers, (N, C), NaN where a value is missing: one column for each category of a column of words.

        Raises:
            DataError: A cell cannot be read as a number, or is a category that is not known.
        """
        columns: list[Array] = []
        for name in names:
            if name in self.categories:
                columns += _indicators(frame[name], self.categories[name], origin)
            else:
                columns.append(checks.numbers(_truth(frame[name]), origin))
        return np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))


def _is_words(column: pl.Series) -> bool:
    """Return whether a column holds words that are neither numbers nor true and false."""
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return False
    column = column.cast(pl.String)
    return bool(column.count()) and _truth(column).dtype == pl.String and not holds_numbers(column)


def _categories_of(column: pl.Series, origin: Origin) -> list[str]:
    words = sorted(column.cast(pl.String).str.strip_chars().drop_nulls().unique().to_list())
    if len(words) > MOST_CATEGORIES:
        raise DataError(
            f"the covariate {column.name!r} has {len(words):,} different words, expected at most {MOST_CATEGORIES}",
            where=f"{origin.name}, such as {words[0]!r} and {words[1]!r}",
            fix="group the words into fewer categories, or leave the column out",
        )
    return words


def _indicators(column: pl.Series, words: Sequence[str], origin: Origin) -> list[Array]:
    text = column.cast(pl.String).str.strip_chars()
    new = (text.is_not_null() & ~text.is_in(list(words))).fill_null(value=False)
    if new.any():
        row = int(new.arg_max() or 0)
        raise unknown(
            "category",
            text[row],
            words,
            f"use one of {', '.join(words[:5])}, or fit a model to data that have this category",
            place=f"in the column {column.name!r}",
            where=origin.at(row),
            error=DataError,
        )
    return [(text == word).cast(pl.Float64).fill_null(np.nan).to_numpy() for word in words]


def _truth(column: pl.Series) -> pl.Series:
    """Return a column of true and false in words as 1 and 0; any other column as it is."""
    if column.dtype != pl.String:
        return column
    words = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
    lower = column.str.to_lowercase()
    if not column.count() or not lower.drop_nulls().is_in(list(words)).all():
        return column
    return lower.replace_strict(words, return_dtype=pl.Float64)


def check_known(x: Array, rows: NDArray[np.int64], names: Sequence[str], series: str, origin: Origin) -> None:
    """Raise DataError if a future covariate in x (T, C) has a missing value."""
    bad = np.argwhere(np.isnan(x))
    if len(bad):
        t, c = bad[0]
        raise DataError(
            f"the future covariate {names[c]!r} has a missing value",
            where=origin.at(int(rows[t]), series),
            fix="write a value in every row, such as 0 or no where nothing happens, or read the column with "
            f"{option('--past-covariates')}, which allows missing values",
        )


def words_of(
    frame: pl.DataFrame, rows: NDArray[np.int64], names: Sequence[str], series: str, origin: Origin
) -> tuple[str, ...]:
    """Return the static covariates of one series.

    Args:
        frame: The table.
        rows: The rows of the series, (T,).
        names: The columns, S of them.
        series: The id of the series.
        origin: The origin of the rows, for an error.

    Returns:
        The S words.

    Raises:
        DataError: A static covariate changes or is missing.
    """
    out = []
    for name in names:
        words = frame[name].cast(pl.String)[rows]
        other = (words != words[0]).fill_null(value=True) if words[0] is not None else words.is_null()
        if len(words) and other.any():
            at = int(other.arg_max() or 0)
            what = "is missing" if words[at] is None else f"changes from {words[0]!r} to {words[at]!r}"
            raise DataError(
                f"the static covariate {name!r} {what}, expected one value for the whole series",
                where=origin.at(int(rows[at]), series),
                fix="give the same value in every row of the series, or read the column with "
                f"{option('--past-covariates')} or {option('--future-covariates')}",
            )
        out.append(words[0] if len(words) else "")
    return tuple(out)
