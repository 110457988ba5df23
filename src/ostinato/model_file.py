"""A model on disk: one file, written atomically, that scores raw data again without the code that trained it."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ostinato.assemble import Architecture, assemble
from ostinato.data.encoding import encoding_from_json
from ostinato.description import Description
from ostinato.direct.effects import Effects, Form
from ostinato.direct.model import ClosedForm, DirectModel
from ostinato.direct.network import SegmentNetwork
from ostinato.direct.windows import WindowSpec
from ostinato.errors import ModelFileError
from ostinato.model import SequenceModel
from ostinato.storage import load_bundle, save_bundle

#: What a model file may hold.
Model: TypeAlias = SequenceModel | DirectModel
_BACKBONE = re.compile(r"^(network\.\d+\.)?memory\.")
_EFFECTS = ("centre", "spread", "hinges", "weights")


def save_model(model: Model, path: str | Path) -> None:
    """Write model to path: weights as safetensors, everything else as JSON. An earlier file is replaced whole or kept.

    Raises OstinatoError where the file cannot be written.
    """
    tensors, document = parts(model)
    save_bundle(Path(path), tensors, {"description": asdict(model.description), **document})


def parts(model: Model) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a model and, as JSON, what else its answers follow from beside its description."""
    if isinstance(model, DirectModel):
        return _direct_parts(model)
    return model.state_dict(), {"encoding": model.encoding.to_json()}


def load_model(path: str | Path) -> Model:
    """Read a model from path: a SequenceModel, or a DirectModel where the file holds one.

    Raises ModelFileError for a file that is missing, cut short, altered, of a newer format, or no model file.
    """
    tensors, document = load_bundle(Path(path))
    try:
        tensors, document = _renamed(tensors, document)
        description = Description(**document["description"])
        if "direct" in document:
            return _direct(tensors, document["direct"], description)
        encoding, shape = encoding_from_json(document["encoding"]), Architecture(**description.config["parts"])
        model = assemble(shape, encoding, description, None)
        # in a file from before channels were coupled, they are asserted independent given the past
        earlier = {k: torch.zeros_like(v) for k, v in model.state_dict().items() if k.startswith("coupling.")}
        model.load_state_dict(earlier | tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"the file is not a model this version understands ({error})", where=str(path), fix="update ostinato"
        ) from error
    return model.eval()


def _renamed(tensors: dict[str, Tensor], document: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Give a file of format 1 today's names: its "memory" is the backbone, and the lookback of a direct window."""
    tensors = {_BACKBONE.sub(r"\1backbone.", name): x for name, x in tensors.items()}
    if "direct" in document:
        direct = document["direct"]
        window = {"lookback" if k == "memory" else k: v for k, v in direct["window"].items()}
        networks = [{"backbone" if k == "memory" else k: v for k, v in one.items()} for one in direct["networks"]]
        return tensors, {**document, "direct": {**direct, "window": window, "networks": networks}}
    description = document["description"]
    parts = {"backbone" if k == "memory" else k: v for k, v in description["config"]["parts"].items()}
    config = {**description["config"], "parts": parts}
    return tensors, {**document, "description": {**description, "config": config}}


def _direct_parts(model: DirectModel) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and document of a direct model."""
    base, own, known = model.base, list(model.base.own), list(model.base.deviation)
    arrays = {
        "weights": base.weights,
        "own": np.stack([base.own[k] for k in own]) if own else np.zeros((0, *base.weights.shape), dtype=np.float32),
        "typical": base.typical,
        "deviation": np.stack([base.deviation[k] for k in known]),
        "shape": base.shape,
        "factors": model.factors,
    }
    groups, effects = list(base.groups), base.effects
    if groups:
        arrays["groups"] = np.stack([base.groups[k] for k in groups])
    if effects:
        arrays |= {f"effects.{name}": getattr(effects, name) for name in _EFFECTS}
        if effects.own:
            arrays["effects.own"] = np.stack([effects.own[k] for k in effects.own])
    tensors = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in arrays.items()}
    for i, network in enumerate(model.networks):
        tensors.update({f"network.{i}.{name}": x for name, x in network.state_dict().items()})
    document = {
        "name": model.name,
        "window": base.window.to_json(),
        "networks": [network.config for network in model.networks],
        "ids": list(model.ids),
        "own": own,
        "deviation": known,
        "groups": groups,
        "effects": effects and effects.to_json(),
    }
    return tensors, {"direct": document}


def _direct(tensors: dict[str, Tensor], document: dict[str, Any], description: Description) -> DirectModel:
    x = {name: t.numpy() for name, t in tensors.items() if not name.startswith("network.")}
    own = dict(zip(document["own"], x["own"], strict=True))
    deviation = dict(zip(document["deviation"], x["deviation"], strict=True))
    groups = dict(zip(document["groups"], x.get("groups", ()), strict=True))
    window, effects = WindowSpec(**document["window"]), _effects(document["effects"], x)
    base = ClosedForm(window, x["weights"], own, x["typical"], deviation, x["shape"], effects, groups)
    networks = []
    for i, config in enumerate(document["networks"]):
        network, start = SegmentNetwork(**config), f"network.{i}."
        network.load_state_dict({n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)})
        networks.append(network.eval())
    return DirectModel(document["name"], base, tuple(networks), tuple(document["ids"]), x["factors"], description)


def _effects(document: dict[str, Any] | None, x: dict[str, Any]) -> Effects | None:
    if document is None:
        return None
    own = dict(zip(document["own"], x.get("effects.own", ()), strict=True))
    centre, spread, hinges, weights = (x[f"effects.{name}"] for name in _EFFECTS)
    form = Form(**document["form"])
    return Effects(form, document["season"], document["log"], centre, spread, hinges, weights, own)
