"""How a table is written down: its separator, quotes, decimal sign and header, and the line of each record."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ostinato.errors import DataError

_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([ T].*)?")
#: Quoted cells of a tab-separated file, as a program writes them; a quote that begins any other cell is a mere sign.
_QUOTED = re.compile(r'(?m)(?:^|(?<=\t))"(?:[^"]|"")*"(?=\t|\r?$)')


@dataclass(frozen=True)
class Dialect:
    """separator; quoted: cells may be in double quotes; comma: 1,5 is one and a half; header: the first row names.

    skipped: blank lines before the text.
    """

    separator: str
    quoted: bool = True
    comma: bool = False
    header: bool = True
    skipped: int = 0

    def records(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """(line, as an editor counts them; cells) of every record, blank lines as records of no cells."""
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a cell may be long: a page of words
        lines = io.StringIO(text, newline="")
        reader = csv.reader(
            lines, delimiter=self.separator, quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        )
        line = 1 + self.skipped
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1 + self.skipped


def sniff(text: str, where: str, skipped: int = 0) -> Dialect:
    """The dialect of a table. Raises DataError for a quote that is opened and never closed."""
    head = "\n".join(text[:100_000].split("\n")[:50])
    separator = _separator(head)
    quoted = '"' in text and (separator != "\t" or not re.search(r'(?m)(^|\t)"', _QUOTED.sub("", text)))
    if quoted and text.count('"') % 2 and re.search(rf'(?m)(^|{re.escape(separator)})"', text):
        opened = _unclosed(text, separator) + skipped
        raise DataError("a quote is opened and never closed", where=f"{where}, line {opened}", fix="mend the quotes")
    edge = re.escape(separator)
    comma = separator in ";\t" and bool(re.search(rf'(?m)(?:^|{edge})\s*"?-?\d+,\d+"?\s*(?:{edge}|$)', head))
    _, first = next(Dialect(separator, quoted).records(head))
    cells = [c.strip().replace(",", ".") if comma else c.strip() for c in first]
    data = any(cells) and all(is_number(c) or _DATE.fullmatch(c) for c in cells if c)
    return Dialect(separator, quoted, comma, not data, skipped)


def is_number(cell: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _separator(head: str) -> str:
    """The one that cuts all lines into the same number of cells; else the commonest in the first line."""
    for separator in "\t;,|":
        widths = {len(cells) for _, cells in Dialect(separator).records(head) if cells}
        if len(widths) == 1 and widths != {1}:
            return separator
    first = head.split("\n", 1)[0]
    return max(",;\t|", key=first.count)


def _unclosed(text: str, separator: str) -> int:
    """The line where the last quoted cell begins that does not end."""
    starts = re.compile(rf'(?m)(?:^|{re.escape(separator)})"')
    at = 0
    while match := starts.search(text, at):
        stop = re.compile(r'(?:[^"]|"")*"').match(text, match.end())
        if stop is None:
            break
        at = stop.end()
    return text.count("\n", 0, match.end() if match else len(text)) + 1
