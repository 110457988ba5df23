"""The record of a run: what a model file keeps of how its weights came about, so that they can be had again."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import Any

import torch

from ostinato._version import __version__
from ostinato.data.sequences import SequenceSet


def record(data: SequenceSet, config: Any, seed: int, asked: dict[str, Any], split: str) -> dict[str, Any]:
    """As JSON. config: a dataclass; asked: what fit was told beside it; split: in words."""
    return {
        **asked,
        "seed": seed,
        "config": asdict(config),
        "split": split,
        "data": data.digest,
        "sequences": len(data),
        "steps": int(data.lengths.sum()),
        "versions": {"ostinato": __version__, "torch": str(torch.__version__), "python": platform.python_version()},
    }
