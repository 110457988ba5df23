"""A model on disk: one file, written atomically, that answers on raw data without the code that trained the model."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ostinato.assemble import Architecture, assemble
from ostinato.data.encoding import encoding_from_json
from ostinato.description import Description
from ostinato.direct.model import DirectModel
from ostinato.direct.storage import may_lack
from ostinato.errors import ModelFileError
from ostinato.model import BEFORE, SequenceModel
from ostinato.numbers import counted
from ostinato.storage import load_bundle

#: A model that a file can hold.
Model: TypeAlias = SequenceModel | DirectModel
#: A size in a description up to which a model is built without a look at how many weights the file holds.
_LEAST_SIZE = 1_000_000
_BACKBONE = re.compile(r"^(network\.\d+\.)?memory\.")


def save_model(model: Model, path: str | Path) -> None:
    """Write model to path: weights as safetensors, everything else as JSON. An earlier file is replaced whole or kept.

    Args:
        model: A fitted model.
        path: The file to write, by custom with the suffix .ost.

    Raises:
        OstinatoError: The file cannot be written.
    """
    model.save(path)


def load_model(path: str | Path) -> Model:
    """Read a model from path: a SequenceModel, or a DirectModel if the file holds one.

    Args:
        path: A file that ``save_model`` or the command ``fit`` wrote.

    Raises:
        ModelFileError: The file is missing, cut short, altered, of a newer format, or no model file.
    """
    tensors, document = load_bundle(Path(path))
    if "classifier" in document:
        raise ModelFileError(
            "the file holds a classifier, not a model of all sequences",
            where=str(path),
            fix=f"run ostinato classify {path} DATA; in Python, load_classifier",
        )
    try:
        return model_from_parts(tensors, document)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"this version cannot read the model in the file ({error})", where=str(path), fix="update ostinato"
        ) from error


def model_parts(model: Model) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a model, and the JSON document that ``model_from_parts`` takes with them."""
    tensors, document = model.to_parts()
    return tensors, {"description": asdict(model.description), **document}


def model_from_parts(tensors: dict[str, Tensor], document: dict[str, Any]) -> Model:
    """Return the model that ``model_parts`` took apart, in this or an earlier format.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError: The parts are those of a format that this version does not know.
    """
    _check_numbers(tensors, document)
    try:
        tensors, document = _renamed(tensors, document)
        description = Description(**document["description"])
        if "direct" in document:
            return DirectModel.from_parts(tensors, document, description)
        return _sequence_model(tensors, document, description)
    except (AttributeError, ArithmeticError, IndexError, MemoryError) as error:  # a part has another form or size
        raise ValueError(str(error) or type(error).__name__) from error


def _check_numbers(tensors: dict[str, Tensor], document: dict[str, Any]) -> None:
    """Raise ValueError if a tensor holds NaN or infinity, or a size would build far more than the tensors fill."""
    for name, tensor in tensors.items():
        lacks = "direct" in document and may_lack(name)
        if tensor.is_floating_point() and not lacks and not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} holds {counted(int((~tensor.isfinite()).sum()), 'number')} that are not finite")
    most = max(_LEAST_SIZE, sum(tensor.numel() for tensor in tensors.values()))
    waiting = [document["description"]["config"], document.get("before")]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [value for name, value in part.items() if name != "encoding"]
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, int | float) and abs(part) > most:
            raise ValueError(f"a size of {part:,} is more than the {most:,} that the weights fill")


def model_digest(model: Model) -> str:
    """Return the SHA-256 of the weights and of everything else that the answers of a model depend on."""
    tensors, document = model.to_parts()
    found = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(tensors):
        found.update(name.encode() + tensors[name].detach().contiguous().numpy().tobytes())
    return found.hexdigest()


def _sequence_model(tensors: dict[str, Tensor], document: dict[str, Any], description: Description) -> SequenceModel:
    """Return the model that ``SequenceModel.to_parts`` took apart."""
    before = {k.removeprefix(BEFORE): v for k, v in tensors.items() if k.startswith(BEFORE)}
    tensors = {k: v for k, v in tensors.items() if not k.startswith(BEFORE)}
    encoding, shape = encoding_from_json(document["encoding"]), Architecture(**description.config["parts"])
    model = assemble(shape, encoding, description, None)
    # files from before the coupling of channels have no tensors for it: zeros make the channels independent
    own = model.state_dict()
    uncoupled = {k: torch.zeros_like(v) for k, v in own.items() if k.startswith("coupling.")}
    if other := [k for k, v in tensors.items() if k in own and v.is_floating_point() != own[k].is_floating_point()]:
        raise ValueError(f"{other[0]} is of type {tensors[other[0]].dtype}, expected {own[other[0]].dtype}")
    model.load_state_dict(uncoupled | tensors)
    if "before" in document:
        earlier = document["before"]
        told = replace(description, config=earlier["config"])
        model.fitted_again(_sequence_model(before, {"encoding": earlier["encoding"]}, told))
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
