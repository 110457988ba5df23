"""Covariates: future, past and static information in addition to the values of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data import checks
from ostinato.data.origin import Origin
from ostinato.errors import DataError

Array = NDArray[np.float64]


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


def numbers(frame: pl.DataFrame, names: Sequence[str], origin: Origin) -> Array:
    """Return columns of numbers, or of true and false, yes and no, as one array.

    Args:
        frame: The table.
        names: The columns, C of them.
        origin: The origin of the rows, for an error.

    Returns:
        The numbers, (N, C), NaN where a value is missing.

    Raises:
        DataError: A cell cannot be read as a number.
    """
    columns = [checks.numbers(_truth(frame[name]), origin) for name in names]
    return np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))


def _truth(column: pl.Series) -> pl.Series:
    """Return a column of true and false in words as 1 and 0; any other column as it is."""
    if column.dtype != pl.String:
        return column
    words = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
    lower = column.str.to_lowercase()
    if not lower.drop_nulls().is_in(list(words)).all():
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
            fix="give it a value at every step, or read the column with --past, which allows missing values",
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
                fix="give the same value in every row of the series, or read the column with --past or --known",
            )
        out.append(words[0] if len(words) else "")
    return tuple(out)
