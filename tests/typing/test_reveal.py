"""mypy in strict mode infers the return types of the public functions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_verbs_have_types() -> None:
    root = Path(__file__).parents[2]
    words = [sys.executable, "-m", "mypy", "--strict", str(Path(__file__).with_name("verbs.py"))]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
