"""A model on disk: one file, written atomically, that scores raw data again without the code that trained it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ostinato.assemble import Parts, assemble
from ostinato.data.encoding import encoding_from_json
from ostinato.data.windows import Window
from ostinato.direct import Direct, DirectModel
from ostinato.errors import ModelFileError
from ostinato.layers.segments import Segments
from ostinato.model import Description, SequenceModel
from ostinato.storage import load_bundle, save_bundle


def save_model(model: SequenceModel, path: str | Path) -> None:
    """Write model to path: weights as safetensors, everything else as JSON. An earlier file is replaced whole or kept.

    Raises OstinatoError where the file cannot be written.
    """
    document = {"description": asdict(model.description), "encoding": model.encoding.to_json()}
    save_bundle(Path(path), model.state_dict(), document)


def save_direct(model: DirectModel, path: str | Path) -> None:
    """Write a direct model to path, as ``save_model`` does.

    Raises OstinatoError where the file cannot be written.
    """
    base, own, known = model.base, list(model.base.own), list(model.base.deviation)
    arrays = {
        "weights": base.weights,
        "own": np.stack([base.own[k] for k in own]) if own else np.zeros((0, *base.weights.shape), dtype=np.float32),
        "typical": base.typical,
        "deviation": np.stack([base.deviation[k] for k in known]),
        "shape": base.shape,
        "factors": model.factors,
    }
    tensors = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in arrays.items()}
    for i, network in enumerate(model.networks):
        tensors.update({f"network.{i}.{name}": x for name, x in network.state_dict().items()})
    document = {
        "direct": model.name,
        "window": base.window.to_json(),
        "networks": [network.config for network in model.networks],
        "ids": list(model.ids),
        "own": own,
        "deviation": known,
        "record": model.record,
        "source": model.source,
    }
    save_bundle(Path(path), tensors, document)


def load_direct(path: str | Path) -> DirectModel:
    """Read a direct model from path.

    Raises ModelFileError as ``load_model`` does.
    """
    tensors, document = load_bundle(Path(path))
    try:
        x = {name: t.numpy() for name, t in tensors.items() if not name.startswith("network.")}
        own = dict(zip(document["own"], x["own"], strict=True))
        deviation = dict(zip(document["deviation"], x["deviation"], strict=True))
        base = Direct(Window(**document["window"]), x["weights"], own, x["typical"], deviation, x["shape"])
        networks = []
        for i, config in enumerate(document["networks"]):
            network, start = Segments(**config), f"network.{i}."
            network.load_state_dict({n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)})
            networks.append(network.eval())
        ids, record, source = tuple(document["ids"]), document["record"], document["source"]
        return DirectModel(document["direct"], base, tuple(networks), ids, x["factors"], record, source)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _unknown(error, path) from error


def load_model(path: str | Path) -> SequenceModel:
    """Read a model from path.

    Raises ModelFileError for a file that is missing, cut short, altered, of a newer format, or no model file.
    """
    tensors, document = load_bundle(Path(path))
    try:
        description = Description(**document["description"])
        parts: dict[str, Any] = description.config["parts"]
        model = assemble(Parts(**parts), encoding_from_json(document["encoding"]), description, None)
        model.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise _unknown(error, path) from error
    return model.eval()


def _unknown(error: Exception, path: str | Path) -> ModelFileError:
    return ModelFileError(
        f"the file is not a model this version understands ({error})", where=str(path), fix="update ostinato"
    )
