"""Numbers in the scripts and customs of many languages: read as Babel writes them, and never as other numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import babel.numbers as written
import numpy as np
import polars as pl
import pytest
from babel import Locale
from rows import Row, rows_of

from ostinato.data.read import read
from ostinato.errors import DataError

X = [1234567.25, -12.5, 0.125, 98765.0, 3.75]
#: Locales whose numbers differ in digits, groups, decimal signs or marks of direction, and their systems of digits.
LOCALES = {
    "latn": ("en_US", "en_IN", "de_DE", "de_CH", "fr_FR", "sv_SE", "pt_BR", "ru_RU", "he_IL", "es_ES", "pl_PL"),
    "arab": ("ar_EG",),
    "arabext": ("fa_IR", "ur_IN"),
    "deva": ("hi_IN", "mr_IN", "ne_NP"),
    "beng": ("bn_BD",),
    "thai": ("th_TH",),
    "mymr": ("my_MM",),
    "tamldec": ("ta_IN",),
    "khmr": ("km_KH",),
}  # fmt: skip


def read_back(words: list[str], expected: list[float], note: str = "") -> str:
    """A column of words has these values."""
    data = read(pl.DataFrame({"y": words}))
    np.testing.assert_allclose(data.values[:, 0], expected, rtol=1e-15)
    assert not note or any(note in one for one in data.notes), data.notes
    return f"right: {words[0]}"


def of_locale(name: str, system: str, kind: str) -> str:
    """Numbers that Babel writes are read back."""
    locale = Locale.parse(name)
    if kind == "percent":
        words = [written.format_percent(x / 100, locale=locale, numbering_system=system, format="#,##0.###\u00a0%")
                 for x in X]  # fmt: skip
        return read_back(words, X, "nothing is divided")
    return read_back([written.format_decimal(x, locale=locale, numbering_system=system) for x in X], X)


def refused(words: list[str], *says: str) -> str:
    """Words that are no plain numbers are an error that names one of them."""
    with pytest.raises(DataError) as caught:
        read(pl.DataFrame({"y": words}))
    for word in says:
        assert word in str(caught.value), str(caught.value)
    return f"refused: {caught.value.what[:60]}"


KINDS: dict[str, dict[str, Callable[[], str]]] = {
    "locales": {
        f"{name}, {system}, {kind}": partial(of_locale, name, system, kind)
        for system, names in LOCALES.items() for name in names for kind in ("number", "percent")
    },
    "signs": {
        "marks of direction": partial(read_back, ["\u200f12.5", "\u200e-3.25", "\u202a4.5\u202c"], [12.5, -3.25, 4.5]),
        "a mark between": partial(read_back, ["12\u200b.5", "\ufeff3.25", "4\u2060.5"], [12.5, 3.25, 4.5]),
        "wide signs": partial(read_back, ["\uff0d12\uff0e5", "\uffe53\uff0e25", "\uff0b4\uff0e5"], [-12.5, 3.25, 4.5]),
        "percent in front": partial(read_back, ["%12.5", "%3", "%50"], [12.5, 3, 50], "'%12.5' is read as 12.5"),
        "a currency before brackets": partial(
            read_back, ["$ (1,234.50)", "$ 5.00", "$(7.25)"], [-1234.5, 5, -7.25], "brackets"),
    },
    "no plain numbers": {
        "superscripts": partial(refused, ["10\u00b2", "2\u00b3", "5"], "'10\u00b2'"),
        "subscripts": partial(refused, ["10\u2082", "2\u2083", "5"], "'10\u2082'"),
        "circles": partial(refused, ["1\u2460", "2\u2461", "3"], "'1\u2460'"),
        "digits in brackets": partial(refused, ["\u2474", "\u2475", "3"], "'\u2474'"),
        "digits with a point": partial(refused, ["\u2488", "\u2489", "3"], "'\u2488'"),
        "halves": partial(refused, ["1\u00bd", "2\u00be", "3"], "'1\u00bd'"),
        "fractions": partial(refused, ["1/2", "3/4", "1"], "'1/2'"),
        "dashes": partial(refused, ["1.5", "-", "2.5"], "'-'", "write 0", "missing"),
        "dashes behind a currency": partial(refused, ["$ 1.5", "$ -", "$ 2.5"], "'$ -'", "write 0"),
    },
}  # fmt: skip
ROWS = rows_of(KINDS, "Babel, or an error")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_scripts(row: Row) -> None:
    assert row.check()
