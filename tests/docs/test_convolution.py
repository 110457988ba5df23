"""Convolution and both its backward passes, written as convolutions, equal torch's operator and its autograd.

The tests call the functions that docs/theory/13-convolution.md defines.
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
    """Yield the sizes of input and kernel, and stride, padding, dilation and groups, for kernels that fit."""
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
    for size, taps, options in grid(axes):
        x = torch.randn(2, CHANNELS, *size, generator=g, dtype=torch.float64, requires_grad=True)
        w = torch.randn(
            FILTERS, CHANNELS // options["groups"], *taps, generator=g, dtype=torch.float64, requires_grad=True
        )
        y = convolve(x, w, **options)
        dy = torch.randn(y.shape, generator=g, dtype=torch.float64)
        dx, dw = torch.autograd.grad(y, (x, w), dy)
        for ours, torchs in (
            (page["forward"](x, w, **options), y),
            (page["backward_input"](dy, w, size, **options), dx),
            (page["backward_kernel"](dy, x, taps, **options), dw),
        ):
            torch.testing.assert_close(
                ours, torchs, rtol=1e-10, atol=1e-10, msg=partial("{}: {}".format, (size, taps, options))
            )
        count += 1
    assert count == cases
