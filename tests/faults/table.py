"""Run the rows of every table of faults and print them: ``python tests/faults/table.py [WORD]``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from rows import Row


def all_rows() -> list[Row]:
    """Return the rows of the modules ``test_fault_*.py`` that have a list ROWS."""
    sys.path.append(str(Path(__file__).parents[1]))  # where the helpers of all tests lie
    names = sorted(path.stem for path in Path(__file__).parent.glob("test_fault_*.py"))
    return [row for name in names for row in getattr(importlib.import_module(name), "ROWS", [])]


def outcome(row: Row) -> str:
    """Return the outcome of a row; "WRONG" and the reason if its check fails."""
    try:
        return row.check()
    except Exception as error:
        return f"WRONG: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def main(word: str = "") -> int:
    """Print the rows whose kind contains a word, as a Markdown table, and return the number of wrong ones."""
    rows = [row for row in all_rows() if word in row.kind]
    results = [(row, outcome(row)) for row in rows]
    print("| kind | instance | right value from | outcome |\n| --- | --- | --- | --- |")
    for row, result in results:
        print(f"| {row.kind} | {row.instance} | {row.source} | {result} |")
    wrong = sum(result.startswith("WRONG") for _, result in results)
    print(f"\n{len(rows)} rows, {wrong} wrong")
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main(*sys.argv[1:2])))
