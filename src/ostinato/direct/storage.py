"""The parts of a direct model as tensors and JSON, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ostinato.direct.closed_form import ClosedForm
from ostinato.direct.effects import Effects, EffectsForm
from ostinato.direct.network import NetworkForm, SegmentNetwork
from ostinato.direct.windows import WindowSpec
from ostinato.numbers import counted
from ostinato.shapes import Array

_EFFECTS = ("centre", "spread", "hinges", "weights")
#: The tensors that have a row for each series.
_EACH_SERIES = frozenset({"own", "deviation", "groups"})


def may_lack(name: str) -> bool:
    """Return whether NaN in a tensor stands for what a series or a covariate does not have.

    Args:
        name: The name that ``pack`` gives the tensor.
    """
    return name in _EACH_SERIES or name.startswith("effects.")


def pack(
    base: ClosedForm, networks: tuple[SegmentNetwork, ...], factors: Array
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the JSON document of a closed form, its networks and calibration factors (Q // 2,)."""
    own, deviation, groups, effects = list(base.own), list(base.deviation), list(base.groups), base.effects
    arrays = {
        "weights": base.weights,
        "own": np.stack([base.own[k] for k in own]) if own else np.zeros((0, *base.weights.shape), dtype=np.float32),
        "typical": base.typical,
        "deviation": np.stack([base.deviation[k] for k in deviation]),
        "shape": base.shape,
        "factors": factors,
    }
    if groups:
        arrays["groups"] = np.stack([base.groups[k] for k in groups])
    if effects:
        arrays |= {f"effects.{name}": getattr(effects, name) for name in _EFFECTS}
        if effects.own:
            arrays["effects.own"] = np.stack([effects.own[k] for k in effects.own])
    tensors = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in arrays.items()}
    for i, network in enumerate(networks):
        tensors.update({f"network.{i}.{name}": x for name, x in network.state_dict().items()})
    document = {
        "window": base.window.to_json(),
        "networks": [asdict(network.form) for network in networks],
        "own": own,
        "deviation": deviation,
        "groups": groups,
        "effects": effects and effects.to_json(),
    }
    return tensors, document


def unpack(
    tensors: dict[str, Tensor], document: dict[str, Any]
) -> tuple[ClosedForm, tuple[SegmentNetwork, ...], Array]:
    """Return the closed form, the networks and the calibration factors that ``pack`` took apart.

    Raises:
        ValueError: A part does not fit the others, or is unknown.
    """
    x = {name: t.numpy() for name, t in tensors.items() if not name.startswith("network.")}
    own = dict(zip(document["own"], x["own"], strict=True))
    deviation = dict(zip(document["deviation"], x["deviation"], strict=True))
    groups = dict(zip(document["groups"], x.get("groups", ()), strict=True))
    window, effects = WindowSpec(**document["window"]), _effects(document["effects"], x)
    base = ClosedForm(window, x["weights"], own, x["typical"], deviation, x["shape"], effects, groups)
    _require_fit(base, x)
    networks = []
    for i, config in enumerate(document["networks"]):
        network, start = SegmentNetwork(NetworkForm(**config)), f"network.{i}."
        network.load_state_dict({n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)})
        networks.append(network.eval())
    return base, tuple(networks), x["factors"]


def _require_fit(base: ClosedForm, x: dict[str, Any]) -> None:
    """Raise ValueError unless the arrays have the sizes that the window and the horizon ask for, and are all known."""
    K, season = base.window.lookback, base.window.season
    for name, value in (("lookback", K), ("season", season)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"the {name} of the window is {value!r}, expected a whole number of at least 1")
    rows, H = base.weights.shape
    # past covariates stand before the lags, and their number is in no other part
    if rows < K + 1 or (rows > K + 1 and not base.window.past):
        raise ValueError(f"a window of {counted(K, 'step')} takes {K + 1} weights a step ahead, got {rows}")
    for name, size in (
        ("typical", (H,)),
        ("shape", (H, base.shape.shape[-1])),
        ("factors", (base.shape.shape[-1] // 2,)),
    ):
        if x[name].shape != size:
            raise ValueError(f"{name} has the shape {x[name].shape}, expected {size}")
    known = {"weights", "own", "typical", "deviation", "shape", "factors", "groups", "effects.own"}
    if other := sorted(set(x) - known - {f"effects.{name}" for name in _EFFECTS}):
        raise ValueError(f"it has the unknown tensor {other[0]!r}")


def _effects(document: dict[str, Any] | None, x: dict[str, Any]) -> Effects | None:
    """Return the effects of covariates, or None if the model has none."""
    if document is None:
        return None
    own = dict(zip(document["own"], x.get("effects.own", ()), strict=True))
    centre, spread, hinges, weights = (x[f"effects.{name}"] for name in _EFFECTS)
    form = EffectsForm(**document["form"])
    return Effects(form, document["season"], document["log"], centre, spread, hinges, weights, own)
