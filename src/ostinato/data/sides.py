"""Columns that hold the sign of amounts in words, such as debit and credit: without them every amount is above 0.

DATEV writes S and H for the German Soll and Haben, banks write D and C or DR and CR, and others the words or the signs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from ostinato.data.numerals import as_numbers
from ostinato.errors import DataError
from ostinato.wording import option

#: Words that are sides of an account in a column of any name.
_WORDS = tuple(
    set(pair.split())
    for pair in (
        "soll haben", "debit credit", "dr cr", "dr. cr.", "+ -", "차변 대변", "借 貸", "借 贷", "af bij",
        "debet credit", "dare avere", "расход приход",
        "débit crédit", "débito crédito", "debito credito", "cargo abono", "debe haber", "дебет кредит",
        "deposit withdrawal", "income expense", "einnahme ausgabe", "einzahlung auszahlung", "dépense recette",
        "entrata uscita", "entrada saída", "ingreso gasto", "입금 출금", "수입 지출", "入金 出金", "収入 支出",
        "收入 支出",
    )
)  # fmt: skip
#: Letters that are sides only in a column whose name says so, and what such a name has.
_LETTERS = ({"s", "h"}, {"d", "c"})
_SAID = re.compile(r"soll|haben|debit|credit|\bs/h\b|\bd/c\b|\bdr\b|sign|side|kennz", re.IGNORECASE)


def refuse_sides(frame: pl.DataFrame, aside: Sequence[str], numbers: Sequence[str], where: str) -> None:
    """Raise DataError if a column of words holds the sign of amounts that are all above 0.

    Args:
        frame: The table.
        aside: The columns that hold no numbers and would be left out.
        numbers: The columns of numbers that would be read.
        where: The name of the table, for the error.
    """
    for name in aside:
        if frame[name].dtype != pl.String:
            continue
        kinds = frame[name].drop_nulls().unique().sort()
        words = {word.strip().lower() for word in kinds.to_list()} if len(kinds) == 2 else set()
        if words not in _WORDS and (words not in _LETTERS or not _SAID.search(name)):
            continue
        if all(_above_zero(frame[c]) for c in numbers):
            raise DataError(
                f"column {name!r} says on which side of an account an amount is, {kinds[0]} or {kinds[1]}, and no "
                "amount is below 0",
                where=where,
                fix="write the amounts of one side with a minus sign. If the sides do not matter, choose the column of "
                f"amounts with {option('--target')}",
            )


def _above_zero(column: pl.Series) -> bool:
    values = as_numbers(column).values if column.dtype == pl.String else column
    return bool((values.drop_nulls().cast(pl.Float64, strict=False) >= 0).all())
