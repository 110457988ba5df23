"""Columns of whole numbers that name things and measure nothing: account numbers, postcodes, EAN, numbers of invoices.

A mean or a forecast of such numbers says nothing. The name of a column tells most of them, and a check digit tells
those of goods. What content alone makes likely is only noted, because a measured value may look the same.
"""

from __future__ import annotations

import re

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.numerals import as_numbers
from ostinato.wording import option

#: Words that end the name of a column of codes, and words that are such a name alone or at its end.
_ENDS = (
    r"id|uuid|guid|codes?|c[oó]digo|codice|kode|kod|kodu|key|"
    r"numer|numarası|номер|код|"
    r"plz|zip|postcode|ean|ean1[34]|gtin|upc|isbn|issn|sku|barcode|iban|bic|blz|cusip|isin|cik|siren|siret|imei|fips|geoid|"
    r"wban|usaf|naics|ssn|npi|cnpj|cpf|regon|окато|октмо|инн|кпп|"
    r"gegenkonto|sachkonto|sollkonto|habenkonto|"
    r"qn(?:\s\d+)?|(?:quality|qc)\sflags?|qualit[aä]e?ts\s?niveau"
)
#: Things that have a number, in English; "number" alone may count them, as in the number of sunspots.
_THINGS = (
    "account|acct|invoice|order|customer|cust|client|item|article|part|serial|phone|telephone|mobile|fax|tax|vat|card|"
    "check|cheque|document|doc|receipt|ticket|reference|ref|batch|lot|policy|contract|employee|staff|personnel|vehicle|"
    "plate|house|room|flight|train|transaction|trans|txn|voucher|station|meter|device|sensor|store|shop|branch|product|"
    "material|vendor|supplier|job|project|claim|member|patient|student|registration|licen[cs]e|identification|id|posting"
)
#: The same in languages that count with another word, or whose word for one thing shows that it is not counted.
_NUMBERED = (
    r"(?:num[eé]ro|n[úu]mero|nro|num)\s(?:d[aeio]l?\s)?(?:la\s|l\s)?(?:cuenta|factura|cliente|pedido|serie|série|"
    r"tel[eé]fono|documento|conto|fattura|ordine|telefono|conta|fatura|nota|telefone|compte|client|facture|commande|"
    r"t[eé]l[eé]phone)"
)
_CODE = re.compile(
    rf"(?:^|.*\s)(?:{_ENDS})|.*(?:\w\wnummer|\w\wnr|\w\wcode|leitzahl|referenz|schlüssel|schluessel)"
    rf"|(?:.*\s)?(?:{_THINGS})\s(?:number|num|no|nbr|nr)|(?:.*\s)?(?:nr|nummer)"
    rf"|(?:.*\s)?{_NUMBERED}|(?:c[oó]digo|codice|kod|код|номер|numer)\s.+|.+\s(?:reference|r[eé]f[eé]rence|referencia)"
    r"|code\s(?:postal|insee|client|produit|article|pays|commune|station|banque|barre|d[eé]partement|site|service)"
    r"|.*(?:번호|코드|番号|番號|コード|编号|編號|号码|號碼|代码|代碼|编码|邮编)"
)
#: Names in which the word does not end a code: lines of code, numbers of things.
_NO_CODE = re.compile(r".*\bof codes?|(?:no of|number of|anzahl|count)\s.*")
#: Names of codes that are also names of amounts, with the least number that each such code has.
_LARGE = {
    **dict.fromkeys(("station", "site"), 10**4),
    **dict.fromkeys(("account", "acct", "konto", "cuenta", "conto", "conta", "compte"), 100),
    **dict.fromkeys(("phone", "telephone", "telefon", "telefono", "teléfono", "téléphone", "telefone", "전화"), 10**6),
}
#: The lengths of the numbers of goods (GS1), and the different ones whose check digits fit by no chance.
_GOODS, _SURE = (8, 12, 13, 14), 5
#: The least of numbers that measured values seldom repeat exactly, and the fewest different ones that show it.
_SELDOM, _KINDS = 10**5, 4
#: The number from which a float holds not every whole number.
_EXACT = 2.0**53
#: How many times as wide as their number of different ones codes lie apart.
_WIDE = 100


def says_code(name: str) -> bool:
    """Return whether whole numbers in a column of this name are codes, as in ``customerId`` and ``PLZ``."""
    return bool(_CODE.fullmatch(words := _words(name))) and not _NO_CODE.fullmatch(words)


def are_codes(column: pl.Series) -> bool:
    """Return whether a column holds codes, by its name and its whole numbers, or by the check digits of goods.

    Args:
        column: The numbers, (N,), or words that are numbers.
    """
    values = _whole(column)
    if values is None:
        return False
    least = _LARGE.get(_words(column.name))
    if says_code(column.name) or (least is not None and values.min() >= least):
        return True
    return _are_goods(values)


def seem_codes(column: pl.Series) -> str | None:
    """Return a note if large whole numbers come again and again in no order, as codes do and measured values do not.

    Args:
        column: The numbers, (N,).
    """
    values = _whole(column)
    if values is None or values.min() < _SELDOM:
        return None
    kinds, runs = len(np.unique(values)), 1 + int((np.diff(values) != 0).sum())
    if int(values.max()) - int(values.min()) < _WIDE * kinds:
        return None  # measured values that are near to each other repeat by chance
    if kinds < _KINDS or 2 * kinds > len(values) or 3 * kinds > 2 * runs:
        return None
    if 2 * int((values % 10 == 0).sum()) > len(values):
        return None  # rounded amounts come again too
    return (
        f"column {column.name!r} may hold codes, because large numbers such as {values[0]} come again and again (if "
        f"they measure nothing, use {option('--target')} to choose other columns)"
    )


def padded(cells: pl.Series) -> str | None:
    """Return a note on whole numbers with zeros in front, such as postcodes, that are read without them.

    Args:
        cells: The cells, (N,), as they are written.
    """
    seen = cells.drop_nulls().str.strip_chars().str.strip_chars('"')
    wide = seen.str.len_chars().unique().to_list()
    if len(wide) != 1 or wide[0] < 3 or not seen.str.contains(r"^[0-9]+$").all():
        return None
    zeros = seen.filter(seen.str.contains(r"^0+[1-9]"))
    if not len(zeros):
        return None
    return (
        f"zeros in front are dropped: {zeros[0]!r} is read as {int(zeros[0])} (if the cells are codes, use "
        f"{option('--target')} to choose other columns)"
    )


def _words(name: str) -> str:
    """Return the words of a name in lower case with a blank between them, without what is in brackets at its end."""
    bare = re.sub(r"\s*[(\[][^)\]]*[)\]]\s*$", "", name.strip())
    bare = re.sub(r"(?i)\bn[°ºo]\.?(?=\s+\w)|№", " номер ", bare) if re.search("[°º№]", bare) else bare
    bare = re.sub(r"(?<=\w)\s*#$", " id", bare)
    bare = re.sub(r"(?<=[a-zà-ÿ])(?=[A-Z])", " ", bare)
    return " ".join(re.findall(r"\w+", bare.replace("_", " "))).lower()


def _whole(column: pl.Series) -> NDArray[np.int64] | None:
    """Return the numbers of a column that has no others than whole ones from 0 up; None for any other column."""
    if column.dtype == pl.String:
        column = as_numbers(column).values
    if not column.dtype.is_numeric():
        return None
    wide = "128" in str(column.dtype)  # NumPy has no such type
    x = (column.cast(pl.Float64) if wide else column).to_numpy()
    if x.dtype.kind == "f":
        x = x[~np.isnan(x)]
        if (x != np.rint(x)).any() or (x >= _EXACT).any():
            return None
    # a table may have very many columns, and NumPy takes less time for a short one than Polars
    return x.astype(np.int64) if len(x) and x.dtype.kind in "fiu" and bool((x >= 0).all()) else None


def _are_goods(values: NDArray[np.int64]) -> bool:
    """Return whether the last digit of each number is the check digit of GS1, as in EAN, GTIN and UPC."""
    if values.max() < 10 ** (_GOODS[0] - 1):
        return False
    kinds = np.unique(values)
    digits = len(str(kinds[0]))
    if len(kinds) < _SURE or digits not in _GOODS or kinds[-1] >= 10**digits:
        return False
    parts = [kinds // 10**place % 10 * (3 if place % 2 else 1) for place in range(digits)]
    return bool((np.sum(parts, axis=0) % 10 == 0).all())
