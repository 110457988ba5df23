"""The examples run as a reader would run them, and print the output that they document."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
from pathlib import Path

import pytest
import torch

import ostinato
from warm import programs

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [programs() / "python", EXAMPLES / name, *arguments],
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
    assert re.search(r"ar AR\(lags 1, 2, 9\) +-4\.\d+ nats per step held out", out)
    assert out.count("1991 ") == 1
    assert out.count("most surprising") == 3


def test_live_sensor_names_the_fault_and_nothing_else() -> None:
    steps = [int(x) for x in re.findall(r"step (\d+):", run("live_sensor.py"))]
    assert steps
    assert set(steps) <= {700, 701, 702, 703, 704, 705}


def test_power_over_the_night_in_which_the_clocks_go_back(tmp_path: Path) -> None:
    out = run("power.py", str(tmp_path))
    assert "the hour that comes twice: 02:00+02:00 02:00+01:00" in out
    error = re.search(r"mean absolute error: (\d+\.\d+)", out)
    assert error
    assert float(error[1]) < 6
    assert (tmp_path / "power.png").read_bytes().startswith(b"\x89PNG")


def test_shop_csv_names_what_was_set_aside() -> None:
    out = run("shop_csv.py")
    for note in ("above the table: lines 1 to 2", "row of sums", "line 172", "currency €", "newest first"):
        assert note in out
    assert len(re.findall(r"^001 2024-03-2\d|^001 2024-03-3\d", out, re.MULTILINE)) == 7
    amounts = {day: float(x.replace(",", "")) for day, x in re.findall(r"^001 (\S+) ([\d,.]+)", out, re.MULTILINE)}
    assert amounts["2024-03-30"] > 1.2 * amounts["2024-03-31"]


def test_tickers_join_with_their_forecasts() -> None:
    out = run("tickers.py")
    assert "channels: AAPL, MSFT" in out
    assert "lines 1 to 3 are read as the names of the columns" in out
    assert len(re.findall(r"^(?:AAPL|MSFT) 2024-06-1[78]: [+-]\d", out, re.MULTILINE)) == 4


def test_log_alarms_names_the_faults_and_nothing_else() -> None:
    out = run("log_alarms.py")
    assert re.findall(r"alarm: (\w+) (\S+):", out) == [
        ("cellar", "2024-01-11T10:00:00"),
        ("cellar", "2024-01-11T13:00:00"),
    ]
    assert "attic 2024-01-05T05:00:00: 1 reading was left out before it" in out
    assert "line 601 is passed over" in out


def test_torch_researcher() -> None:
    out = run("torch_researcher.py", "10")
    true, ours = re.findall(r"nn (\d\.\d{4})", out)
    assert float(ours) == pytest.approx(float(true), abs=2e-4)
    assert "gradcheck: True" in out
    samples = re.findall(r"gradient of sample \d: norm (\S+), difference from torch.nn (\S+)", out)
    assert len({norm for norm, _ in samples}) == 4
    assert all(float(off) < 1e-5 for _, off in samples)


def test_the_gradients_of_samples_add_up_to_that_of_their_batch() -> None:
    """Autograd's gradient of the summed loss is the sum over samples, and that of one sample is its own."""
    example = runpy.run_path(str(EXAMPLES / "torch_researcher.py"))
    torch.manual_seed(1)
    model, x, labels = example["Classifier"](ostinato.nn), torch.randn(7, 5, 1), torch.tensor([0.0, 1, 1, 0, 1])
    each, parameters = example["sample_gradients"](model, x, labels), dict(model.named_parameters())
    for rows in (slice(None), slice(3, 4)):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x[:, rows]), labels[rows], reduction="sum")
        right = torch.autograd.grad(loss, list(parameters.values()))
        for name, gradient in zip(parameters, right, strict=True):
            torch.testing.assert_close(each[name][rows].sum(0), gradient, rtol=1e-4, atol=1e-6)


def test_student_sees_gradients_vanish_and_truncation_cost_less_over_longer_windows() -> None:
    out = run("student.py")
    small = [float(x) for x in re.findall(r"lag \d+ (\S+)", out.splitlines()[0])]
    assert small[0] > 10 * small[1] > 100 * small[2] > 0
    errors = [float(x) for x in re.findall(r"off by (\S+)%", out)][:4]
    assert errors[0] > errors[1] > errors[2] >= errors[3] == 0


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
