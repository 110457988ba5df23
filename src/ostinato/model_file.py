"""A model on disk: one file, written atomically, that scores raw data again without the code that trained it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ostinato.assemble import Parts, assemble
from ostinato.data.encoding import encoding_from_json
from ostinato.errors import ModelFileError
from ostinato.model import Description, SequenceModel
from ostinato.storage import load_bundle, save_bundle


def save_model(model: SequenceModel, path: str | Path) -> None:
    """Write model to path: weights as safetensors, everything else as JSON. An earlier file is replaced whole or kept.

    Raises OstinatoError where the file cannot be written.
    """
    document = {"description": asdict(model.description), "encoding": model.encoding.to_json()}
    save_bundle(Path(path), model.state_dict(), document)


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
        raise ModelFileError(
            f"the file is not a model this version understands ({error})", where=str(path), fix="update ostinato"
        ) from error
    return model.eval()
