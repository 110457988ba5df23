"""What short columns of words hold, remembered for a moment: reading one table asks for it up to five times.

Each question is dozens of queries to polars, which take longer than the work on a few hundred cells.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

import polars as pl

#: The most cells of a column that is remembered, and the number of columns.
_CELLS, _COLUMNS = 1000, 64

_Function = TypeVar("_Function", bound=Callable[..., Any])


def remembered(function: _Function) -> _Function:
    """Return a function of a column that looks up its result if the column is short, of words, and was given before.

    Args:
        function: It depends on its arguments alone, which have no names in a call. Nobody changes what it returns.
    """

    @lru_cache(_COLUMNS)
    def known(name: str, cells: tuple[str | None, ...], *options: Any) -> Any:
        return function(pl.Series(name, cells, dtype=pl.String), *options)

    @wraps(function)
    def look_up(column: pl.Series, *options: Any) -> Any:
        if column.dtype != pl.String or len(column) > _CELLS:
            return function(column, *options)
        return known(column.name, tuple(column.to_list()), *options)

    return cast("_Function", look_up)
