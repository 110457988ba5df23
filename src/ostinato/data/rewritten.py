"""Columns of times that are read by other words: what the words are, and what their reading says of the column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from ostinato.data.time_form import Stamps


@dataclass(frozen=True)
class Rewritten:
    """A column in words of the usual forms.

    Attributes:
        words: The words, (N,).
        applied: The times of the column from those of the words; None if they show that the column means others.
    """

    words: pl.Series
    applied: Callable[[Stamps], Stamps | None]


def with_pattern(found: Stamps, column: pl.Series, *patterns: str) -> Stamps:
    """Return times that are written by the first pattern that writes the whole column again, or else as they are.

    Args:
        found: The times, (N,).
        column: The words that they were read from, (N,).
        patterns: The patterns, as in strftime.
    """
    words = column.str.strip_chars()
    for pattern in patterns:
        if found.form.zone is None and "%Z" in pattern:
            continue
        form = replace(found.form, pattern=pattern)
        if bool((replace(form, dtype=pl.String()).column(found.times) == words).all()):
            return replace(found, form=form)
    return found
