"""The rows of the tables of faults: an input that users reported, the right value, and the source of that value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

#: The small inputs of users, with their right values, next to the checkout.
CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


@dataclass(frozen=True)
class Row:
    """One instance of a kind of fault.

    Attributes:
        kind: The kind of fault, such as "calendars".
        instance: What is given, in a few words.
        source: Where the right value comes from, such as "pandas" or "torch.nn".
        check: Computes both values. It returns the outcome in a few words, such as "right: 2024-02-29" or
            "refused: RuntimeError", and raises AssertionError if the outcome is wrong.
    """

    kind: str
    instance: str
    source: str
    check: Callable[[], str]

    def __str__(self) -> str:
        """Return the name of the row in the list of tests."""
        return self.instance.replace(" ", "_")


def rows_of(kinds: Mapping[str, Mapping[str, Callable[[], str]]], source: str) -> list[Row]:
    """Return the rows of a table of checks by the kind of fault and the instance, which have one source."""
    return [Row(kind, name, source, check) for kind, checks in kinds.items() for name, check in checks.items()]
