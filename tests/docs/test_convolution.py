"""Convolution and both its backward passes, written as convolutions, against torch's operator and its autograd.

The functions are those of docs/theory/13-convolution.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pages import run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "theory" / "13-convolution.md"
CHANNELS, FILTERS = 4, 8


def grid(axes: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]]:
    """The size of the input, that of the kernel, and stride, padding, dilation and groups; where a kernel fits."""
    rank = axes - 1
    taps: list[list[tuple[int, ...]]] = [[(1,), (2,), (3,)], [(1, 1), (3, 2), (2, 3)]]
    strides: list[list[tuple[int, ...]]] = [[(1,), (2,), (3,)], [(1, 1), (2, 2), (2, 1), (3, 2)]]
    dilations: list[list[tuple[int, ...]]] = [[(1,), (2,), (3,)], [(1, 1), (2, 1), (2, 3)]]
    paddings: list[list[tuple[int, ...]]] = [[(0,), (1,), (2,), (5,)], [(0, 0), (1, 2), (3, 0)]]
    for size, k, s, d, p, g in itertools.product(
        [(9, 8)[:axes], (12, 7)[:axes]], taps[rank], strides[rank], dilations[rank], paddings[rank], (1, 2, 4)
    ):
        yield size, k, {"stride": s, "padding": p, "dilation": d, "groups": g}


@pytest.mark.parametrize(("axes", "cases"), [(1, 648), (2, 648)])
def test_forward_and_both_backward_passes_are_convolutions(axes: int, cases: int, tmp_path: Path) -> None:
    page = run(PAGE, tmp_path)
    convolve = {1: torch.nn.functional.conv1d, 2: torch.nn.functional.conv2d}[axes]
    g, count = torch.Generator().manual_seed(axes), 0
    for size, taps, how in grid(axes):
        x = torch.randn(2, CHANNELS, *size, generator=g, dtype=torch.float64, requires_grad=True)
        w = torch.randn(FILTERS, CHANNELS // how["groups"], *taps, generator=g, dtype=torch.float64, requires_grad=True)
        y = convolve(x, w, **how)
        dy = torch.randn(y.shape, generator=g, dtype=torch.float64)
        dx, dw = torch.autograd.grad(y, (x, w), dy)
        for ours, torchs in (
            (page["forward"](x, w, **how), y),
            (page["backward_input"](dy, w, size, **how), dx),
            (page["backward_kernel"](dy, x, taps, **how), dw),
        ):
            torch.testing.assert_close(
                ours, torchs, rtol=1e-10, atol=1e-10, msg=partial("{}: {}".format, (size, taps, how))
            )
        count += 1
    assert count == cases
