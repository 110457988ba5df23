"""The form of a column of times: how times are written again in the form that they came in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ostinato.shapes import Times


@dataclass(frozen=True)
class TimeForm:
    """The form of a column of times.

    Attributes:
        dtype: The type of the column; None for dates and times that were words in a text file.
        pattern: How words show a time, as in strftime; None for other types.
        zone: The zone of the times; None for times without a zone.
        epoch: The units in a second, for numbers that count from 1970-01-01; 0 for all others.
        scale: The number of internal whole steps in one unit, for steps that are whole or decimal numbers.
        months: The names that a pattern writes for %B, from the first to the twelfth; empty for those of strftime.
    """

    dtype: pl.DataType | None = None
    pattern: str | None = None
    zone: str | None = None
    epoch: int = 0
    scale: int = 1
    months: tuple[str, ...] = ()

    def column(self, times: Times) -> pl.Series:
        """Return times as a column of the form that they came in.

        Args:
            times: The times, (N,): datetime64[us] in UTC if there is a zone, or int64.
        """
        if times.dtype.kind != "M":
            numbers = pl.Series("ds", times.astype(np.int64), dtype=pl.Int64)
            if self.scale > 1:
                numbers = numbers / self.scale
            return numbers.cast(self.dtype) if self.dtype is not None and self.dtype.is_numeric() else numbers
        since = times.astype("datetime64[us]").astype(np.int64)
        if self.epoch and self.dtype is not None and self.dtype.is_float():
            return (pl.Series("ds", since) * (self.epoch / 1e6)).cast(self.dtype)
        if self.epoch:
            whole = since * (self.epoch // 10**6) if self.epoch > 10**6 else since // (10**6 // self.epoch)
            return pl.Series("ds", whole, dtype=pl.Int64).cast(self.dtype or pl.Int64)
        column = pl.Series("ds", since).cast(pl.Datetime("us"))
        if self.zone is not None:
            column = column.dt.replace_time_zone("UTC").dt.convert_time_zone(self.zone)
        if self.dtype is None:
            return column
        if self.dtype == pl.String or self.dtype.is_integer():
            return self._words(column).cast(self.dtype)
        return column.cast(self.dtype)

    def written(self, column: pl.Series) -> pl.Series:
        """Return a column that ``column`` made for a text file: in words of the form that came in, if it was words."""
        return self._words(column) if self.pattern is not None and column.dtype.is_temporal() else column

    def words(self, times: Times) -> list[str]:
        """Return times for a person to read: in their own form, or with the clock if it is not midnight."""
        column = self.column(times)
        if column.dtype.is_temporal():
            if self.pattern is not None:
                column = self._words(column)
            else:
                return [x.isoformat().removesuffix("T00:00:00") for x in column.to_list()]
        return [str(x) for x in column.to_list()]

    def _words(self, column: pl.Series) -> pl.Series:
        pattern = self.pattern or "%Y-%m-%d"
        if not self.months:
            return column.dt.strftime(pattern)
        # the names are put in afterwards, where strftime leaves a mark
        marked = column.dt.strftime(pattern.replace("%B", "\0"))
        names = column.dt.month().replace_strict(range(1, 13), self.months, return_dtype=pl.String)
        put = pl.col("marked").str.replace("\0", pl.col("names"), literal=True)
        return pl.DataFrame({"marked": marked, "names": names}).select(put.alias(column.name)).to_series()


@dataclass(frozen=True)
class Stamps:
    """A column of times as it was read.

    Attributes:
        times: The times, (N,), as datetime64[us] (in UTC if there is a zone) or int64.
        form: The form of the column.
        notes: What was guessed, in words.
        other: The reading with the day in front of the month, if every date could be two.
    """

    times: Times
    form: TimeForm
    notes: tuple[str, ...] = ()
    other: Stamps | None = None

    def copy(self) -> Stamps:
        """Return the same times in arrays of their own."""
        return replace(self, times=self.times.copy(), other=None if self.other is None else self.other.copy())

    def without_pattern(self) -> Stamps:
        """Return the same times, written as 2024-01-31."""
        return replace(self, form=replace(self.form, pattern=None))


def micros(column: pl.Series) -> Times:
    """Return dates or date-times as times (N,), datetime64[us]."""
    return column.cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]")
