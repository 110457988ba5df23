"""The lines around a table in a text file: titles and comments above it, several lines of names, and lines below it."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass

from ostinato.data.another_table import refuse_another_table
from ostinato.data.dialect import DATE, Dialect, is_number, separator_of
from ostinato.data.number import MISSING
from ostinato.data.preambles import without_preamble

#: The words that name a row of sums or means over the other rows.
TOTAL = re.compile(
    r"(?i)\s*(?:grand[ -]?|sub[ -]?)?(?:total|totals|sum|sums|average|mean|overall)(?:\s*[:=])?\s*"
    r"|\s*(?:summe|gesamt|gesamtsumme|gesamtergebnis|durchschnitt|somme|totale|suma|totaal|итого|всего)(?:\s*:)?\s*"
    r"|\s*(?:total g[ée]n[ée]ral|total geral|totale complessivo|eindtotaal|общий итог|toplam|genel toplam)(?:\s*:)?\s*"
    r"|\s*(?:합계|총계|총합|총합계|소계|누계|평균|합|계|合計|总计|合计|總計|平均)(?:\s*:)?\s*"
)
#: The width and the type of a column, which the offices of water of the USA write below its name: 5s, 15s, 20d, 14n.
_WIDTH = re.compile(r"\d+[sdn]")
#: A line that divides a table from the notes below it, as the office of statistics of Germany writes it.
_RULE = re.compile(r"[-_=*]{3,}")
#: The number of lines at each end of a file that are looked at.
_HEAD, _TAIL = 50, 12
#: Signs of a missing or an infinite value, in lower case. A line that begins with one is a row, and no fact.
_NO_NAMES = {word.lower() for word in MISSING} | {"-", "inf", "-inf", "infinity", ":", ".."}
#: The fewest lines of words that are facts: above a line of names, about one series, and about several, where pandas
#: writes a line for each level of its names; and the fewest rows that show a table below them.
_FACTS, _ROWS = (3, 4, 6), 4


@dataclass(frozen=True)
class Margins:
    """The lines of a table without the lines around it.

    Attributes:
        text: The lines of the table, with one line of names.
        skipped: The number of lines before these.
        notes: What was left out, in words.
    """

    text: str
    skipped: int
    notes: tuple[str, ...] = ()


def without_margins(text: str, skipped: int = 0) -> Margins:
    """Set aside the lines above and below a table that are not part of it.

    Args:
        text: The text of the file.
        skipped: The number of lines before the text.

    Returns:
        The table.

    Raises:
        DataError: The lines above the table hold another table.
    """
    text, skipped, said = without_preamble(text, skipped)
    head = "\n".join(text[:100_000].split("\n", _HEAD)[:_HEAD])
    separator = separator_of(head)
    try:
        records = list(Dialect(separator).records(head))
    except csv.Error:
        return Margins(text, skipped, said)
    widths = Counter(len(cells) for _, cells in records if len(cells) > 1)
    if not widths:
        return Margins(text, skipped, said)
    # among widths that are equally frequent, the lines of the table are the longest
    width = max(widths, key=lambda one: (widths[one], one))
    notes = list(said)
    first = _first(records, width)
    if first:
        line = records[first][0]
        refuse_another_table(records[:first], records[first], skipped, _are_names)
        title = " | ".join(" ".join(c for c in cells if c.strip()) for _, cells in records[:first] if any(cells))
        notes.append(f"left out above the table: {_lines(1 + skipped, line - 1 + skipped)} ({title[:80]})")
        text, skipped = _after(text, line - 1), skipped + line - 1
    rows = [cells for _, cells in records[first:]]
    rows, text, skipped = _without_facts(rows, text, skipped, width, notes)
    rows, text = _with_corner(rows, text, separator, notes)
    text, skipped = _one_header(rows, *_without_units(rows, text, skipped, width, notes), width, separator, notes)
    return Margins(_without_footer(text, skipped, width, separator, notes), skipped, tuple(notes))


def _first(records: list[tuple[int, list[str]]], width: int) -> int:
    """Return the number of the record that holds the names of the columns, or the first row if there are no names."""
    for i, (_, cells) in enumerate(records[:20]):
        filled = [c for c in cells if c.strip()]
        later = [cells for _, cells in records[i + 1 :] if any(cells)]
        corner = [] if cells and cells[0].strip() else [""]
        named = _are_names(cells) or _end_in_years([*corner, *filled])
        if len(cells) == width and named and len(filled) > 1 and (i == 0 or _holds_data(later, width)):
            return i if all(_is_title(c, width) for _, c in records[:i]) else 0
        if not _is_title(cells, width):
            return _below_another(records, width)
    return 0


def _below_another(records: list[tuple[int, list[str]]], width: int) -> int:
    """Return the number of the record that holds the names below another table, of other widths; 0 if there is none.

    So are the facts about a place above the weather there, which have names and values of their own.
    """
    for i, (_, cells) in enumerate(records[:20]):
        if len(cells) == width:
            later = [below for _, below in records[i + 1 :] if any(below)]
            another = any(not _are_names(above) for _, above in records[:i])
            named = another and _are_names(cells) and all(c.strip() for c in cells)
            return i if named and _holds_data(later, width) else 0
    return 0


def _is_title(cells: list[str], width: int) -> bool:
    filled = [c for c in cells if c.strip()]
    if not filled or filled[0].lstrip().startswith("#"):
        return True
    short = len(cells) < width or (len(filled) == 1 and bool(cells[0].strip()))
    return short and _are_names(cells[:1])


def _are_names(cells: list[str]) -> bool:
    """Return whether no cell is a number or a date."""
    return not any(is_number(c.strip().replace(",", ".")) or DATE.fullmatch(c.strip()) for c in cells if c.strip())


def _end_in_years(cells: list[str]) -> bool:
    """Return whether words and then at least three years that follow one another may be names, as in wide tables."""
    at = next((i for i, cell in enumerate(cells) if re.fullmatch(r"(?:1[89]|20)\d\d", cell.strip())), 0)
    years = [int(cell) for cell in cells[at:] if re.fullmatch(r"\s*\d{4}\s*", cell)]
    return (
        at > 0
        and len(years) == len(cells) - at > 2
        and years == list(range(years[0], years[0] + len(years)))
        and _are_names(cells[:at])
    )


def _holds_data(later: list[list[str]], width: int) -> bool:
    return any(len(cells) == width and not _are_names(cells) for cells in later[:5])


def _one_header(
    records: list[list[str]], text: str, skipped: int, width: int, separator: str, notes: list[str]
) -> tuple[str, int]:
    """Join the lines of names that pandas writes for columns of several levels, or a sheet with merged cells above."""
    rows = [cells for cells in records[:6] if any(cells)]
    below = next((r for r, cells in enumerate(rows) if r and not any(c.strip() for c in cells[1:])), None)
    merged = len(rows) > 2 and _are_merged(rows[0], rows[1], width, named=below == 2)
    if merged:
        rows[0] = _spread(rows[0], rows[1])
    levels, index = rows[: below or 0], rows[below][0].strip() if below else ""
    if below is None and len(rows) > 2 and len(set(rows[0][1:])) < width - 1 and _are_names(rows[1]):
        levels, index = rows[:2], rows[0][0].strip() or rows[1][0].strip()
    used = len(levels) + (below is not None)
    named = levels[1:] if merged else levels  # a merged cell may hold a year
    if not levels or any(len(c) != width for c in levels):
        return text, skipped
    full = levels[:1] if merged else levels
    if not all(x.strip() for c in full for x in c[1:]):
        return text, skipped
    if not all(map(_are_names, named)):
        return text, skipped
    if any(not any(cells) for cells in records[:used]):
        return text, skipped
    if used >= len(rows) or _are_names(rows[used]) or len(rows[used]) != width:
        return text, skipped
    kept = [level for level in levels if len(set(level[1:])) > 1] or levels[:1]
    names = [" ".join(level[c].strip() for level in kept).strip() for c in range(1, width)]
    dropped = [f"{level[0].strip()} {level[1].strip()}".strip() for level in levels if level not in kept]
    notes.append(
        f"{_lines(1 + skipped, used + skipped)} are read as the names of the columns"
        + (f", without {', '.join(dropped)}, which is the same for all" if dropped else "")
    )
    header = separator.join('"' + name.replace('"', '""') + '"' for name in (index, *names))
    return header + "\n" + _after(text, used), skipped + used - 1


def _are_merged(first: list[str], second: list[str], width: int, *, named: bool) -> bool:
    """Return whether cells of a first line stand over several names of a second line.

    A column may have a name in the first line alone, as one of totals has. One of the two lines leaves its first
    cell empty.

    Args:
        first: The cells of the first line.
        second: The cells of the second line.
        width: The number of columns.
        named: Whether a third line holds the name of the first column alone, so that both first cells may be filled.
    """
    if len(first) != width or len(second) != width:
        return False
    filled = [c for c in first[1:] if c.strip()]
    alone = [bool(a.strip()) and not b.strip() for a, b in zip(first[1:], second[1:], strict=True)]
    return (
        1 < len(filled) < width - 1
        and bool(first[1].strip())
        and 2 * sum(alone) < len(filled) + sum(alone)
        and all(b.strip() or only for b, only in zip(second[1:], alone, strict=True))
        and (named or not (first[0].strip() and second[0].strip()))
    )


def _spread(first: list[str], second: list[str]) -> list[str]:
    """Return a first line with each empty cell above a name filled like the one before it."""
    out = first[:2]
    for cell, name in zip(first[2:], second[2:], strict=True):
        out.append(cell if cell.strip() or not name.strip() else out[-1])
    return out


def _without_facts(
    records: list[list[str]], text: str, skipped: int, width: int, notes: list[str]
) -> tuple[list[list[str]], str, int]:
    """Set aside what offices of statistics say of a series between its name and its rows, such as its unit.

    These are at least three lines that begin with a word, above rows that all begin with a number or a date. The last
    of the lines holds the names if it is filled and a blank line is above it; if not, the first does.
    """
    begins = [bool(re.match(r"\s*[-+\u2212(]?[.,]?\d", cells[0])) if any(cells) else None for cells in records]
    start = begins.index(True) if True in begins else 0
    words = [r for r in range(start) if begins[r] is False]
    if len(words) < _FACTS[0] or False in begins[start:] or begins[start:].count(True) < _ROWS:
        return records, text, skipped
    if any(len(records[r]) != width for r in words) or any("\n" in c for cells in records[:start] for c in cells):
        return records, text, skipped
    last = words[-1]
    own = begins[last - 1] is None and all(c.strip() for c in records[last]) and _are_names(records[last])
    if not _are_facts([[c.strip() for c in records[r]] for r in words[1:]], apart=own):
        return records, text, skipped
    # levels of names fill every column, and facts leave the columns of flags empty
    bare = any(not any(records[r][c].strip() for r in words[1:]) for c in range(1, width))
    if not own and len(words) < (_FACTS[1] if width == 2 or bare else _FACTS[2]):
        return records, text, skipped
    names, aside = (last, range(last)) if own else (0, range(1, start))
    said = " | ".join(" ".join(c for c in records[r] if c.strip()) for r in aside if any(records[r]))
    notes.append(f"left out above the rows: {_lines(aside[0] + 1 + skipped, aside[-1] + 1 + skipped)} ({said[:80]})")
    header = _after(text, names)
    header = header[: header.index("\n") + 1]
    return [records[names], *records[start:]], header + _after(text, start), skipped + start - 1


def _are_facts(lines: list[list[str]], *, apart: bool) -> bool:
    """Return whether lines that begin with a word may be facts about a series, and are no rows of the table.

    Each fact has a name of its own, and rows may repeat an id or begin with a sign for a missing value. Most rows have
    a number behind the word, and most facts have none.

    Args:
        lines: The cells of the lines.
        apart: Whether a blank line divides the lines from the names of the columns. Then facts may have numbers.
    """
    # a title may stand behind an empty cell, as in the files of the Bundesbank
    titles = [cells for cells in lines if not cells[0] and any(cells) and _are_names(cells)]
    names = [cells[0] for cells in lines if cells not in titles]
    if len(titles) > 1 or len(set(names)) < len(names) or any(name.lower() in _NO_NAMES for name in names):
        return False
    numbers = sum(any(is_number(c.replace(",", ".")) for c in cells[1:]) for cells in lines)
    return apart or 2 * numbers < len(lines)


def _with_corner(records: list[list[str]], text: str, separator: str, notes: list[str]) -> tuple[list[list[str]], str]:
    """Name the labels of the rows that R writes without a name: all rows then have one cell more than the names."""
    names, *rows = records[:_HEAD]
    rows = [cells for cells in rows[:-1] if cells]  # the last record may be cut
    if len(rows) < _ROWS or not _are_names(names) or not all(c.strip() for c in names):
        return records, text
    if {len(cells) for cells in rows} != {len(names) + 1} or not re.match(rf'[^\n]*\n"1"{re.escape(separator)}', text):
        return records, text  # without quotes, a decimal comma makes a cell more too
    if [cells[0] for cells in rows] != [str(row) for row in range(1, len(rows) + 1)]:
        return records, text
    notes.append(f"the first cells of the rows, {rows[0][0]}, {rows[1][0]} ..., are read as their labels")
    return [["", *names], *records[1:]], separator + text


def _without_units(records: list[list[str]], text: str, skipped: int, width: int, notes: list[str]) -> tuple[str, int]:
    """Set aside a line of units below the names: words above numbers or dates in each column that it fills."""
    rows = [cells for cells in records[:7] if any(cells)]
    if len(rows) < 4 or any(len(cells) != width for cells in rows) or records[:2] != rows[:2]:
        return text, skipped
    named = [c for c in rows[0] if c.strip()]
    apart = len(set(named)) == len(named) > 1 and all(
        a.strip() or not b.strip() for a, b in zip(*rows[:2], strict=True)
    )
    if not (apart or len(set(rows[0])) == width) or any("\n" in cell for cell in (*rows[0], *rows[1])):
        return text, skipped
    names, units, *data = rows
    filled = [c for c in range(width) if units[c].strip()]
    words = [units[c].strip() for c in filled]
    if not filled or not _are_names(names) or not _are_names(units) or any(word in MISSING for word in words):
        return text, skipped
    below = [[cell for row in data if (cell := row[c].strip()) and cell not in _NO_NAMES] for c in filled]
    widths = len(words) == width and all(_WIDTH.fullmatch(word) for word in words)
    numbers = [2 * sum(not _are_names([cell]) for cell in cells) > len(cells) for cells in below if cells]
    if not widths and not (numbers and all(numbers)):
        return text, skipped
    notes.append(
        f"{_lines(2 + skipped, 2 + skipped)} below the names of the columns is left out ({', '.join(words)[:80]})"
    )
    end = _after(text, 1)
    del records[1]
    return text[: len(text) - len(end)] + _after(text, 2), skipped + 1


def _without_footer(text: str, skipped: int, width: int, separator: str, notes: list[str]) -> str:
    """Remove empty rows, comments and sums that have fewer cells than a row from the end of a text."""
    kept = text
    removed: list[str] = []
    while len(removed) < _TAIL and "\n" in kept:
        body, _, line = kept.rpartition("\n")
        if not _is_footer(line, width, separator):
            break
        removed.append(line)
        kept = body
    words = [line.strip() for line in reversed(removed) if line.strip(f'{separator} \t"')]
    if not words:
        return kept
    end = text.count("\n") + 1 + skipped
    start = end - len(removed) + 1
    notes.append(f"left out below the table: {_lines(start, end)} ({' | '.join(words)[:80]})")
    return kept


def _is_footer(line: str, width: int, separator: str) -> bool:
    if line.count('"') % 2:
        return False
    cells = [c.strip() for c in next(csv.reader([line], delimiter=separator), [])]
    filled = [c for c in cells if c]
    if filled and filled[0].startswith("#") and len(cells) == width and not _are_names(cells[1:]):
        return False  # orders are called #1001
    if not filled or filled[0].startswith("#"):
        return bool(cells) or not line.strip()
    if TOTAL.fullmatch(filled[0]):
        return len(cells) < width
    words = filled[0]
    if len(filled) > 1 or not _are_names([words]):
        return False
    # a sheet fills every row up to its width, and there the first cell may be an id with a missing value
    form = r"\w.*[\s:]|^[*†(]" if len(cells) < width else r"\w:\s|^[*†©]"
    return bool(_RULE.fullmatch(words) or (re.search(form, words) and cells[0]))


def _after(text: str, lines: int) -> str:
    """Return a text without its first lines."""
    at = 0
    for _ in range(lines):
        at = text.index("\n", at) + 1
    return text[at:]


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"
