"""The states of many live series in one file, which belongs to one model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ostinato.errors import ModelFileError
from ostinato.inference.stream import Held
from ostinato.shapes import Array
from ostinato.storage import atomic_write
from ostinato.wording import either

_NAME, _VERSION = "ostinato_streams", 1


@dataclass(frozen=True)
class Kept:
    """One series at rest.

    Attributes:
        held: The state of its stream.
        clock: The times that its clock goes on from, as ``Clock.times``.
        memory: What the alarm remembers of it, (W,).
    """

    held: Held
    clock: dict[str, Any]
    memory: Array


def save_states(path: str | Path, digest: str, series: Mapping[str, Kept]) -> None:
    """Write states to a file: tensors as safetensors, the rest as JSON inside. An earlier file is replaced as a whole.

    Args:
        path: The file.
        digest: The SHA-256 of the model that the states belong to.
        series: The series by their ids.

    Raises:
        WriteError: The file cannot be written; the earlier one is kept.
    """
    from safetensors.torch import save

    rows = list(series.values())
    tensors: dict[str, Tensor] = {}
    if rows:
        for k, parts in enumerate(zip(*(one.held.state for one in rows), strict=True)):
            tensors[f"state_{k}"] = torch.cat(list(parts)).contiguous()
        tensors["memory"] = torch.from_numpy(np.stack([one.memory for one in rows]))
        lasts = [one.held.last for one in rows]
        tensors |= {f"last_{b}": torch.from_numpy(np.array(last)) for b, last in enumerate(lasts) if last is not None}
    told = [
        {
            "unique_id": key,
            "steps": one.held.steps,
            "doubted": one.held.doubted,
            "returned": one.held.returned,
            "clock": one.clock,
        }
        for key, one in series.items()
    ]
    document = {"version": _VERSION, "model_sha256": digest, "series": told}
    atomic_write(path, save(tensors, {_NAME: json.dumps(document, ensure_ascii=False, sort_keys=True)}))


def load_states(path: str | Path, digest: str) -> dict[str, Kept]:
    """Return the states of a file by id.

    Args:
        path: The file.
        digest: The SHA-256 of the model that goes on from them.

    Raises:
        ModelFileError: The file is damaged, of a newer version, no file of states, or belongs to another model.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        # no mapping into memory: the file is replaced while it is open
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(_NAME)
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - no mapping
        document = {} if text is None else json.loads(text)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(
            f"the file of states cannot be read: {error}", where=str(path), fix="remove it to begin anew, or use a copy"
        ) from error
    version = document.get("version")
    if version != _VERSION:
        what = "the file holds no states of streams" if version is None else f"the states have version {version}"
        raise ModelFileError(
            f"{what}, expected version {_VERSION}",
            where=str(path),
            fix=f"give {either('another --state', 'the path of another file')}",
        )
    if document["model_sha256"] != digest:
        raise ModelFileError(
            f"the states belong to another model, with the SHA-256 {document['model_sha256'][:12]}... and not "
            f"{digest[:12]}...",
            where=str(path),
            fix="give the model that wrote them, or remove the file to begin anew",
        )
    parts = [tensors[f"state_{k}"] for k in range(sum(name.startswith("state_") for name in tensors))]
    out: dict[str, Kept] = {}
    for b, one in enumerate(document["series"]):
        last = tensors.get(f"last_{b}")
        state = tuple(part[b : b + 1].clone() for part in parts)
        held = Held(state, None if last is None else last.numpy(), one["steps"], one["doubted"], one["returned"])
        out[one["unique_id"]] = Kept(held, one["clock"], tensors["memory"][b].numpy())
    return out
