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
from ostinato.errors import ConfigError, ModelFileError
from ostinato.layers.build import BARE
from ostinato.model import BEFORE, SequenceModel
from ostinato.numbers import counted
from ostinato.randomness import own_draws
from ostinato.settings import undisturbed
from ostinato.storage import load_bundle
from ostinato.threads import in_threads
from ostinato.wording import either

#: A model that a file can hold.
Model: TypeAlias = SequenceModel | DirectModel
#: A size in a description up to which a model is built without a look at how many weights the file holds.
_HARMLESS_SIZE = 1_000_000
#: The parts of a description that hold scales of the data, and no sizes: loud sound of 24 bits has large ones.
_SCALES = frozenset({"encoding", "wide"})
#: The parts of a document that this version knows.
_PARTS = {"description", "encoding", "before", "direct"}
#: The sizes of an architecture, and the least value of each.
_SIZES = {"channels": 1, "hidden": 1, "depth": 1, "embedding": 0, "components": 0}
#: A number of layers that needs no look at how many tensors the file holds.
_FEW_LAYERS = 64
#: How the names of the tensors begin that older files of several channels do not have.
_COUPLING = "coupling."
#: The names that the tensors of a backbone have in files of format 1.
_BACKBONE = re.compile(r"^(network\.\d+\.)?memory\.")


@undisturbed
def save_model(model: Model, path: str | Path) -> None:
    """Write model to path: weights as safetensors, everything else as JSON. An earlier file is replaced whole or kept.

    Args:
        model: A fitted model.
        path: The file to write, by custom with the suffix .ost.

    Raises:
        OstinatoError: The file cannot be written.
    """
    model.save(path)


@own_draws
@undisturbed
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
            fix=either(f"run ostinato classify {path} DATA", "read it with ostinato.load_classifier"),
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


@own_draws
@in_threads
def model_from_parts(tensors: dict[str, Tensor], document: dict[str, Any]) -> Model:
    """Return the model that ``model_parts`` took apart, in this or an earlier format.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError: The parts are those of a format that this version does not know.
    """
    if unknown := sorted(set(document) - _PARTS):
        raise ValueError(f"it has the unknown part {unknown[0]!r}")
    _check_numbers(tensors, document)
    try:
        tensors, document = _renamed(tensors, document)
        description = Description(**document["description"])
        if "direct" in document:
            return DirectModel.from_parts(tensors, document, description)
        return _sequence_model(tensors, document, description)
    except (AttributeError, ArithmeticError, IndexError, MemoryError) as error:  # a part has another form or size
        raise ValueError(str(error) or type(error).__name__) from error
    except ConfigError as error:
        if error.where:  # an environment variable, not the file
            raise
        raise ValueError(error.what) from error  # an option of a layer; its fix is none for a file


def _check_numbers(tensors: dict[str, Tensor], document: dict[str, Any]) -> None:
    """Raise ValueError if a tensor holds NaN or infinity, or a size would build far more than the tensors fill."""
    for name, tensor in tensors.items():
        lacks = "direct" in document and may_lack(name)
        if tensor.is_floating_point() and not lacks and not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} holds {counted(int((~tensor.isfinite()).sum()), 'number')} that are not finite")
    most = max(_HARMLESS_SIZE, sum(tensor.numel() for tensor in tensors.values()))
    waiting = [document["description"]["config"], document.get("before")]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [value for name, value in part.items() if name not in _SCALES]
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
    if _may_exceed(shape, tensors):
        with torch.device("meta"):  # shapes without memory: a wrong size would take all of it, or minutes
            sizes = {name: x.shape for name, x in assemble(shape, encoding, description, None).state_dict().items()}
        held = {name: x.shape for name, x in tensors.items()}
        optional = {k: size for k, size in sizes.items() if k.startswith(_COUPLING)}
        if other := [k for k, size in sizes.items() if (optional | held).get(k) != size]:
            raise ValueError(f"its sizes ask for {other[0]} of the shape {tuple(sizes[other[0]])}, which it lacks")
    model = assemble(shape, encoding, description, None)
    # files from before the coupling of channels have no tensors for it: zeros make the channels independent
    own = model.state_dict()
    uncoupled = {k: torch.zeros_like(v) for k, v in own.items() if k.startswith(_COUPLING)}
    if other := [k for k, v in tensors.items() if k in own and v.is_floating_point() != own[k].is_floating_point()]:
        raise ValueError(f"{other[0]} is of type {tensors[other[0]].dtype}, expected {own[other[0]].dtype}")
    model.load_state_dict(uncoupled | tensors)
    if "before" in document:
        earlier = document["before"]
        described = replace(description, config=earlier["config"])
        model.fitted_again(_sequence_model(before, {"encoding": earlier["encoding"]}, described))
    return model.eval()


def _may_exceed(shape: Architecture, tensors: dict[str, Tensor]) -> bool:
    """Return whether the sizes of a model may ask for more weights than its file holds.

    Raises:
        ValueError: A size is not a whole number or is too small, or the sizes need more numbers than the file has.
    """
    for name, least in _SIZES.items():
        size = getattr(shape, name)
        if not isinstance(size, int) or isinstance(size, bool) or size < least:
            raise ValueError(f"{name} is {size!r}, expected a whole number of at least {least}")
    numbers = sum(tensor.numel() for tensor in tensors.values())
    if shape.channels > numbers:
        raise ValueError(f"{counted(shape.channels, 'channel')} are more than its {numbers:,} weights")
    for base in shape.base.values():
        if base.get("channels", shape.channels) != shape.channels:
            raise ValueError(
                f"the number of channels of the closed form is {base['channels']!r}, expected {shape.channels}"
            )
    if shape.backbone in BARE:
        return False
    if shape.depth > max(_FEW_LAYERS, len(tensors)):
        raise ValueError(f"{counted(shape.depth, 'layer')} are more than its {counted(len(tensors), 'tensor')}")
    widths = shape.hidden * shape.depth, shape.components * shape.channels, shape.embedding
    return shape.hidden * max(widths) > numbers


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
