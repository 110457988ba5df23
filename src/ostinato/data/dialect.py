"""The dialect of a text table: its separator, quotes, decimal sign and header, and the line of each record."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ostinato.data.first_row import among_values
from ostinato.errors import DataError
from ostinato.wording import option

#: A date, or a date and a time of day, as a cell holds it.
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([ T].*)?")
#: A number with signs between its thousands.
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:([ '.,\u00a0\u2009\u202f\u2019])\d{3})(?:\1\d{3})*(?:[.,]\d+)?")
#: The number of characters from which the form of the lines is seen.
_SEEN = 100_000
#: The largest number of a minute; those of a month, a day and an hour are smaller.
_MINUTE = 59
#: A line of digits, a comma and digits: one number with decimals, or two whole numbers.
_PAIR = re.compile(r"\s*[-+]?\d+,\d+\s*")
#: A comma that is no decimal sign.
_BETWEEN_WORDS = re.compile(r"(?m)(?:^|\D),|,(?:\D|$)")
#: The number of decimals beyond which a program writes all digits of a float.
_FLOAT_DIGITS = 12
#: A quoted cell of a tab-separated file as a program writes it. A quote that begins any other cell is plain text.
_QUOTED = re.compile(r'(?m)(?:^|(?<=\t))"(?:[^"]|"")*"(?=\t|\r?$)')
#: The note on a first row that holds values and words.
_FIRST_IS_DATA = (
    "the first row is read as values, because it does not name the columns (add a row of names to name them)"
)


@dataclass(frozen=True)
class Dialect:
    """The way in which a table is written as text.

    Attributes:
        separator: The sign between two cells.
        quoted: Whether cells may be in double quotes.
        comma: Whether the decimal sign is a comma.
        header: Whether the first row holds the names of the columns.
        skipped: The number of blank lines before the table.
        note: How a first row of whole numbers is read, in words; empty for all other first rows.
    """

    separator: str
    quoted: bool = True
    comma: bool = False
    header: bool = True
    skipped: int = 0
    note: str = ""

    def records(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """Yield the line (from 1) and the cells of every record; a blank line is a record without cells."""
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a cell may be long: a page of words
        lines = io.StringIO(text, newline="")
        reader = csv.reader(
            lines, delimiter=self.separator, quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        )
        line = 1 + self.skipped
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1 + self.skipped


def sniff(text: str, where: str, skipped: int = 0, decimal: str | None = None) -> Dialect:
    """Find the dialect of a table.

    Args:
        text: The table.
        where: The name of the file, for an error.
        skipped: The number of blank lines before the table.
        decimal: The decimal sign, if given, of lines such as "12,5", which may be one decimal or two whole numbers.

    Returns:
        The dialect.

    Raises:
        DataError: A double quote is never closed.
    """
    head = "\n".join(text[:100_000].split("\n")[:50])
    separator = separator_of(head)
    pairs = _pairs(text) if separator == "," else None
    if pairs is not None and (pairs.header or pairs.decimals or decimal == ","):
        # no line has a semicolon, so each line is one cell
        return Dialect(";", comma=True, header=pairs.header, skipped=skipped)
    if pairs is not None and pairs.padded and decimal is None:
        what = f"lines such as {pairs.padded!r} may hold one number with decimals, or two whole numbers"
        fix = (
            f"use {option('--decimal', ',')} for one number, {option('--decimal', '.')} for two, or write a line of "
            "names above them"
        )
        raise DataError(what, where=where, fix=fix)
    # in 5" pipe, a quote is an inch
    quoted = re.search(rf'(?m)(?:^|{re.escape(separator)})\s*"', text) is not None
    quoted = quoted and (separator != "\t" or not re.search(r'(?m)(^|\t)"', _QUOTED.sub("", text)))
    if quoted and text.count('"') % 2 and re.search(rf'(?m)(^|{re.escape(separator)})"', text):
        opened = _unclosed(text, separator) + skipped
        fix = "close the quote, or remove it"
        raise DataError("a double quote is never closed", where=f"{where}, line {opened}", fix=fix)
    edge = re.escape(separator)
    digits = r"(?:\d+,(?:\d{1,2}|\d{4,})|0,\d+)"  # 1,234 may be more than a thousand
    comma = separator in ";\t" and bool(re.search(rf'(?m)(?:^|{edge})\s*"?-?{digits}"?\s*(?:{edge}|$)', head))
    whole = len(head) == len(text)  # and no row is cut
    rows = [[c.strip() for c in cells] for _, cells in Dialect(separator, quoted).records(head)]
    cells = [c.replace(",", ".") if comma else c for c in rows[0]]
    data = any(cells) and all(is_number(c) or DATE.fullmatch(c) or _GROUPED.fullmatch(c) for c in cells if c)
    if not data and among_values(cells, rows[1:] if whole else rows[1:-1]):
        return Dialect(separator, quoted, comma, header=False, skipped=skipped, note=_FIRST_IS_DATA)
    names, note = _numbers_as_names(rows[0], rows[1:] if whole else rows[1:-1]) if data else (True, "")
    if pairs is not None and not names and decimal is None:
        line = ",".join(rows[0])
        note = (
            f"lines such as {line!r} are read as two numbers (use {option('--decimal')} if the comma is a decimal sign)"
        )
    return Dialect(separator, quoted, comma, names, skipped, note)


class _Pairs(NamedTuple):
    """Lines of digits, one comma and digits, such as 12,5.

    Attributes:
        header: Whether the first line is a single name, so that each other line is one number.
        decimals: Whether each line can only be one number. Either a line begins with -0, or all have equally many
            digits behind the comma, which begin with 0 in one line and exceed 59 in another: no months and no minutes.
        padded: The first line such as 12,05, which may also be a year and a month, or a clock; empty without one.
    """

    header: bool
    decimals: bool
    padded: str


def _pairs(text: str) -> _Pairs | None:
    """Return what lines such as 12,5 may be; None if some of the first lines, apart from a name above, are no such."""
    part = text if len(text) <= _SEEN else text[: text.rfind("\n", 0, _SEEN)]
    lines = [line for line in part.split("\n") if line.strip()]
    name = bool(lines) and not re.search(r"[\d,;\t]", lines[0])
    rest = lines[name:]
    if len(rest) < 2 or not all(map(_PAIR.fullmatch, rest)):
        return None
    padded = next((line.strip() for line in rest if re.search(r",0\d", line)), "")
    ends = [line.partition(",")[2].strip() for line in rest]
    beyond = bool(padded) and len(set(map(len, ends))) == 1 and max(map(int, ends)) > _MINUTE
    return _Pairs(name, beyond or any(line.lstrip().startswith("-0,") for line in rest), padded)


def _numbers_as_names(first: list[str], rows: list[list[str]]) -> tuple[bool, str]:
    """Return whether a first row of whole numbers holds the names of columns, and a note if it may hold them.

    pandas names the columns of an array 0, 1, 2 and so on, and leaves the name of its row labels empty. Years are
    names too. Such a row is names if its first cell alone is empty, or if the cells below it have decimals or are of
    another size.
    """
    labels = int(len(first) > 1 and not first[0])
    numbers = [int(c) for c in first[labels:] if re.fullmatch(r"0|[1-9]\d{0,5}", c)]
    years = bool(numbers) and 1800 <= numbers[0] <= 2100
    if not numbers or numbers != list(range(numbers[0], numbers[0] + len(first) - labels)):
        return False, ""
    rows = [cells for cells in rows if len(cells) == len(first)]
    if not rows or not (numbers[0] == 0 or years):
        return False, ""
    columns = [[cells[d] for cells in rows if cells[d]] for d in range(labels, len(first))]
    if labels:
        names = all(cells[0] for cells in rows)
    elif years:
        names = not any(re.fullmatch(r"(1[89]|20)\d\d(\.0*)?", c) for column in columns for c in column)
    else:
        decimals = not any(re.fullmatch(r"[-+]?\d+", c) for column in columns for c in column)
        names = (decimals and not (len(first) == 1 and _goes_on(columns[0]))) or (
            len(numbers) > 2 and [str(n + len(numbers)) for n in numbers] != rows[0]
        )
    shown = ", ".join(first[labels:][:3]) + (" ..." if len(numbers) > 3 else "")
    if not names and len(numbers) == 1 and all(re.fullmatch(r"[-+]?\d+", c) for c in columns[0]):
        return False, ""
    return names, f"the first row, {shown}, is read as {'the names of the columns' if names else 'values'}"


def _goes_on(cells: list[str]) -> bool:
    """Return whether a 0 above decimals is their first value, and not the name of a column.

    Most programs write the value as the others: 0.00, or 0.0 among 3.0 and among all digits of a float. It is a value
    where they drop zeros at the end, and where it is as near to the next value as the values are to each other.
    """
    digits = [len(c.partition(".")[2]) for c in cells]
    if len(set(digits)) == 1 or any(c.endswith(".0") for c in cells) or max(digits) > _FLOAT_DIGITS:
        return False
    x = [float(c) for c in cells if is_number(c)]
    return len(x) > 1 and abs(x[0]) <= max(abs(b - a) for a, b in pairwise(x))


def is_number(cell: str) -> bool:
    """Return whether a cell holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # 01234_00060 is a name, and a number in Python


def separator_of(head: str) -> str:
    """Return the sign that cuts all lines, or else most lines, into the same number of cells.

    Among signs that cut as many lines, it is the one that makes the most cells. If no sign does so, it is the most
    common sign in the first line. A comma that stands between digits alone is a decimal sign where a semicolon or a tab
    cuts most lines, of which some may stand above the table.
    """
    shares, most = dict[str, float](), dict[str, int]()
    for separator in "\t;,|":
        widths = Counter(len(cells) for _, cells in Dialect(separator).records(head) if cells)
        decimal = separator == "," and max(shares.values()) > 0.5 and not _BETWEEN_WORDS.search(head)
        if len(widths) == 1 and set(widths) != {1} and not decimal:
            return separator
        most[separator] = max((width for width, n in widths.items() if 2 * n > widths.total()), default=0)
        cut = 0 if decimal else max((n for width, n in widths.items() if width > 1), default=0)
        shares[separator] = cut / max(widths.total(), 1)
    best = max(",;\t|", key=lambda sign: (shares[sign], most[sign]))
    first = head.split("\n", 1)[0]
    return best if shares[best] > 0.5 else max(",;\t|", key=first.count)


def _unclosed(text: str, separator: str) -> int:
    """Return the line where the quoted cell without an end begins."""
    starts = re.compile(rf'(?m)(?:^|{re.escape(separator)})"')
    at = 0
    while match := starts.search(text, at):
        stop = re.compile(r'(?:[^"]|"")*"').match(text, match.end())
        if stop is None:
            break
        at = stop.end()
    return text.count("\n", 0, match.end() if match else len(text)) + 1
