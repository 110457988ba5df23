"""A stream as a file of safetensors, with a JSON document inside, that another machine can go on from."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import DataError
from ostinato.serve.errors import ExistsError
from ostinato.serve.served import Served
from ostinato.serve.snapshot import BLOCK, Snapshot

_NAME, _VERSION = "ostinato_stream", 1


def packed(snapshot: Snapshot, blocks: list[tuple[int, bytes]], served: Served) -> bytes:
    """Return the bytes of a file.

    Args:
        snapshot: The stream.
        blocks: The blocks of its history.
        served: The model.
    """
    from safetensors.numpy import save

    parts = served.layout.unpack(np.frombuffer(snapshot.row, dtype=np.uint8)[None])
    tensors = {name: np.array(x[0]) for (name, *_), x in zip(served.layout.parts, parts, strict=True)}
    seen = np.frombuffer(b"".join(block for _, block in blocks) + snapshot.tail, dtype=served.event)
    assert served.event.names is not None
    tensors |= {f"history_{name}": np.ascontiguousarray(seen[name]) for name in served.event.names}
    document = {
        "version": _VERSION,
        "model_sha256": served.digest.hex(),
        "seq": snapshot.seq,
        "steps": snapshot.steps,
        "order": snapshot.extra.decode(),
    }
    return save(tensors, {_NAME: json.dumps(document)})


def unpacked(data: bytes, served: Served) -> tuple[Snapshot, list[tuple[int, bytes]]]:
    """Return the stream of a file, and the blocks of its history.

    Args:
        data: The bytes of the file.
        served: The model.

    Raises:
        DataError: The bytes are not such a file.
        ExistsError: The stream belongs to another model.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    layout, digest, event = served.layout, served.digest, served.event
    fix = "send the bytes that GET .../snapshot returned"
    try:
        length = int.from_bytes(data[:8], "little")
        document = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_NAME])
        model, seq, steps = bytes.fromhex(document["model_sha256"]), int(document["seq"]), int(document["steps"])
        extra = document["order"].encode()
        if document["version"] != _VERSION or not 0 <= seq <= 2**53 or not 0 <= steps <= 2**53:
            raise DataError("the snapshot has another version", fix="update ostinato")
        if model != digest:
            raise ExistsError(
                f"the snapshot belongs to the model {model.hex()[:12]}, and the server has {digest.hex()[:12]}",
                fix="use the same model file",
            )
        tensors = load(data)
        parts = [_shaped(tensors[name], dtype, shape) for name, dtype, shape, *_ in layout.parts]
        count = len(tensors["history_seq"])
        seen = np.zeros(count, dtype=event)
        assert event.names is not None
        for name in event.names:
            seen[name] = _shaped(tensors[f"history_{name}"], event[name].base, (count, *event[name].shape))
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise DataError(f"the snapshot cannot be read: {type(error).__name__}", fix=fix) from error
    full = count // BLOCK
    raw, size = seen.tobytes(), event.itemsize * BLOCK
    blocks = [(i, raw[i * size : (i + 1) * size]) for i in range(full)]
    row = layout.pack([part[None] for part in parts])[0].tobytes()
    return Snapshot(digest[:16], seq, steps, full, row, raw[full * size :], extra), blocks


def _shaped(x: NDArray[Any], dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an array that has this type and shape, and finite numbers where the model needs them.

    Raises:
        ValueError: It has not.
    """
    if x.dtype != dtype or x.shape != shape:
        raise ValueError(f"{x.dtype} {x.shape} instead of {dtype} {shape}")
    return x
