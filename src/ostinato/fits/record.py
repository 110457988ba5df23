"""The part of a record that every fit has: the data, the options, the seed and the versions."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from ostinato._version import __version__
from ostinato.data.sequences import SequenceSet

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def refit_notes(name: str, refitted: str | None) -> list[str]:
    """Return a note on the refit of the kept model; none without a refit.

    Args:
        name: The kept model.
        refitted: How it was fitted again, in words.
    """
    if refitted is None:
        return []
    return [f"{name} was then {refitted}. The table shows the figures of the model before this step"]


def run_facts(data: SequenceSet, config: DataclassInstance, seed: int, split: str) -> dict[str, Any]:
    """Return the fields of a RunRecord that follow from the data and the options.

    Args:
        data: The sequences of the fit.
        config: The options of the model and its training.
        seed: The seed of the fit.
        split: The split of the data, in words.
    """
    return {
        "seed": seed,
        "config": asdict(config),
        "split": split,
        "data": data.digest,
        "sequences": len(data),
        "steps": int(data.lengths.sum()),
        "versions": {"ostinato": __version__, "torch": str(torch.__version__), "python": platform.python_version()},
    }
