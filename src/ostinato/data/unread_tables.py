"""Tables in forms that are not read here, which would pass for text: prints of R, dumps of SQL, long prefaces.

They are refused with the way to a table, because a model of their characters is hardly what is wanted.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from ostinato.data.dialect import DATE, is_number
from ostinato.data.files import as_utf8, contents, is_packed, part_of
from ostinato.errors import DataError
from ostinato.wording import option

#: The beginning of a time series as R prints it.
_PRINTED = re.compile(r"\s*Time Series:\s*\n\s*Start = ")
#: The names of months or quarters above lines that begin with a year: such a series of R in months or quarters.
_MONTHS = re.compile(r"[ \t]*(?:Jan +Feb +Mar +Apr[A-Za-z ]*|Qtr1 +Qtr2 +Qtr3 +Qtr4) *\n(?:1[5-9]|20)\d\d ")
#: What to do about a time series of R, about names in each line, and about XML and HTML.
_WRITE_R = "write it in R by write.csv(data.frame(ds = as.numeric(time(x)), y = as.numeric(x)), row.names = FALSE)"
_AS_TABLE = "write a table as CSV: the names in its first line, and below them a line of values for each time"
_PAGE = "read it with pandas.read_xml or pandas.read_html, and write the table as CSV"
#: A line of SQL that inserts a row, or a row of such a statement.
_INSERT = re.compile(r"(?m)^\s*(?:INSERT\s+INTO\b|\(\s*(?:'[^'\n]*'|[-+.\d]+|NULL)\s*,.*\)\s*[,;]\s*$)", re.IGNORECASE)
#: A vector as R prints it: each line begins with the number of its first value.
_VECTOR = re.compile(r"\s*\[1\]\s+\S+(?:\s+\S+)*\s*(?:\n\s*\[\d+\]\s+\S[^\n]*\s*)*")
#: A line of the line protocol of InfluxDB, and a sample as Prometheus shows it.
_PROTOCOL = re.compile(r"[^\s,#][^\s]* [^\s,=]+=[-+\d.]\S*(?: \d{10,19})?")
_SAMPLE_LINE = re.compile(r"[A-Za-z_:][\w:]*\{[^}]*\} [-+\d.eE]+(?: \d+)?")
#: A row of LibSVM: a target, and the number and the value of each feature that is not 0.
_SPARSE = re.compile(r"[-+]?\d+(?:\.\d+)?(?:\s+(?:qid|\d+):[-+]?[\d.]+(?:[eE][-+]?\d+)?)+(?:\s*#.*)?")
#: Forms of lines that are refused: what the lines hold, and what to do.
_FORMS = (
    (_PROTOCOL, "the line protocol of InfluxDB", "export the result of a query as CSV"),
    (_SPARSE, "numbered values of LibSVM", "read it with sklearn.datasets.load_svmlight_file, and write it as CSV"),
    (_SAMPLE_LINE, "samples of one time, as Prometheus shows them", "ask its API for a range (query_range)"),
)
#: Forms of lines that pass for tables: sentences of GPS receivers, and months of GHCN-Daily, whose columns have widths.
_PASSING = (
    (re.compile(r"\s*(?:[$!][A-Z]{4,6},[^\n]*\*[0-9A-F]{2}\s*){2,}"), "sentences of NMEA, as GPS receivers write them",
     "convert it to CSV, for example with gpsbabel -i nmea -o unicsv"),
    (re.compile(r"(?:[A-Z]{2}[A-Z0-9_-]{9}\d{6}[A-Z0-9]{4}(?:[ -]{0,4}\d{1,5}[ A-Za-z0-9]{3}){5,}\s*\n){2,}"),
     "months of GHCN-Daily, with 31 days in a line",
     "take the CSV of the station (GHCN-Daily by station or from Climate Data Online)"),
    (re.compile(r"100,NEM1[23],"), "records of Australian meters (NEM12 or NEM13)",
     "write one row for each interval as CSV, with the meter, the time and the value"),
)  # fmt: skip
#: The heads of files whose lines of facts begin with @: the word of one of the lines, the form, and what to do.
_AT = (
    ("attribute series_name|frequency|horizon", "series in the form .tsf of Monash",
     "read it with a reader of .tsf such as that of sktime, and write one row for each time, with the columns id, ds "
     "and y, as CSV"),
    ("problemname|classlabel|targetlabel", "series in the form .ts of sktime",
     "read it with sktime.datasets.load_from_tsfile, and write one row for each time, as CSV"),
    ("relation", "a table in the form ARFF of Weka", "read it with scipy.io.arff.loadarff, and write it as CSV"),
)  # fmt: skip
#: A field with a number, as logs, YAML and LibSVM write it, and a number between two tags.
_FIELD = re.compile(r"[\w.]+(?:=|:\s*)\"?[-+]?\d+(?:\.\d+)?\b")
_TAGGED = re.compile(r">\s*[-+]?\d[\d.,]*\s*<")
#: A date, or a clock.
_WHEN = re.compile(rf"{DATE.pattern}|\d{{1,2}}:\d\d(?::\d\d(?:\.\d+)?)?:?")
#: The fewest numbers of one line that are a series.
_IN_LINE = 12
#: The bytes that are looked at in each of three places of a file, and the fewest rows that are a table.
_PART, _ROWS = 50_000, 8
#: The share of the lines that are rows of a table, and the share of these rows that have the same number of cells.
_SHARE, _EQUAL = 1 / 3, 0.8


def refuse_unread_table(path: Path) -> None:
    """Raise DataError if a file that would be read as text holds a table in a form that is not read.

    Args:
        path: The file. Its beginning, its middle and its end are looked at.

    Raises:
        DataError: The file holds such a table, or cannot be read.
    """
    text = _sample(path)
    if _PRINTED.match(text):
        raise _refused(path, "the file holds a time series as R prints it, which is not read", _WRITE_R)
    _refuse_passing(text, str(path))
    _refuse_facts(text, path)
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
    inserts = len(_INSERT.findall(text))
    if inserts > len(lines) / 2 and re.search(r"(?mi)^\s*INSERT\s+INTO\b", text):
        how = f"load it into a database and read that ({option('--query')}), or export the table as CSV"
        raise _refused(path, "the file holds SQL that inserts rows, which is not read", how)
    for pattern, form, how in _FORMS:
        such = sum(pattern.fullmatch(line.strip()) is not None for line in lines)
        if len(lines) >= _ROWS and such >= _EQUAL * len(lines):
            raise _refused(path, f"the file holds {form}, which is not read", how)
    if len(_TAGGED.findall(text)) >= max(_ROWS, len(lines) / 4) and text.lstrip().startswith("<"):
        raise _refused(path, "the file holds numbers between tags, as XML and HTML do, which is not read", _PAGE)
    fields = sum(bool(_FIELD.search(line)) for line in lines)
    if len(lines) >= _ROWS and 2 * fields >= len(lines) and _alike(lines):
        what = "the file repeats the names of its fields in each line, as in level=3, which is not read"
        raise _refused(path, what, _AS_TABLE)
    if len(lines) == 1 and _width(lines[0]) >= _IN_LINE:
        what = "the file holds all its numbers in one line, which is not read"
        raise _refused(path, what, "write each number on a line of its own")
    widths = Counter(width for line in lines if (width := _width(line)))
    rows = widths.total()
    if rows >= max(_ROWS, _SHARE * len(lines)) and max(widths.values()) >= _EQUAL * rows:
        line = next(i for i, line in enumerate(text.split("\n"), 1) if _width(line))
        how = "delete the lines that are not part of the table and write one line of names above it, or save it as CSV"
        raise _refused(path, f"the file holds rows of numbers, from line {line}, in no form of table that is read", how)


def _refuse_passing(text: str, where: str) -> None:
    for form, held, how in _PASSING:
        if form.match(text[:20_000]):
            raise DataError(f"the file holds {held}, which are not read", where=where, fix=how)


def _refuse_facts(text: str, path: Path) -> None:
    """Raise DataError if a file has a head of facts that begin with @, and then a line @data."""
    if re.search(r"(?mi)^@data\s*$", text):
        for word, form, how in _AT:
            if re.search(rf"(?mi)^@(?:{word})\b", text):
                raise _refused(path, f"the file holds {form}, which is not read", how)


def refuse_print(text: str, where: str) -> None:
    """Raise DataError if a text is a vector as R prints it, a page of HTML or the like, which pass for tables."""
    if _VECTOR.fullmatch(text[:100_000].strip()) and "[1]" in text[:20]:
        how = "write it in R by write.csv(data.frame(y = x), row.names = FALSE)"
        raise DataError("the file holds a vector as R prints it, which is not read", where=where, fix=how)
    if _MONTHS.match(text):
        what = "the file holds a time series as R prints it, with a line for each year, which is not read"
        raise DataError(what, where=where, fix=_WRITE_R)
    _refuse_passing(text, where)
    if re.match(r"\s*<(?:!doctype|html|table|\?xml)\b", text[:500], re.IGNORECASE):
        raise DataError("the file is a page of HTML or XML, which is not read", where=where, fix=_PAGE)


def _alike(lines: list[str]) -> bool:
    """Return whether most lines have fields with the names that another line has too."""
    names = Counter(tuple(re.findall(r"([\w.]+)(?:=|:\s)", line)) for line in lines)
    return sum(times for name, times in names.items() if name and times > 1) >= _EQUAL * len(lines)


def _sample(path: Path) -> str:
    """Return the beginning, the middle and the end of a file as one text; all of a short file."""
    whole = path.stat().st_size <= 3 * _PART or is_packed(path)
    raw = as_utf8(contents(path)) if whole else b""
    size = len(raw) if whole else path.stat().st_size
    if whole and size <= 3 * _PART:
        return raw.decode("utf-8-sig", errors="ignore")
    places = (0, size // 2, size - _PART)
    parts = (raw[at : at + _PART] if whole else part_of(path, at, _PART) for at in places)
    return "\n".join(part.decode("utf-8-sig", errors="ignore") for part in parts)


def _refused(path: Path, what: str, how: str) -> DataError:
    return DataError(
        what, where=str(path), fix=f"{how}; to read its characters as text, use {option('--kind', 'text')}"
    )


def _width(line: str) -> int:
    """Return the number of cells of a line if at least half of them, and two, are numbers or dates; 0 for others."""
    cells = [cell for cell in re.split(r"[\s,;|~^\x01\[\]()]+", line[:2_000]) if cell]
    numbers = sum(is_number(cell) for cell in cells)
    figures = numbers + sum(_WHEN.fullmatch(cell) is not None and not is_number(cell) for cell in cells)
    return len(cells) if numbers and figures > 1 and 2 * figures >= len(cells) else 0
