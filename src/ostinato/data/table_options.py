"""How a table is read: the roles of its columns that are given, and the form of its numbers and times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ostinato.data.covariates import Columns


@dataclass(frozen=True)
class TimeOptions:
    """How a column of times is read.

    Attributes:
        day_first: Whether 01/02/2024 is the first of February; None chooses the reading with the more regular steps.
        zone: The zone of the times; None takes that of the column.
        calendar: The calendar that is expected, as JSON, if a model has one.
        chosen: Whether the column was named as the one of times; None if that is seen from ``TableOptions``.
    """

    day_first: bool | None = None
    zone: str | None = None
    calendar: dict[str, Any] | None = None
    chosen: bool | None = None


@dataclass(frozen=True)
class TableOptions:
    """How a table is read, where that is given.

    Attributes:
        id_col: The column of ids; its words stay words.
        time_col: The column of times; "none" if the rows are steps in their order.
        target: The columns to model.
        covariates: The columns of covariates.
        clock: How the column of times is read.
        decimal: The decimal sign where the cells leave it open.
        categories: The words of each column of categories of an earlier reading; None to find them.
    """

    id_col: str | None = None
    time_col: str | None = None
    target: list[str] | None = None
    covariates: Columns = Columns()  # noqa: RUF009 - a frozen value
    clock: TimeOptions = TimeOptions()
    decimal: str | None = None
    categories: dict[str, list[str]] | None = None
