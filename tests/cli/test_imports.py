"""Importing the package and printing the help load no heavy library."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY: tuple[str, ...] = (
    "torch",
    "polars",
    "scipy",
    "numpy",
    "pandas",
    "soundfile",
    "matplotlib",
    "jinja2",
    "safetensors",
)
HEAVY += ("ray", "optuna", "pyarrow", "onnx", "onnxruntime", "redis", "psycopg", "starlette", "msgspec", "uvicorn")

HELP = """
from ostinato.cli.main import main
verbs = (
    "fit score classify forecast backtest sample stream serve token compress decompress export inspect diagnose "
    "report doctor demo"
).split()
for words in ["--help"], *([verb, "--help"] for verb in verbs):
    try:
        main(words)
    except SystemExit as stop:
        assert not stop.code
"""
CODE = {"import": "import ostinato", "dir": "import ostinato; dir(ostinato)", "help": HELP}


@pytest.mark.parametrize("name", CODE)
def test_starting_is_light(name: str) -> None:
    code = f"{CODE[name]}\nimport sys; print(*(m for m in {HEAVY} if m in sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stderr.split()


def test_public_names_resolve() -> None:
    import ostinato

    for name in ostinato._HOMES:
        assert getattr(ostinato, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ostinato.nothing  # noqa: B018
