"""Covariates: what is known beside the values, of the past, of the steps ahead, and of a sequence as a whole."""

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
    """The columns of a table that hold covariates, by what is known of them.

    known  also of the steps ahead, as a holiday is;  past  up to the present;  static  one word for a whole sequence
    """

    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every name."""
        return (*self.known, *self.past, *self.static)


@dataclass(frozen=True)
class Covariates:
    """The covariates of B sequences of N steps in all.

    known   (N, C), without gaps;  ahead  of each sequence the (F, C) of the F steps after its end, as far as known
    past    (N, P), NaN where missing
    static  of each sequence its S words
    """

    columns: Columns
    known: Array
    past: Array
    static: tuple[tuple[str, ...], ...]
    ahead: tuple[Array, ...]

    def of(self, spans: Sequence[tuple[int, int]], rows: Sequence[int], offsets: NDArray[np.int64]) -> Covariates:
        """Those of the steps in spans, of these sequences. What a sequence is cut by goes on to be known ahead."""
        index = np.concatenate([np.arange(a, z) for a, z in spans]) if spans else np.zeros(0, dtype=np.int64)
        ahead = [
            np.concatenate([self.known[z : offsets[b + 1]], self.ahead[b]])
            for (_, z), b in zip(spans, rows, strict=True)
        ]
        static = tuple(self.static[b] for b in rows)
        return Covariates(self.columns, self.known[index], self.past[index], static, tuple(ahead))

    def update(self, sha: Any) -> None:
        """Add them to a digest."""
        sha.update(repr((self.columns, self.static)).encode())
        for part in (self.known, self.past, *self.ahead):
            sha.update(part.tobytes())


def numbers(frame: pl.DataFrame, names: Sequence[str], origin: Origin) -> Array:
    """(N, C): columns of numbers, or of true and false, yes and no. Raises DataError for another word."""
    columns = [checks.numbers(_truth(frame[name]), origin) for name in names]
    return np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))


def _truth(column: pl.Series) -> pl.Series:
    """A column of true and false in words as 1 and 0."""
    if column.dtype != pl.String:
        return column
    words = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
    lower = column.str.to_lowercase()
    if not lower.drop_nulls().is_in(list(words)).all():
        return column
    return lower.replace_strict(words, return_dtype=pl.Float64)


def check_known(x: Array, rows: NDArray[np.int64], names: Sequence[str], series: str, origin: Origin) -> None:
    """Raise DataError where x (T, C) misses a value."""
    bad = np.argwhere(np.isnan(x))
    if len(bad):
        t, c = bad[0]
        raise DataError(
            f"the known covariate {names[c]!r} is missing",
            where=origin.at(int(rows[t]), series),
            fix="give it a value at every step, or name it with --past, which may have gaps",
        )


def words_of(
    frame: pl.DataFrame, rows: NDArray[np.int64], names: Sequence[str], series: str, origin: Origin
) -> tuple[str, ...]:
    """The static words of one series. Raises DataError where one changes or is missing."""
    out = []
    for name in names:
        words = frame[name].cast(pl.String)[rows]
        other = (words != words[0]).fill_null(value=True) if words[0] is not None else words.is_null()
        if len(words) and other.any():
            at = int(other.arg_max() or 0)
            found = "missing" if words[at] is None else f"{words[at]!r} here and {words[0]!r} before"
            raise DataError(
                f"the static category {name!r} is {found}",
                where=origin.at(int(rows[at]), series),
                fix="give a series one category throughout, or name the column with --past or --known",
            )
        out.append(words[0] if len(words) else "")
    return tuple(out)
