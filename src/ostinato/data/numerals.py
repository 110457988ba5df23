"""Numbers as people write them: "$1,603.05", "1.603,05", "1 603,05", "12%", "(1,234)" and "5-"."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from ostinato.data.dashes import DASHES, without_dashes
from ostinato.data.flags import FLAGGED, MULTIPLES, are_flags, are_names, note_on_flags, without_flags
from ostinato.data.missing_signs import SIGNS, without_signs
from ostinato.data.number import MISSING, SHEET_ERROR
from ostinato.data.open_points import OPEN, Point, point_of
from ostinato.data.remembered import remembered
from ostinato.data.signs import plain_signs
from ostinato.numbers import counted
from ostinato.wording import option

_CURRENCY = (
    r"(?:US|AU|CA|NZ|MX|HK|NT|SG|[ACRS])\$|CN\u00a5|GH\u20b5|kr\.?|z\u0142|K\u010d|Fr\.?|Rs\.?|Rp|RM|RMB|TL|Ft|\u0440\u0443\u0431\.?"
    r"|CHF|EUR|USD|GBP|JPY|KRW|CNY|INR|SEK|NOK|DKK|PLN|CZK|BRL|AUD|CAD|NZD|HKD|TWD|SGD|MYR|IDR|THB|PHP|VND|TRY|RUB|UAH"
    r"|HUF|RON|BGN|ILS|AED|SAR|EGP|ZAR|NGN|KES|GHS|MXN|COP|ARS|CLP|PEN|\p{Sc}|\uc6d0|\u5186|\u5143"
)
#: The parts of a number: brackets, sign, currency, digits with their separators, exponent, unit, sign, bracket. In
#: accounts the currency may stand before the bracket, and in Turkish and Basque the percent sign before the number.
_SHAPE = (
    rf"^(?P<front>{_CURRENCY})?\s*(?P<open>\()?\s*(?P<first>[-+])?\s*(?P<before>{_CURRENCY}|%)?\s*(?P<second>[-+])?\s*"
    r"(?P<digits>\d[\d.,' ]*|[.,]\d+)(?P<exponent>[eE][-+]?\d+)?\s*"
    rf"(?P<inner>[-+])?\s*(?P<shut>\))?\s*(?P<after>{_CURRENCY}|%|[KkMBT])?\s*(?P<last>[-+])?\s*(?P<close>\))?$"
)
#: The numbers that a letter after the digits stands for.
_LETTERS = {"K": 1e3, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
#: A number, and a unit behind it.
_UNIT = r"^[-+\u2212]?\s*(?:\d[\d.,']*|[.,]\d+)\s*([^\d\p{No}\s.,:;()/+-][^\d]{0,11}\d?)$"
#: The number of different words behind numbers up to which they are units, and not codes such as 12A and 12B.
_FEW_UNITS = 4
#: The number of cells that show whether a column holds numbers.
_SAMPLE = 200


def _grammar(decimal: str, group: str) -> str:
    """Return the pattern of digits with this decimal sign and this sign between groups of three digits."""
    grouped = rf"[1-9]\d{{0,2}}(?:{group}\d{{3}})+|[1-9]\d?(?:{group}\d{{2}})+{group}\d{{3}}"
    others = r"[1-9]\d{0,2}(?: \d{3})+|[1-9]\d{0,2}(?:'\d{3})+"
    return rf"^(?:(?:\d+|{grouped}|{others})(?:{decimal}\d*)?|{decimal}\d+)$"


_GRAMMARS = {".": _grammar(r"\.", ","), ",": _grammar(",", r"\.")}
#: Digits that are a number with either decimal sign, but not the same number.
_OPEN = r"^[1-9]\d{0,2}[.,]\d{3}$"
#: Two numbers with a comma between them, as the weather service of the USA writes +0123,1 for 12.3 of quality 1.
_TWO = r"^0\d{3},\d$"
#: The digits of a number with one sign and an exponent: as no program groups thousands there, it is a decimal sign.
_SCIENTIFIC = {".": r"^\d+\.\d+$", ",": r"^\d+,\d+$"}
#: What is looked for in the words of every column, in one query: the words without those for a missing value, and
#: whether some word may be another sign for one, or a number whose sign may be either.
_WORDS = pl.col("")
_LOOKS = (
    pl.when(_WORDS.is_in(list(MISSING))).then(None).otherwise(_WORDS).alias("seen"),
    (_WORDS.str.starts_with("#") | _WORDS.str.contains(SIGNS) | _WORDS.is_in(list(DASHES))).any().alias("marked"),
    _WORDS.head(_SAMPLE).str.contains(OPEN).any().alias("open"),
)
_OR_MORE = "a plus sign behind some of its cells may mean that much or more"
_PAIR = "zeros in front and a comma may be two numbers: a value, and a code of its quality"


@dataclass(frozen=True)
class Numerals:
    """The numbers that a column of words holds.

    Attributes:
        values: The numbers, (N,), with null for missing values and for cells that are not numbers.
        bad: Whether each cell is neither a number nor missing, (N,).
        decimal: The decimal sign if the cells show one: "." or ","; None if they leave it open.
        reason: Why cells that look like numbers are not read, in words; empty if no cell looks so.
        notes: What was removed from the cells and how they were read, in words.
        open: Whether some cells would be other numbers with the other decimal sign, and nothing decides.
        pairs: The number of cells that may hold two numbers, which are not read, and make no column of words.
    """

    values: pl.Series
    bad: pl.Series
    decimal: str | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()
    open: bool = False
    pairs: int = 0

    @property
    def all(self) -> bool:
        """Whether every cell is a number or missing."""
        return not self.bad.any()

    @property
    def most(self) -> bool:
        """Whether more than half of the cells that are filled are numbers."""
        read = len(self.values) - self.values.null_count()
        return read + self.pairs > int(self.bad.sum()) - self.pairs


def as_numbers(column: pl.Series, decimal: str | None = None, usual: str | None = None) -> Numerals:
    """Read a column of words as numbers, all by one decimal sign.

    Args:
        column: The words, (N,).
        decimal: The decimal sign to use where the cells leave it open, as in "1,234"; None to find it.
        usual: The decimal sign that the other columns show, for the case that decimal is None.

    Returns:
        The numbers.
    """
    return _as_numbers(column, decimal, usual)


@remembered
def _as_numbers(column: pl.Series, decimal: str | None, usual: str | None) -> Numerals:
    words = column.str.strip_chars()
    looks = words.to_frame("").select(_LOOKS)
    seen, errors = looks["seen"].alias(column.name), tuple[str, ...]()
    marked, may_be_open = (bool(looks[name].any()) for name in ("marked", "open"))
    if marked:
        seen, errors = _without_marks(words)
    plain = seen.cast(pl.Float64, strict=False)
    point = point_of(seen.head(_SAMPLE)) if decimal is None and (marked or may_be_open) else Point.AS_READ
    if plain.null_count() == seen.null_count() and point is Point.AS_READ and not (decimal == "," or usual == ","):
        shown = "." if seen.str.contains(".", literal=True).any() else None
        return Numerals(plain, plain.is_null() & seen.is_not_null(), decimal=shown, notes=errors)
    unmarked = _without_flags(seen, plain, decimal, usual)
    if unmarked is not None:
        return replace(unmarked, notes=(*errors, *unmarked.notes))
    head = seen.drop_nulls().head(_SAMPLE)
    if len(head) and 2 * _shaped(_normal(head)) < len(head):
        found = plain if plain.null_count() < len(plain) else pl.Series(column.name, [None] * len(column), pl.Float64)
        return Numerals(found, found.is_null() & seen.is_not_null())
    read = _read(column.name, seen, plain, decimal, usual)
    return replace(read, notes=(*errors, *read.notes))


def _without_marks(words: pl.Series) -> tuple[pl.Series, tuple[str, ...]]:
    """Return words with errors, signs for missing values and dashes as missing, and notes on them."""
    seen, errors = without_errors(words)
    seen, signs = without_signs(seen)
    seen, dashes = without_dashes(seen)
    return seen.set(seen.is_in(list(MISSING)), None), (*errors, *signs, *dashes)


def _without_flags(seen: pl.Series, plain: pl.Series, decimal: str | None, usual: str | None) -> Numerals | None:
    """Return the numbers of a column in which some have a flag behind them, such as "12.3 p"; None for others."""
    odd = pl.col("plain").is_null() & pl.col("seen").str.contains(FLAGGED)
    if not pl.DataFrame({"seen": seen, "plain": plain}).select(odd.any()).item() or are_names(seen):
        return None
    bare, flags = without_flags(seen)
    if seen.filter(plain.is_null()).str.contains(MULTIPLES).any():
        return None  # beside 1.2K and 3.4M, 12b is no 12
    read = as_numbers(bare, decimal, usual)
    if not are_flags(read.values, flags):
        return None
    return replace(read, notes=(note_on_flags(seen, read.values, flags), *read.notes))


def without_errors(words: pl.Series) -> tuple[pl.Series, tuple[str, ...]]:
    """Return words with the errors of a spreadsheet, such as #DIV/0!, as missing, and a note on them if there are any.

    Args:
        words: The words, (N,), without blanks at their ends.
    """
    if not words.str.starts_with("#").any():
        return words, ()
    wrong = words.str.contains(SHEET_ERROR).fill_null(value=False)
    if not wrong.any():
        return words, ()
    cells, first = counted(int(wrong.sum()), "cell"), words[int(wrong.arg_max() or 0)]
    held = f"{cells} with an error of a spreadsheet, such as {first!r}, {'is' if wrong.sum() == 1 else 'are'} missing"
    return words.set(wrong, None), (held,)


def unit_of(words: pl.Series) -> str | None:
    """Return the unit that most cells of a column have behind their number, such as "kg"; None if there is none."""
    seen = words.drop_nulls()
    units = seen.str.strip_chars().str.extract(_UNIT).drop_nulls()
    if not len(units) or 2 * len(units) < len(seen):
        return None
    kinds = units.str.strip_chars().value_counts(sort=True)[units.name].to_list()
    return str(kinds[0]) if len(kinds) <= _FEW_UNITS else None


def _normal(words: pl.Series) -> pl.Series:
    """Return words with plain digits, spaces, apostrophes and minus signs."""
    plain = plain_signs(words)
    return words if plain is words else plain.str.replace_all("[\u2019\u02bc\u00b4]", "'")


def _shaped(words: pl.Series) -> int:
    """Return the number of words that have the shape of a number with a decimal point or comma."""
    digits = pl.col("").str.extract_groups(_SHAPE).struct.field("digits").str.strip_chars()
    return int(words.to_frame("").select(digits.str.contains("|".join(_GRAMMARS.values())).sum()).item())


def _read(  # noqa: PLR0914 - each part of a number has a name
    name: str, seen: pl.Series, plain: pl.Series, decimal: str | None, usual: str | None
) -> Numerals:
    parts = _normal(seen).str.extract_groups(_SHAPE).struct.unnest()
    # a sign or a bracket at the end stands before or behind the unit
    twice = (parts["inner"].is_not_null() & parts["last"].is_not_null()) | (
        parts["shut"].is_not_null() & parts["close"].is_not_null()
    )
    parts = parts.with_columns(
        pl.col("digits").str.strip_chars(), pl.coalesce("last", "inner"), pl.coalesce("close", "shut")
    )
    digits = parts["digits"]
    dot, comma = _fitting(digits, parts["exponent"].is_not_null())
    only_dot, only_comma = int((dot & ~comma).sum()), int((comma & ~dot).sum())
    found = None if only_dot == only_comma == 0 else "." if only_dot >= only_comma else ","
    point = point_of(digits) if found is None and decimal is None else Point.AS_READ
    if point is Point.THOUSANDS:
        found = "," if digits.str.contains(".", literal=True).any() else "."
    sign = found or decimal or usual or "."
    two = digits.str.contains(_TWO).fill_null(value=False) & (sign == ",")
    fits = (dot if sign == "." else comma) & ~two
    reasons = [_PAIR] if two.any() else []
    signs = sum(parts[c].is_not_null().cast(pl.Int8) for c in ("first", "second", "last", "open"))
    ok = fits & ~twice & (signs <= 1) & (parts["open"].is_null() == parts["close"].is_null())
    # 85+ means 85 or more, unless other signs stand behind the numbers too
    ok &= ~(more := _or_more(parts["last"], seen))
    reasons += [_OR_MORE] if more.any() else []
    symbols = parts.select(pl.coalesce("front", "before", "after")).to_series()
    symbols = symbols.set(symbols.is_in(list(_LETTERS)), None)
    kinds = symbols.filter(ok).drop_nulls().value_counts(sort=True)[symbols.name].to_list()
    if len(kinds) > 1:
        ok &= symbols.is_null() | (symbols == kinds[0])
        reasons.append(f"its cells have several units: {', '.join(kinds[:3])}")
    if kinds and kinds[0] == "%":
        ok &= (symbols == "%").fill_null(value=False)
        reasons.append("some of its cells have a percent sign and others have none")
    letters = parts["after"].set(~parts["after"].is_in(list(_LETTERS)).fill_null(value=True), None)
    if letters.count() and not digits.filter(letters.is_not_null()).str.contains(r"[.,]").any():
        ok &= letters.is_null()  # 3M may be three months
    if only_dot and only_comma:
        reasons.append("in some of its cells the decimal sign is a point, and in others a comma")
    digits = digits.str.replace_all(r"[,' ]" if sign == "." else r"[.' ]", "").str.replace(",", ".", literal=True)
    minus = (parts["first"] == "-") | (parts["second"] == "-") | (parts["last"] == "-") | parts["open"].is_not_null()
    size = (digits + parts["exponent"].fill_null("")).cast(pl.Float64, strict=False)
    size = size * letters.replace_strict(_LETTERS, default=1.0, return_dtype=pl.Float64).fill_null(1.0)
    values = pl.select(pl.when(minus.fill_null(value=False)).then(-size).otherwise(size)).to_series()
    # a cell without a separator that a program wrote, such as "inf" or "1e5", is a number too
    other = ~ok & plain.is_not_null() & ~seen.str.contains(r"[_]").fill_null(value=False) & digits.is_null()
    values = pl.select(pl.when(ok).then(values).when(other).then(plain)).to_series().alias(name)
    bad = values.is_null() & seen.is_not_null()
    looks = bool((bad & digits.is_not_null()).any())
    notes = _notes(seen.filter(ok), parts.filter(ok), values.filter(ok), kinds, letters.filter(ok))
    open_cells = ok & digits.is_not_null() & parts["digits"].str.contains(_OPEN).fill_null(value=False)
    undecided = found is None and decimal is None  # neither the cells nor the caller say which sign it is
    if (
        undecided
        and open_cells.any()
        and not (plain.null_count() == seen.null_count() and sign == "." and point not in (Point.DOUBTFUL, Point.ZEROS))
    ):
        at = int(open_cells.arg_max() or 0)
        other_sign = "comma" if sign == "." else "point"
        notes = (
            *notes,
            f"the decimal sign is open, so {seen[at]!r} is read as {values[at]:,.15g} "
            f"(use {option('--decimal')} if the decimal sign is a {other_sign})",
        )
    left_open = undecided and bool(open_cells.any())
    return Numerals(values, bad, found, "; ".join(reasons) if looks else "", notes, left_open, int(two.sum()))


def _fitting(digits: pl.Series, power: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return which digits may have a decimal point, and which a decimal comma, (N,) each.

    Args:
        digits: The digits of each number with their signs, (N,).
        power: Whether the number has an exponent, (N,).
    """
    dot, comma = (digits.str.contains(g).fill_null(value=False) for g in _GRAMMARS.values())
    by_dot, by_comma = (power & digits.str.contains(g).fill_null(value=False) for g in _SCIENTIFIC.values())
    return dot & ~by_comma, comma & ~by_dot


def _or_more(last: pl.Series, seen: pl.Series) -> pl.Series:
    """Return which numbers have a plus sign behind them that may mean that much or more, (N,).

    It is the sign of the number if a minus sign stands there too, or if all numbers have it.

    Args:
        last: The sign behind each number, (N,).
        seen: The cells, (N,), null where one is empty.
    """
    plus = (last == "+").fill_null(value=False)
    signs = (last == "-").any() or (plus | seen.is_null()).all()
    return plus & (not signs)


def _notes(
    seen: pl.Series, parts: pl.DataFrame, values: pl.Series, kinds: list[str], letters: pl.Series
) -> tuple[str, ...]:
    """Return what was removed from the cells that were read, in words."""
    notes = []
    if kinds and kinds[0] == "%":
        example = _example(seen, values, parts["after"].eq("%") | parts["before"].eq_missing("%"))
        notes.append(f"percent signs are removed and nothing is divided: {example}")
    elif kinds:
        has = (
            parts["front"].is_not_null()
            | parts["before"].is_not_null()
            | (parts["after"].is_not_null() & letters.is_null())
        )
        notes.append(f"the currency {kinds[0]} is removed: {_example(seen, values, has)}")
    grouped = parts["digits"].str.contains(r"\d[,.' ]\d{3}(?:\D|$)")
    for what, where in (
        ("thousands are separated", grouped & _far(parts["digits"], values)),
        ("brackets are read as a minus sign", parts["open"].is_not_null()),
        ("the minus sign follows the number", parts["last"] == "-"),
        ("letters stand for thousands (K), millions (M) and more", letters.is_not_null()),
        ("the decimal sign is a comma", parts["digits"].str.contains(r",") & ~_far(parts["digits"], values)),
    ):
        mask = where.fill_null(value=False)
        if mask.any():
            notes.append(f"{what}: {_example(seen, values, mask)}")
    return tuple(notes)


def _far(digits: pl.Series, values: pl.Series) -> pl.Series:
    """Return whether the first separator of digits separates groups: the number has more digits before its point."""
    before = digits.str.extract(r"^(\d*)").str.len_chars()
    return (values.abs() >= 10.0 ** before.cast(pl.Float64)).fill_null(value=False)


def _example(seen: pl.Series, values: pl.Series, mask: pl.Series) -> str:
    at = int(mask.fill_null(value=False).arg_max() or 0)
    return f"{seen[at]!r} is read as {values[at]:.15g}"
