"""Past one machine: the verbs over panels that do not fit in memory, here or on a Ray cluster.

Names are loaded when they are first used, so that a program can still say how many threads it computes with.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostinato.scale.cluster import ray as ray
    from ostinato.scale.global_fit import fit as fit
    from ostinato.scale.run import Outcome as Outcome
    from ostinato.scale.tune import search as search
    from ostinato.scale.verbs import cross_validation as cross_validation
    from ostinato.scale.verbs import fit_each as fit_each
    from ostinato.scale.verbs import forecast as forecast
    from ostinato.scale.verbs import score as score

_HOMES = {
    "Outcome": "run",
    "cross_validation": "verbs",
    "fit": "global_fit",
    "fit_each": "verbs",
    "forecast": "verbs",
    "ray": "cluster",
    "score": "verbs",
    "search": "tune",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ostinato.scale' has no attribute {name!r}")
    return getattr(import_module(f"ostinato.scale.{_HOMES[name]}"), name)
