"""Options of text have no effect on numbers and sound, and are refused there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import ostinato
from ostinato.errors import DataError

OPTIONS: tuple[dict[str, Any], ...] = ({"per_line": True}, {"per_line": False}, {"alphabet": "bytes"})


def sources(folder: Path) -> dict[str, Any]:
    (folder / "a.csv").write_text("ds,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n")
    (folder / "a.jsonl").write_text('{"y": 1}\n{"y": 2}\n')
    soundfile.write(folder / "a.wav", np.zeros(100, dtype=np.int16), 8000)
    return {name: folder / f"a.{name}" for name in ("csv", "jsonl", "wav")} | {"array": np.arange(5.0)}


@pytest.mark.parametrize("form", ["csv", "jsonl", "wav", "array"])
@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_options_of_text_are_refused(tmp_path: Path, form: str, option: dict[str, Any]) -> None:
    source = sources(tmp_path)[form]
    assert len(ostinato.read(source).values)
    with pytest.raises(DataError, match=f"the option {next(iter(option))} .* is for text"):
        ostinato.read(source, **option)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_options_of_text_are_taken_for_text(tmp_path: Path, option: dict[str, Any]) -> None:
    (tmp_path / "a.txt").write_text("to be\nor not\n")
    assert ostinato.read(tmp_path / "a.txt", **option).kind == "text"
