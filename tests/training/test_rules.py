"""A stopped fit goes on only with the code that it began with: constants and the order of steps are no options."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ostinato
from ostinato import Budget, fit
from ostinato.errors import ConfigError
from ostinato.training import checkpoint
from ostinato.training.rules import SOURCES, digest_of, rules

PACKAGE = Path(ostinato.__file__).parent


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a copy of the code that the weights follow from."""
    for name in SOURCES:
        if (PACKAGE / name).is_dir():
            shutil.copytree(PACKAGE / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy(PACKAGE / name, tmp_path / name)
    return tmp_path


def constants() -> list[tuple[str, str]]:
    """Return the file and the line of each constant of a module of the training."""
    found = []
    for path in sorted((PACKAGE / "training").glob("*.py")):
        lines = path.read_text().splitlines()
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                found.append((f"training/{path.name}", lines[node.lineno - 1]))
    return found


def test_a_copy_has_the_same_digest_whatever_ends_its_lines(copied: Path) -> None:
    assert digest_of(copied) == rules()
    for path in copied.rglob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert digest_of(copied) == rules()


def test_every_constant_of_training_changes_it(copied: Path) -> None:
    assert len(constants()) > 10
    seen = {rules()}
    for name, line in constants():
        before = (copied / name).read_text()
        (copied / name).write_text(before.replace(line, line.replace("=", "= 0 +", 1)))
        seen.add(digest_of(copied))
        (copied / name).write_text(before)
    assert len(seen) == 1 + len(constants())


def test_the_order_of_the_refit_and_a_new_or_moved_module_change_it(copied: Path) -> None:
    refit = copied / "training" / "epochs.py"
    text = refit.read_text()
    refit.write_text(text.replace("return [new, old]", "return [old, new]"))
    assert refit.read_text() != text
    assert digest_of(copied) != rules()
    refit.write_text(text)
    (copied / "training" / "later.py").write_text("")
    assert digest_of(copied) != rules()
    (copied / "training" / "later.py").unlink()
    refit.rename(copied / "layers" / "epochs.py")
    assert digest_of(copied) != rules()


def test_a_fit_does_not_go_on_under_other_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wave = np.sin(np.arange(200) / 3)
    how: dict[str, Any] = {"model": "gru", "hidden": 4, "budget": Budget(None, 2), "checkpoint": tmp_path / "spot"}
    fit(wave, **how)
    monkeypatch.setattr(checkpoint, "rules", lambda: "others")
    with pytest.raises(ConfigError, match="of another version of ostinato"):
        fit(wave, **how)
