"""The command ``ostinato doctor``."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from ostinato.cli import options
from ostinato.numbers import counted


def command(as_json: options.Json = False) -> None:
    """Print which implementation of each network computes on this machine, on which devices and threads, and why.

    Example: OSTINATO_ISA=avx2 ostinato doctor
    """
    if as_json:
        from ostinato.cli.render import answer

        answer(_document())
    else:
        _print()


#: The cells with kernels for NVIDIA GPUs.
_ON_CUDA = ("rnn", "gru", "lstm", "linear")


def _document() -> dict[str, Any]:
    """Return as one JSON document what computes on this machine."""
    import torch

    from ostinato._version import __version__
    from ostinato.hardware import devices
    from ostinato.ops.engine import extension
    from ostinato.ops.selection import IMPLEMENTATIONS, explain
    from ostinato.ops.variables import GPU_KERNELS, IMPLEMENTATION, INSTRUCTION_SET
    from ostinato.threads import decide

    cells = {cell: explain(cell) for cell in IMPLEMENTATIONS}
    if torch.cuda.is_available():
        cells |= {f"{cell} on cuda": explain(cell, device="cuda") for cell in _ON_CUDA}
    return {
        "ostinato": __version__,
        "torch": torch.__version__,
        "processors": os.cpu_count(),
        "engine": None if extension.ABSENT else extension.set_in_use(),
        "absent": extension.ABSENT or None,
        "devices": list(devices()),
        "threads": asdict(decide()),
        "variables": {name: os.environ.get(name) for name in (INSTRUCTION_SET, IMPLEMENTATION, GPU_KERNELS)},
        "cells": cells,
    }


def _print() -> None:
    """Print in words what computes on this machine."""
    import torch

    from ostinato._version import __version__
    from ostinato.hardware import devices, in_words
    from ostinato.ops.engine import extension, openmp
    from ostinato.ops.selection import IMPLEMENTATIONS, explain
    from ostinato.ops.variables import GPU_KERNELS, IMPLEMENTATION, INSTRUCTION_SET
    from ostinato.threads import decide

    print(f"ostinato {__version__}, torch {torch.__version__}, {os.cpu_count()} processors")
    if extension.ABSENT:
        print(f"engine: none. {extension.ABSENT}")
        print("  to use it: install a C++17 compiler (gcc or clang), then install ostinato again from its source")
    else:
        print(f"engine: {extension.set_in_use()}, of {', '.join(extension.sets())} that were compiled and can run here")
    print(f"devices: {', '.join(map(in_words, devices()))}")
    decision = decide()
    print(f"threads: {decision}")
    if not extension.ABSENT:
        print(f"  a call of the engine takes as many as it is worth: {_worth(decision.engine)}")
        print(f"  they are {openmp.in_words()}")
    for variable in (INSTRUCTION_SET, IMPLEMENTATION, GPU_KERNELS):
        print(f"{variable}: {os.environ.get(variable, 'not set')}")
    for cell in IMPLEMENTATIONS:
        print(explain(cell))
    if torch.cuda.is_available():
        print(f"on {torch.cuda.get_device_name()}:")
        for cell in _ON_CUDA:
            print(f"  {explain(cell, device='cuda')}")


def _worth(limit: int) -> str:
    """Return in words how many threads a GRU takes of at most ``limit``, for a few sizes."""
    from ostinato.ops.engine import extension

    sizes = ((100, 1, 32), (100, 32, 64), (100, 256, 512))
    found = [
        f"{extension.threads_of('gru', T, B, H, limit)} for a GRU of {counted(T, 'step')}, "
        f"{counted(B, 'row')} and {counted(H, 'unit')}"
        for T, B, H in sizes
    ]
    return ", ".join(found)
