"""ARCHITECTURE.md names files that exist, and its table has the layers that import-linter checks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
#: The folders that a name may start in.
STARTS = ("", "src", "src/ostinato", "src/ostinato/inference")


def test_every_file_that_is_named_exists() -> None:
    names = [n for n in re.findall(r"`([^`\n]+)`", TEXT) if re.fullmatch(r"[\w./*]+", n) and ("/" in n or ".py" in n)]
    names = [n for n in names if not n.startswith("python")]
    assert len(names) > 40
    assert not [n for n in names if not any(list((ROOT / start).glob(n.rstrip("/"))) for start in STARTS)]


def test_the_table_has_the_layers_that_are_checked() -> None:
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    order = [set(re.findall(r"\w+", layer)) for layer in layers]
    table = [
        set(re.findall(r"`(\w+)(?:/|\.py)`", line)) for line in re.findall(r"^\| \d+ \| (.*?) \|", TEXT, re.MULTILINE)
    ]
    assert table
    for row in table:  # one row of the table joins neighbouring layers
        joined: set[str] = set()
        while order and not row <= joined:
            joined |= order.pop(0)
        assert joined == row
    assert not order
