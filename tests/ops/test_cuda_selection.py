"""Which implementation runs on a GPU and why, without one: the facts of a card are given."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

from ostinato.errors import ConfigError
from ostinato.ops.cuda import support
from ostinato.ops.cuda.compiler import UnavailableError
from ostinato.ops.cuda.contract import Variant
from ostinato.ops.selection import explain, pick, prefers

HALF, BF16, FP32 = torch.float16, torch.bfloat16, torch.float32


@pytest.fixture(autouse=True)
def hopper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OSTINATO_GPU_KERNELS", raising=False)
    monkeypatch.delenv("OSTINATO_IMPLEMENTATION", raising=False)
    monkeypatch.setattr(support, "capability", lambda _: (9, 0))
    monkeypatch.setattr(support, "_failed", [])


@pytest.mark.parametrize(
    ("cell", "facts", "starts", "holds"),
    [
        ("gru", {}, "gru: cuda, preferred of cuda, aten, reference", "not on cuda"),
        ("gru", {"dtype": BF16, "hidden": 512}, "gru: cuda", ""),
        ("gru", {"hidden": 513}, "gru: aten", "up to 512 hidden units, not 513"),
        ("gru", {"dtype": HALF}, "gru: cuda", ""),
        ("gru", {"hidden": 64, "rows": 2}, "gru: cuda", ""),
        ("gru", {"hidden": 64, "rows": 1}, "gru: aten, cuDNN is as fast", ""),
        ("gru", {"hidden": 64, "rows": 1, "reset_after": False}, "gru: cuda", ""),
        ("gru", {"dtype": torch.float64}, "gru: aten", "float32, bfloat16, float16, not in float64"),
        ("gru", {"reset_after": False}, "gru: cuda", "torch has no operator"),
        ("lstm", {"hidden": 64}, "lstm: aten, cuDNN is as fast", ""),
        ("lstm", {"hidden": 64, "ragged": True}, "lstm: cuda", ""),
        ("lstm", {"hidden": 64, "dtype": BF16}, "lstm: cuda", ""),
        ("lstm", {"hidden": 128}, "lstm: cuda", ""),
        ("rnn", {"nonlinearity": "identity"}, "rnn: loop", "no nonlinearity 'identity'"),
        ("rnn", {"nonlinearity": "relu", "hidden": 300}, "rnn: cuda", ""),
        ("linear", {"dtype": torch.complex64}, "linear: cuda", ""),
        ("linear", {"dtype": torch.complex128}, "linear: scan", "float32 and complex64, not in complex128"),
        ("conv", {}, "conv: aten", ""),
    ],
)
def test_the_choice_on_a_card_and_its_reason(cell: str, facts: dict[str, Any], starts: str, holds: str) -> None:
    said = explain(cell, device="cuda", **facts)
    assert said.startswith(starts)
    assert holds in said
    name = said.split(": ")[1].split(",")[0]
    assert prefers("cuda", cell, device="cuda", **facts) == (name == "cuda")


@pytest.mark.parametrize(
    ("found", "switch", "starts", "reason"),
    [
        ((9, 0), "0", "gru: aten", "OSTINATO_GPU_KERNELS=0 switches the kernels off"),
        ((8, 0), "1", "gru: aten", "8.0 has no clusters"),
        ((10, 0), "", "gru: aten", "not checked on compute capability 10.0, OSTINATO_GPU_KERNELS=1 tries them"),
        ((10, 0), "1", "gru: cuda", ""),
        (None, "1", "gru: aten", "torch sees no GPU of NVIDIA"),
    ],
)
def test_an_unknown_card_and_the_switch(
    found: tuple[int, int] | None, switch: str, starts: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(support, "capability", lambda _: found)
    monkeypatch.setenv("OSTINATO_GPU_KERNELS", switch)
    said = explain("gru", device="cuda")
    assert said.startswith(starts)
    assert reason in said


def test_without_tf32_the_kernels_of_float32_step_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._C, "_get_cudnn_allow_tf32", lambda: False)
    assert "allow_tf32 is off" in explain("gru", device="cuda")
    assert explain("gru", device="cuda", dtype=BF16).startswith("gru: cuda")


def test_a_failure_is_said_once_and_then_torch_runs() -> None:
    with pytest.warns(UserWarning, match="torch's operators run instead: the driver of CUDA was not found"):
        support.step_back(UnavailableError("the driver of CUDA was not found"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        support.step_back(UnavailableError("again"))
    said = explain("gru", device="cuda")
    assert said.startswith("gru: aten")
    assert "the driver of CUDA was not found" in said


def test_on_a_cpu_they_are_neither_chosen_nor_mentioned() -> None:
    assert "cuda" not in explain("gru")
    with pytest.raises(ConfigError, match="compute on cuda, not on cpu"):
        pick("gru", "cuda")


@pytest.mark.parametrize(
    ("hidden", "units", "blocks"), [(1, 32, 1), (32, 32, 1), (33, 64, 2), (65, 128, 4), (256, 256, 8), (512, 512, 16)]
)
def test_every_size_is_padded_to_a_cluster(hidden: int, units: int, blocks: int) -> None:
    variant = Variant.of("lstm", hidden, BF16)
    assert (variant.units, variant.blocks, variant.threads) == (units, blocks, 256)
    assert (variant.grid(1), variant.grid(8), variant.grid(9)) == (blocks, blocks, 2 * blocks)


def test_operands_are_split_where_cudnn_computes_in_float32() -> None:
    assert Variant.of("lstm", 128, FP32).split
    assert not Variant.of("lstm", 129, FP32).split
    assert Variant.of("rnn_tanh", 256, FP32).split
    assert not Variant.of("lstm", 64, BF16).split
    # so many rows that blocks of 32 units would not all run at once
    assert Variant.of("gru", 128, FP32, 256).owned == 64
