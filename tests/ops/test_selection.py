"""Which implementation runs is visible, and one that cannot run is an error."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from ostinato.errors import ConfigError
from ostinato.layers.gru import GRU
from ostinato.ops.engine import extension
from ostinato.ops.gru import aten as gru_aten
from ostinato.ops.linear import scan as linear_scan
from ostinato.ops.selection import explain, pick
from ostinato.ops.variables import INSTRUCTION_SET
from ostinato.ops.weights import Weights

engine = pytest.mark.skipif(extension.ABSENT is not None, reason=extension.ABSENT or "")


@engine
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "linear"])
def test_the_engine_is_preferred(cell: str) -> None:
    assert explain(cell, device="cpu", dtype=torch.float32).startswith(f"{cell}: native, preferred of native")


@engine
def test_a_single_step_of_the_linear_recurrence_runs_by_the_scan() -> None:
    assert explain("linear", steps=1) == "linear: scan, fastest for a single step of scan, native, reference"
    assert pick("linear", steps=1) is linear_scan.unroll
    assert pick("linear", steps=2) is pick("linear", "native", steps=1)
    assert explain("gru", steps=1).startswith("gru: native, preferred")


@engine
def test_the_reason_why_the_engine_does_not_run_is_given() -> None:
    assert "not on cuda" in explain("gru", device="cuda")
    assert "not in bfloat16" in explain("gru", dtype=torch.bfloat16)
    with pytest.raises(ConfigError, match="not in float16"):
        explain("gru", "native", dtype=torch.float16)
    assert explain("gru", dtype=torch.bfloat16).startswith("gru: aten")
    assert explain("linear", dtype=torch.complex64).startswith("linear: native")
    assert "not in float16" in explain("linear", dtype=torch.complex32)


def test_a_reset_before_the_product_has_no_operator() -> None:
    assert explain("gru", "reference", reset_after=False) == "gru: reference, as requested"
    with pytest.raises(ConfigError, match="no operator"):
        GRU(2, 3, "aten", reset_after=False)
    x = torch.zeros(1, 1)
    with pytest.raises(ConfigError, match="no operator"):
        gru_aten.unroll(x, (x,), Weights(x, x), reset_after=False)


def test_without_the_engine_torch_runs_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension, "ABSENT", "the compiled engine is not installed")
    assert explain("lstm") == (
        "lstm: aten, preferred of aten, reference; native cannot run (the compiled engine is not installed)"
    )
    with pytest.raises(ConfigError, match="not installed"):
        GRU(2, 3, implementation="native")


@engine
@pytest.mark.parametrize("name", extension.sets())
def test_the_environment_forces_an_instruction_set(name: str) -> None:
    code = "from ostinato.ops.engine.extension import set_in_use; print(set_in_use())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, INSTRUCTION_SET: name},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == name


OLDER_TORCH = """
import torch

del torch._C._autograd._top_saved_tensors_default_hooks  # as in torch 2.7
from ostinato import nn

seen = []
for kind in ("RNN", "GRU", "LSTM"):
    torch.manual_seed(0)
    ours, theirs = (getattr(package, kind)(3, 5, dtype=torch.float64) for package in (nn, torch.nn))
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(7, 2, 3, dtype=torch.float64)
    gradients = []
    for layer in (ours, theirs):
        with torch.autograd.graph.saved_tensors_hooks(lambda t: seen.append(layer is ours) or t, lambda t: t):
            loss = layer(x)[0].square().sum()
        gradients.append(torch.autograd.grad(loss, list(layer.parameters())))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
assert any(seen)
"""


@engine
def test_a_torch_that_does_not_tell_of_hooks_trains_and_shows_them_what_is_saved() -> None:
    done = subprocess.run([sys.executable, "-c", OLDER_TORCH], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr


@engine
def test_an_instruction_set_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match="instruction set 'vax' is unknown"):
        extension.use_set("vax")
