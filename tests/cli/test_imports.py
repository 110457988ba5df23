"""Importing the package and printing the help load no heavy library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


#: What only some models and data need, and a command that does without must not wait for.
WITHOUT = {
    "forecast": ("forecast {csv} --horizon 2 --model ar", ("torch", "scipy.stats", "scipy.signal", "matplotlib")),
    "backtest": ("backtest {csv} --horizon 2 --model ets", ("torch", "scipy.stats", "scipy.signal", "matplotlib")),
    "fit": (
        "fit {csv} --model gru --hidden 4 --steps 2 -o {csv}.ost",
        ("torch._dynamo", "scipy.stats", "scipy.signal", "matplotlib"),
    ),
}


@pytest.mark.parametrize("verb", WITHOUT)
def test_a_command_loads_only_what_it_needs(verb: str, tmp_path: Path) -> None:
    csv = tmp_path / "y.csv"
    csv.write_text("y\n" + "".join(f"{5 + (t * 7) % 11}.5\n" for t in range(60)))
    words, without = WITHOUT[verb]
    code = f"from ostinato.cli.main import main\nimport sys\ntry:\n    main({words.format(csv=csv).split()})\n"
    code += "except SystemExit as stop:\n    assert not stop.code\n"
    code += f"print('loaded', *(m for m in {without} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("loaded")[1].split() == []


#: Every command that reads files, with one that is not there.
ABSENT = """
fit no.csv|score no.ost {csv}|score {csv} no.csv|classify no.ost {csv}|classify {csv} no.csv|forecast no.csv --horizon 2
backtest no.csv --horizon 2|sample no.ost|stream no.ost|serve no.ost|compress no.ost {csv}|compress {csv} no.txt
decompress no.ost {csv}|decompress {csv} no.osz|export no.ost --onnx step.onnx|inspect no.csv|diagnose no.ost {csv}
diagnose {csv} no.csv|report no.ost|report {csv} no.csv
"""


def test_an_absent_file_is_said_before_torch_is_loaded(tmp_path: Path) -> None:
    csv = tmp_path / "y.csv"
    csv.write_text("y\n1\n2\n")
    lines = [line.format(csv=csv).split() for line in ABSENT.strip().replace("\n", "|").split("|")]
    code = f"""
import sys
from ostinato.cli.main import main
for line in {lines}:
    try:
        main(line)
    except SystemExit as stop:
        print(stop.code, "torch" in sys.modules, *line, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines() == [f"2 False {' '.join(line)}" for line in lines]
    assert done.stderr.count("where: no.") == len(lines)


def test_public_names_resolve() -> None:
    import ostinato

    for name in ostinato._HOMES:
        assert getattr(ostinato, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ostinato.nothing  # noqa: B018
