"""Files of LabVIEW (.lvm): two heads, a line of names, and one row for each sample.

With several X columns each channel has times of its own. They are read if all are the same.

Source: "Specification for the LabVIEW Measurement File (.lvm)", NI.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ostinato.errors import DataError

#: The first words of such a file, the line that ends each of its heads, and the name of a column of times.
MARK, _HEAD_ENDS, _X = "LabVIEW Measurement", "***End_of_Header***", "X_Value"


def without_head(text: str, lines: Sequence[str], skipped: int) -> tuple[str, int, tuple[str, ...]] | None:
    """Set aside the heads of a file of LabVIEW; None for any other file.

    Args:
        text: The text of the file.
        lines: Its first lines.
        skipped: The number of lines before the text.

    Returns:
        The text, the number of lines before its rows, and notes.

    Raises:
        DataError: The channels have different times.
    """
    ends = [i for i, line in enumerate(lines, 1) if line.startswith(_HEAD_ENDS)]
    if not text.startswith(MARK) or not ends:
        return None
    rest = text[sum(len(line) + 1 for line in lines[: ends[-1]]) :]
    note = f"the file is of LabVIEW: lines {1 + skipped} to {ends[-1] + skipped} above the table are left out"
    names, _, rows = rest.partition("\n")
    if names.split("\t").count(_X) > 1:
        names, rows = _one_time(names.split("\t"), rows, ends[-1] + 2 + skipped)
        note += f"; its columns {_X} are the same, and the first is kept"
    if names.split("\t").count(_X) == 1 and names.startswith(_X) and re.match(r"[^\t\s]", rows):
        names = names.replace(_X, "Time")
        note += f"; its column {_X} is the time since the beginning, and is read as the column Time"
    bare = names.rstrip().removesuffix("\tComment")
    if all(row.count("\t") < names.count("\t") for row in rows.split("\n")):
        names = bare  # LabVIEW names the comments, and ends a row before them where there is none
    return f"{names}\n{rows}", skipped + ends[-1], (note,)


def _one_time(names: list[str], rows: str, first: int) -> tuple[str, str]:
    """Return the names and the rows with the first of several columns of times.

    Args:
        names: The names of the columns.
        rows: The lines of the rows.
        first: The number of the first of these lines.
    """
    at = [i for i, name in enumerate(names) if name == _X]
    kept = [i for i in range(len(names)) if i not in at[1:]]
    out = []
    for number, row in enumerate(rows.split("\n"), first):
        cells = row.split("\t")
        if len({cells[i].strip() for i in at if i < len(cells)}) > 1:
            raise DataError(
                f"the columns {_X} differ, so the channels have times of their own",
                where=f"line {number}: {row[:60]!r}",
                fix="write the channels to files of their own, or with one X column (X_Columns One)",
            )
        out.append("\t".join(cells[i] for i in kept if i < len(cells)))
    return "\t".join(names[i] for i in kept), "\n".join(out)
