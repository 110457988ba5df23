"""Tables whose columns are separated by blanks, as in R and scientific programs, or by drawn lines, as in SAP.

A text is read as such a table only if all of its rows have the same number of cells. A cell that is left blank would
move the ones after it, so a table with such cells is not read here, and the search for its separator refuses it.
"""

from __future__ import annotations

import csv
import io
import re
from itertools import pairwise

from ostinato.data.dialect import DATE, is_number
from ostinato.numbers import counted

#: A line that is drawn between rows, as in Markdown, SQL clients and lists of SAP.
_RULE = re.compile(r"[-+=|: \u2500-\u257f]*[-=\u2500]{2}[-+=|: \u2500-\u257f]*")
#: A sign behind the last number of some rows, as SILSO marks provisional ones.
_FLAG = re.compile(r"[*\u2020\u2021]{1,3}")
#: The line that psql draws below the names.
_CROSSED = re.compile(r"-+(?:\+-+)+")
#: The lines from which the form of a table is seen.
_HEAD = 50
#: A number with or without a decimal comma.
_COMMA = re.compile(r"[-+]?\d+(?:,\d+)?(?:[eE][-+]?\d+)?")
#: A number whose thousands are apart by blanks.
_GROUPED = re.compile(r"\s*[-+]?\d{1,3}(?: \d{3})+(?:[.,]\d+)?\s*")


def with_tabs(text: str) -> tuple[str, str] | None:
    """Return a table for the eye with tabs between its cells, and how it was drawn, in words; None for any other text.

    Args:
        text: The text of the file. The table has as many lines: those that hold no cells are blank.
    """
    head = [line for line in text[:100_000].split("\n")[:_HEAD] if line.strip() and not line.lstrip().startswith("#")]
    if len(head) < 2:
        return None
    if any(line.lstrip().startswith("|") for line in head) or _CROSSED.fullmatch(head[1].strip()):
        found, how = _between_lines(text.split("\n")), "drawn lines"
    elif " " not in head[1].strip() or (
        any(sign in line for line in head[:2] for sign in "\t,;|") and not _has_decimal_commas(head)
    ):
        return None
    else:
        found, how = _between_blanks(text.split("\n")), "blanks"
    if found is None:
        return None
    rows, said = found
    return "\n".join(map(_joined, rows)), f"the table has {how} between its columns{said}"


def _without_flag(rows: list[list[str]]) -> tuple[list[list[str]], str]:
    """Return rows without the sign at the ends of those that have a cell more, and a note on it in words."""
    width = max(map(len, rows))
    flagged = [row for row in rows if len(row) == width]
    if len(flagged) == sum(len(row) > 1 for row in rows) or not all(_FLAG.fullmatch(row[-1]) for row in flagged):
        return rows, ""
    said = f"; the sign {flagged[0][-1]} at the ends of {counted(len(flagged), 'row')} is left out"
    return [row[:-1] if len(row) == width else row for row in rows], said


def _has_decimal_commas(head: list[str]) -> bool:
    """Return whether lines, perhaps below names, hold dates and numbers with decimal commas between blanks."""
    rows = head[1:] if not any(map(_COMMA.fullmatch, head[0].split())) and "," not in head[0] else head
    cells = [line.split() for line in rows]
    return all(len(row) > 1 and all(_COMMA.fullmatch(c) or DATE.fullmatch(c) for c in row) for row in cells)


def _between_lines(lines: list[str]) -> tuple[list[list[str]], str] | None:
    """Return the cells of rows that begin and end with "|", or have it between their cells alone, as psql writes them.

    Other lines are rows of one cell. Those above names that occur again are the heads of pages, as in lists of SAP, and
    are left blank, with a note in words.
    """
    rows: list[list[str]] = []
    open_ends = not any(line.lstrip().startswith("|") for line in lines[:_HEAD])
    for line in lines:
        bare = line.strip()
        whole = bare.startswith("|") and bare.endswith("|") and len(bare) > 1
        inner = bare[1:-1] if whole else line if open_ends and "|" in bare else None
        cells = [bare] if inner is None else [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", inner)]
        rows.append([] if not bare or _RULE.fullmatch(bare) else cells)
    wide = [i for i, row in enumerate(rows) if len(row) > 1]
    if len(wide) < 2 or len({len(rows[i]) for i in wide}) > 1:
        return None
    again = [(a + 1, b) for a, b in pairwise(wide) if rows[b] == rows[wide[0]] and any(rows[a + 1 : b])]
    heads = [" ".join(cell for row in rows[start:stop] for cell in row) for start, stop in [(0, wide[0]), *again]]
    first, *others = (re.sub(r"\d+", "", text) for text in heads)
    # the heads of pages differ in numbers alone, and the first page may have none; other headings are of several tables
    alike = all(first.endswith(text) for text in others) if first else all(re.search(r"\d", t) for t in heads[1:])
    if len(set(others)) > 1 or not alike:
        return None
    shown = heads[-1]
    for start, stop in again:
        rows[start:stop] = [[]] * (stop - start)
    pages = counted(len(again), "head of a page", "heads of pages")
    return rows, f"; {pages} above names that occur again left out ({shown[:60]})" if again else ""


def _between_blanks(lines: list[str]) -> tuple[list[list[str]], str] | None:
    """Return the cells of rows that are apart by blanks, with or without the names of the rows that R writes.

    What is left out is said in words.
    """
    first = next(i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#"))
    try:
        rows = [next(csv.reader([line.strip()], delimiter=" ", skipinitialspace=True), []) for line in lines[first:]]
    except csv.Error:
        return None
    rows, said = _without_flag(rows)
    names, *data = [row for row in rows if row]
    width = len(data[0])
    if width < 2 or {len(row) for row in data} != {width} or len(names) not in (width, width - 1):
        return None
    # words that happen to stand in rows of one length are a text
    numbers = sum(all(_is_data(row[c]) for row in data) for c in range(width))
    if 2 * numbers < width or any(_GROUPED.fullmatch(line) for line in lines[first + 1 :]):
        return None
    if width == 2 and all(DATE.fullmatch(row[0]) and ":" in row[1] for row in data):
        return None  # one column of times
    if len(names) < width:
        if any(map(_is_data, names)):
            return None
        names.insert(0, "")
    return [*([line] for line in lines[:first]), *rows], said


def _is_data(cell: str) -> bool:
    return is_number(cell.replace(",", ".")) or DATE.fullmatch(cell) is not None


def _joined(cells: list[str]) -> str:
    if not any('"' in c or "\t" in c for c in cells):
        return "\t".join(cells)
    line = io.StringIO()
    csv.writer(line, delimiter="\t", lineterminator="").writerow(cells)
    return line.getvalue()
