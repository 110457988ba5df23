"""Lines above a table that say themselves what they are: comments, and the heads of files of loggers."""

from __future__ import annotations

import csv
import re

from ostinato.data import datev, labview
from ostinato.data.dialect import DATE, Dialect, is_number, separator_of

#: The first cell of a file of a Campbell logger. Lines 2 to 4 hold the names, the units and how each value was made.
_TOA5 = ('"TOA5",', "TOA5,")
#: How such a logger writes a missing value: a word in quotes among numbers.
_NAN = re.compile(r'(?m)(^|,)"NAN"(?=,|$)')
#: An annotation of InfluxDB.
_ANNOTATION = re.compile(r"(?m)^#(?:group|datatype|default),.*$")
#: The number of lines in which the end of the comments is looked for.
_MOST = 500


def is_logger_file(text: str) -> bool:
    """Return whether a text begins as the file of a Campbell logger, of LabVIEW or of DATEV does."""
    return text.startswith((*_TOA5, labview.MARK)) or datev.is_datev(text)


def without_preamble(text: str, skipped: int) -> tuple[str, int, tuple[str, ...]]:
    """Set aside the comments above a table, or what surrounds the names in the head of a logger's file.

    Args:
        text: The text of the file.
        skipped: The number of lines before the text.

    Returns:
        The text, the number of lines before its rows, and notes.
    """
    if datev.is_datev(text):
        return datev.without_head(text, skipped)
    lines = text[:1_000_000].split("\n", _MOST)
    if (found := labview.without_head(text, lines, skipped)) is not None:
        return found
    if text.startswith(_TOA5) and len(lines) > 4:
        _, names, units, made = lines[:4]
        rest = text[sum(len(line) + 1 for line in lines[:4]) :]
        shown = " | ".join(line.replace('"', "")[:60] for line in (units, made))
        note = (
            f"the file is of a Campbell logger (TOA5): line {2 + skipped} holds the names, and lines {1 + skipped}, "
            f"{3 + skipped} and {4 + skipped} are left out ({shown})"
        )
        return names + "\n" + _NAN.sub(r"\1", rest), skipped + 3, (note,)
    count = _comments(lines)
    if not count:
        return text, skipped, ()
    words = " | ".join(line.strip().lstrip("# ") for line in lines[:count] if line.strip("# \t"))
    places = f"line {1 + skipped}" if count == 1 else f"lines {1 + skipped} to {count + skipped}"
    rest = text[sum(len(line) + 1 for line in lines[:count]) :]
    if any(line.startswith("#datatype,") for line in lines[:count]):
        rest = _ANNOTATION.sub("", rest)  # InfluxDB writes them above each of its tables; the lines stay, and are blank
    return rest, skipped + count, (f"comments above the table are left out: {places} ({words[:80]})",)


def _comments(lines: list[str]) -> int:
    """Return the number of comments and blank lines above a table.

    The last comment is not a comment where it holds the names of the columns: a row of data follows it.
    """
    count = next((i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), 0)
    if not count or count >= _MOST:
        return 0
    separator = separator_of("\n".join(lines[count : count + 20]))
    try:
        # blank lines may stand between the names and the first row
        above = next(i for i in range(count - 1, -1, -1) if lines[i].strip() or not i)
        cells = [found for _, found in Dialect(separator).records("\n".join((lines[above], lines[count])))]
    except csv.Error:
        return 0
    named, first = cells[0], cells[-1]
    if any(is_number(c.strip().replace(",", ".")) or DATE.fullmatch(c.strip()) for c in first if c.strip()):
        return above if len(named) == len(first) else count
    # a column may be called #
    return 0 if named and named[0].strip() == "#" and len(named) == len(first) else count
