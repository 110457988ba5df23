"""Files that are written whole or not at all, and the container of models and checkpoints."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as unpack
from safetensors.torch import save as pack
from torch import Tensor

from ostinato.errors import ModelFileError, WriteError

FORMAT, VERSION = "ostinato", 2
_DIGEST = 32


def atomic_write(path: str | Path, content: bytes) -> None:
    """Write content to path: a temporary file beside it, fsync, rename. An earlier file is replaced whole or kept.

    A link is followed; a device or a pipe, which cannot be replaced, is written to as it is.

    Raises WriteError with the reason where the file cannot be written.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target = path.resolve()
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(target)
        temporary = None
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        fix = {
            errno.ENOSPC: "make room, then write it again; an earlier file there is untouched",
            errno.EACCES: "choose a folder that you may write to",
            errno.ENOENT: "choose another path" if path.parent.is_dir() else f"make the folder first: {path.parent}",
        }.get(error.errno or 0, "choose another path")
        raise WriteError(f"the file cannot be written: {error.strerror or error}", where=str(path), fix=fix) from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):  # the failure that matters is already being raised
                Path(temporary).unlink()


def save_bundle(path: str | Path, tensors: dict[str, Tensor], document: dict[str, Any]) -> None:
    """Write tensors and a JSON document to one file: a SHA-256 of the rest, then safetensors with the document inside.

    Raises WriteError where it cannot be written, ValueError for NaN or infinity in the document.
    """
    whole = {"format_version": VERSION, "document": document}
    words = json.dumps(whole, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # one entry: safetensors writes several in no fixed order, and the same model should be the same bytes
    body = pack({k: v.detach().contiguous().clone() for k, v in tensors.items()}, {FORMAT: words})
    atomic_write(path, body + hashlib.sha256(body).digest())


def load_bundle(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inverse of save_bundle.

    Raises ModelFileError for a file that is missing, cut short, altered, of a newer format, or something else.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"the model file cannot be read: {error.strerror or error}", where=str(path), fix="check the path"
        ) from error
    body, digest = raw[:-_DIGEST], raw[-_DIGEST:]
    whole = _whole(body, path)
    version = whole.get("format_version")
    if isinstance(version, int) and version > VERSION:
        raise ModelFileError(
            f"the file is of format {version}, newer than this version of ostinato reads ({VERSION})",
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
    """Whether a file begins as a bundle does, whatever its name."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return f'"{FORMAT}"'.encode() in file.read(64)


def _whole(body: bytes, path: Path) -> dict[str, Any]:
    """Version and document, from the safetensors header, read without trusting it."""
    size = int.from_bytes(body[:8], "little")
    if len(body) < 8 or size > len(body) - 8:
        if body and b"\0" not in body:
            raise _other(path)
        raise _damaged(path)
    try:
        words = json.loads(body[8 : 8 + size]).get("__metadata__", {}).get(FORMAT)
        if words is None:
            raise _other(path)
        found = json.loads(words)
    except (ValueError, AttributeError, TypeError) as error:
        raise _damaged(path) from error
    return found if isinstance(found, dict) else {}


def _other(path: Path) -> ModelFileError:
    fix = "give a file that fit wrote; the model comes first, then the data"
    return ModelFileError("this is no ostinato model file", where=str(path), fix=fix)


def _damaged(path: Path) -> ModelFileError:
    return ModelFileError(
        "the file is no model file, or was cut short or altered",
        where=str(path),
        fix="use another copy of it, or fit the model again",
    )
