"""How a result looks in a Python session: a few lines of text, and in a notebook a small page without scripts."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

#: The rows of a table that are shown.
ROWS = 10
#: The columns of the text in a session, which are those that polars gives a table.
WIDTH = 100


class Shown(ABC):
    """A result that says in a few lines what it holds, however large it is.

    A result with arrays is equal to itself alone, because arrays have no one answer to whether they are equal.
    """

    @abstractmethod
    def look(self) -> tuple[list[str], pl.DataFrame | None]:
        """Return the facts about the result, one in each line, and its table; None without a table."""

    def __repr__(self) -> str:
        lines, table = self.look()
        facts = [f"{type(self).__name__}: {lines[0]}", *(f"  {line}" for line in lines[1:])]
        rows = [] if table is None else str(table.head(ROWS)).splitlines()
        return "\n".join([*map(_wrapped, facts), *(f"  {row}" for row in rows)])

    def _repr_html_(self) -> str:
        """Return the look in a notebook."""
        lines, table = self.look()
        name, *rest = [f"<strong>{escape(type(self).__name__)}</strong>: {escape(lines[0])}", *map(escape, lines[1:])]
        page = f"<div><p>{'<br>'.join([name, *rest])}</p>"
        if table is not None:
            hidden = table.height - ROWS
            page += _table(table.head(ROWS)) + (f"<p>and {hidden:,} more rows</p>" if hidden > 0 else "")
        return page + "</div>"


def _wrapped(fact: str) -> str:
    """Return a fact in lines of WIDTH columns; a longer word, such as a path, stays in one piece."""
    return textwrap.fill(fact, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _table(table: pl.DataFrame) -> str:
    """Return a table as HTML, with numbers to six significant digits."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(_cell(x))}</td>' for x in row)}</tr>" for row in table.iter_rows())
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
