"""The examples run as a reader would run them, and print the output that they document."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert all(f'run("{path.name}"' in source for path in EXAMPLES.glob("*.py"))


def test_order_matters() -> None:
    nats = [float(x) for x in re.findall(r"= +(-\d+\.\d+) nats", run("order_matters.py", "300"))]
    dog_bit_man, man_bit_dog, bit_dog_man = nats
    assert dog_bit_man > man_bit_dog > bit_dog_man + 5


def test_sunspots() -> None:
    out = run("sunspots.py", "20")
    assert re.search(r"ar AR\(9\) +-4\.\d+ nats per step held out", out)
    assert out.count("1991-01-01") == 1
    assert out.count("most surprising") == 3


def test_live_sensor_names_the_fault_and_nothing_else() -> None:
    steps = [int(x) for x in re.findall(r"step (\d+):", run("live_sensor.py"))]
    assert steps
    assert set(steps) <= {700, 701, 702, 703, 704, 705}


def test_two_languages() -> None:
    out = run("two_languages.py", "20")
    assert "88 lines, 97 different characters" in out
    assert "most surprising in 'many hands make light wörk': 'ö'" in out
    assert out.count("sample: ") == 3
    assert "\ufffd" not in out


def test_stereo() -> None:
    out = run("stereo.py", "240")
    assert "channels: left, right; 240 frames of 16 bits" in out
    assert "most surprising: frame 120," in out
    assert "drawn: 1,000 frames of 2 channels at 4,000 Hz" in out


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.name)
def test_an_example_says_how_to_run_it(path: Path) -> None:
    assert f"Run: python examples/{path.name}" in path.read_text(encoding="utf-8")
