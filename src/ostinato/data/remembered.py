"""What short columns of words hold, remembered for a moment: reading one table asks for it up to five times.

Each question is dozens of queries to polars, which take longer than the work on a few hundred cells.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

import polars as pl

#: The most cells of a column that is remembered, and the number of columns.
_CELLS, _COLUMNS = 1000, 64

_Options = ParamSpec("_Options")
_Result = TypeVar("_Result")


def remembered(
    function: Callable[Concatenate[pl.Series, _Options], _Result],
) -> Callable[Concatenate[pl.Series, _Options], _Result]:
    """Return a function of a column that looks up its result if the column is short, of words, and was given before.

    Args:
        function: It depends on its arguments alone, and nobody changes what it returns.
    """

    @lru_cache(_COLUMNS)
    def known(name: str, cells: tuple[str | None, ...], *args: _Options.args, **options: _Options.kwargs) -> _Result:
        return function(pl.Series(name, cells, dtype=pl.String), *args, **options)

    @wraps(function)
    def look_up(column: pl.Series, *args: _Options.args, **options: _Options.kwargs) -> _Result:
        if column.dtype != pl.String or len(column) > _CELLS:
            return function(column, *args, **options)
        return known(column.name, tuple(column.to_list()), *args, **options)

    return look_up
