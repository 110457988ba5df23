"""What computes on this machine: the names of its CPU and its GPUs, and what is wrong with another name."""

from __future__ import annotations

import os
from typing import Any

from ostinato.choices import advice
from ostinato.errors import ConfigError
from ostinato.numbers import counted

#: The environment variable with the number of a process on its machine, which torchrun and Ray Train set.
RANK = "LOCAL_RANK"


def checked(device: Any) -> str:
    """Return a device by its full name, such as "cuda:0" for "cuda"; or "auto".

    Args:
        device: A name, or a torch.device.

    Raises:
        ConfigError: The name is unknown, or this machine has no such device.
    """
    name = str(device)
    if name in ("auto", "cpu"):
        return name
    kind, _, number = name.partition(":")
    if kind not in ("cuda", "mps") or (number and not (number.isascii() and number.isdigit())):
        fix = advice(
            {"gpu": "cuda"}.get(name, name), ("auto", "cpu", "cuda", "mps"), "use auto, cpu, cuda, cuda:1 or mps"
        )
        raise ConfigError(f"unknown device {name!r}", fix=fix)
    found = devices()
    full = kind if kind == "mps" else f"cuda:{int(number or os.environ.get(RANK, '0'))}"
    if full not in found:
        raise ConfigError(
            f"this machine has no device {name!r}: {_absence(kind)}",
            fix=f"use auto, or one of {', '.join(found)}",
        )
    return full


def devices() -> list[str]:
    """Return the names of the devices that torch finds on this machine, the CPU first."""
    import torch

    cards = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *cards, *(["mps"] if torch.backends.mps.is_available() else [])]


def in_words(device: str) -> str:
    """Return a device with the name of its GPU and its memory, such as "cuda:0 (NVIDIA H100, 80 GB)"."""
    if not device.startswith("cuda"):
        return device
    import torch

    facts = torch.cuda.get_device_properties(device)
    return f"{device} ({facts.name}, {facts.total_memory / 1e9:.0f} GB)"


def _absence(kind: str) -> str:
    """Return why torch finds no device, or no further one, of a kind."""
    import torch

    if kind == "mps":
        return "torch finds no graphics processor of Apple"
    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} is built for the CPU alone"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return f"torch finds {counted(count, 'GPU')}"
