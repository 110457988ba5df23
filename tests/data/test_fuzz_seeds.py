"""The seeds of the fuzz, with every input that once went wrong, are read or refused with a message."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FUZZ = Path(__file__).parents[1] / "fuzz"


def _targets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_targets", FUZZ / "targets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TARGETS = _targets()
INPUTS = [(name, path) for name in TARGETS.FORMATS for path in TARGETS.seeds(name)]


def test_every_format_has_seeds() -> None:
    assert {name for name, _ in INPUTS} == set(TARGETS.FORMATS)


@pytest.mark.parametrize(("name", "path"), INPUTS, ids=[f"{name}-{path.name}" for name, path in INPUTS])
def test_a_seed_is_read_or_refused(name: str, path: Path, tmp_path: Path) -> None:
    file = tmp_path / f"input{TARGETS.FORMATS[name][0]}"
    file.write_bytes(path.read_bytes())
    TARGETS.run(name, file)
