"""The verbs compress and decompress: files in, one container out, and back to the bit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ostinato.compression.coder import Decoder, Encoder
from ostinato.compression.container import Container, digest_of
from ostinato.compression.lanes import Values, drive_of
from ostinato.compression.originals import originals_of
from ostinato.compression.portable import check
from ostinato.errors import DataError, ModelFileError
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.threads import Threads, in_threads


@in_threads
def compress(model: Model, files: Mapping[str, bytes], *, threads: Threads = 1) -> bytes:
    """Compress files without loss by an arithmetic coder that a model drives.

    The files take what ``score`` says of them, and a few dozen bytes. A model that goes on learning does so here too:
    it codes each value by what it asserted before it saw it. ``decompress`` needs the same model.

    Args:
        model: A fitted SequenceModel of text or sound.
        files: The bytes of each file by its name: text in UTF-8, or WAV files of whole numbers.
        threads: The number of threads that compute.

    Returns:
        The bytes of the container.

    Raises:
        ConfigError: The model is of another kind of data, or a package is not installed.
        DataError: A file is not of the model's kind, or cannot be restored to the bit from what the model reads.
    """
    sequence_model = model.likelihood("compress")
    check()
    originals, drive, coder = originals_of(sequence_model), drive_of(sequence_model), Encoder()
    given: list[Values] = []
    lengths: list[int] = []
    extra: list[int] = []
    facts: list[Any] = []
    for name, raw in files.items():
        rows, beside, left = originals.apart(raw, name)
        if originals.together(rows, left) != raw:
            raise DataError(
                "the file cannot be restored to the bit from what the model reads",
                where=name,
                fix="keep the file as it is",
            )
        given, lengths, extra = [*given, *rows], [*lengths, *map(len, rows)], [*extra, *beside]
        facts.append([name, left])
    drive.run(coder, given, lengths, extra)
    coded = coder.finish()
    original = digest_of_files(files)
    return Container(digest_of_model(sequence_model), facts, coder.digests, coded, original).to_bytes()


@in_threads
def decompress(model: Model, container: bytes, *, where: str = "the file", threads: Threads = 1) -> dict[str, bytes]:
    """Return the files of a container, by name.

    Args:
        model: The model that compressed them.
        container: The bytes that ``compress`` returned.
        where: The name of the container, for an error.
        threads: The number of threads that compute.

    Raises:
        DataError: The bytes are no container, or were cut short or altered; or this machine computes other
            probabilities than the one that wrote them.
        ModelFileError: The container was written by another model.
    """
    sequence_model = model.likelihood("decompress")
    held = Container.from_bytes(container, where)
    if held.model != digest_of_model(sequence_model):
        raise ModelFileError(
            f"the file was compressed by another model, whose digest is {held.model.hex()}",
            where=where,
            fix="give the model that compressed it",
        )
    check()
    originals, drive = originals_of(sequence_model), drive_of(sequence_model)
    coder = Decoder(held.coded, held.digests, where)
    shapes = [originals.shape(left) for _, left in held.facts]
    lengths, extra = ([n for shape in shapes for n in shape[i]] for i in range(2))
    sequences = drive.run(coder, None, lengths, extra)
    coder.close_block()
    out: dict[str, bytes] = {}
    for (name, left), (own, _) in zip(held.facts, shapes, strict=True):
        out[name], sequences = originals.together(sequences[: len(own)], left), sequences[len(own) :]
    if digest_of_files(out) != held.original:
        raise DataError(
            "the restored files are not those that were compressed", where=where, fix="use another copy of it"
        )
    return out


def digest_of_files(files: Mapping[str, bytes]) -> bytes:
    """Return a digest of the bytes of files, 4 bytes: a second check, beside that of the container."""
    return digest_of(b"".join(digest_of(raw) for raw in files.values()))[:4]


def digest_of_model(model: SequenceModel) -> bytes:
    """Return a digest of everything that the probabilities of a model follow from, 8 bytes."""
    tensors, document = model.to_parts()
    told = {k: v for k, v in asdict(model.description).items() if k != "record"}
    digest = hashlib.blake2b(json.dumps([document, told], sort_keys=True).encode(), digest_size=8)
    for name, tensor in sorted(tensors.items()):
        whole = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {whole.dtype} {tuple(whole.shape)}".encode() + whole.numpy().tobytes())
    return digest.digest()
