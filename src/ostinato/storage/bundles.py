"""The container format of models and checkpoints: tensors and a JSON document in one file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.choices import nearest_file
from ostinato.errors import ModelFileError
from ostinato.storage.files import atomic_write

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.description import Description

FORMAT, VERSION = "ostinato", 2
_DIGEST = 32
#: The bytes of a bundle that hold the name of its format, the name itself, and the bytes that are read of other files.
_HEAD, _MARK, _OTHER = 64, f'"{FORMAT}"'.encode(), 1 << 20


def save_bundle(path: str | Path, tensors: dict[str, Tensor], document: dict[str, Any]) -> None:
    """Write tensors and a JSON document to one file: safetensors with the document inside, then a SHA-256 of both.

    Args:
        path: The path of the file.
        tensors: The tensors by name.
        document: The document, which must be valid JSON.

    Raises:
        WriteError: The file cannot be written.
        ValueError: The document holds NaN or infinity.
    """
    from safetensors.torch import save as pack  # here, because it imports torch, which ``atomic_write`` does not need

    whole = {"format_version": VERSION, "document": document}
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # a file name whose bytes are not text has lone surrogates, which these escapes of Python and JSON both write
    text = text.encode(errors="backslashreplace").decode()
    # one entry of metadata: safetensors writes several in no fixed order, and equal models must give equal bytes
    body = pack({k: v.detach().contiguous().clone() for k, v in tensors.items()}, {FORMAT: text})
    atomic_write(path, body + hashlib.sha256(body).digest())


def save_described(
    path: str | Path, description: Description, tensors: dict[str, Tensor], document: dict[str, Any]
) -> None:
    """Write a model to one file: its description, its tensors, and what else its answers depend on.

    Args:
        path: The path of the file.
        description: The description of the model.
        tensors: The tensors by name.
        document: The rest, which must be valid JSON.

    Raises:
        WriteError: The file cannot be written.
    """
    save_bundle(path, tensors, {"description": asdict(description), **document})


def check_opens(path: str | Path) -> None:
    """Raise ModelFileError if a model file is missing or cannot be opened, without the libraries that read it."""
    try:
        with Path(path).open("rb"):
            pass
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        raise _unreadable(Path(path), error) from error


def load_bundle(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the document that ``save_bundle`` wrote.

    Args:
        path: The path of the file.

    Raises:
        ModelFileError: The file is missing, cut short, altered, of a newer format, or not a model file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as unpack

    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(_HEAD)
            # a device may have no end: of a file that is no bundle, as much is read as tells what it is
            raw += file.read() if _MARK in raw else file.read(_OTHER)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    body, digest = raw[:-_DIGEST], raw[-_DIGEST:]
    whole = _whole(body, path)
    version = whole.get("format_version")
    if isinstance(version, int) and version > VERSION:
        raise ModelFileError(
            f"the model file has format {version}, expected {VERSION} or lower",
            where=str(path),
            fix="update ostinato",
        )
    if hashlib.sha256(body).digest() != digest:
        raise _damaged(path)
    try:
        return unpack(body), dict(whole["document"])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error


def is_bundle(path: str | Path) -> bool:
    """Return whether a file begins as a bundle does; its name is ignored."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _MARK in file.read(_HEAD)


def _whole(body: bytes, path: Path) -> dict[str, Any]:
    """Return the version and the document from the safetensors header, with checks on every part of it."""
    size = int.from_bytes(body[:8], "little")
    if len(body) < 8 or size > len(body) - 8:
        if body and b"\0" not in body:
            raise _other(path)
        raise _damaged(path)
    try:
        text = json.loads(body[8 : 8 + size]).get("__metadata__", {}).get(FORMAT)
        if text is None:
            raise _other(path)
        whole = json.loads(text)
    except (ValueError, AttributeError, TypeError) as error:
        raise _damaged(path) from error
    return whole if isinstance(whole, dict) else {}


def _unreadable(path: Path, error: OSError | ValueError) -> ModelFileError:
    """Return the error about a file that the system does not read."""
    what = f"cannot read the model file: {getattr(error, 'strerror', None) or error}"
    if isinstance(error, ValueError):
        return ModelFileError(what, where=repr(str(path)), fix="check the path")
    return ModelFileError(what, where=str(path), fix=nearest_file(path))


def _other(path: Path) -> ModelFileError:
    """Return the error for a file of another program."""
    fix = "give a file that fit wrote; the model comes first, then the data"
    return ModelFileError("the file is not an ostinato model file", where=str(path), fix=fix)


def _damaged(path: Path) -> ModelFileError:
    """Return the error for a damaged file."""
    return ModelFileError(
        "the file is not a model file, or it was cut short or altered",
        where=str(path),
        fix="use another copy of it, or fit the model again",
    )
